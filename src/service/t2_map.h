/* The use case `t2-map`: a multi-echo MR series in, maps and statistics of T2 out.
 *
 * It is a command of its own and no entry of the table of recognisers: those look at one image with a trained
 * model and give findings with probabilities; this one measures a whole series and needs no model. */
#ifndef REHA_SERVICE_T2_MAP_H
#define REHA_SERVICE_T2_MAP_H

#include "base/json.h"
#include "image/acquisition.h"
#include "recognition/t2_map.h"

enum { REHA_T2_NOTES_MAX = 80, REHA_T2_LABELS = 256 };

typedef struct reha_t2_request {
    const char *path;       /* folder of DICOM files, one multi-frame file, or a 4D NIfTI file */
    int series;             /* series number; negative: the only one with enough echoes */
    const char *echo_times; /* "6.3,12.6,...": only for NIfTI, which does not hold them; NULL */
    const char *roi; /* NULL; "x,y,w,h" or "x,y,w,h@slice" (pixels from 0, slices from 1); or a NIfTI file of
                        labels on the grid of the series */
    double sigma;    /* as reha_t2_map_new */
    reha_t2_options fit;
    int threads;
} reha_t2_request;

typedef struct reha_t2_region {
    uint8_t label;
    reha_t2_statistics all;
    reha_t2_statistics *slices; /* [slice_count]; owned */
} reha_t2_region;

typedef struct reha_t2_result {
    char *path; /* owned */
    reha_acquisition facts;
    int64_t series_number; /* -1: not stated */
    double repetition_ms;  /* NaN: not stated */
    double field_tesla;
    size_t echo_count; /* of the series */
    double echo_ms[REHA_T2_ECHOES_MAX];
    reha_volume *anatomy;    /* first echo used; owned */
    reha_t2_map *map;        /* owned */
    uint8_t *labels;         /* of the ROI, one for each voxel; owned; NULL: none */
    reha_t2_region tissue;   /* all that is not background; label 0 */
    reha_t2_region *regions; /* one for each label of the ROI; owned */
    size_t region_count;
    char notes[REHA_T2_NOTES_MAX][REHA_ERROR_TEXT_BYTES];
    size_t note_count;
    double total_ms;
} reha_t2_result;

/* Errors name the file or folder, the reason and what to do. */
REHA_MUST_USE reha_status reha_t2_analyse(const reha_t2_request *request, reha_t2_result *out,
                                          reha_error *err);
void reha_t2_result_clear(reha_t2_result *result);

/* Lines for a terminal; reha_free it. */
REHA_MUST_USE reha_status reha_t2_lines(const reha_t2_result *result, char **out, reha_error *err);
/* docs/formats/t2-map.md. New reference. */
REHA_MUST_USE reha_status reha_t2_to_json(const reha_t2_result *result, json_t **out, reha_error *err);
/* The colour map over the anatomy, all slices, with a scale in ms from `low_ms` to `high_ms`; PNG. */
REHA_MUST_USE reha_status reha_t2_picture(const reha_t2_result *result, double low_ms, double high_ms,
                                          uint8_t **out, size_t *out_bytes, reha_error *err);
/* A self-contained page with the picture and all figures. */
REHA_MUST_USE reha_status reha_t2_report(const reha_t2_result *result, double low_ms, double high_ms,
                                         const char *path, reha_error *err);
/* T2 in ms into `path` (.nii or .nii.gz), its errors beside it as ..._error.nii(.gz); NaN: not fitted. */
REHA_MUST_USE reha_status reha_t2_save_nifti(const reha_t2_result *result, const char *path, reha_error *err);

#endif
