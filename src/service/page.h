/* The pages that reports are written as: one file each with its style and pictures inside, one look for all,
 * light and dark, readable on paper. Classes of the style: banner (signed), card, refused, warning, ok,
 * worsened, improved, different, soft. */
#ifndef REHA_SERVICE_PAGE_H
#define REHA_SERVICE_PAGE_H

#include "base/status.h"
#include "base/text.h"

#include <stdint.h>

/* Up to and with <body>. title: plain text of ours; style: rules that only this page has ("": none). */
void reha_page_open(reha_text *html, const char *title, const char *style);
/* The same, then title as heading, the moment, the program's version, and a banner "Not reviewed." with
 * `banner` behind it: HTML of ours. */
void reha_page_begin(reha_text *html, const char *title, const char *banner, const char *style);
/* attributes: further ones of ours ("": none); alt: text of ours without quotes. */
void reha_page_add_picture(reha_text *html, const char *alt, const char *attributes, const uint8_t *png,
                           size_t png_bytes);
/* </body></html> */
void reha_page_close(reha_text *html);
/* Closes and writes the file; the caller clears `html`. REHA_E_IO, REHA_E_NOMEM. */
REHA_MUST_USE reha_status reha_page_save(reha_text *html, const char *path, reha_error *err);

#endif
