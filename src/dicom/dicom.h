/* DICOM Part 10 files to grey frames with physical spacing and acquisition facts.
 *
 * Reads all non-video transfer syntaxes of the standard that hospitals use: implicit and explicit
 * little endian, explicit big endian, deflated, RLE, JPEG baseline / extended / progressive /
 * lossless (8 to 16 bit), JPEG-LS and JPEG 2000. Others are REHA_E_UNSUPPORTED and named.
 *
 * Trust: the structure is parsed by a bounded parser of our own; compressed frames reach a decoder
 * only after their own header was compared with the data set. Every failure is a status and one
 * line of text that never holds a patient's value. What could be read but looked wrong (a spacing of
 * zero, two scales in one ultrasound frame) is a warning of the opened file.
 *
 * Overlays (groups 60xx) are not drawn, also not those hidden in the unused high bits of the pixel
 * cells. Colour becomes luma (ITU-R BT.601).
 *
 * Source of the methods: DICOM PS3.3 C.7.6.2, C.7.6.3, C.8.5.5, C.11, 10.7; PS3.5 8 and A. */
#ifndef REHA_DICOM_DICOM_H
#define REHA_DICOM_DICOM_H

#include "image/acquisition.h"
#include "image/gray.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reha_dicom reha_dicom; /* immutable after opening: any thread, several at once */

/* Loads what reading texts of any character set needs: for a process that can open no file later. Once,
 * before other threads. */
void reha_dicom_warm(void);

/* True if the bytes look like DICOM (132 bytes are enough). */
bool reha_dicom_detect(const void *bytes, size_t count);

/* Parses a file in memory; no pixel is decoded. `bytes` are borrowed and must outlive *out.
 * `limits` NULL: defaults. REHA_E_FORMAT: damaged; REHA_E_UNSUPPORTED: no image or one of a kind that
 * is not read; REHA_E_LIMIT: declared sizes above the limits, found before anything is allocated. */
REHA_MUST_USE reha_status reha_dicom_open(const void *bytes, size_t count, const reha_image_limits *limits,
                                          reha_dicom **out, reha_error *err);
/* As above for a file on disk, which *out then owns. Error texts begin with the path. */
REHA_MUST_USE reha_status reha_dicom_load(const char *path, const reha_image_limits *limits, reha_dicom **out,
                                          reha_error *err);
void reha_dicom_close(reha_dicom *dicom); /* NULL is fine */

/* Facts of the whole file; chroma_fraction is 0 until a frame was read (see below). Borrowed. */
const reha_acquisition *reha_dicom_facts(const reha_dicom *dicom);
uint32_t reha_dicom_frame_count(const reha_dicom *dicom);
uint32_t reha_dicom_width_px(const reha_dicom *dicom);
uint32_t reha_dicom_height_px(const reha_dicom *dicom);
/* Height of a pixel over its width by Pixel Aspect Ratio (0028,0034) or the spacing; 1 if unknown. */
double reha_dicom_pixel_aspect(const reha_dicom *dicom);

/* One line each, for the result page; 0 <= idx < reha_dicom_warning_count. Borrowed. */
uint32_t reha_dicom_warning_count(const reha_dicom *dicom);
const char *reha_dicom_warning(const reha_dicom *dicom, uint32_t idx);

/* What later results must refer to. Not a name, but linkable to a person with access to the
 * archive: keep out of logs and out of de-identified exports. Empty where absent or malformed. */
typedef struct reha_dicom_ids {
    char study_instance_uid[65];
    char series_instance_uid[65];
    char sop_instance_uid[65];
    char sop_class_uid[65];
    char acquisition_date[11]; /* "2026-01-31": acquisition, else content, else study date */
} reha_dicom_ids;
const reha_dicom_ids *reha_dicom_get_ids(const reha_dicom *dicom); /* borrowed */

/* IDENTIFYING: Patient ID (0010,0020), UTF-8. Only for filing a study under its person; never for
 * logs, error texts, model input or results. False (and "") if the file has none. */
bool reha_dicom_identifying_patient_id(const reha_dicom *dicom, char *out, size_t out_bytes);

/* The recogniser's view of frame frame_idx (from 0): modality values (rescale slope and intercept or
 * modality LUT applied; 8-bit palette and colour as luma 0..255), larger = brighter. MONOCHROME1 is
 * turned over within the range that the stored bits can express. Padding pixels (0028,0120) get the
 * darkest value of the others. *out has the spacing of this frame and is the caller's
 * (reha_gray_free). `facts` may be NULL; else it gets the file's facts with this frame's
 * chroma_fraction. REHA_E_NOT_FOUND: no such frame. */
REHA_MUST_USE reha_status reha_dicom_read_frame(const reha_dicom *dicom, uint32_t frame_idx, reha_gray **out,
                                                reha_acquisition *facts, reha_error *err);

/* Stored values exactly as in the file: no rescale, no padding, no turning over. */
REHA_MUST_USE reha_status reha_dicom_read_stored(const reha_dicom *dicom, uint32_t frame_idx, reha_gray **out,
                                                 reha_error *err);

typedef enum reha_window_shape {
    REHA_WINDOW_LINEAR = 0,
    REHA_WINDOW_LINEAR_EXACT,
    REHA_WINDOW_SIGMOID
} reha_window_shape;
typedef struct reha_window { /* in modality values before MONOCHROME1 is turned over */
    double center;
    double width;
    reha_window_shape shape;
} reha_window;

/* The eye's view: 0 (black) to 1 (white). `window` NULL: the file's VOI LUT, else its first window,
 * else the span of the frame's values. */
REHA_MUST_USE reha_status reha_dicom_read_display(const reha_dicom *dicom, uint32_t frame_idx,
                                                  const reha_window *window, reha_gray **out,
                                                  reha_error *err);
/* The file's first usable window for this frame; false if there is none. */
bool reha_dicom_window(const reha_dicom *dicom, uint32_t frame_idx, reha_window *out);

/* Physical size of the pixels of one frame; cheap, decodes nothing.
 * - CT, MR, PT, NM: Pixel Spacing = REHA_SPACING_CALIBRATED.
 * - Ultrasound: the 2D regions in cm; only if all regions of the frame agree, else unknown.
 * - All others are taken for projections: Pixel Spacing that was calibrated (calibration type given,
 *   or smaller than Imager Pixel Spacing) = CALIBRATED; detector spacing divided by Estimated
 *   Radiographic Magnification Factor or source distances = MAGNIFICATION; otherwise AT_DETECTOR.
 * Values that are not finite, not positive or outside 0.001..10 mm count as absent. */
reha_spacing reha_dicom_spacing(const reha_dicom *dicom, uint32_t frame_idx);

typedef struct reha_dicom_region {
    reha_box_px box;      /* clipped to the frame */
    reha_spacing spacing; /* unknown unless both axes are lengths */
    bool is_tissue_2d;    /* spatial format 2D and data type tissue: not a spectrum or a colour bar */
} reha_dicom_region;
/* Ultrasound regions of one frame, in file order. */
uint32_t reha_dicom_region_count(const reha_dicom *dicom, uint32_t frame_idx);
bool reha_dicom_get_region(const reha_dicom *dicom, uint32_t frame_idx, uint32_t region_idx,
                           reha_dicom_region *out);

#endif
