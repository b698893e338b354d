/* JPEG 2000 frames with OpenJPEG.
 *
 * The main header is read here first: OpenJPEG allocates by what it says (image size, tiles,
 * precincts, code blocks), so these are bounded before it sees the stream. */
#include "dicom/dicom_priv.h"

#include "base/bytes.h"
#include "base/memory.h"

#include <openjpeg.h>
#include <string.h>

enum {
    TILES_MAX = 16384,
    BLOCKS_MAX = 4 * 1024 * 1024, /* precincts or code blocks of one component */
    J2K_SOC = 0xFF4F,
    J2K_SIZ = 0xFF51,
    J2K_COD = 0xFF52,
    J2K_COC = 0xFF53,
    J2K_SOT = 0xFF90
};

typedef struct main_header {
    uint32_t columns;
    uint32_t rows;
    uint32_t tiles;
    uint32_t components;
    uint32_t precision; /* the largest */
    bool has_cod;
} main_header;

static reha_status broken(reha_error *err, const char *what)
{
    return reha_fail(err, REHA_E_FORMAT, "the JPEG 2000 header is damaged: %s", what);
}

static reha_status read_siz(reha_bytes body, main_header *out, reha_error *err)
{
    uint16_t skip;
    uint16_t components;
    uint32_t v[8]; /* image end x y, origin x y, tile size x y, tile origin x y */
    if (!reha_bytes_u16be(&body, &skip)) {
        return broken(err, "SIZ");
    }
    for (size_t i = 0; i < 8; i++) {
        if (!reha_bytes_u32be(&body, &v[i])) {
            return broken(err, "SIZ");
        }
    }
    if (!reha_bytes_u16be(&body, &components) || body.left != (size_t)components * 3) {
        return broken(err, "components");
    }
    if (v[0] <= v[2] || v[1] <= v[3] || v[4] == 0 || v[5] == 0 || v[6] > v[2] || v[7] > v[3]) {
        return broken(err, "sizes");
    }
    out->columns = v[0] - v[2];
    out->rows = v[1] - v[3];
    out->components = components;
    const uint64_t across = ((uint64_t)v[0] - v[6] + v[4] - 1) / v[4];
    const uint64_t down = ((uint64_t)v[1] - v[7] + v[5] - 1) / v[5];
    if (across > TILES_MAX || down > TILES_MAX || across * down > TILES_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "the JPEG 2000 frame has more than %d tiles", TILES_MAX);
    }
    out->tiles = (uint32_t)(across * down);
    while (body.left >= 3) {
        const uint32_t precision = (body.data[0] & 0x7Fu) + 1;
        if (body.data[1] != 1 || body.data[2] != 1) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "JPEG 2000 with subsampled components is not read");
        }
        out->precision = precision > out->precision ? precision : out->precision;
        (void)reha_bytes_skip(&body, 3);
    }
    return REHA_OK;
}

/* The coding style of COD and COC: levels, code block size, flags, precinct sizes. */
static reha_status check_style(reha_bytes style, bool has_precincts, const main_header *header,
                               reha_error *err)
{
    if (style.left < 5) {
        return broken(err, "coding style");
    }
    const uint32_t levels = style.data[0];
    const uint32_t block_width_log = (style.data[1] & 15u) + 2;
    const uint32_t block_height_log = (style.data[2] & 15u) + 2;
    if (levels > 32 || block_width_log > 10 || block_height_log > 10 ||
        block_width_log + block_height_log > 12 || (has_precincts && style.left < 5 + levels + 1)) {
        return broken(err, "coding style");
    }
    uint64_t blocks = 0;
    for (uint32_t r = 0; r <= levels; r++) {
        const uint32_t shift = levels - r;
        uint32_t width_log = block_width_log;
        uint32_t height_log = block_height_log;
        if (has_precincts) {
            const uint8_t precinct = style.data[5 + r];
            width_log = width_log < (precinct & 15u) ? width_log : (precinct & 15u);
            height_log = height_log < (uint32_t)(precinct >> 4) ? height_log : (uint32_t)(precinct >> 4);
        }
        const uint64_t width = ((uint64_t)header->columns >> shift) + 1;
        const uint64_t height = ((uint64_t)header->rows >> shift) + 1;
        blocks += ((width >> width_log) + 1) * ((height >> height_log) + 1);
    }
    /* Every tile has all levels, however small it is. */
    blocks += (uint64_t)header->tiles * (levels + 1);
    if (blocks * header->components > BLOCKS_MAX) {
        return reha_fail(err, REHA_E_LIMIT, "the JPEG 2000 frame has more than %d code blocks", BLOCKS_MAX);
    }
    return REHA_OK;
}

static reha_status read_segment(uint16_t marker, reha_bytes body, main_header *header, reha_error *err)
{
    uint8_t flags;
    if (marker == J2K_SIZ) {
        return read_siz(body, header, err);
    }
    if (header->columns == 0) {
        return broken(err, "SIZ is not first");
    }
    if (marker == J2K_COD) {
        header->has_cod = true;
        if (!reha_bytes_u8(&body, &flags) || !reha_bytes_skip(&body, 4)) {
            return broken(err, "COD");
        }
        return check_style(body, (flags & 1) != 0, header, err);
    }
    if (marker == J2K_COC) {
        if (!reha_bytes_skip(&body, header->components < 257 ? 1 : 2) || !reha_bytes_u8(&body, &flags)) {
            return broken(err, "COC");
        }
        return check_style(body, (flags & 1) != 0, header, err);
    }
    return REHA_OK;
}

static reha_status read_main_header(const uint8_t *stream, size_t size_bytes, main_header *out,
                                    reha_error *err)
{
    reha_bytes in = {stream, size_bytes};
    uint16_t marker;
    *out = (main_header){0};
    if (!reha_bytes_u16be(&in, &marker) || marker != J2K_SOC) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame is no JPEG 2000 code stream");
    }
    for (;;) {
        uint16_t length;
        reha_bytes body;
        if (!reha_bytes_u16be(&in, &marker)) {
            return broken(err, "it ends early");
        }
        if (marker == J2K_SOT) {
            break;
        }
        if (!reha_bytes_u16be(&in, &length) || length < 2 || !reha_bytes_take(&in, length - 2u, &body)) {
            return broken(err, "a segment ends early");
        }
        REHA_TRY(read_segment(marker, body, out, err));
    }
    return out->columns > 0 && out->has_cod ? REHA_OK : broken(err, "SIZ or COD is missing");
}

/* Memory as a stream for OpenJPEG. */
typedef struct source {
    const uint8_t *data;
    size_t size_bytes;
    size_t at;
} source;

static OPJ_SIZE_T source_read(void *buffer, OPJ_SIZE_T count, void *context)
{
    source *in = context;
    const size_t left = in->size_bytes - in->at;
    if (left == 0) {
        return (OPJ_SIZE_T)-1;
    }
    count = count < left ? count : left;
    memcpy(buffer, in->data + in->at, count);
    in->at += count;
    return count;
}

static OPJ_OFF_T source_skip(OPJ_OFF_T count, void *context)
{
    source *in = context;
    const size_t left = in->size_bytes - in->at;
    if (count < 0 || left == 0) {
        return -1;
    }
    const size_t step = (uint64_t)count < left ? (size_t)count : left;
    in->at += step;
    return (OPJ_OFF_T)step;
}

static OPJ_BOOL source_seek(OPJ_OFF_T at, void *context)
{
    source *in = context;
    if (at < 0 || (uint64_t)at > in->size_bytes) {
        return OPJ_FALSE;
    }
    in->at = (size_t)at;
    return OPJ_TRUE;
}

static opj_stream_t *open_stream(source *in)
{
    opj_stream_t *stream = opj_stream_create((OPJ_SIZE_T)64 * 1024, OPJ_TRUE);
    if (stream != NULL) {
        opj_stream_set_user_data(stream, in, NULL);
        opj_stream_set_user_data_length(stream, in->size_bytes);
        opj_stream_set_read_function(stream, source_read);
        opj_stream_set_skip_function(stream, source_skip);
        opj_stream_set_seek_function(stream, source_seek);
    }
    return stream;
}

static reha_status check_image(const opj_image_t *image, const reha_dcm_layout *layout, reha_error *err)
{
    if (image->numcomps != layout->samples) {
        return reha_fail(err, REHA_E_FORMAT, "the JPEG 2000 frame has %u components, the file says %u",
                         image->numcomps, layout->samples);
    }
    for (uint32_t c = 0; c < image->numcomps; c++) {
        const opj_image_comp_t *comp = &image->comps[c];
        if (comp->w != layout->columns || comp->h != layout->rows || comp->data == NULL || comp->prec < 1 ||
            comp->prec > layout->bits_allocated) {
            return reha_fail(err, REHA_E_FORMAT, "component %u of the JPEG 2000 frame does not fit the file",
                             c + 1);
        }
    }
    return REHA_OK;
}

/* Low bits of each value, two's complement where signed: the pixel cells of an uncompressed file. */
static void store(const opj_image_t *image, reha_dcm_raw *out)
{
    const size_t pixels = (size_t)image->comps[0].w * image->comps[0].h;
    for (uint32_t c = 0; c < image->numcomps; c++) {
        const OPJ_INT32 *from = image->comps[c].data;
        for (size_t i = 0; i < pixels; i++) {
            const size_t at = i * image->numcomps + c;
            if (out->bits_allocated == 8) {
                out->owned[at] = (uint8_t)from[i];
            } else {
                const uint16_t value = (uint16_t)from[i];
                memcpy(out->owned + 2 * at, &value, sizeof(value));
            }
        }
    }
}

static reha_status run(opj_codec_t *codec, opj_stream_t *stream, const reha_dcm_layout *layout,
                       opj_image_t **image, reha_error *err)
{
    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE)) {
        return reha_fail(err, REHA_E_INTERNAL, "the JPEG 2000 decoder could not be set up");
    }
    if (!opj_read_header(stream, codec, image)) {
        return reha_fail(err, REHA_E_FORMAT, "the JPEG 2000 header cannot be read");
    }
    if (!opj_decode(codec, stream, *image) || !opj_end_decompress(codec, stream)) {
        return reha_fail(err, REHA_E_FORMAT, "the JPEG 2000 frame is damaged or cut");
    }
    return check_image(*image, layout, err);
}

reha_status reha_dcm_decode_jpeg2000(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                     reha_dcm_raw *out, reha_error *err)
{
    source in = {.data = stream, .size_bytes = size_bytes};
    opj_image_t *image = NULL;
    main_header header;
    REHA_TRY(read_main_header(stream, size_bytes, &header, err));
    if (header.columns != layout->columns || header.rows != layout->rows ||
        header.components != layout->samples || header.precision > layout->bits_allocated ||
        header.precision > 16) {
        return reha_fail(err, REHA_E_FORMAT,
                         "the JPEG 2000 frame is %u x %u x %u of %u bits, the file says %u x %u x %u of %u",
                         header.columns, header.rows, header.components, header.precision, layout->columns,
                         layout->rows, layout->samples, layout->bits_allocated);
    }
    opj_codec_t *codec = opj_create_decompress(OPJ_CODEC_J2K);
    opj_stream_t *opened = open_stream(&in);
    reha_status status = codec != NULL && opened != NULL
                             ? run(codec, opened, layout, &image, err)
                             : reha_fail(err, REHA_E_NOMEM, "out of memory for a JPEG 2000 frame");
    if (status == REHA_OK) {
        status = reha_dcm_raw_new(layout, header.precision > 8 ? 16 : 8, out, err);
    }
    if (status == REHA_OK) {
        store(image, out);
    }
    opj_image_destroy(image);
    opj_stream_destroy(opened);
    opj_destroy_codec(codec);
    return status;
}
