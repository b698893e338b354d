/* A folder of DICOM files as volumes: sorted by what the files say, never by their names.
 *
 * Images (frames of multi-frame files too) are grouped into stacks: one series, one kind of image, one
 * matrix, one pixel size, one direction (Image Orientation) and one time point. Within a stack an image has
 * its place by the position of its slice along the normal (Image Position) and its echo time. What does not
 * fit is told by the name of its file: images without a place in the patient, gaps, copies, two images of one
 * place and echo, uneven or shifted slices, files that are damaged or no image.
 *
 * Geometry is in patient coordinates (image/volume.h). Source: DICOM PS3.3 C.7.6.2, C.7.6.16.2, C.8.3. */
#ifndef REHA_DICOM_SERIES_H
#define REHA_DICOM_SERIES_H

#include "dicom/dicom.h"
#include "image/acquisition.h"
#include "image/volume.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { REHA_ECHOES_MAX = 64, REHA_SERIES_NOTES_MAX = 64 };

typedef struct reha_series_set reha_series_set; /* immutable after scanning: any thread */

typedef struct reha_stack {
    char series_uid[65];   /* linkable: keep out of logs and de-identified exports */
    int64_t series_number; /* -1: not stated */
    reha_acquisition facts;
    uint32_t width_px;
    uint32_t height_px;
    uint32_t image_count;
    uint32_t
        slice_count; /* places on the even grid from the first to the last slice, missing ones included */
    uint32_t echo_count;
    double echo_ms[REHA_ECHOES_MAX]; /* ascending; NaN (last) where none is stated */
    uint32_t missing_count;          /* places of slice_count x echo_count without an image */
    bool is_volume;                  /* false: reha_series_load says why it is none */
    reha_affine3 to_mm;
    double step_mm;       /* from slice to slice; NaN for a single slice */
    double thickness_mm;  /* NaN: not stated */
    double repetition_ms; /* TR; NaN: not stated */
    double field_tesla;   /* NaN: not stated */
} reha_stack;

/* Reads the headers of all files below the folder (one file is fine too). `limits` NULL: defaults.
 * REHA_E_NOT_FOUND: no DICOM image there; REHA_E_LIMIT: more images than are read. A bad file among good
 * ones is a note, not an error. */
REHA_MUST_USE reha_status reha_series_scan(const char *path, const reha_image_limits *limits,
                                           reha_series_set **out, reha_error *err);
void reha_series_free(reha_series_set *set); /* NULL is fine */

size_t reha_series_count(const reha_series_set *set); /* stacks, by series number, then the order of files */
const reha_stack *reha_series_get(const reha_series_set *set, size_t stack_idx); /* borrowed */

/* What a reader should know, one line each. At most REHA_SERIES_NOTES_MAX; the last one then counts the rest.
 */
size_t reha_series_note_count(const reha_series_set *set);
const char *reha_series_note(const reha_series_set *set, size_t idx); /* borrowed */

/* Grey values after rescale of one echo; slices without an image are NaN. REHA_E_FORMAT with the reason where
 * the stack is no volume. *out: reha_volume_free. */
REHA_MUST_USE reha_status reha_series_load(const reha_series_set *set, size_t stack_idx, uint32_t echo_idx,
                                           reha_volume **out, reha_error *err);
/* The file of a place, without its folder; NULL if the place is empty. Borrowed. */
const char *reha_series_file(const reha_series_set *set, size_t stack_idx, uint32_t echo_idx,
                             uint32_t slice_idx);

/* Where one frame of an opened file stands among the others of its series: for those who have the files one
 * by one and not as a folder. */
typedef struct reha_series_place {
    char group[192]; /* equal for images of one stack: series, kind, matrix, direction; linkable, as
                        series_uid */
    int64_t series_number, instance_number; /* -1: not stated */
    double along_mm;                        /* along the normal of the slices; NaN: no place in the patient */
    double echo_ms;                         /* NaN: not stated */
} reha_series_place;
/* False for a file without a series. */
bool reha_series_place_of(const reha_dicom *dicom, uint32_t frame_idx, reha_series_place *out);

#endif
