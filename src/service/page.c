#include "service/page.h"

#include "base/clock.h"
#include "base/file.h"

static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#1b2733;--soft:#5b6875;--line:#d5dbe1;--page:#fff;--card:#f6f8fa;"
    "--warn:#8a5800;--stop:#a4262c;--good:#1d6b36}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#a3b0bd;--line:#38434e;--page:#12181e;"
    "--card:#1b232b;--warn:#ffc55c;--stop:#ff8a80;--good:#7fd99a}}"
    "body{font:16px/1.5 system-ui,'DejaVu Sans',sans-serif;color:var(--ink);background:var(--page);"
    "margin:0 auto;max-width:84rem;padding:1rem 1.5rem}"
    "h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.2rem;margin:0 0 .4em;overflow-wrap:anywhere}"
    ".banner{border:1px solid var(--warn);color:var(--warn);border-radius:.4rem;padding:.4rem .8rem;"
    "margin:.8rem 0}.signed{border-color:var(--good);color:var(--good)}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;"
    "margin:1.2rem 0}img{max-width:100%;height:auto;background:#fff;border-radius:.3rem}"
    "table{border-collapse:collapse;width:100%;margin:.6rem 0}th,td{text-align:left;vertical-align:top;"
    "padding:.3rem .6rem;border-bottom:1px solid var(--line)}"
    ".refused,.worsened,.blocks{color:var(--stop)}.ok,.improved{color:var(--good)}"
    ".warning,.different{color:var(--warn)}small,.soft{color:var(--soft)}code{overflow-wrap:anywhere}"
    "@media print{.card{break-inside:avoid}}";

void reha_page_open(reha_text *html, const char *title, const char *style)
{
    reha_text_addf(html,
                   "<!doctype html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport "
                   "content=\"width=device-width\"><title>%s</title><style>%s%s</style></head>\n<body>",
                   title, STYLE, style);
}

void reha_page_begin(reha_text *html, const char *title, const char *banner, const char *style)
{
    char now[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(now); /* "2026-01-31T10:20:30.400Z": people need day and minute */
    reha_page_open(html, title, style);
    reha_text_addf(html,
                   "<h1>%s</h1>\n<p class=soft>%.10s %.5s UTC, rehascope %s</p>\n<p class=banner "
                   "role=note><b>Not reviewed.</b> %s</p>\n",
                   title, now, now + 11, REHA_VERSION, banner);
}

void reha_page_add_picture(reha_text *html, const char *alt, const char *attributes, const uint8_t *png,
                           size_t png_bytes)
{
    reha_text_addf(html, "<img %s alt=\"%s\" src=\"data:image/png;base64,", attributes, alt);
    reha_text_add_base64(html, png, png_bytes);
    reha_text_add(html, "\">\n");
}

void reha_page_close(reha_text *html)
{
    reha_text_add(html, "</body></html>\n");
}

reha_status reha_page_save(reha_text *html, const char *path, reha_error *err)
{
    reha_page_close(html);
    return html->failed ? reha_fail(err, REHA_E_NOMEM, "out of memory for %s", path)
                        : reha_file_save(path, html->data, html->length, err);
}
