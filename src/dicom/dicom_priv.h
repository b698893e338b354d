/* What the files of this room share about one opened DICOM file. */
#ifndef REHA_DICOM_DICOM_PRIV_H
#define REHA_DICOM_DICOM_PRIV_H

#include "dicom/dataset_priv.h"
#include "dicom/dicom.h"

enum { REHA_DICOM_WARNINGS_MAX = 12, REHA_DICOM_WARNING_BYTES = 160 };

typedef enum reha_dcm_colour {
    REHA_DCM_GREY,
    REHA_DCM_PALETTE,
    REHA_DCM_RGB,
    REHA_DCM_YBR,    /* full range, one triple per pixel */
    REHA_DCM_YBR_422 /* uncompressed: Y Y Cb Cr for two pixels */
} reha_dcm_colour;

/* How the pixel cells are laid out, checked and consistent. */
typedef struct reha_dcm_layout {
    uint32_t columns;
    uint32_t rows;
    uint32_t samples; /* per pixel: 1 or 3 */
    uint32_t bits_allocated;
    uint32_t bits_stored;
    uint32_t high_bit;
    uint32_t frames;
    bool is_signed;
    bool is_planar;
    bool is_monochrome1;
    reha_dcm_colour colour;
    bool has_padding;
    int32_t padding_low;
    int32_t padding_high;
} reha_dcm_layout;

/* One decoded frame, samples as the codec gives them. */
typedef struct reha_dcm_raw {
    const uint8_t *data; /* `owned`, or the pixel data element of the file */
    uint8_t *owned;
    size_t size_bytes;
    uint64_t first_bit;      /* where the frame begins in `data`; whole bytes unless the cells are bits */
    uint32_t bits_allocated; /* 1, 8, 16 or 32 */
    uint32_t bits_stored;
    uint32_t high_bit;
    bool is_big_endian;
    bool swaps_bytes; /* 8-bit samples in big endian 16-bit words */
    bool is_planar;
    reha_dcm_colour colour;
} reha_dcm_raw;

typedef reha_status (*reha_dcm_decoder)(const reha_dcm_layout *layout, const uint8_t *stream,
                                        size_t size_bytes, reha_dcm_raw *out, reha_error *err);

typedef struct reha_dcm_syntax {
    const char *uid;
    const char *name;
    bool is_lossy;
    reha_dcm_decoder decode; /* NULL: uncompressed */
} reha_dcm_syntax;

struct reha_dicom {
    uint8_t *file; /* owned, or NULL if the caller keeps the bytes */
    reha_dcm_dataset set;
    reha_image_limits limits;
    const reha_dcm_syntax *syntax;
    reha_dcm_layout layout;
    const reha_dcm_node *pixels;
    size_t *frame_fragments; /* [frames + 1] first fragment of each frame; NULL if not encapsulated */
    reha_acquisition facts;
    reha_dicom_ids ids;
    double pixel_aspect;
    char warnings[REHA_DICOM_WARNINGS_MAX][REHA_DICOM_WARNING_BYTES];
    uint32_t warning_count;
};

/* Keeps the first REHA_DICOM_WARNINGS_MAX; dicom NULL drops it. */
void reha_dcm_warn(reha_dicom *dicom, const char *format, ...) REHA_PRINTF(2, 3);

/* The attribute as it holds for one frame: its functional groups, the shared ones, the data set. */
const reha_dcm_node *reha_dcm_frame_find(const reha_dicom *dicom, uint32_t frame_idx, uint32_t tag);

/* facts.c: fills facts and ids. */
void reha_dcm_read_facts(reha_dicom *dicom);
/* spacing.c: as reha_dicom_spacing, and says in `warn_to` (may be NULL) what was wrong. */
reha_spacing reha_dcm_find_spacing(const reha_dicom *dicom, uint32_t frame_idx, reha_dicom *warn_to);
/* layout.c: fills layout, pixels, syntax and frame_fragments. */
REHA_MUST_USE reha_status reha_dcm_read_layout(reha_dicom *dicom, reha_error *err);
/* frames.c: one frame's samples; *out must be ended with reha_dcm_raw_clear. */
REHA_MUST_USE reha_status reha_dcm_read_raw(const reha_dicom *dicom, uint32_t frame_idx, reha_dcm_raw *out,
                                            reha_error *err);
void reha_dcm_raw_clear(reha_dcm_raw *raw);
/* Allocates raw->owned for samples of `bits_allocated` bits, interleaved, host byte order. */
REHA_MUST_USE reha_status reha_dcm_raw_new(const reha_dcm_layout *layout, uint32_t bits_allocated,
                                           reha_dcm_raw *out, reha_error *err);
/* frames.c: which fragments belong to which frame. */
REHA_MUST_USE reha_status reha_dcm_assign_fragments(const reha_dcm_dataset *set, uint32_t frames, bool is_rle,
                                                    size_t **out, reha_error *err);
/* syntax.c */
const reha_dcm_syntax *reha_dcm_find_syntax(const char *uid);
const reha_dcm_syntax *reha_dcm_syntax_at(size_t idx);  /* NULL behind the last one */
const char *reha_dcm_unsupported_name(const char *uid); /* "MPEG video", ... or "unknown" */

/* Decoders, one file each. */
reha_status reha_dcm_decode_rle(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                reha_dcm_raw *out, reha_error *err);
reha_status reha_dcm_decode_jpeg(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                 reha_dcm_raw *out, reha_error *err);
reha_status reha_dcm_decode_jpeg_ls(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                    reha_dcm_raw *out, reha_error *err);
reha_status reha_dcm_decode_jpeg2000(const reha_dcm_layout *layout, const uint8_t *stream, size_t size_bytes,
                                     reha_dcm_raw *out, reha_error *err);

#endif
