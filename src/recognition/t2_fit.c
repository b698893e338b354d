#include "recognition/t2_fit.h"

#include <math.h>

static const double ROOT_HALF_PI = 1.2533141373155003;
static const double STRONG =
    10.0; /* amplitude in sigmas above which sqrt(A^2 + sigma^2) is the mean to 1e-4 sigma */
static const double STANDS_OUT = 3.0; /* sigmas */
static const double Z_95 = 1.959963985;

enum { ROUNDS_MAX = 60 };

const char *reha_t2_state_text(reha_t2_state state)
{
    static const char *const texts[REHA_T2_STATE_COUNT] = {
        [REHA_T2_FITTED] = "fitted",           [REHA_T2_BACKGROUND] = "background",
        [REHA_T2_NO_DATA] = "too few echoes",  [REHA_T2_IN_NOISE] = "in the noise",
        [REHA_T2_NO_DECAY] = "no decay",       [REHA_T2_OUT_OF_RANGE] = "out of range",
        [REHA_T2_UNCERTAIN] = "too uncertain", [REHA_T2_NO_SOLUTION] = "no solution",
    };
    const int idx = (int)state;
    return idx >= 0 && idx < (int)REHA_T2_STATE_COUNT ? texts[idx] : "unknown";
}

static double polynomial(const double *c, int count, double x)
{
    double sum = 0.0;
    for (int i = count - 1; i >= 0; i--) {
        sum = sum * x + c[i];
    }
    return sum;
}

/* exp(-x) I0(x) and exp(-x) I1(x) for x >= 0: Abramowitz and Stegun 9.8.1 to 9.8.4, error below 3e-7. */
static void scaled_bessel(double x, double *i0, double *i1)
{
    static const double low0[] = {1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813};
    static const double low1[] = {0.5,        0.87890594, 0.51498869, 0.15084934,
                                  0.02658733, 0.00301532, 0.00032411};
    static const double high0[] = {0.39894228,  0.01328592, 0.00225319,  -0.00157565, 0.00916281,
                                   -0.02057706, 0.02635537, -0.01647633, 0.00392377};
    static const double high1[] = {0.39894228, -0.03988024, -0.00362018, 0.00163801, -0.01031555,
                                   0.02282967, -0.02895312, 0.01787654,  -0.00420059};
    if (x <= 3.75) {
        const double t = (x / 3.75) * (x / 3.75);
        const double scale = exp(-x);
        *i0 = scale * polynomial(low0, 7, t);
        *i1 = scale * x * polynomial(low1, 7, t);
    } else {
        const double t = 3.75 / x;
        const double scale = 1.0 / sqrt(x);
        *i0 = scale * polynomial(high0, 9, t);
        *i1 = scale * polynomial(high1, 9, t);
    }
}

double reha_rician_mean(double amplitude, double sigma, double *slope)
{
    double mean = amplitude;
    double rise = 1.0;
    if (sigma > 0.0 && amplitude > STRONG * sigma) {
        mean = sqrt(amplitude * amplitude + sigma * sigma);
        rise = amplitude / mean;
    } else if (sigma > 0.0) {
        double i0;
        double i1;
        const double t = amplitude * amplitude / (4.0 * sigma * sigma);
        scaled_bessel(t, &i0, &i1);
        mean = sigma * ROOT_HALF_PI * ((1.0 + 2.0 * t) * i0 + 2.0 * t * i1);
        rise = ROOT_HALF_PI * amplitude / (2.0 * sigma) * (i0 + i1);
    }
    if (slope != NULL) {
        *slope = rise;
    }
    return mean;
}

/* The samples of one voxel that have a value. */
typedef struct samples {
    double echo_ms[REHA_T2_ECHOES_MAX];
    double signal[REHA_T2_ECHOES_MAX];
    size_t count;
    double sigma;
} samples;

typedef struct state { /* of the search */
    double s0;
    double rate;       /* 1 / T2 in 1/ms */
    double cost;       /* sum of squared residuals */
    double aa, ab, bb; /* J'J */
    double ga, gb;     /* J'r */
} state;

static void evaluate(const samples *in, state *at)
{
    at->cost = at->aa = at->ab = at->bb = at->ga = at->gb = 0.0;
    for (size_t i = 0; i < in->count; i++) {
        double slope;
        const double decay = exp(-in->echo_ms[i] * at->rate);
        const double r = in->signal[i] - reha_rician_mean(at->s0 * decay, in->sigma, &slope);
        const double a = slope * decay;
        const double b = -slope * at->s0 * in->echo_ms[i] * decay;
        at->cost += r * r;
        at->aa += a * a;
        at->ab += a * b;
        at->bb += b * b;
        at->ga += a * r;
        at->gb += b * r;
    }
}

/* Straight line through log(signal), weighted as the noise of a logarithm demands; floor taken off first. */
static void start(const samples *in, state *at)
{
    double w = 0.0;
    double wx = 0.0;
    double wy = 0.0;
    double wxx = 0.0;
    double wxy = 0.0;
    double largest = 0.0;
    const double floor2 = 2.0 * in->sigma * in->sigma;
    for (size_t i = 0; i < in->count; i++) {
        const double power = in->signal[i] * in->signal[i] - floor2;
        largest = fmax(largest, in->signal[i]);
        if (power <= floor2 || power <= 0.0) {
            continue;
        }
        const double x = in->echo_ms[i];
        const double y = 0.5 * log(power);
        w += power;
        wx += power * x;
        wy += power * y;
        wxx += power * x * x;
        wxy += power * x * y;
    }
    const double spread = w * wxx - wx * wx;
    at->rate = spread > 1e-12 * w * wxx ? -(w * wxy - wx * wy) / spread : 1.0 / in->echo_ms[in->count - 1];
    at->rate = fmin(fmax(at->rate, 1e-5), 3.0 / in->echo_ms[0]);
    at->s0 = w > 0.0 ? exp((wy + at->rate * wx) / w) : largest;
    if (!(at->s0 > 0.0 && at->s0 < 1e3 * largest)) {
        at->s0 = largest;
    }
    evaluate(in, at);
}

/* False if it does not settle. */
static bool search(const samples *in, state *at)
{
    double damping = 1e-3;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        const double aa = at->aa * (1.0 + damping);
        const double bb = at->bb * (1.0 + damping);
        const double det = aa * bb - at->ab * at->ab;
        if (!(det > 0.0)) {
            return false;
        }
        state next = *at;
        const double step_a = (bb * at->ga - at->ab * at->gb) / det;
        const double step_b = (aa * at->gb - at->ab * at->ga) / det;
        next.s0 = at->s0 + step_a;
        next.rate = at->rate + step_b;
        const bool is_sane = next.s0 > 0.0 && fabs(next.rate) * in->echo_ms[in->count - 1] < 500.0;
        if (is_sane) {
            evaluate(in, &next);
        }
        if (!is_sane || !(next.cost <= at->cost)) {
            damping *= 10.0;
            if (damping > 1e12) {
                return true; /* no direction leads further down: this is the solution to rounding */
            }
            continue;
        }
        const bool is_settled = fabs(step_a) <= 1e-7 * next.s0 && fabs(step_b) <= 1e-7 * fabs(next.rate);
        *at = next;
        if (is_settled) {
            return true;
        }
        damping = fmax(damping * 0.1, 1e-12);
    }
    return false;
}

/* 97.5 % point of Student's t: table to 10 degrees of freedom, then Cornish-Fisher. */
static double student_95(size_t freedom)
{
    static const double table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
    const double n = (double)freedom;
    const double z3 = Z_95 * Z_95 * Z_95;
    return freedom <= 10 ? table[freedom - 1] : Z_95 + (z3 + Z_95) / (4.0 * n);
}

static double error_of_rate(const samples *in, const state *at)
{
    const size_t freedom = in->count - 2;
    const double det = at->aa * at->bb - at->ab * at->ab;
    const double spread = sqrt(at->cost / (double)freedom);
    const double unit = sqrt(at->aa / det);
    return in->sigma > 0.0 ? Z_95 * unit * fmax(in->sigma, spread) : student_95(freedom) * unit * spread;
}

static reha_t2_state judge(const samples *in, const state *at, const reha_t2_options *options,
                           reha_t2_fit *out)
{
    const double t2_min_ms = options->t2_min_ms > 0.0 ? options->t2_min_ms : 0.5 * in->echo_ms[0];
    const double t2_max_ms =
        options->t2_max_ms > 0.0 ? options->t2_max_ms : 10.0 * in->echo_ms[in->count - 1];
    if (at->rate <= 0.0) {
        return REHA_T2_NO_DECAY;
    }
    const double t2_ms = 1.0 / at->rate;
    if (t2_ms < t2_min_ms || t2_ms > t2_max_ms) {
        return REHA_T2_OUT_OF_RANGE;
    }
    const double error_ms = error_of_rate(in, at) * t2_ms * t2_ms;
    if (!(error_ms <= t2_ms)) { /* NaN too */
        return REHA_T2_UNCERTAIN;
    }
    const double first = reha_rician_mean(at->s0 * exp(-in->echo_ms[0] * at->rate), in->sigma, NULL);
    out->t2_ms = t2_ms;
    out->t2_error_ms = error_ms;
    out->s0 = at->s0;
    out->first_ratio = in->signal[0] / first - 1.0;
    return REHA_T2_FITTED;
}

void reha_t2_fit_voxel(const double *echo_ms, const double *signal, size_t count, double sigma,
                       const reha_t2_options *options, reha_t2_fit *out)
{
    samples in = {.sigma = sigma};
    state at = {0};
    size_t strong = 0;
    const double nothing = (double)NAN;
    *out = (reha_t2_fit){REHA_T2_NO_DATA, nothing, nothing, nothing, nothing};
    for (size_t i = 0; i < count && i < REHA_T2_ECHOES_MAX; i++) {
        if (isfinite(signal[i])) {
            in.echo_ms[in.count] = echo_ms[i];
            in.signal[in.count++] = signal[i];
            strong += signal[i] > STANDS_OUT * sigma ? 1 : 0;
        }
    }
    if (in.count < REHA_T2_ECHOES_MIN) {
        return;
    }
    if (strong < 2) {
        out->state = REHA_T2_IN_NOISE;
        return;
    }
    start(&in, &at);
    out->state = search(&in, &at) ? judge(&in, &at, options, out) : REHA_T2_NO_SOLUTION;
}
