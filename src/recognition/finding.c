#include "recognition/finding.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

reha_status reha_analysis_new(const char *task, reha_analysis **out, reha_error *err)
{
    *out = NULL;
    reha_analysis *analysis = reha_alloc_zero(1, sizeof *analysis);
    if (analysis == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the analysis");
    }
    (void)snprintf(analysis->task, sizeof analysis->task, "%s", task);
    analysis->spacing = reha_spacing_unknown();
    analysis->acquisition = reha_acquisition_unknown();
    analysis->analysis_ms = (double)NAN;
    *out = analysis;
    return REHA_OK;
}

reha_status reha_analysis_begin(const char *task, const char *model_name, const char *model_version,
                                const reha_gray *image, const reha_acquisition *acquisition,
                                reha_analysis **out, reha_error *err)
{
    REHA_TRY(reha_analysis_new(task, out, err));
    reha_analysis *analysis = *out;
    (void)snprintf(analysis->model_name, sizeof analysis->model_name, "%s", model_name);
    (void)snprintf(analysis->model_version, sizeof analysis->model_version, "%s", model_version);
    analysis->width_px = image->width_px;
    analysis->height_px = image->height_px;
    analysis->spacing = image->spacing;
    if (acquisition != NULL) {
        analysis->acquisition = *acquisition;
    }
    return REHA_OK;
}

reha_status reha_analysis_end(reha_status status, double start_ms, reha_analysis *analysis,
                              reha_analysis **out)
{
    *out = NULL;
    if (status != REHA_OK) {
        reha_analysis_free(analysis);
        return status;
    }
    analysis->analysis_ms = reha_clock_ms() - start_ms;
    *out = analysis;
    return REHA_OK;
}

void reha_analysis_free(reha_analysis *analysis)
{
    if (analysis == NULL) {
        return;
    }
    for (int i = 0; i < REHA_REGIONS_MAX; i++) {
        reha_gray_free(analysis->regions[i].explanation);
        for (int k = 0; k < REHA_MASKS_MAX; k++) {
            reha_mask_clear(&analysis->regions[i].masks[k]);
        }
    }
    reha_free(analysis);
}

/* Texts of notes go to the screen, the report and the record: cut at the end of a whole character. */
static void add_note(reha_note *notes, int *count, reha_note_level level, const char *code,
                     const char *format, va_list arguments) REHA_PRINTF(5, 0);
static void add_note(reha_note *notes, int *count, reha_note_level level, const char *code,
                     const char *format, va_list arguments)
{
    if (*count >= REHA_NOTES_MAX) {
        return;
    }
    reha_note *note = &notes[(*count)++];
    note->level = level;
    (void)snprintf(note->code, sizeof note->code, "%s", code);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is seen by every caller */
    (void)vsnprintf(note->text, sizeof note->text, format, arguments);
    size_t length = strlen(note->text);
    if (length == sizeof note->text - 1) {
        while (length > 0 && ((unsigned char)note->text[length - 1] & 0xC0U) == 0x80U) {
            length--; /* continuation bytes of a character that was cut */
        }
        if (length > 0 && ((unsigned char)note->text[length - 1] & 0x80U) != 0) {
            length--;
        }
        note->text[length] = '\0';
    }
}

void reha_analysis_note(reha_analysis *analysis, reha_note_level level, const char *code, const char *format,
                        ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_note(analysis->notes, &analysis->note_count, level, code, format, arguments);
    va_end(arguments);
}

void reha_region_note(reha_region *region, reha_note_level level, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_note(region->notes, &region->note_count, level, code, format, arguments);
    va_end(arguments);
}

reha_finding *reha_region_add(reha_region *region, const char *key, const char *label)
{
    if (region->finding_count >= REHA_FINDINGS_MAX) {
        return NULL;
    }
    reha_finding *finding = &region->findings[region->finding_count++];
    *finding = (reha_finding){.code = {.system = "", .code = "", .display = ""},
                              .measure = {.value = (double)NAN, .unit = "", .error = (double)NAN},
                              .probability = (double)NAN,
                              .grade = -1,
                              .expected_grade = (double)NAN,
                              .set_low = -1,
                              .set_high = -1,
                              .set_coverage = (double)NAN};
    (void)snprintf(finding->key, sizeof finding->key, "%s", key);
    (void)snprintf(finding->label, sizeof finding->label, "%s", label);
    return finding;
}

reha_status reha_region_add_mask(const reha_analysis *analysis, reha_region *region, const char *key,
                                 reha_mask **out, reha_error *err)
{
    *out = NULL;
    assert(region->mask_count < REHA_MASKS_MAX);
    reha_mask *mask = &region->masks[region->mask_count];
    REHA_TRY(reha_mask_new(key, analysis->width_px, analysis->height_px, mask, err));
    region->mask_count++;
    *out = mask;
    return REHA_OK;
}

const reha_finding *reha_region_find(const reha_region *region, const char *key)
{
    for (int i = 0; i < region->finding_count; i++) {
        if (strcmp(region->findings[i].key, key) == 0) {
            return &region->findings[i];
        }
    }
    return NULL;
}
