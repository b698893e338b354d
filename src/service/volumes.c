#include "service/volumes.h"

#include "base/memory.h"
#include "base/text.h"
#include "dicom/series.h"
#include "image/nifti.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct reha_volumes {
    char *path;
    reha_series_set *set; /* one of these two */
    reha_nifti *nifti;
};

static bool is_nifti_name(const char *path)
{
    return reha_str_ends_nocase(path, ".nii") || reha_str_ends_nocase(path, ".nii.gz");
}

reha_status reha_volumes_open(const char *path, reha_volumes **out, reha_error *err)
{
    *out = NULL;
    reha_volumes *volumes = reha_alloc_zero(1, sizeof *volumes);
    if (volumes == NULL || (volumes->path = reha_strdup(path)) == NULL) {
        reha_free(volumes);
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a volume");
    }
    const reha_status status = is_nifti_name(path) ? reha_nifti_load(path, NULL, &volumes->nifti, err)
                                                   : reha_series_scan(path, NULL, &volumes->set, err);
    if (status != REHA_OK) {
        reha_volumes_close(volumes);
        return status;
    }
    *out = volumes;
    return REHA_OK;
}

void reha_volumes_close(reha_volumes *volumes)
{
    if (volumes != NULL) {
        reha_series_free(volumes->set);
        reha_nifti_close(volumes->nifti);
        reha_free(volumes->path);
        reha_free(volumes);
    }
}

/* A grid without voxels, to ask for its directions. */
static reha_volume grid_of(const uint32_t size[3], const reha_affine3 *to_mm)
{
    reha_volume grid = {.to_mm = *to_mm};
    memcpy(grid.size, size, sizeof grid.size);
    return grid;
}

static reha_volume grid_of_stack(const reha_stack *stack)
{
    const uint32_t size[3] = {stack->width_px, stack->height_px, stack->slice_count};
    return grid_of(size, &stack->to_mm);
}

static void add_grid(reha_text *text, const reha_volume *grid)
{
    char letters[4];
    double spacing_mm[3];
    reha_volume_directions(grid, letters);
    reha_volume_spacing_mm(grid, spacing_mm);
    reha_text_addf(
        text, "%s, %" PRIu32 " x %" PRIu32 " x %" PRIu32 " voxels of %.4g x %.4g x %.4g mm, directions %s",
        reha_volume_plane_name(grid), grid->size[0], grid->size[1], grid->size[2], spacing_mm[0],
        spacing_mm[1], spacing_mm[2], letters);
}

static void add_stack(reha_text *text, const reha_stack *stack)
{
    reha_text_addf(text, "  series %" PRId64 ": %s, %" PRIu32 " image(s), ", stack->series_number,
                   stack->facts.modality, stack->image_count);
    if (!stack->is_volume) {
        reha_text_add(text, "no volume\n");
        return;
    }
    const reha_volume grid = grid_of_stack(stack);
    add_grid(text, &grid);
    if (stack->echo_count > 1) {
        reha_text_addf(text, ", %" PRIu32 " echoes (%.4g to %.4g ms)", stack->echo_count, stack->echo_ms[0],
                       stack->echo_ms[stack->echo_count - 1]);
    }
    reha_text_addf(text, stack->missing_count > 0 ? ", %" PRIu32 " image(s) missing\n" : "\n",
                   stack->missing_count);
}

reha_status reha_volumes_lines(const reha_volumes *volumes, char **out, reha_error *err)
{
    reha_text text = {0};
    reha_text_addf(&text, "%s:\n", volumes->path);
    if (volumes->nifti != NULL) {
        const reha_nifti_facts *facts = reha_nifti_get_facts(volumes->nifti);
        const reha_volume grid = grid_of(facts->size, &facts->to_mm);
        reha_text_addf(&text, "  NIfTI-%d, %" PRIu32 " volume(s), %s, geometry from %s: ", facts->version,
                       facts->volume_count, facts->data_type, facts->geometry_source);
        add_grid(&text, &grid);
        reha_text_add(&text, "\n");
        return reha_text_take(&text, out, err);
    }
    for (size_t s = 0; s < reha_series_count(volumes->set); s++) {
        add_stack(&text, reha_series_get(volumes->set, s));
    }
    for (size_t i = 0; i < reha_series_note_count(volumes->set); i++) {
        reha_text_addf(&text, "  note: %s\n", reha_series_note(volumes->set, i));
    }
    return reha_text_take(&text, out, err);
}

static json_t *grid_json(const reha_volume *grid)
{
    char letters[4];
    double spacing_mm[3];
    json_t *affine = json_array();
    reha_volume_directions(grid, letters);
    reha_volume_spacing_mm(grid, spacing_mm);
    for (int r = 0; r < 3; r++) {
        const double *m = grid->to_mm.m[r];
        (void)json_array_append_new(affine, json_pack("[f,f,f,f]", m[0], m[1], m[2], m[3]));
    }
    return json_pack("{s:[i,i,i], s:[f,f,f], s:s, s:s, s:o}", "size", (int)grid->size[0], (int)grid->size[1],
                     (int)grid->size[2], "spacing_mm", spacing_mm[0], spacing_mm[1], spacing_mm[2], "plane",
                     reha_volume_plane_name(grid), "directions", letters, "voxel_to_patient_mm_lps", affine);
}

static json_t *stack_json(const reha_stack *stack)
{
    json_t *echoes = json_array();
    const reha_volume grid = grid_of_stack(stack);
    for (uint32_t e = 0; e < stack->echo_count; e++) {
        (void)json_array_append_new(echoes, reha_json_real(stack->echo_ms[e]));
    }
    return json_pack("{s:o, s:s, s:i, s:b, s:i, s:o, s:o}", "series_number",
                     stack->series_number >= 0 ? json_integer(stack->series_number) : json_null(), "modality",
                     stack->facts.modality, "images", (int)stack->image_count, "is_volume",
                     stack->is_volume ? 1 : 0, "missing_images", (int)stack->missing_count, "echo_times_ms",
                     echoes, "grid", stack->is_volume ? grid_json(&grid) : json_null());
}

reha_status reha_volumes_to_json(const reha_volumes *volumes, json_t **out, reha_error *err)
{
    json_t *list = json_array();
    json_t *notes = json_array();
    if (volumes->nifti != NULL) {
        const reha_nifti_facts *facts = reha_nifti_get_facts(volumes->nifti);
        const reha_volume grid = grid_of(facts->size, &facts->to_mm);
        (void)json_array_append_new(
            list, json_pack("{s:s, s:i, s:i, s:s, s:s, s:o}", "format", "nifti", "version", facts->version,
                            "volumes", (int)facts->volume_count, "data_type", facts->data_type,
                            "geometry_source", facts->geometry_source, "grid", grid_json(&grid)));
    }
    for (size_t s = 0; volumes->set != NULL && s < reha_series_count(volumes->set); s++) {
        (void)json_array_append_new(list, stack_json(reha_series_get(volumes->set, s)));
    }
    for (size_t i = 0; volumes->set != NULL && i < reha_series_note_count(volumes->set); i++) {
        (void)json_array_append_new(notes, reha_json_text(reha_series_note(volumes->set, i)));
    }
    *out = json_pack("{s:s, s:s, s:o, s:o, s:o}", "schema", "rehascope/volumes/1", "software",
                     "rehascope " REHA_VERSION, "path", reha_json_text(volumes->path), "volumes", list,
                     "notes", notes);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the result as JSON");
}

static reha_status choose(const reha_volumes *volumes, int series, size_t *out, reha_error *err)
{
    size_t found = 0;
    size_t broken = 0;
    for (size_t s = 0; s < reha_series_count(volumes->set); s++) {
        const reha_stack *stack = reha_series_get(volumes->set, s);
        if (series >= 0 && stack->series_number != series) {
            continue;
        }
        *out = found == 0 && (stack->is_volume || broken == 0) ? s : *out;
        found += stack->is_volume ? 1 : 0;
        broken += stack->is_volume ? 0 : 1;
    }
    if (found == 1 || (found == 0 && broken > 0)) { /* a broken one says why when it is loaded */
        return REHA_OK;
    }
    return found > 1 ? reha_fail(err, REHA_E_ARG,
                                 "%s holds %zu volumes: choose with --series N, or give one folder each",
                                 volumes->path, found)
                     : reha_fail(err, REHA_E_NOT_FOUND,
                                 "%s holds no series %d: 'rehascope volume %.80s' lists what is there",
                                 volumes->path, series, volumes->path);
}

reha_status reha_volumes_load(const reha_volumes *volumes, int series, int echo_no, reha_volume **out,
                              reha_error *err)
{
    size_t stack = 0;
    *out = NULL;
    if (echo_no < 1) {
        return reha_fail(err, REHA_E_ARG, "echoes count from 1, and %d was asked for", echo_no);
    }
    reha_status status = REHA_OK;
    if (volumes->nifti != NULL) {
        status = reha_nifti_read(volumes->nifti, (uint32_t)echo_no - 1, out, err);
    } else {
        REHA_TRY(choose(volumes, series, &stack, err));
        status = reha_series_load(volumes->set, stack, (uint32_t)echo_no - 1, out, err);
    }
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", volumes->path);
    }
    return status;
}

static size_t volume_count(const reha_volumes *volumes, size_t stack)
{
    return volumes->nifti != NULL ? reha_nifti_get_facts(volumes->nifti)->volume_count
                                  : reha_series_get(volumes->set, stack)->echo_count;
}

reha_status reha_volumes_convert(const reha_volumes *volumes, int series, const char *path, reha_error *err)
{
    size_t stack = 0;
    reha_status status = REHA_OK;
    if (volumes->set != NULL) {
        REHA_TRY(choose(volumes, series, &stack, err));
    }
    const size_t count = volume_count(volumes, stack) > 0 ? volume_count(volumes, stack) : 1;
    reha_volume **loaded = reha_alloc_zero(count, sizeof *loaded);
    if (loaded == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu volumes", count);
    }
    for (size_t v = 0; v < count; v++) {
        REHA_CHECK(reha_volumes_load(volumes, series, (int)v + 1, &loaded[v], err));
    }
    status = reha_nifti_save((const reha_volume *const *)loaded, count,
                             "grey values after rescale (rehascope)", path, err);
done:
    for (size_t v = 0; v < count; v++) {
        reha_volume_free(loaded[v]);
    }
    reha_free(loaded);
    return status;
}
