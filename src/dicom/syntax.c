/* The transfer syntaxes that are read: one line each, in the order in which the network node prefers them
 * where a peer offers several: every peer can send the first two, and lossless goes before lossy. */
#include "dicom/dicom_priv.h"

#include <string.h>

static const reha_dcm_syntax syntaxes[] = {
    {"1.2.840.10008.1.2.1", "explicit little endian", false, NULL},
    {"1.2.840.10008.1.2", "implicit little endian", false, NULL},
    {"1.2.840.10008.1.2.1.99", "deflated explicit little endian", false, NULL},
    {"1.2.840.10008.1.2.4.90", "JPEG 2000 lossless", false, reha_dcm_decode_jpeg2000},
    {"1.2.840.10008.1.2.4.80", "JPEG-LS lossless", false, reha_dcm_decode_jpeg_ls},
    {"1.2.840.10008.1.2.4.70", "JPEG lossless, first-order prediction", false, reha_dcm_decode_jpeg},
    {"1.2.840.10008.1.2.4.57", "JPEG lossless", false, reha_dcm_decode_jpeg},
    {"1.2.840.10008.1.2.5", "RLE lossless", false, reha_dcm_decode_rle},
    {"1.2.840.10008.1.2.2", "explicit big endian", false, NULL},
    {"1.2.840.10008.1.2.4.91", "JPEG 2000", true, reha_dcm_decode_jpeg2000},
    {"1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless", true, reha_dcm_decode_jpeg_ls},
    {"1.2.840.10008.1.2.4.51", "JPEG extended", true, reha_dcm_decode_jpeg},
    {"1.2.840.10008.1.2.4.50", "JPEG baseline", true, reha_dcm_decode_jpeg},
    {"1.2.840.10008.1.2.4.55", "JPEG full progression", true, reha_dcm_decode_jpeg},
    {"1.2.840.10008.1.2.4.53", "JPEG spectral selection", true, reha_dcm_decode_jpeg},
};

const reha_dcm_syntax *reha_dcm_find_syntax(const char *uid)
{
    for (size_t i = 0; i < sizeof(syntaxes) / sizeof(syntaxes[0]); i++) {
        if (strcmp(syntaxes[i].uid, uid) == 0) {
            return &syntaxes[i];
        }
    }
    return NULL;
}

const reha_dcm_syntax *reha_dcm_syntax_at(size_t idx)
{
    return idx < sizeof(syntaxes) / sizeof(syntaxes[0]) ? &syntaxes[idx] : NULL;
}

const char *reha_dcm_unsupported_name(const char *uid)
{
    static const struct {
        const char *uid;
        const char *name;
    } names[] = {
        {"1.2.840.10008.1.2.4.100", "MPEG-2 video"},    {"1.2.840.10008.1.2.4.101", "MPEG-2 video"},
        {"1.2.840.10008.1.2.4.102", "MPEG-4 video"},    {"1.2.840.10008.1.2.4.103", "MPEG-4 video"},
        {"1.2.840.10008.1.2.4.104", "MPEG-4 video"},    {"1.2.840.10008.1.2.4.105", "MPEG-4 video"},
        {"1.2.840.10008.1.2.4.106", "MPEG-4 video"},    {"1.2.840.10008.1.2.4.107", "HEVC video"},
        {"1.2.840.10008.1.2.4.108", "HEVC video"},      {"1.2.840.10008.1.2.4.92", "JPEG 2000 part 2"},
        {"1.2.840.10008.1.2.4.93", "JPEG 2000 part 2"}, {"1.2.840.10008.1.2.4.94", "JPIP reference"},
        {"1.2.840.10008.1.2.4.95", "JPIP reference"},   {"1.2.840.10008.1.2.4.110", "JPEG XL"},
        {"1.2.840.10008.1.2.4.111", "JPEG XL"},         {"1.2.840.10008.1.2.4.112", "JPEG XL"},
        {"1.2.840.10008.1.2.4.201", "HTJ2K"},           {"1.2.840.10008.1.2.4.202", "HTJ2K"},
        {"1.2.840.10008.1.2.4.203", "HTJ2K"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].uid, uid) == 0) {
            return names[i].name;
        }
    }
    return "unknown";
}
