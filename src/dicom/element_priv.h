/* Elements as bytes: what every DICOM object that we write is made of. Explicit VR little endian unless the
 * writer says otherwise; elements are appended in ascending order of their tags (the caller's duty).
 * Sequences and items get their lengths when they are closed (explicit little endian alone), or are of
 * undefined length. The first failure sticks: later calls do nothing, and `status` tells at the end. */
#ifndef REHA_DICOM_ELEMENT_PRIV_H
#define REHA_DICOM_ELEMENT_PRIV_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REHA_DCM_UNDEFINED_LENGTH 0xFFFFFFFFu

typedef struct reha_dcm_writer {
    uint8_t *data; /* owned: reha_free */
    size_t length;
    size_t capacity;
    bool is_implicit; /* no VRs */
    bool is_big_endian;
    reha_status status;
    reha_error *err;
} reha_dcm_writer;

void reha_dcm_write_failed(reha_dcm_writer *w, reha_status status, const char *what);
void reha_dcm_put_bytes(reha_dcm_writer *w, const void *bytes, size_t count);
void reha_dcm_put_u16(reha_dcm_writer *w, uint16_t value);
void reha_dcm_put_u32(reha_dcm_writer *w, uint32_t value);
void reha_dcm_put_header(reha_dcm_writer *w, uint32_t tag, const char *vr, uint32_t length);
/* What has no VR in any encoding: items and the ends of items and sequences. */
void reha_dcm_put_mark(reha_dcm_writer *w, uint32_t tag, uint32_t length);
/* Bytes as they are, padded to an even length (PS3.5 6.2: UI and OB by NUL, others by a blank). */
void reha_dcm_put_value(reha_dcm_writer *w, uint32_t tag, const char *vr, const void *bytes, size_t count);
void reha_dcm_put_value_u16(reha_dcm_writer *w, uint32_t tag, uint32_t value);
void reha_dcm_put_value_u32(reha_dcm_writer *w, uint32_t tag, uint32_t value);
void reha_dcm_put_text(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text);
/* One value of at most `max_chars` UTF-8 characters; backslashes and control characters are a failure.
 * NULL is "". */
void reha_dcm_put_checked(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text,
                          size_t max_chars);
/* The same for words of our own making: what does not fit is left out, and forbidden characters are blanks.
 */
void reha_dcm_put_words(reha_dcm_writer *w, uint32_t tag, const char *vr, const char *text, size_t max_chars);
/* Decimal strings of at most 16 characters each. */
void reha_dcm_put_decimals(reha_dcm_writer *w, uint32_t tag, const double *values, size_t count);
/* `second` NaN: one value. */
void reha_dcm_put_decimal(reha_dcm_writer *w, uint32_t tag, double first, double second);

/* Give what reha_dcm_close wants, once the content is written. */
size_t reha_dcm_open_sequence(reha_dcm_writer *w, uint32_t tag);
size_t reha_dcm_open_item(reha_dcm_writer *w);
void reha_dcm_close(reha_dcm_writer *w, size_t opened);

/* Preamble and file meta information of an instance. `syntax_uid` NULL: explicit VR little endian. */
void reha_dcm_put_meta(reha_dcm_writer *w, const char *class_uid, const char *instance_uid,
                       const char *syntax_uid);

#endif
