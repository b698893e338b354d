/* The page of a T2 map: self-contained, no script, no request. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/page.h"
#include "service/t2_map_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const char STYLE[] =
    "table{width:auto}th,td{text-align:right}th:first-child,td:first-child{text-align:left}li{margin:.3rem 0}";

static void add_row(reha_text *html, const char *name, const reha_t2_statistics *s)
{
    reha_text_addf(html, "<tr><th scope=row>%s</th>", name);
    const double values[] = {s->median_ms, s->q1_ms, s->q3_ms, s->mean_ms, s->sd_ms, s->error_ms};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (isfinite(values[i])) {
            reha_text_addf(html, "<td>%.1f</td>", values[i]);
        } else {
            reha_text_add(html, "<td>not measured</td>");
        }
    }
    reha_text_addf(html, "<td>%zu</td><td>", s->fitted);
    if (isfinite(s->unfitted_share)) {
        reha_text_addf(html, "%.1f %%", 100.0 * s->unfitted_share);
    }
    reha_text_add(html, "</td></tr>\n");
}

static void add_region(reha_text *html, const char *name, const reha_t2_region *region, uint32_t slices)
{
    add_row(html, name, &region->all);
    for (uint32_t k = 0; k < slices && slices > 1; k++) {
        char text[64];
        if (region->slices[k].voxels > 0) {
            (void)snprintf(text, sizeof text, "&nbsp;&nbsp;slice %" PRIu32, k + 1);
            add_row(html, text, &region->slices[k]);
        }
    }
}

static void add_table(reha_text *html, const reha_t2_result *result)
{
    const uint32_t slices = result->map->t2_ms->size[2];
    reha_text_add(
        html,
        "<h2>T2 by region, in ms</h2><table><thead><tr><th scope=col>Region<th scope=col>Median<th scope=col>"
        "Lower quartile<th scope=col>Upper quartile<th scope=col>Mean<th scope=col>SD<th scope=col>Error of "
        "a voxel"
        "<th scope=col>Voxels<th scope=col>Not fitted</tr></thead><tbody>\n");
    add_region(html, "All tissue", &result->tissue, slices);
    for (size_t r = 0; r < result->region_count; r++) {
        char name[32];
        (void)snprintf(name, sizeof name, "Region %d", result->regions[r].label);
        add_region(html, name, &result->regions[r], slices);
    }
    reha_text_add(html, "</tbody></table>\n<p class=soft>Error of a voxel: median of the half widths of the "
                        "95 % intervals, from the "
                        "fit's Jacobian, the noise and the residuals. Not fitted: share of the region "
                        "without a T2; such voxels are "
                        "left out, never guessed.</p>\n");
}

static void add_method(reha_text *html, const reha_t2_result *result)
{
    const reha_t2_map *map = result->map;
    double spacing_mm[3];
    reha_volume_spacing_mm(map->t2_ms, spacing_mm);
    reha_text_add(html, "<h2>Series and method</h2><p>");
    reha_text_add_html(html, reha_path_name(result->path));
    reha_text_addf(
        html, ": %s, %" PRIu32 " x %" PRIu32 " x %" PRIu32 " voxels of %.3g x %.3g x %.3g mm. Echo times",
        reha_volume_plane_name(map->t2_ms), map->t2_ms->size[0], map->t2_ms->size[1], map->t2_ms->size[2],
        spacing_mm[0], spacing_mm[1], spacing_mm[2]);
    for (size_t e = 0; e < map->echo_count; e++) {
        reha_text_addf(html, "%s %.1f", e > 0 ? "," : "", map->echo_ms[e]);
    }
    reha_text_addf(html, " ms%s.", map->options.skip_first ? " (the first echo was left out)" : "");
    if (isfinite(result->field_tesla)) {
        reha_text_addf(html, " Field %.3g T.", result->field_tesla);
    }
    if (isfinite(result->repetition_ms)) {
        reha_text_addf(html, " TR %.0f ms.", result->repetition_ms);
    }
    reha_text_add(html, "</p><p>Fit of S0 exp(-TE/T2) in each voxel with the noise floor of magnitude images "
                        "(Rician mean). ");
    if (map->noise.sigma > 0.0 && map->noise.voxels > 0) {
        reha_text_addf(html, "Noise %.3g grey values, from %zu voxels of air.", map->noise.sigma,
                       map->noise.voxels);
    } else if (map->noise.sigma > 0.0) {
        reha_text_addf(html, "Noise %.3g grey values, as stated by the user.", map->noise.sigma);
    } else {
        reha_text_add(html, "The noise is unknown.");
    }
    reha_text_add(html, "</p><h2>Voxels</h2><table><tbody>\n");
    for (int s = 0; s < (int)REHA_T2_STATE_COUNT; s++) {
        reha_text_addf(html, "<tr><th scope=row>%s</th><td>%zu</td></tr>\n",
                       reha_t2_state_text((reha_t2_state)s), map->counts[s]);
    }
    reha_text_add(html, "</tbody></table>\n<h2>Notes</h2><ul>\n");
    for (size_t i = 0; i < result->note_count; i++) {
        reha_text_add(html, "<li>");
        reha_text_add_html(html, result->notes[i]);
        reha_text_add(html, "</li>\n");
    }
    reha_text_add(html, "</ul>\n");
}

reha_status reha_t2_report(const reha_t2_result *result, double low_ms, double high_ms, const char *path,
                           reha_error *err)
{
    reha_text html = {0};
    char alt[160];
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    reha_status status = REHA_OK;
    REHA_CHECK(reha_t2_picture(result, low_ms, high_ms, &png, &png_bytes, err));
    reha_page_begin(
        &html, "T2 map",
        "Research only. A measurement for a clinician to check. It supports a decision and makes none. T2 "
        "depends on field strength, sequence and scanner: compare only scans of one protocol.",
        STYLE);
    (void)snprintf(alt, sizeof alt,
                   "Slices with T2 in colour, from %g ms (dark) to %g ms (light); tissue median %.1f ms",
                   low_ms, high_ms, result->tissue.all.median_ms);
    reha_page_add_picture(&html, alt, "", png, png_bytes);
    add_table(&html, result);
    add_method(&html, result);
    REHA_CHECK(reha_page_save(&html, path, err));
done:
    reha_text_clear(&html);
    reha_free(png);
    return status;
}
