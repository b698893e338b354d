/* JPEG and JPEG-LS frames: checked here, decoded by DCMTK. */
#include "dicom/bridge_priv.h"
#include "dicom/dicom_priv.h"
#include "dicom/jpeg_header_priv.h"

#include <string.h>

/* The stream must be what the data set promised: nothing is allocated by the stream's word. */
static reha_status check_header(const reha_dcm_layout *layout, const reha_jpeg_header *header,
                                reha_error *err)
{
    if (header->rows != layout->rows || header->columns != layout->columns) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame is %u x %u pixels, the file says %u x %u",
                         header->columns, header->rows, layout->columns, layout->rows);
    }
    if (header->components != layout->samples) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame has %u components, the file says %u",
                         header->components, layout->samples);
    }
    if (header->precision < 2 || header->precision > layout->bits_allocated) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame has %u bits a sample, %u are allocated",
                         header->precision, layout->bits_allocated);
    }
    return REHA_OK;
}

static reha_status choose_codec(const reha_jpeg_header *header, reha_bridge_codec *out, reha_error *err)
{
    const bool is_8_or_12 = header->precision == 8 || header->precision == 12;
    switch (header->sof) {
    case 0xC0:
    case 0xC1:
        *out = header->precision == 8 ? REHA_BRIDGE_JPEG_BASELINE : REHA_BRIDGE_JPEG_EXTENDED;
        break;
    case 0xC2:
        *out = REHA_BRIDGE_JPEG_PROGRESSIVE;
        break;
    case 0xC3:
        *out = REHA_BRIDGE_JPEG_LOSSLESS;
        return REHA_OK;
    default:
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "JPEG process FF%02X (hierarchical or arithmetic) is not read", header->sof);
    }
    if (!is_8_or_12) {
        return reha_fail(err, REHA_E_FORMAT, "a lossy JPEG frame of %u bits: the standard has 8 and 12",
                         header->precision);
    }
    return REHA_OK;
}

static reha_status decode(const reha_dcm_layout *layout, reha_bridge_codec codec, uint32_t precision,
                          const uint8_t *stream, size_t size_bytes, reha_dcm_raw *out, reha_error *err)
{
    const reha_bridge_frame frame = {.codec = codec,
                                     .stream = stream,
                                     .stream_bytes = size_bytes,
                                     .columns = (uint16_t)layout->columns,
                                     .rows = (uint16_t)layout->rows,
                                     .samples = (uint16_t)layout->samples,
                                     .precision = (uint16_t)precision};
    REHA_TRY(reha_dcm_raw_new(layout, precision > 8 ? 16 : 8, out, err));
    return reha_bridge_decode(&frame, out->owned, out->size_bytes, err);
}

/* Lossy colour is nearly always YCbCr, whatever the data set says; the stream knows better. */
static reha_dcm_colour lossy_colour(const reha_dcm_layout *layout, const reha_jpeg_header *header)
{
    if (layout->samples == 1) {
        return layout->colour;
    }
    if (header->adobe_transform >= 0) {
        return header->adobe_transform == 0 ? REHA_DCM_RGB : REHA_DCM_YBR;
    }
    if (header->has_rgb_ids) {
        return REHA_DCM_RGB;
    }
    return header->is_jfif || layout->colour != REHA_DCM_RGB ? REHA_DCM_YBR : REHA_DCM_RGB;
}

reha_status reha_dcm_decode_jpeg(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                 reha_dcm_raw *out, reha_error *err)
{
    reha_jpeg_header header;
    reha_bridge_codec codec = REHA_BRIDGE_JPEG_BASELINE;
    REHA_TRY(reha_jpeg_read_header(stream, size_bytes, &header, err));
    REHA_TRY(check_header(layout, &header, err));
    REHA_TRY(choose_codec(&header, &codec, err));
    REHA_TRY(decode(layout, codec, header.precision, stream, size_bytes, out, err));
    if (codec != REHA_BRIDGE_JPEG_LOSSLESS) {
        out->colour = lossy_colour(layout, &header);
    }
    return REHA_OK;
}

reha_status reha_dcm_decode_jpeg_ls(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                    reha_dcm_raw *out, reha_error *err)
{
    reha_jpeg_header header;
    REHA_TRY(reha_jpeg_read_header(stream, size_bytes, &header, err));
    if (header.sof != 0xF7) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame is no JPEG-LS stream (FF%02X)",
                         header.sof);
    }
    REHA_TRY(check_header(layout, &header, err));
    return decode(layout, REHA_BRIDGE_JPEG_LS, header.precision, stream, size_bytes, out, err);
}
