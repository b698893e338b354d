#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/save.h"
#include "service/compare.h"
#include "service/page.h"

/* The switch is a checkbox before the stack of both pictures: no script. Blinking is off until it is asked
 * for, and slow for readers who want less motion. */
static const char STYLE[] =
    ".why{color:var(--ink)}.row{display:flex;flex-wrap:wrap;gap:1rem}"
    "figure{margin:0;flex:1 1 20rem;max-width:26rem}img{width:100%;display:block}"
    ".stack{position:relative;max-width:26rem;clear:both}"
    ".stack .after{position:absolute;inset:0;visibility:hidden}"
    ".swap:checked~.stack .after{visibility:visible}"
    ".blink:checked~.stack .after{animation:b 1.6s steps(1) infinite}"
    "@keyframes b{0%{visibility:hidden}50%{visibility:visible}}"
    "@media(prefers-reduced-motion:reduce){.blink:checked~.stack .after{animation-duration:5s}}"
    "@media print{.swap,.blink,.swap+label,.blink+label,.stack{display:none}}";

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
    reha_page_add_picture(html, description, attributes, png, png_bytes);
    reha_free(png);
    return REHA_OK;
}

static reha_status add_pictures(reha_text *html, const reha_joint_pictures *pictures, int index,
                                reha_error *err)
{
    char how[200];
    if (pictures->after == NULL) {
        reha_text_add(html,
                      "<p class=soft>No pictures: the image files of the results are not at hand.</p>\n");
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
        "<section class=card><h2>Side: %s</h2>\n<table><thead><tr><th scope=col>Measure<th scope=col>"
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
    reha_page_begin(
        &html, "Two visits compared",
        "For a clinician to check. A change in a picture is no change in pain or function: treatment "
        "follows those.",
        STYLE);
    reha_text_add(&html, "<table><tbody>\n");
    add_visit(&html, "Before", &comparison->visits[0]);
    add_visit(&html, "After", &comparison->visits[1]);
    reha_text_add(&html, "</tbody></table>\n");
    add_checks(&html, &comparison->films, comparison->films.is_refused ? "Not compared" : "Mind this",
               REHA_CHECK_WARNING);
    for (int i = 0; i < comparison->films.pair_count && !comparison->films.is_refused; i++) {
        REHA_CHECK(add_joint(&html, comparison, i, err));
    }
    add_checks(&html, &comparison->films, "May they be compared? All checks", REHA_CHECK_OK);
    REHA_CHECK(reha_page_save(&html, path, err));
done:
    reha_text_clear(&html);
    return status;
}
