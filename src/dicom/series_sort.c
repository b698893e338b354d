/* From images to stacks: who belongs together, and where each one lies. */
#include "dicom/series_priv.h"

#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACKS_MAX = 2000, GRID_FACTOR_MAX = 10 };
static const double SAME_DIRECTION = 1e-3; /* of the components of the axes */
static const double SAME_SPACING = 1e-3;   /* relative */
static const double SAME_PLACE_MM = 0.02;
static const double SAME_ECHO_MS = 0.01;
static const double UNEVEN = 0.1;        /* of the step: further off its even place, a slice is uneven */
static const double SHIFT_MM = 0.5;      /* sideways, against the line through the first and last slice */
static const double STEP_DIFFERS = 0.05; /* relative, against Spacing Between Slices */

static double dot(const double a[3], const double b[3])
{
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static bool is_near(const double a[3], const double b[3], double tolerance)
{
    return fabs(a[0] - b[0]) <= tolerance && fabs(a[1] - b[1]) <= tolerance && fabs(a[2] - b[2]) <= tolerance;
}

static bool belong_together(const reha_series_image *a, const reha_series_image *b)
{
    return strcmp(a->series_uid, b->series_uid) == 0 && strcmp(a->kind, b->kind) == 0 &&
           a->time_no == b->time_no && a->width_px == b->width_px && a->height_px == b->height_px &&
           fabs(a->x_mm / b->x_mm - 1.0) <= SAME_SPACING && fabs(a->y_mm / b->y_mm - 1.0) <= SAME_SPACING &&
           is_near(a->row, b->row, SAME_DIRECTION) && is_near(a->column, b->column, SAME_DIRECTION);
}

static reha_status group(reha_series_set *set, uint32_t *stack_of, reha_error *err)
{
    uint32_t *first = reha_alloc((size_t)STACKS_MAX * sizeof *first); /* image that stands for each stack */
    if (first == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %d stacks", STACKS_MAX);
    }
    uint32_t stacks = 0;
    for (size_t i = 0; i < set->image_count; i++) {
        uint32_t s = 0;
        while (s < stacks && !belong_together(&set->images[i], &set->images[first[s]])) {
            s++;
        }
        if (s == STACKS_MAX) {
            reha_free(first);
            return reha_fail(err, REHA_E_LIMIT,
                             "more than %d series or orientations: give the folder of one examination",
                             STACKS_MAX);
        }
        stack_of[i] = s;
        if (s == stacks) {
            first[stacks++] = (uint32_t)i;
        }
    }
    reha_free(first);
    set->stacks = reha_alloc_zero(stacks, sizeof *set->stacks);
    if (set->stacks == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %u stacks", stacks);
    }
    set->stack_count = stacks;
    for (size_t i = 0; i < set->image_count; i++) {
        set->stacks[stack_of[i]].told.image_count++;
    }
    for (uint32_t s = 0; s < stacks; s++) {
        reha_series_stack *stack = &set->stacks[s];
        stack->members = reha_alloc_zero(stack->told.image_count, sizeof *stack->members);
        if (stack->members == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory for %u images", stack->told.image_count);
        }
        stack->told.image_count = 0;
    }
    for (size_t i = 0; i < set->image_count; i++) {
        reha_series_stack *stack = &set->stacks[stack_of[i]];
        stack->members[stack->told.image_count++] = (uint32_t)i;
    }
    return REHA_OK;
}

static void tell_facts(const reha_series_image *image, reha_stack *out)
{
    memcpy(out->series_uid, image->series_uid, sizeof out->series_uid);
    out->series_number = image->series_number;
    out->facts = image->facts;
    out->width_px = image->width_px;
    out->height_px = image->height_px;
    out->thickness_mm = image->thickness_mm;
    out->repetition_ms = image->repetition_ms;
    out->field_tesla = image->field_tesla;
    out->step_mm = (double)NAN;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts and drops values nearer than `same` to the one before. */
static size_t make_unique(double *values, size_t count, double same)
{
    size_t kept = 0;
    qsort(values, count, sizeof *values, compare_numbers);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || values[i] - values[kept - 1] > same) {
            values[kept++] = values[i];
        }
    }
    return kept;
}

static void no_volume(reha_series_set *set, reha_series_stack *stack)
{
    stack->told.is_volume = false;
    reha_series_add_note(set, "series %lld is no volume: %s", (long long)stack->told.series_number,
                         stack->why_not);
}

/* Echo times, those that are not stated (NaN) as one more at the end. */
static bool find_echoes(const reha_series_set *set, reha_series_stack *stack, double *work)
{
    size_t stated = 0;
    for (uint32_t m = 0; m < stack->told.image_count; m++) {
        const double echo_ms = set->images[stack->members[m]].echo_ms;
        if (!isnan(echo_ms)) {
            work[stated++] = echo_ms;
        }
    }
    const bool has_unstated = stated < stack->told.image_count;
    const size_t count = make_unique(work, stated, SAME_ECHO_MS) + (has_unstated ? 1 : 0);
    if (count > REHA_ECHOES_MAX) {
        (void)snprintf(stack->why_not, sizeof stack->why_not, "it has %zu echo times; at most %d are read",
                       count, REHA_ECHOES_MAX);
        return false;
    }
    stack->told.echo_count = (uint32_t)count;
    for (size_t e = 0; e < count; e++) {
        stack->told.echo_ms[e] = has_unstated && e == count - 1 ? (double)NAN : work[e];
    }
    return true;
}

static uint32_t echo_index(const reha_stack *told, double echo_ms)
{
    uint32_t e = 0;
    while (e + 1 < told->echo_count && (isnan(echo_ms) || echo_ms - told->echo_ms[e] > SAME_ECHO_MS)) {
        e++;
    }
    return e;
}

/* The image of a stack that lies lowest or highest along the normal. */
static const reha_series_image *extreme(const reha_series_set *set, const reha_series_stack *stack,
                                        const double normal[3], double sign)
{
    const reha_series_image *best = &set->images[stack->members[0]];
    for (uint32_t m = 1; m < stack->told.image_count; m++) {
        const reha_series_image *image = &set->images[stack->members[m]];
        if (sign * dot(image->position, normal) > sign * dot(best->position, normal)) {
            best = image;
        }
    }
    return best;
}

/* The step of the even grid: the smallest gap, then refined over the whole length. */
static bool find_grid(const reha_series_set *set, reha_series_stack *stack, const double *along, size_t count)
{
    reha_stack *told = &stack->told;
    if (count == 1) {
        told->slice_count = 1;
        return true;
    }
    double step = INFINITY;
    for (size_t i = 1; i < count; i++) {
        step = fmin(step, along[i] - along[i - 1]);
    }
    const double span = along[count - 1] - along[0];
    const double steps = round(span / step);
    if (steps + 1.0 > (double)count * GRID_FACTOR_MAX || steps + 1.0 > (double)set->limits.side_max_px) {
        (void)snprintf(stack->why_not, sizeof stack->why_not,
                       "its %zu slices are spread over %.1f mm, two of them only %.2f mm apart: give one "
                       "series at a time",
                       count, span, step);
        return false;
    }
    step = span / steps;
    for (size_t i = 0; i < count; i++) {
        const double place = (along[i] - along[0]) / step;
        if (fabs(place - round(place)) > UNEVEN) {
            (void)snprintf(stack->why_not, sizeof stack->why_not,
                           "its slices are not evenly spaced: slice %zu of %zu lies %.2f mm behind the one "
                           "before, others %.2f mm",
                           i + 1, count, i > 0 ? along[i] - along[i - 1] : 0.0, step);
            return false;
        }
    }
    told->step_mm = step;
    told->slice_count = (uint32_t)steps + 1;
    return true;
}

/* Columns of the affine; false where slices are shifted against each other. */
static bool find_affine(const reha_series_set *set, reha_series_stack *stack, const double normal[3])
{
    const reha_series_image *first = extreme(set, stack, normal, -1.0);
    const reha_series_image *last = extreme(set, stack, normal, 1.0);
    reha_stack *told = &stack->told;
    const double beyond = !isnan(first->between_mm)     ? first->between_mm
                          : !isnan(first->thickness_mm) ? first->thickness_mm
                                                        : 1.0;
    double step[3];
    for (int a = 0; a < 3; a++) {
        step[a] = told->slice_count > 1 ? (last->position[a] - first->position[a]) / (told->slice_count - 1.0)
                                        : beyond * normal[a];
        told->to_mm.m[a][0] = first->x_mm * first->row[a];
        told->to_mm.m[a][1] = first->y_mm * first->column[a];
        told->to_mm.m[a][2] = step[a];
        told->to_mm.m[a][3] = first->position[a];
    }
    for (uint32_t m = 0; m < told->image_count && told->slice_count > 1; m++) {
        const reha_series_image *image = &set->images[stack->members[m]];
        const double k = round((dot(image->position, normal) - dot(first->position, normal)) / told->step_mm);
        const double expected[3] = {first->position[0] + k * step[0], first->position[1] + k * step[1],
                                    first->position[2] + k * step[2]};
        const double tolerance = fmax(SHIFT_MM, UNEVEN * told->step_mm);
        if (!is_near(image->position, expected, tolerance)) {
            (void)snprintf(stack->why_not, sizeof stack->why_not,
                           "%s is shifted against the other slices by more than %.1f mm",
                           reha_series_name(set, image), tolerance);
            return false;
        }
    }
    reha_error fault = REHA_ERROR_INIT;
    if (reha_affine3_check(&told->to_mm, &fault) != REHA_OK) {
        (void)snprintf(stack->why_not, sizeof stack->why_not, "%s", fault.text);
        return false;
    }
    return true;
}

/* Puts one image in its place; false if another one, not its copy, is there already. */
static bool put(reha_series_set *set, reha_series_stack *stack, uint32_t member, const double normal[3])
{
    const uint32_t index = stack->members[member];
    const reha_series_image *image = &set->images[index];
    const reha_stack *told = &stack->told;
    const double origin =
        told->to_mm.m[0][3] * normal[0] + told->to_mm.m[1][3] * normal[1] + told->to_mm.m[2][3] * normal[2];
    const double k =
        told->slice_count > 1 ? round((dot(image->position, normal) - origin) / told->step_mm) : 0.0;
    uint32_t *place =
        &stack->places[(size_t)echo_index(told, image->echo_ms) * told->slice_count + (uint32_t)k];
    if (*place == 0) {
        *place = index + 1;
        return true;
    }
    const reha_series_image *other = &set->images[*place - 1];
    if (image->sop_uid[0] != '\0' && strcmp(image->sop_uid, other->sop_uid) == 0 &&
        image->frame_idx == other->frame_idx) {
        reha_series_add_note(set, "%s is a copy of %s and was passed over", reha_series_name(set, image),
                             reha_series_name(set, other));
        return true;
    }
    (void)snprintf(stack->why_not, sizeof stack->why_not,
                   "%.60s (frame %u) and %.60s (frame %u) show the same place and echo: remove one, or give "
                   "one series at a time",
                   reha_series_name(set, other), other->frame_idx + 1, reha_series_name(set, image),
                   image->frame_idx + 1);
    return false;
}

static bool is_slice_empty(const reha_series_stack *stack, uint32_t k)
{
    for (uint32_t e = 0; e < stack->told.echo_count; e++) {
        if (stack->places[(size_t)e * stack->told.slice_count + k] > 0) {
            return false;
        }
    }
    return true;
}

static const char *any_name(const reha_series_set *set, const reha_series_stack *stack, uint32_t k)
{
    for (uint32_t e = 0; e < stack->told.echo_count; e++) {
        const uint32_t place = stack->places[(size_t)e * stack->told.slice_count + k];
        if (place > 0) {
            return reha_series_name(set, &set->images[place - 1]);
        }
    }
    return "?";
}

static void tell_gaps(reha_series_set *set, reha_series_stack *stack)
{
    reha_stack *told = &stack->told;
    for (uint32_t k = 0; k < told->slice_count; k++) {
        if (is_slice_empty(stack, k)) { /* never the first or the last one */
            uint32_t end = k;
            while (is_slice_empty(stack, end)) {
                end++;
            }
            reha_series_add_note(set, "series %lld: %u slice(s) are missing between %s and %s",
                                 (long long)told->series_number, end - k, any_name(set, stack, k - 1),
                                 any_name(set, stack, end));
            told->missing_count += (end - k) * told->echo_count;
            k = end - 1;
            continue;
        }
        for (uint32_t e = 0; e < told->echo_count; e++) {
            if (stack->places[(size_t)e * told->slice_count + k] == 0) {
                told->missing_count++;
                reha_series_add_note(set, "series %lld: slice %u (%s) has no image of echo time %.2f ms",
                                     (long long)told->series_number, k + 1, any_name(set, stack, k),
                                     told->echo_ms[e]);
            }
        }
    }
}

/* Positions rule; what the files state beside them is compared and told. */
static void tell_step(reha_series_set *set, const reha_series_stack *stack)
{
    const reha_stack *told = &stack->told;
    const double stated = set->images[stack->members[0]].between_mm;
    if (told->slice_count < 2 || isnan(stated) || fabs(told->step_mm / stated - 1.0) <= STEP_DIFFERS) {
        return;
    }
    const double ratio = told->step_mm / stated;
    if (ratio > 1.5 && fabs(ratio - round(ratio)) <= STEP_DIFFERS) {
        reha_series_add_note(set,
                             "series %lld: the slices lie %.1f mm apart where the files state %.1f mm: only "
                             "every %.0f. slice of "
                             "the scan is here",
                             (long long)told->series_number, told->step_mm, stated, round(ratio));
    } else {
        reha_series_add_note(
            set,
            "series %lld: the slices lie %.2f mm apart where the files state %.2f mm; the positions are used",
            (long long)told->series_number, told->step_mm, stated);
    }
}

static void find_normal(const reha_series_image *image, double out[3])
{
    const double *r = image->row;
    const double *c = image->column;
    out[0] = r[1] * c[2] - r[2] * c[1];
    out[1] = r[2] * c[0] - r[0] * c[2];
    out[2] = r[0] * c[1] - r[1] * c[0];
}

static reha_status place_all(reha_series_set *set, reha_series_stack *stack, double *work, reha_error *err)
{
    double normal[3];
    reha_stack *told = &stack->told;
    const reha_series_image *first = &set->images[stack->members[0]];
    tell_facts(first, told);
    find_normal(first, normal);
    if (!find_echoes(set, stack, work)) {
        no_volume(set, stack);
        return REHA_OK;
    }
    for (uint32_t m = 0; m < told->image_count; m++) {
        work[m] = dot(set->images[stack->members[m]].position, normal);
    }
    const size_t count = make_unique(work, told->image_count, SAME_PLACE_MM);
    reha_error fault = REHA_ERROR_INIT;
    if (!find_grid(set, stack, work, count) || !find_affine(set, stack, normal)) {
        no_volume(set, stack);
        return REHA_OK;
    }
    const uint64_t size[3] = {told->width_px, told->height_px, told->slice_count};
    if (reha_volume_check_size(size, told->echo_count, &set->limits, &fault) != REHA_OK) {
        (void)snprintf(stack->why_not, sizeof stack->why_not, "%s", fault.text);
        no_volume(set, stack);
        return REHA_OK;
    }
    stack->places = reha_alloc_zero((size_t)told->echo_count * told->slice_count, sizeof *stack->places);
    if (stack->places == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %u slices", told->slice_count);
    }
    told->is_volume = true;
    for (uint32_t m = 0; m < told->image_count; m++) {
        if (!put(set, stack, m, normal)) {
            no_volume(set, stack);
            return REHA_OK;
        }
    }
    tell_gaps(set, stack);
    tell_step(set, stack);
    return REHA_OK;
}

static int compare_stacks(const void *a, const void *b)
{
    const reha_series_stack *x = a;
    const reha_series_stack *y = b;
    if (x->told.series_number != y->told.series_number) {
        return x->told.series_number > y->told.series_number ? 1 : -1;
    }
    return (x->members[0] > y->members[0]) - (x->members[0] < y->members[0]);
}

reha_status reha_series_sort(reha_series_set *set, reha_error *err)
{
    uint32_t *stack_of = reha_alloc(set->image_count * sizeof *stack_of);
    double *work = reha_alloc(set->image_count * sizeof *work);
    reha_status status = REHA_OK;
    if (stack_of == NULL || work == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for %zu images", set->image_count);
        goto done;
    }
    REHA_CHECK(group(set, stack_of, err));
    for (size_t s = 0; s < set->stack_count; s++) {
        REHA_CHECK(place_all(set, &set->stacks[s], work, err));
    }
    qsort(set->stacks, set->stack_count, sizeof *set->stacks, compare_stacks);
done:
    reha_free(stack_of);
    reha_free(work);
    return status;
}
