#include "nn/loss_priv.h"

#include <math.h>
#include <stdbool.h>

/* log(sigmoid(z)) without overflow. */
static double log_sigmoid(double z)
{
    return z < 0.0 ? z - log1p(exp(z)) : -log1p(exp(-z));
}

static double sigmoid(double z)
{
    return z < 0.0 ? exp(z) / (1.0 + exp(z)) : 1.0 / (1.0 + exp(-z));
}

static double bce(double logit, double target)
{
    return -(target * log_sigmoid(logit) + (1.0 - target) * log_sigmoid(-logit));
}

/* What one image sees: its logits, target and gradient, `factor` = its share of the weighted mean. */
typedef struct image_loss {
    const reha_loss *loss;
    const float *logits, *target;
    float *grad;
    size_t count;           /* of logits */
    size_t maps, map_count; /* [c][h*w] losses */
    double factor;
} image_loss;

static double log_sum_exp(const float *values, size_t count)
{
    double highest = (double)values[0], sum = 0.0;
    for (size_t i = 1; i < count; i++) {
        highest = (double)values[i] > highest ? (double)values[i] : highest;
    }
    for (size_t i = 0; i < count; i++) {
        sum += exp((double)values[i] - highest);
    }
    return highest + log(sum);
}

/* -sum_k w_k t_k log p_k, targets smoothed towards 1/k. */
static double cross_entropy(const image_loss *in)
{
    const double normaliser = log_sum_exp(in->logits, in->count);
    const double smoothing = (double)in->loss->label_smoothing;
    double value = 0.0, mass = 0.0;

    for (size_t k = 0; k < in->count; k++) {
        const double weight = in->loss->class_weights != NULL ? (double)in->loss->class_weights[k] : 1.0;
        const double target = (1.0 - smoothing) * (double)in->target[k] + smoothing / (double)in->count;
        value -= weight * target * ((double)in->logits[k] - normaliser);
        mass += weight * target;
        in->grad[k] -= (float)(in->factor * weight * target);
    }
    for (size_t k = 0; k < in->count; k++) {
        in->grad[k] += (float)(in->factor * mass * exp((double)in->logits[k] - normaliser));
    }
    return value;
}

/* Squared distance of the expected class under the softmax from the target's. */
static double expected_rank(const image_loss *in)
{
    const double normaliser = log_sum_exp(in->logits, in->count);
    double expected = 0.0, wanted = 0.0;
    for (size_t k = 0; k < in->count; k++) {
        expected += (double)k * exp((double)in->logits[k] - normaliser);
        wanted += (double)k * (double)in->target[k];
    }
    const double d = expected - wanted;
    for (size_t k = 0; k < in->count; k++) {
        const double p = exp((double)in->logits[k] - normaliser);
        in->grad[k] += (float)(in->factor * 2.0 * d * p * ((double)k - expected));
    }
    return d * d;
}

/* Task j asks "rank > j?" of the images whose rank is at least j. */
static double corn(const image_loss *in)
{
    const size_t rank = (size_t)in->target[0];
    double value = 0.0;
    for (size_t j = 0; j < in->count && j <= rank; j++) {
        const double target = rank > j ? 1.0 : 0.0;
        value += bce((double)in->logits[j], target);
        in->grad[j] += (float)(in->factor * (sigmoid((double)in->logits[j]) - target));
    }
    return value;
}

static double coral(const image_loss *in)
{
    const size_t rank = (size_t)in->target[0];
    double value = 0.0;
    for (size_t j = 0; j < in->count; j++) {
        const double target = rank > j ? 1.0 : 0.0;
        value += bce((double)in->logits[j], target);
        in->grad[j] += (float)(in->factor * (sigmoid((double)in->logits[j]) - target));
    }
    return value;
}

static double squared(const image_loss *in)
{
    double value = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        const double d = (double)in->logits[i] - (double)in->target[i];
        value += d * d;
        in->grad[i] += (float)(in->factor * 2.0 * d / (double)in->count);
    }
    return value / (double)in->count;
}

static double huber(const image_loss *in)
{
    double value = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        const double d = (double)in->logits[i] - (double)in->target[i];
        value += fabs(d) <= 1.0 ? 0.5 * d * d : fabs(d) - 0.5;
        in->grad[i] += (float)(in->factor * (d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d) / (double)in->count);
    }
    return value / (double)in->count;
}

static double binary(const image_loss *in)
{
    double value = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        const double target = (double)in->target[i];
        value += bce((double)in->logits[i], target);
        in->grad[i] += (float)(in->factor * (sigmoid((double)in->logits[i]) - target) / (double)in->count);
    }
    return value / (double)in->count;
}

/* 1 - (2 sum(pt) + 1) / (sum(p) + sum(t) + 1), mean over the channels. */
static double dice(const image_loss *in)
{
    double value = 0.0;
    for (size_t c = 0; c < in->maps; c++) {
        const float *logits = in->logits + c * in->map_count, *target = in->target + c * in->map_count;
        float *grad = in->grad + c * in->map_count;
        double both = 0.0, p_sum = 0.0, t_sum = 0.0;
        for (size_t i = 0; i < in->map_count; i++) {
            const double p = sigmoid((double)logits[i]);
            both += p * (double)target[i];
            p_sum += p;
            t_sum += (double)target[i];
        }
        const double top = 2.0 * both + 1.0, bottom = p_sum + t_sum + 1.0;
        value += 1.0 - top / bottom;
        for (size_t i = 0; i < in->map_count; i++) {
            const double p = sigmoid((double)logits[i]);
            const double slope = -(2.0 * (double)target[i] * bottom - top) / (bottom * bottom);
            grad[i] += (float)(in->factor * slope * p * (1.0 - p) / (double)in->maps);
        }
    }
    return value / (double)in->maps;
}

/* A map whose first target is negative is not labelled. */
static bool is_labelled(const image_loss *in, size_t map)
{
    return in->target[map * in->map_count] >= 0.0F;
}

static double labelled_maps(const image_loss *in)
{
    double count = 0.0;
    for (size_t c = 0; c < in->maps; c++) {
        count += is_labelled(in, c) ? 1.0 : 0.0;
    }
    return count;
}

static double binary_dice(const image_loss *in)
{
    double value = 0.0;
    for (size_t c = 0; c < in->maps; c++) {
        if (is_labelled(in, c)) {
            const size_t first = c * in->map_count;
            image_loss map = *in;
            map.logits = in->logits + first;
            map.target = in->target + first;
            map.grad = in->grad + first;
            map.count = in->map_count;
            map.maps = 1;
            value += binary(&map) + dice(&map);
        }
    }
    return value;
}

static double map_sum(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i];
    }
    return sum;
}

/* Softmax over the pixels of each map against a target distribution; maps of zeros are unknown points. */
static double heatmap(const image_loss *in)
{
    double value = 0.0;
    for (size_t c = 0; c < in->maps; c++) {
        const float *logits = in->logits + c * in->map_count, *target = in->target + c * in->map_count;
        float *grad = in->grad + c * in->map_count;
        const double mass = map_sum(target, in->map_count);
        if (mass <= 0.0) {
            continue;
        }
        const double normaliser = log_sum_exp(logits, in->map_count);
        for (size_t i = 0; i < in->map_count; i++) {
            const double log_p = (double)logits[i] - normaliser;
            value -= (double)target[i] * log_p;
            grad[i] += (float)(in->factor * (mass * exp(log_p) - (double)target[i]));
        }
    }
    return value;
}

/* CornerNet's penalty-reduced focal loss (Law and Deng 2018): a target of 1 is a centre; near it, "no" counts
 * less. Sum over the cells; the mean's denominator counts the centres. */
static double centre_focal(const image_loss *in)
{
    double value = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        const double z = (double)in->logits[i];
        const double p = sigmoid(z);
        if (in->target[i] >= 1.0F) {
            const double q = 1.0 - p;
            value -= q * q * log_sigmoid(z);
            in->grad[i] += (float)(in->factor * (2.0 * p * q * q * log_sigmoid(z) - q * q * q));
        } else {
            const double far = 1.0 - (double)in->target[i];
            const double weight = far * far * far * far;
            value -= weight * p * p * log_sigmoid(-z);
            in->grad[i] +=
                (float)(in->factor * weight * (p * p * p - 2.0 * p * p * (1.0 - p) * log_sigmoid(-z)));
        }
    }
    return value;
}

static size_t known_count(const image_loss *in)
{
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        count += isnan(in->target[i]) ? 0 : 1;
    }
    return count;
}

/* Huber where the target is known (not NaN); the mean's denominator counts the known values. */
static double huber_known(const image_loss *in)
{
    double value = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        if (!isnan(in->target[i])) {
            const double d = (double)in->logits[i] - (double)in->target[i];
            value += fabs(d) <= 1.0 ? 0.5 * d * d : fabs(d) - 0.5;
            in->grad[i] += (float)(in->factor * (d > 1.0 ? 1.0 : d < -1.0 ? -1.0 : d));
        }
    }
    return value;
}

typedef double loss_fn(const image_loss *in);

static loss_fn *const loss_table[] = {
    [REHA_LOSS_CROSS_ENTROPY] = cross_entropy,
    [REHA_LOSS_EXPECTED_RANK] = expected_rank,
    [REHA_LOSS_CORN] = corn,
    [REHA_LOSS_CORAL] = coral,
    [REHA_LOSS_MSE] = squared,
    [REHA_LOSS_HUBER] = huber,
    [REHA_LOSS_BCE] = binary,
    [REHA_LOSS_BCE_DICE] = binary_dice,
    [REHA_LOSS_HEATMAP] = heatmap,
    [REHA_LOSS_CENTRE_FOCAL] = centre_focal,
    [REHA_LOSS_HUBER_KNOWN] = huber_known,
};

size_t reha_loss_target_count(reha_loss_kind kind, reha_shape output)
{
    size_t per_image = 1;
    for (int i = 1; i < output.rank; i++) {
        per_image *= (size_t)output.dims[i];
    }
    const bool is_vector = output.rank == 2 || (output.rank == 4 && output.dims[2] * output.dims[3] == 1);
    switch (kind) {
    case REHA_LOSS_CROSS_ENTROPY:
    case REHA_LOSS_EXPECTED_RANK:
        return is_vector ? per_image : 0;
    case REHA_LOSS_CORN:
    case REHA_LOSS_CORAL:
        return is_vector ? 1 : 0;
    case REHA_LOSS_BCE_DICE:
    case REHA_LOSS_HEATMAP:
        return output.rank == 4 ? per_image : 0;
    case REHA_LOSS_MSE:
    case REHA_LOSS_HUBER:
    case REHA_LOSS_BCE:
    case REHA_LOSS_CENTRE_FOCAL:
    case REHA_LOSS_HUBER_KNOWN:
        return per_image;
    }
    return 0;
}

/* How much of the mean's denominator an image brings: CORN counts its tasks, heat maps their known
 * points, masks their labelled maps, focal heat maps their centres (1 if none), Huber its known values, all
 * others 1. */
static double share_of(const image_loss *in)
{
    if (in->loss->kind == REHA_LOSS_CORN) {
        const double rank = (double)in->target[0];
        return rank + 1.0 < (double)in->count ? rank + 1.0 : (double)in->count;
    }
    if (in->loss->kind == REHA_LOSS_HEATMAP) {
        double known = 0.0;
        for (size_t c = 0; c < in->maps; c++) {
            known += map_sum(in->target + c * in->map_count, in->map_count) > 0.0 ? 1.0 : 0.0;
        }
        return known;
    }
    if (in->loss->kind == REHA_LOSS_CENTRE_FOCAL) {
        double centres = 0.0;
        for (size_t i = 0; i < in->count; i++) {
            centres += in->target[i] >= 1.0F ? 1.0 : 0.0;
        }
        return fmax(centres, 1.0);
    }
    if (in->loss->kind == REHA_LOSS_HUBER_KNOWN) {
        return (double)known_count(in);
    }
    return in->loss->kind == REHA_LOSS_BCE_DICE ? labelled_maps(in) : 1.0;
}

static reha_status check_target(const image_loss *in, size_t count, int64_t image, reha_error *err)
{
    const reha_loss_kind kind = in->loss->kind;
    if (kind == REHA_LOSS_CORN || kind == REHA_LOSS_CORAL) {
        const float rank = in->target[0];
        if (!(rank >= 0.0F && rank <= (float)in->count) || rank != floorf(rank)) {
            return reha_fail(err, REHA_E_ARG,
                             "target of image %lld: rank %g, expected a whole number 0 to %zu",
                             (long long)image, (double)rank, in->count);
        }
    } else if (kind != REHA_LOSS_MSE && kind != REHA_LOSS_HUBER && kind != REHA_LOSS_HUBER_KNOWN) {
        for (size_t i = 0; i < count; i++) {
            if (kind == REHA_LOSS_BCE_DICE && !is_labelled(in, i / in->map_count)) {
                continue;
            }
            if (!(in->target[i] >= 0.0F && in->target[i] <= 1.0F + 1e-5F)) {
                return reha_fail(err, REHA_E_ARG, "target of image %lld: %g is no probability",
                                 (long long)image, (double)in->target[i]);
            }
        }
    }
    return REHA_OK;
}

reha_status reha_loss_run(const reha_loss *loss, reha_shape shape, const float *logits, const float *target,
                          const float *image_weights, float *grad, double *value, reha_error *err)
{
    const size_t target_count = reha_loss_target_count(loss->kind, shape);
    image_loss in = {.loss = loss};
    double total = 0.0;

    *value = 0.0;
    in.count = reha_shape_count(shape) / (size_t)shape.dims[0];
    in.maps = (size_t)shape.dims[1];
    in.map_count = in.count / in.maps;
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        in.target = target + (size_t)i * target_count;
        REHA_TRY(check_target(&in, target_count, i, err));
        total += (image_weights != NULL ? (double)image_weights[i] : 1.0) * share_of(&in);
    }
    if (total <= 0.0) {
        return REHA_OK; /* nothing known in this batch */
    }
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        const double weight = image_weights != NULL ? (double)image_weights[i] : 1.0;
        in.logits = logits + (size_t)i * in.count;
        in.target = target + (size_t)i * target_count;
        in.grad = grad + (size_t)i * in.count;
        in.factor = (double)loss->weight * weight / total;
        *value += in.factor * loss_table[loss->kind](&in);
    }
    return REHA_OK;
}
