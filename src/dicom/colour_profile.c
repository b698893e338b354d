#include "dicom/colour_profile_priv.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

enum { CURVE_POINTS = 256, CLASS_BYTES = 4 };

static const char WORDS[] = "sRGB IEC61966-2.1";

static void put_number(reha_dcm_writer *p, double value)
{
    enum { FRACTION = 65536 };
    reha_dcm_put_u32(p, (uint32_t)(int32_t)lround(value * FRACTION));
}

static void put_zeros(reha_dcm_writer *p, size_t count)
{
    static const uint8_t zeros[80];
    reha_dcm_put_bytes(p, zeros, count);
}

static void put_header(reha_dcm_writer *p)
{
    static const uint16_t made[6] = {2026, 1, 1, 0, 0, 0}; /* the same for ever */
    reha_dcm_put_u32(p, 0);                                /* its size: at the end */
    put_zeros(p, 4);
    reha_dcm_put_u32(p, 0x02400000u);
    reha_dcm_put_bytes(p, "scnrRGB XYZ ",
                       3 * (size_t)CLASS_BYTES); /* input device, colour space, connection space */
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        reha_dcm_put_u16(p, made[i]);
    }
    reha_dcm_put_bytes(p, "acsp", CLASS_BYTES);
    put_zeros(p, 28); /* platform, flags, device, attributes, intent */
    put_number(p, 0.9642);
    put_number(p, 1.0);
    put_number(p, 0.8249);
    put_zeros(p, 48);
}

static void put_xyz(reha_dcm_writer *p, double x, double y, double z)
{
    reha_dcm_put_bytes(p, "XYZ ", CLASS_BYTES);
    put_zeros(p, 4);
    put_number(p, x);
    put_number(p, y);
    put_number(p, z);
}

static void put_curve(reha_dcm_writer *p)
{
    reha_dcm_put_bytes(p, "curv", CLASS_BYTES);
    put_zeros(p, 4);
    reha_dcm_put_u32(p, CURVE_POINTS);
    for (int i = 0; i < CURVE_POINTS; i++) {
        const double c = i / (CURVE_POINTS - 1.0);
        const double linear = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
        reha_dcm_put_u16(p, (uint16_t)lround(linear * UINT16_MAX));
    }
}

static void put_words(reha_dcm_writer *p, bool is_description)
{
    reha_dcm_put_bytes(p, is_description ? "desc" : "text", CLASS_BYTES);
    put_zeros(p, 4);
    if (is_description) {
        reha_dcm_put_u32(p, sizeof(WORDS));
    }
    reha_dcm_put_bytes(p, WORDS, sizeof(WORDS));
    if (is_description) {
        put_zeros(p, 4 + 4 + 2 + 1 + 67); /* no other scripts */
    }
    put_zeros(p, (4 - p->length % 4) % 4);
}

static void put_tag(reha_dcm_writer *p, int idx)
{
    switch (idx) {
    case 0:
    case 1:
        put_words(p, idx == 0);
        break;
    case 2:
        put_xyz(p, 0.9642, 1.0, 0.8249);
        break;
    case 3:
        put_xyz(p, 0.4360747, 0.2225045, 0.0139322);
        break;
    case 4:
        put_xyz(p, 0.3850649, 0.7168786, 0.0971045);
        break;
    case 5:
        put_xyz(p, 0.1430804, 0.0606169, 0.7141733);
        break;
    default:
        put_curve(p); /* one for all three colours */
        break;
    }
}

static void patch(uint8_t *at, size_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

void reha_dcm_put_srgb_profile(reha_dcm_writer *w, uint32_t tag)
{
    static const char *const names[] = {"desc", "cprt", "wtpt", "rXYZ", "gXYZ",
                                        "bXYZ", "rTRC", "gTRC", "bTRC"};
    enum { NAMES = sizeof(names) / sizeof(names[0]), CONTENTS = 7, ENTRY_BYTES = 12 };
    reha_dcm_writer p = {.err = w->err, .is_big_endian = true};
    size_t table[CONTENTS + 1];
    put_header(&p);
    reha_dcm_put_u32(&p, NAMES);
    const size_t entries = p.length;
    put_zeros(&p, 60);
    put_zeros(&p, (size_t)NAMES * ENTRY_BYTES - 60);
    for (int i = 0; i < CONTENTS; i++) {
        table[i] = p.length;
        put_tag(&p, i);
    }
    table[CONTENTS] = p.length;
    if (p.status != REHA_OK) {
        reha_free(p.data);
        w->status = w->status == REHA_OK ? p.status : w->status;
        return;
    }
    for (int i = 0; i < NAMES; i++) {
        const int at = i < CONTENTS ? i : CONTENTS - 1;
        memcpy(p.data + entries + (size_t)i * ENTRY_BYTES, names[i], CLASS_BYTES);
        patch(p.data + entries + (size_t)i * ENTRY_BYTES + 4, table[at]);
        patch(p.data + entries + (size_t)i * ENTRY_BYTES + 8, table[at + 1] - table[at]);
    }
    patch(p.data, p.length);
    reha_dcm_put_value(w, tag, "OB", p.data, p.length);
    reha_free(p.data);
}
