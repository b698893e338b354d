#include "image/load.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/codec_priv.h"
#include "image/resample.h"

#include <inttypes.h>
#include <string.h>

static const reha_codec *const codecs[] = {&reha_codec_png, &reha_codec_jpeg, &reha_codec_tiff};

/* Files that users give us by mistake. Naming them saves a support call. */
typedef struct other_format {
    size_t offset_bytes;
    const char *magic;
    size_t magic_bytes;
    const char *what;
} other_format;

static const other_format other_formats[] = {
    {128, "DICM", 4, "a DICOM file"},
    {0, "%PDF", 4, "a PDF document"},
    {0, "GIF8", 4, "a GIF picture"},
    {0, "BM", 2, "a BMP picture"},
    {8, "WEBP", 4, "a WebP picture"},
    {4, "ftypheic", 8, "a HEIC picture"},
    {4, "ftypmif1", 8, "a HEIF picture"},
    {4, "ftypavif", 8, "an AVIF picture"},
    {4, "ftyp", 4, "a video"},
    {0, "\x00\x00\x00\x0cjP  ", 8, "a JPEG 2000 picture"},
    {0, "\xff\x4f\xff\x51", 4, "a JPEG 2000 stream"},
    {344, "n+1", 4, "a NIfTI volume"},
    {344, "ni1", 4, "a NIfTI volume"},
    {0, "PK\x03\x04", 4, "a ZIP archive or office document"},
    {0, "\x1f\x8b", 2, "a gzip archive"},
    {0,
     "\x7f"
     "ELF",
     4, "a program"},
};

static const reha_codec *find_codec(reha_bytes in)
{
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        if (codecs[i]->detects(in)) {
            return codecs[i];
        }
    }
    return NULL;
}

const char *reha_image_detect(const void *bytes, size_t count)
{
    const reha_codec *codec = find_codec((reha_bytes){.data = bytes, .left = count});
    return codec != NULL ? codec->name : NULL;
}

/* Length of the UTF-8 sequence at the front of `in`, 0 if it is none. */
static size_t utf8_length(reha_bytes in)
{
    const uint8_t lead = in.data[0];
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xc2 && lead < 0xe0 ? 2
                          : (lead & 0xf0) == 0xe0       ? 3
                          : lead >= 0xf0 && lead < 0xf5 ? 4
                                                        : 0;
    for (size_t i = 1; i < length; i++) {
        if (i < in.left && (in.data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/* No control characters, and few bytes that are no UTF-8 (old 8-bit letters). */
static bool looks_like_text(reha_bytes in)
{
    reha_bytes rest = {.data = in.data, .left = in.left < 512 ? in.left : 512};
    const size_t probe = rest.left;
    size_t odd = 0;
    while (rest.left > 0) {
        const uint8_t c = rest.data[0];
        if (c < 0x09 || (c > 0x0d && c < 0x20) || c == 0x7f) {
            return false;
        }
        size_t length = utf8_length(rest);
        odd += length == 0;
        length = length == 0 ? 1 : length > rest.left ? rest.left : length;
        (void)reha_bytes_skip(&rest, length);
    }
    return probe > 0 && odd * 10 <= probe;
}

static reha_status fail_unknown(reha_bytes in, reha_error *err)
{
    if (in.left == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the file is empty (0 bytes): copy or export it again");
    }
    const bool is_text = looks_like_text(in);
    for (size_t i = 0; i < sizeof other_formats / sizeof other_formats[0]; i++) {
        const other_format *other = &other_formats[i];
        reha_bytes rest = in;
        if (is_text && other->magic_bytes < 4) {
            continue; /* "BM" begins a bitmap, and also a note about the BMI */
        }
        if (reha_bytes_skip(&rest, other->offset_bytes) &&
            reha_bytes_starts(rest, other->magic, other->magic_bytes)) {
            return reha_fail(err, REHA_E_UNSUPPORTED,
                             "this is %s, not a PNG, JPEG or TIFF picture: export the image in one of these",
                             other->what);
        }
    }
    if (is_text) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the content is text, not an image, whatever the name says: "
                         "export the image again as DICOM, PNG, JPEG or TIFF");
    }
    return reha_fail(err, REHA_E_FORMAT,
                     "the content is no image that can be read (it begins like no DICOM, PNG, JPEG or "
                     "TIFF file): export the image again");
}

reha_status reha_codec_check(uint64_t width_px, uint64_t height_px, uint64_t bytes_per_pixel,
                             const reha_image_limits *limits, reha_error *err)
{
    REHA_TRY(reha_image_check_size(width_px, height_px, limits, err));
    /* No overflow: both sides are within 32 bits and the product within pixels_max. */
    if (bytes_per_pixel > 0 && width_px * height_px > limits->decoded_bytes_max / bytes_per_pixel) {
        return reha_fail(err, REHA_E_LIMIT,
                         "decoding %" PRIu64 " x %" PRIu64 " px would need more than %" PRIu64
                         " bytes: export a smaller image",
                         width_px, height_px, limits->decoded_bytes_max);
    }
    return REHA_OK;
}

reha_status reha_codec_orient(reha_gray **image, unsigned orientation, reha_error *err)
{
    /* EXIF 2.3, 4.6.4: what must be done to the stored rows to show the picture upright. */
    static const struct {
        int quarter_turns_cw;
        bool mirror; /* left and right exchanged, before turning */
    } actions[9] = {{0, false}, {0, false}, {0, true}, {2, false}, {2, true},
                    {3, true},  {1, false}, {1, true}, {3, false}};
    if (orientation < 2 || orientation > 8) {
        return REHA_OK;
    }
    if (actions[orientation].mirror) {
        reha_gray_flip_x(*image);
    }
    if (actions[orientation].quarter_turns_cw != 0) {
        reha_gray *turned = NULL;
        REHA_TRY(reha_gray_rotate90(*image, actions[orientation].quarter_turns_cw, &turned, err));
        reha_gray_free(*image);
        *image = turned;
    }
    return REHA_OK;
}

reha_status reha_image_decode_frame(const void *bytes, size_t count, uint32_t frame_idx,
                                    const reha_image_limits *limits, reha_gray **out, reha_acquisition *facts,
                                    reha_error *err)
{
    *out = NULL;
    reha_acquisition own_facts = reha_acquisition_unknown();
    if (facts == NULL) {
        facts = &own_facts;
    }
    *facts = reha_acquisition_unknown();
    const reha_image_limits defaults = reha_image_limits_default();
    if (limits == NULL) {
        limits = &defaults;
    }
    const reha_bytes in = {.data = bytes, .left = count};
    if (count > limits->file_bytes_max) {
        return reha_fail(err, REHA_E_LIMIT, "the file has %zu bytes; at most %" PRIu64 " are read", count,
                         limits->file_bytes_max);
    }
    const reha_codec *codec = find_codec(in);
    if (codec == NULL) {
        return fail_unknown(in, err);
    }
    const reha_status status = codec->decode(in, frame_idx, limits, out, facts, err);
    if (status != REHA_OK) {
        *facts = reha_acquisition_unknown();
        return status;
    }
    memcpy(facts->container, codec->name, strlen(codec->name) + 1);
    return REHA_OK;
}

reha_status reha_image_decode(const void *bytes, size_t count, const reha_image_limits *limits,
                              reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    return reha_image_decode_frame(bytes, count, 0, limits, out, facts, err);
}

reha_status reha_image_load(const char *path, const reha_image_limits *limits, reha_gray **out,
                            reha_acquisition *facts, reha_error *err)
{
    *out = NULL;
    if (facts != NULL) {
        *facts = reha_acquisition_unknown();
    }
    const uint64_t most =
        limits != NULL ? limits->file_bytes_max : reha_image_limits_default().file_bytes_max;
    uint8_t *bytes = NULL;
    size_t count = 0;
    REHA_TRY(reha_file_load(path, most < SIZE_MAX ? (size_t)most : SIZE_MAX, &bytes, &count, err));
    const reha_status status = reha_image_decode(bytes, count, limits, out, facts, err);
    if (status != REHA_OK) {
        reha_error_prefix(err, "%s", path);
    }
    reha_free(bytes);
    return status;
}
