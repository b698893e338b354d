#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/save.h"
#include "service/compare.h"

#include <string.h>

/* The switch is a checkbox before the stack of both pictures: no script. Blinking is off until it is asked
 * for, and slow for readers who want less motion. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6875;--line:#d5dbe1;--page:#fff;--card:#f6f8fa;"
    "--warn:#8a5800;--stop:#a4262c;--good:#1d6b36}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#a3b0bd;--line:#38434e;--page:#12181e;"
    "--card:#1b232b;--warn:#ffc55c;--stop:#ff8a80;--good:#7fd99a}}"
    "body{font:16px/1.5 system-ui,'DejaVu Sans',sans-serif;color:var(--ink);background:var(--page);margin:0 "
    "auto;"
    "max-width:84rem;padding:1rem 1.5rem}h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.2rem;margin:0 0 "
    ".4em}"
    ".banner{border:1px solid var(--warn);color:var(--warn);border-radius:.4rem;padding:.4rem "
    ".8rem;margin:.8rem 0}"
    ".joint{background:var(--card);border:1px solid "
    "var(--line);border-radius:.5rem;padding:1rem;margin:1.2rem 0}"
    "table{border-collapse:collapse;width:100%;margin:.6rem 0}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid var(--line)}.worsened,.refused,.blocks{color:var(--stop)}"
    ".improved,.ok{color:var(--good)}.different,.warning{color:var(--warn)}small,.note{color:var(--soft)}."
    "why{color:var(--ink)}"
    ".row{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;flex:1 1 "
    "20rem;max-width:26rem}img{width:100%;display:block}"
    ".stack{position:relative;max-width:26rem;clear:both}.stack "
    ".after{position:absolute;inset:0;visibility:hidden}"
    ".swap:checked~.stack .after{visibility:visible}.blink:checked~.stack .after{animation:b 1.6s steps(1) "
    "infinite}"
    "@keyframes b{0%{visibility:hidden}50%{visibility:visible}}"
    "@media(prefers-reduced-motion:reduce){.blink:checked~.stack .after{animation-duration:5s}}"
    "@media print{.joint{break-inside:avoid}.swap,.blink,.swap+label,.blink+label,.stack{display:none}}";

/* What changes the reading of the result stands before it, the whole list after it. */
static void add_checks(reha_text *html, const reha_films *films, const char *title, reha_check_level least)
{
    static const char *const words[] = {"In order", "Not checked", "Caution", "Cannot be measured",
                                        "Refused"};
    reha_text_addf(html, "<h2>%s</h2><table><tbody>\n", title);
    for (int i = 0; i < films->check_count; i++) {
        const reha_check *check = &films->checks[i];
        if (check->level < least) {
            continue;
        }
        reha_text_addf(html, "<tr><th scope=row class=%s>%s</th><td>", reha_check_level_text(check->level),
                       words[check->level]);
        reha_text_add_html(html, check->text);
        reha_text_add(html, "</td></tr>\n");
    }
    reha_text_add(html, "</tbody></table>\n");
}

static void add_measure(reha_text *html, const reha_compared *measure)
{
    char numbers[160];
    reha_compared_text(measure, numbers, sizeof numbers);
    reha_text_add(html, "<tr><th scope=row>");
    reha_text_add_html(html, measure->label);
    reha_text_add(html, "</th><td>");
    reha_text_add_html(html, numbers);
    reha_text_addf(html, "</td><td class=%s><b>%s</b>", reha_verdict_code(measure->change.verdict),
                   reha_verdict_text(measure->change.verdict));
    if (measure->remark[0] != '\0') {
        reha_text_add(html, "<br><span class=why>");
        reha_text_add_html(html, measure->remark);
        reha_text_add(html, "</span>");
    }
    reha_text_add(html, "</td><td><small>");
    reha_text_add_html(html, measure->basis);
    reha_text_add(html, "</small></td></tr>\n");
}

/* `attributes` of our own only. */
static reha_status add_image(reha_text *html, const reha_gray *image, const char *attributes,
                             const char *description, reha_error *err)
{
    uint8_t *png = NULL;
    size_t png_bytes = 0;
    REHA_TRY(reha_image_encode_png(image, 8, &png, &png_bytes, err));
    reha_text_addf(html, "<img %s alt=\"%s\" src=\"data:image/png;base64,", attributes, description);
    reha_text_add_base64(html, png, png_bytes);
    reha_text_add(html, "\">");
    reha_free(png);
    return REHA_OK;
}

static reha_status add_pictures(reha_text *html, const reha_joint_pictures *pictures, int index,
                                reha_error *err)
{
    char how[200];
    if (pictures->after == NULL) {
        reha_text_add(html,
                      "<p class=note>No pictures: the image files of the results are not at hand.</p>\n");
        return REHA_OK;
    }
    reha_registration_text(pictures, how, sizeof how);
    reha_text_add(html, "<div class=row><figure>");
    REHA_TRY(add_image(html, pictures->before, "", "The joint at the first visit", err));
    reha_text_add(html, "<figcaption>Before</figcaption></figure><figure>");
    REHA_TRY(add_image(html, pictures->after, "", "The joint at the second visit, in the frame of the first",
                       err));
    reha_text_add(html, "<figcaption>After</figcaption></figure><figure>");
    REHA_TRY(add_image(html, pictures->difference, "", "Difference of both: grey where they agree", err));
    reha_text_add(
        html,
        "<figcaption>Difference: grey = same, white = denser now, black = less dense. Edges of bones also "
        "show a small turn of the leg.</figcaption></figure></div>\n");
    reha_text_addf(
        html,
        "<div><input type=checkbox class=swap id=swap%d><label for=swap%d> show After </label>"
        "<input type=checkbox class=blink id=blink%d><label for=blink%d> blink</label><div class=stack>",
        index, index, index, index);
    REHA_TRY(add_image(html, pictures->before, "", "The joint at the first visit", err));
    REHA_TRY(add_image(html, pictures->after, "class=after", "The joint at the second visit", err));
    reha_text_add(html, "</div></div>\n<p><small>Pictures ");
    reha_text_add_html(html, how);
    reha_text_add(html, ".</small></p>\n");
    return REHA_OK;
}

static reha_status add_joint(reha_text *html, const reha_comparison *comparison, int index, reha_error *err)
{
    const reha_film_pair *pair = &comparison->films.pairs[index];
    reha_text_addf(
        html,
        "<section class=joint><h2>Side: %s</h2>\n<table><thead><tr><th scope=col>Measure<th scope=col>"
        "Before, after, change<th scope=col>Verdict<th scope=col>Measurement error</tr></thead><tbody>\n",
        pair->side);
    for (int k = 0; k < pair->measure_count; k++) {
        add_measure(html, &pair->measures[k]);
    }
    reha_text_add(html, "</tbody></table>\n");
    REHA_TRY(add_pictures(html, &comparison->pictures[index], index, err));
    reha_text_add(html, "</section>\n");
    return REHA_OK;
}

static void add_visit(reha_text *html, const char *name, const reha_compare_visit *visit)
{
    reha_text_addf(html, "<tr><th scope=row>%s</th><td>", name);
    reha_text_add_html(html, reha_path_name(visit->path));
    reha_text_add(html, "</td><td>");
    reha_text_add_html(html, visit->date[0] != '\0' ? visit->date : "date not known");
    reha_text_addf(html, "</td><td><small>file <code>%.12s</code></small></td></tr>\n", visit->digest);
}

reha_status reha_comparison_html(const reha_comparison *comparison, const char *path, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text html = {0};
    char *written = NULL;
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now);
    reha_text_addf(
        &html,
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
        "content=\"width=device-width\"><title>Rehascope comparison</title><style>%s</style></head>\n"
        "<body><h1>Two visits compared</h1>\n<p class=note>%s, rehascope %s</p>\n<p class=banner role=note>"
        "<b>Not reviewed.</b> For a clinician to check. A change in a picture is no change in pain or "
        "function: "
        "treatment follows those.</p>\n<table><tbody>\n",
        STYLE, now, REHA_VERSION);
    add_visit(&html, "Before", &comparison->visits[0]);
    add_visit(&html, "After", &comparison->visits[1]);
    reha_text_add(&html, "</tbody></table>\n");
    add_checks(&html, &comparison->films, comparison->films.is_refused ? "Not compared" : "Mind this",
               REHA_CHECK_WARNING);
    for (int i = 0; i < comparison->films.pair_count && !comparison->films.is_refused; i++) {
        REHA_CHECK(add_joint(&html, comparison, i, err));
    }
    add_checks(&html, &comparison->films, "May they be compared? All checks", REHA_CHECK_OK);
    reha_text_add(&html, "</body></html>\n");
    REHA_CHECK(reha_text_take(&html, &written, err));
    REHA_CHECK(reha_file_save(path, written, strlen(written), err));
done:
    reha_text_clear(&html);
    reha_free(written);
    return status;
}
