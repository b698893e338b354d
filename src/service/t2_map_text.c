/* A T2 result as lines, as JSON and as NIfTI files. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/nifti.h"
#include "service/t2_map_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void add_statistics(reha_text *text, const char *name, const reha_t2_statistics *s)
{
    if (s->fitted == 0) {
        reha_text_addf(text, "  %-14s not measured: none of %zu voxels could be fitted\n", name, s->voxels);
        return;
    }
    reha_text_addf(text, "  %-14s median %.1f ms (quartiles %.1f to %.1f), mean %.1f, SD ", name,
                   s->median_ms, s->q1_ms, s->q3_ms, s->mean_ms);
    if (isfinite(s->sd_ms)) {
        reha_text_addf(text, "%.1f", s->sd_ms);
    } else {
        reha_text_add(text, "-");
    }
    reha_text_addf(text, ", 95 %% error of a voxel %.1f ms, n %zu, not fitted %.1f %%\n", s->error_ms,
                   s->fitted, 100.0 * s->unfitted_share);
}

static void add_slices(reha_text *text, const reha_t2_region *region, uint32_t slices)
{
    for (uint32_t k = 0; k < slices && slices > 1; k++) {
        char name[32];
        (void)snprintf(name, sizeof name, "  slice %" PRIu32, k + 1);
        if (region->slices[k].voxels > 0) {
            add_statistics(text, name, &region->slices[k]);
        }
    }
}

reha_status reha_t2_lines(const reha_t2_result *result, char **out, reha_error *err)
{
    reha_text text = {0};
    const reha_t2_map *map = result->map;
    const uint32_t slices = map->t2_ms->size[2];
    reha_text_addf(&text, "%s: T2 map", result->path);
    if (result->series_number >= 0) {
        reha_text_addf(&text, " of series %" PRId64, result->series_number);
    }
    reha_text_addf(&text,
                   " (%s, %" PRIu32 " slice%s of %" PRIu32 " x %" PRIu32
                   ", %zu echoes of %.1f to %.1f ms), noise ",
                   reha_volume_plane_name(map->t2_ms), slices, slices == 1 ? "" : "s", map->t2_ms->size[0],
                   map->t2_ms->size[1], map->echo_count, map->echo_ms[0], map->echo_ms[map->echo_count - 1]);
    if (map->noise.sigma > 0.0) {
        reha_text_addf(&text, "%.3g, %.0f ms\n", map->noise.sigma, result->total_ms);
    } else {
        reha_text_addf(&text, "unknown, %.0f ms\n", result->total_ms);
    }
    add_statistics(&text, "tissue", &result->tissue.all);
    add_slices(&text, &result->tissue, slices);
    for (size_t r = 0; r < result->region_count; r++) {
        char name[32];
        (void)snprintf(name, sizeof name, "region %d", result->regions[r].label);
        add_statistics(&text, name, &result->regions[r].all);
        add_slices(&text, &result->regions[r], slices);
    }
    for (size_t i = 0; i < result->note_count; i++) {
        reha_text_addf(&text, "  note: %s\n", result->notes[i]);
    }
    return reha_text_take(&text, out, err);
}

static json_t *statistics_json(const reha_t2_statistics *s)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "voxels", (json_int_t)s->voxels,
                     "fitted", (json_int_t)s->fitted, "unfitted_share", reha_json_real(s->unfitted_share),
                     "median_ms", reha_json_real(s->median_ms), "q1_ms", reha_json_real(s->q1_ms), "q3_ms",
                     reha_json_real(s->q3_ms), "mean_ms", reha_json_real(s->mean_ms), "sd_ms",
                     reha_json_real(s->sd_ms), "voxel_error_ms", reha_json_real(s->error_ms));
}

static json_t *region_json(const reha_t2_region *region, uint32_t slices)
{
    json_t *list = json_array();
    for (uint32_t k = 0; k < slices; k++) {
        json_t *one = statistics_json(&region->slices[k]);
        if (one != NULL) {
            (void)json_object_set_new(one, "slice", json_integer(k + 1));
        }
        (void)json_array_append_new(list, one);
    }
    return json_pack("{s:i, s:o, s:o}", "label", region->label, "all", statistics_json(&region->all),
                     "slices", list);
}

static json_t *source_json(const reha_t2_result *result)
{
    const reha_volume *grid = result->map->t2_ms;
    char letters[4];
    double spacing_mm[3];
    json_t *echoes = json_array();
    json_t *affine = json_array();
    reha_volume_directions(grid, letters);
    reha_volume_spacing_mm(grid, spacing_mm);
    for (size_t e = 0; e < result->echo_count; e++) {
        (void)json_array_append_new(echoes, json_real(result->echo_ms[e]));
    }
    for (int r = 0; r < 3; r++) {
        (void)json_array_append_new(affine, json_pack("[f,f,f,f]", grid->to_mm.m[r][0], grid->to_mm.m[r][1],
                                                      grid->to_mm.m[r][2], grid->to_mm.m[r][3]));
    }
    return json_pack(
        "{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:[i,i,i], s:[f,f,f], s:s, s:s, s:o}", "path",
        reha_json_text(result->path), "series_number",
        result->series_number >= 0 ? json_integer(result->series_number) : json_null(), "modality",
        result->facts.modality, "manufacturer", reha_json_text(result->facts.manufacturer), "device_model",
        reha_json_text(result->facts.device_model), "field_tesla", reha_json_real(result->field_tesla),
        "repetition_ms", reha_json_real(result->repetition_ms), "echo_times_ms", echoes, "size",
        (int)grid->size[0], (int)grid->size[1], (int)grid->size[2], "spacing_mm", spacing_mm[0],
        spacing_mm[1], spacing_mm[2], "plane", reha_volume_plane_name(grid), "directions", letters,
        "voxel_to_patient_mm_lps", affine);
}

static json_t *method_json(const reha_t2_map *map)
{
    return json_pack(
        "{s:s, s:I, s:b, s:[f,f], s:f, s:f, s:{s:o, s:I, s:s}, s:o, s:s}", "model",
        "Rician mean of S0 exp(-TE/T2), Levenberg-Marquardt", "echoes_used", (json_int_t)map->echo_count,
        "first_echo_skipped", map->options.skip_first ? 1 : 0, "t2_range_ms", map->options.t2_min_ms,
        map->options.t2_max_ms, "snr_min", map->options.snr_min, "background_below", map->threshold, "noise",
        "sigma", map->noise.sigma > 0.0 ? json_real(map->noise.sigma) : json_null(), "air_voxels",
        (json_int_t)map->noise.voxels, "reason_unknown", map->noise.reason, "first_echo_deviation",
        reha_json_real(map->first_ratio), "error", "half width of the 95 % interval of a voxel's T2");
}

static json_t *counts_json(const reha_t2_map *map)
{
    json_t *out = json_object();
    for (int s = 0; s < (int)REHA_T2_STATE_COUNT; s++) {
        (void)json_object_set_new(out, reha_t2_state_text((reha_t2_state)s),
                                  json_integer((json_int_t)map->counts[s]));
    }
    return out;
}

reha_status reha_t2_to_json(const reha_t2_result *result, json_t **out, reha_error *err)
{
    const uint32_t slices = result->map->t2_ms->size[2];
    json_t *regions = json_array();
    json_t *notes = json_array();
    for (size_t r = 0; r < result->region_count; r++) {
        (void)json_array_append_new(regions, region_json(&result->regions[r], slices));
    }
    for (size_t i = 0; i < result->note_count; i++) {
        (void)json_array_append_new(notes, reha_json_text(result->notes[i]));
    }
    *out = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "schema", "rehascope/t2-map/1",
                     "software", "rehascope " REHA_VERSION, "research_only", 1, "source", source_json(result),
                     "method", method_json(result->map), "voxels", counts_json(result->map), "tissue",
                     region_json(&result->tissue, slices), "regions", regions, "notes", notes, "total_ms",
                     result->total_ms);
    return *out != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for the result as JSON");
}

reha_status reha_t2_save_nifti(const reha_t2_result *result, const char *path, reha_error *err)
{
    const reha_volume *t2[] = {result->map->t2_ms};
    const reha_volume *error[] = {result->map->error_ms};
    reha_text beside = {0};
    char *error_path = NULL;
    const bool is_packed = reha_str_ends_nocase(path, ".nii.gz");
    const size_t ending = is_packed ? 7 : 4;
    REHA_TRY(
        reha_nifti_save(t2, 1, "T2 in ms, NaN: not fitted (rehascope)", path, err)); /* checks the name too */
    reha_text_add_n(&beside, path, strlen(path) - ending);
    reha_text_add(&beside, is_packed ? "_error.nii.gz" : "_error.nii");
    REHA_TRY(reha_text_take(&beside, &error_path, err));
    const reha_status status =
        reha_nifti_save(error, 1, "half width of the 95 % interval of T2 in ms (rehascope)", error_path, err);
    reha_free(error_path);
    return status;
}
