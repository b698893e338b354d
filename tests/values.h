/* The grey values that the viewer asks for (docs/formats/values.md), for tests. */
#ifndef REHA_TESTS_VALUES_H
#define REHA_TESTS_VALUES_H

#include "support.h"

#include "base/bytes.h"
#include "image/gray.h"

typedef struct values_head {
    uint32_t width_px, height_px;
    uint16_t bits, low, high;
} values_head;

/* Fails the test unless it is exactly what the format says. The caller frees. */
static inline reha_gray *read_values(const uint8_t *bytes, size_t count, values_head *head)
{
    reha_error err = REHA_ERROR_INIT;
    reha_bytes in = {bytes, count};
    uint16_t rest = 1;
    reha_gray *image = NULL;
    assert_true(reha_bytes_starts(in, "RHV1", 4) && reha_bytes_skip(&in, 4));
    assert_true(reha_bytes_u32le(&in, &head->width_px) && reha_bytes_u32le(&in, &head->height_px));
    assert_true(reha_bytes_u16le(&in, &head->bits) && reha_bytes_u16le(&in, &head->low));
    assert_true(reha_bytes_u16le(&in, &head->high) && reha_bytes_u16le(&in, &rest));
    assert_int_equal(rest, 0);
    assert_true(head->bits == 8 || head->bits == 16);
    assert_int_equal(in.left, (size_t)head->width_px * head->height_px * (head->bits / 8));
    assert_ok(reha_gray_new(head->width_px, head->height_px, &image, &err), &err);
    for (size_t i = 0; in.left > 0; i++) {
        uint8_t byte = 0;
        uint16_t word = 0;
        assert_true(head->bits == 8 ? reha_bytes_u8(&in, &byte) : reha_bytes_u16le(&in, &word));
        image->pixels[i] = (float)(head->bits == 8 ? byte : word);
    }
    return image;
}

#endif
