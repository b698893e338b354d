/* From files to maps. Words, pictures and pages are in t2_map_text.c, t2_map_figure.c and t2_map_html.c. */
#include "service/t2_map.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/series.h"
#include "image/nifti.h"
#include "service/t2_map_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double FIRST_ECHO_OFF = 0.02; /* deviation of the first echo that is worth a word */

typedef struct train { /* the echoes of one grid */
    reha_volume *echoes[REHA_T2_ECHOES_MAX];
    double echo_ms[REHA_T2_ECHOES_MAX];
    size_t count;
} train;

static void note(reha_t2_result *result, const char *format, ...) REHA_PRINTF(2, 3);

static void note(reha_t2_result *result, const char *format, ...)
{
    if (result->note_count < REHA_T2_NOTES_MAX) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(result->notes[result->note_count++], sizeof result->notes[0], format, args);
        va_end(args);
    }
}

static bool is_usable(const reha_stack *stack)
{
    return stack->is_volume && stack->echo_count >= REHA_T2_ECHOES_MIN &&
           !isnan(stack->echo_ms[stack->echo_count - 1]) && strcmp(stack->facts.modality, "MR") == 0;
}

/* What the folder holds instead, for the error. */
static void describe_stacks(const reha_series_set *set, reha_text *text)
{
    enum { TOLD_MAX = 4 };
    for (size_t s = 0; s < reha_series_count(set) && s < TOLD_MAX; s++) {
        const reha_stack *stack = reha_series_get(set, s);
        const uint32_t stated = stack->echo_count > 0 && isnan(stack->echo_ms[stack->echo_count - 1])
                                    ? stack->echo_count - 1
                                    : stack->echo_count;
        reha_text_addf(text, "%sseries %" PRId64 ": %s, %u echo time(s)%s", s > 0 ? "; " : "",
                       stack->series_number, stack->facts.modality, stated,
                       stack->is_volume ? "" : ", no volume");
    }
    if (reha_series_count(set) > TOLD_MAX) {
        reha_text_addf(text, "; and %zu more", reha_series_count(set) - TOLD_MAX);
    }
}

static reha_status no_train(const reha_series_set *set, const reha_t2_request *request, size_t found,
                            reha_error *err)
{
    reha_text text = {0};
    reha_error why = REHA_ERROR_INIT;
    char *list = NULL;
    reha_volume *none = NULL;
    for (size_t s = 0; s < reha_series_count(set) && found == 0;
         s++) { /* a train that is broken says why itself */
        const reha_stack *stack = reha_series_get(set, s);
        if (!stack->is_volume && (request->series < 0 || stack->series_number == request->series)) {
            const reha_status status = reha_series_load(set, s, 0, &none, &why);
            reha_volume_free(none);
            return status != REHA_OK && stack->echo_count >= REHA_T2_ECHOES_MIN
                       ? reha_fail(err, status, "%s: series %" PRId64 ": %s", request->path,
                                   stack->series_number, why.text)
                       : reha_fail(err, REHA_E_FORMAT,
                                   "%s: no MR series with 3 echo times or more (series %" PRId64 ": %.100s)",
                                   request->path, stack->series_number, why.text);
        }
    }
    describe_stacks(set, &text);
    REHA_TRY(reha_text_take(&text, &list, err));
    const reha_status status =
        found > 1 ? reha_fail(err, REHA_E_FORMAT,
                              "%s: %zu series would do (%s): choose with --series N or give one folder each",
                              request->path, found, list)
                  : reha_fail(err, REHA_E_FORMAT,
                              "%s: no MR series with %d echo times or more (%s): give the multi-echo series",
                              request->path, REHA_T2_ECHOES_MIN, list);
    reha_free(list);
    return status;
}

static reha_status choose_stack(const reha_series_set *set, const reha_t2_request *request, size_t *out,
                                reha_error *err)
{
    size_t found = 0;
    for (size_t s = 0; s < reha_series_count(set); s++) {
        const reha_stack *stack = reha_series_get(set, s);
        if (is_usable(stack) && (request->series < 0 || stack->series_number == request->series)) {
            *out = found == 0 ? s : *out;
            found++;
        }
    }
    return found == 1 ? REHA_OK : no_train(set, request, found, err);
}

static reha_status load_series(const reha_t2_request *request, train *out, reha_t2_result *result,
                               reha_error *err)
{
    reha_series_set *set = NULL;
    size_t chosen = 0;
    reha_status status = REHA_OK;
    REHA_TRY(reha_series_scan(request->path, NULL, &set, err));
    REHA_CHECK(choose_stack(set, request, &chosen, err));
    const reha_stack *stack = reha_series_get(set, chosen);
    result->facts = stack->facts;
    result->series_number = stack->series_number;
    result->repetition_ms = stack->repetition_ms;
    result->field_tesla = stack->field_tesla;
    for (uint32_t e = 0; e < stack->echo_count; e++) {
        REHA_CHECK(reha_series_load(set, chosen, e, &out->echoes[e], err));
        out->echo_ms[e] = stack->echo_ms[e];
        out->count++;
    }
    for (size_t i = 0; i < reha_series_note_count(set); i++) {
        note(result, "%s", reha_series_note(set, i));
    }
    if (stack->missing_count > 0) {
        note(result,
             "%u image(s) of the series are missing: such slices are fitted from the echoes that are there, "
             "or not at all",
             stack->missing_count);
    }
    if (stack->facts.is_lossy) {
        note(result, "the images were compressed with loss: grey values, and so T2, may be off");
    }
done:
    reha_series_free(set);
    return status;
}

/* "6.3, 12.6,..." */
static reha_status parse_times(const char *text, double *out, size_t *count, reha_error *err)
{
    *count = 0;
    for (const char *at = text; at != NULL;) {
        char one[32];
        const char *comma = strchr(at, ',');
        const size_t length = comma != NULL ? (size_t)(comma - at) : strlen(at);
        if (length >= sizeof one || *count == REHA_T2_ECHOES_MAX) {
            return reha_fail(err, REHA_E_ARG, "--echo-times: at most %d numbers of ms, separated by commas",
                             REHA_T2_ECHOES_MAX);
        }
        memcpy(one, at, length);
        one[length] = '\0';
        if (!reha_parse_double(one, true, &out[*count])) {
            return reha_fail(err, REHA_E_ARG, "--echo-times: '%s' is no number of ms", one);
        }
        (*count)++;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return REHA_OK;
}

static reha_status load_nifti(const reha_t2_request *request, train *out, reha_t2_result *result,
                              reha_error *err)
{
    reha_nifti *nifti = NULL;
    size_t times = 0;
    reha_status status = REHA_OK;
    if (request->echo_times == NULL) {
        return reha_fail(
            err, REHA_E_ARG,
            "%s: a NIfTI file does not hold its echo times: give them with --echo-times 10,20,...",
            request->path);
    }
    REHA_TRY(parse_times(request->echo_times, out->echo_ms, &times, err));
    REHA_TRY(reha_nifti_load(request->path, NULL, &nifti, err));
    const reha_nifti_facts *facts = reha_nifti_get_facts(nifti);
    if (times != facts->volume_count) {
        status = reha_fail(err, REHA_E_FORMAT, "%s: %u volumes, but %zu echo times were given", request->path,
                           facts->volume_count, times);
        goto done;
    }
    (void)snprintf(result->facts.container, sizeof result->facts.container, "nifti");
    if (!facts->is_position_known) {
        note(result, "the file does not say how the patient lies in it: directions are unknown");
    }
    if (!facts->has_unit) {
        note(result, "the file states no unit of length: millimetres were assumed");
    }
    for (size_t e = 0; e < times; e++) {
        REHA_CHECK(reha_nifti_read(nifti, (uint32_t)e, &out->echoes[e], err));
        out->count++;
    }
done:
    reha_nifti_close(nifti);
    return status;
}

static bool is_nifti_name(const char *path)
{
    return reha_str_ends_nocase(path, ".nii") || reha_str_ends_nocase(path, ".nii.gz");
}

static void add_notes(reha_t2_result *result)
{
    const reha_t2_map *map = result->map;
    if (!(map->noise.sigma > 0.0)) {
        note(result,
             "the noise is unknown (%s): no noise floor in the fit, short and weak T2 read too long; --noise "
             "X states it",
             map->noise.reason[0] != '\0' ? map->noise.reason : "as asked");
    }
    if (fabs(map->first_ratio) > FIRST_ECHO_OFF) {
        note(result, "the first echo lies %.1f %% %s the fitted curve (median): %s",
             100.0 * fabs(map->first_ratio), map->first_ratio < 0.0 ? "below" : "above",
             map->options.skip_first ? "the decay is not of one T2 only"
                                     : "a mark of stimulated echoes; compare with --skip-first-echo");
    }
    note(result, "one T2 a voxel is fitted; stimulated echoes of imperfect refocusing pulses make it read "
                 "longer than the true T2, "
                 "so compare only scans of one protocol");
    note(result, "T2 below %.0f and above %.0f ms cannot be told from these echo times and is not given",
         map->options.t2_min_ms, map->options.t2_max_ms);
}

static reha_status describe(const reha_t2_result *result, const uint8_t *labels, uint8_t label,
                            reha_t2_region *out, reha_error *err)
{
    const uint32_t slices = result->map->t2_ms->size[2];
    out->label = label;
    out->slices = reha_alloc_zero(slices, sizeof *out->slices);
    if (out->slices == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the statistics of %u slices", slices);
    }
    REHA_TRY(reha_t2_describe(result->map, labels, label, -1, &out->all, err));
    for (uint32_t k = 0; k < slices; k++) {
        REHA_TRY(reha_t2_describe(result->map, labels, label, (int)k, &out->slices[k], err));
    }
    return REHA_OK;
}

static reha_status describe_regions(reha_t2_result *result, reha_error *err)
{
    bool is_there[REHA_T2_LABELS] = {false};
    REHA_TRY(describe(result, NULL, 0, &result->tissue, err));
    if (result->labels == NULL) {
        return REHA_OK;
    }
    size_t count = 0;
    for (size_t v = 0; v < reha_volume_count(result->anatomy); v++) {
        count += result->labels[v] > 0 && !is_there[result->labels[v]] ? 1 : 0;
        is_there[result->labels[v]] = true;
    }
    result->regions = reha_alloc_zero(count, sizeof *result->regions);
    if (result->regions == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu regions", count);
    }
    for (int label = 1; label < REHA_T2_LABELS; label++) {
        if (is_there[label]) {
            REHA_TRY(describe(result, result->labels, (uint8_t)label,
                              &result->regions[result->region_count++], err));
        }
    }
    return REHA_OK;
}

static reha_status run(const reha_t2_request *request, train *echoes, reha_t2_result *out, reha_error *err)
{
    REHA_TRY(is_nifti_name(request->path) ? load_nifti(request, echoes, out, err)
                                          : load_series(request, echoes, out, err));
    out->echo_count = echoes->count;
    memcpy(out->echo_ms, echoes->echo_ms, sizeof out->echo_ms);
    if (request->roi != NULL) {
        REHA_TRY(reha_t2_read_roi(request->roi, echoes->echoes[0], &out->labels, err));
    }
    const reha_status status = reha_t2_map_new(
        (const reha_volume *const *)echoes->echoes, echoes->echo_ms, echoes->count, request->sigma,
        &request->fit, (size_t)(request->threads > 0 ? request->threads : 0), &out->map, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", request->path);
        return status;
    }
    const size_t first = request->fit.skip_first ? 1 : 0;
    out->anatomy = echoes->echoes[first];
    echoes->echoes[first] = NULL;
    REHA_TRY(describe_regions(out, err));
    if (out->tissue.all.fitted == 0) {
        return reha_fail(
            err, REHA_E_REFUSED,
            "%s: no voxel could be fitted (%zu are background, %zu in the noise, %zu without decay)",
            request->path, out->map->counts[REHA_T2_BACKGROUND], out->map->counts[REHA_T2_IN_NOISE],
            out->map->counts[REHA_T2_NO_DECAY]);
    }
    add_notes(out);
    return REHA_OK;
}

reha_status reha_t2_analyse(const reha_t2_request *request, reha_t2_result *out, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    train echoes = {0};
    *out = (reha_t2_result){.facts = reha_acquisition_unknown(),
                            .series_number = -1,
                            .repetition_ms = (double)NAN,
                            .field_tesla = (double)NAN};
    out->path = reha_strdup(request->path);
    const reha_status status = out->path != NULL ? run(request, &echoes, out, err)
                                                 : reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    for (size_t e = 0; e < REHA_T2_ECHOES_MAX; e++) {
        reha_volume_free(echoes.echoes[e]);
    }
    if (status != REHA_OK) {
        reha_t2_result_clear(out);
    }
    out->total_ms = reha_clock_ms() - start_ms;
    return status;
}

void reha_t2_result_clear(reha_t2_result *result)
{
    for (size_t r = 0; r < result->region_count; r++) {
        reha_free(result->regions[r].slices);
    }
    reha_free(result->regions);
    reha_free(result->tissue.slices);
    reha_free(result->labels);
    reha_free(result->path);
    reha_volume_free(result->anatomy);
    reha_t2_map_free(result->map);
    *result = (reha_t2_result){0};
}
