/* What scanning and sorting of series share. */
#ifndef REHA_DICOM_SERIES_PRIV_H
#define REHA_DICOM_SERIES_PRIV_H

#include "base/file.h"
#include "dicom/series.h"

/* One frame of one file. */
typedef struct reha_series_image {
    uint32_t file_idx;
    uint32_t frame_idx;
    char series_uid[65];
    char sop_uid[65];
    char kind[97]; /* Image Type or Frame Type */
    int64_t series_number;
    int64_t instance_number;
    int64_t time_no;
    uint32_t width_px;
    uint32_t height_px;
    double x_mm;
    double y_mm;
    bool has_place;
    double position[3];
    double row[3];
    double column[3];
    double echo_ms;
    double thickness_mm;
    double between_mm;
    double repetition_ms;
    double field_tesla;
    reha_acquisition facts;
} reha_series_image;

typedef struct reha_series_stack {
    reha_stack told;
    uint32_t *members; /* indices of images; owned */
    uint32_t *places;  /* [echo_count * slice_count] index of the image + 1, 0: none; owned */
    char why_not[REHA_ERROR_TEXT_BYTES]; /* if it is no volume */
} reha_series_stack;

struct reha_series_set {
    reha_image_limits limits;
    reha_paths files;
    reha_series_image *images; /* owned */
    size_t image_count;
    size_t image_capacity;
    reha_series_stack *stacks; /* owned */
    size_t stack_count;
    char notes[REHA_SERIES_NOTES_MAX][REHA_ERROR_TEXT_BYTES];
    size_t note_count;
    size_t notes_dropped;
};

void reha_series_add_note(reha_series_set *set, const char *format, ...) REHA_PRINTF(2, 3);
/* Name of the image's file, without its folder. */
const char *reha_series_name(const reha_series_set *set, const reha_series_image *image);
/* series_sort.c: groups the images into stacks and gives each its places. */
REHA_MUST_USE reha_status reha_series_sort(reha_series_set *set, reha_error *err);

#endif
