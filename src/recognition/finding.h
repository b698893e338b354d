/* The one result type that travels from the recognisers to the record, the page, the report and the
 * exports: what, where, how much, how sure, why, by what (docs/ARCHITECTURE.md).
 *
 * An analysis is of one image and holds its regions (a film may show two knees); a region is
 * accepted or refused, and holds findings. Everything is plain data, owned by the analysis. */
#ifndef REHA_RECOGNITION_FINDING_H
#define REHA_RECOGNITION_FINDING_H

#include "base/json.h"
#include "base/status.h"
#include "image/acquisition.h"
#include "image/gray.h"
#include "recognition/mask.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    REHA_CLASSES_MAX = 8,
    REHA_FINDINGS_MAX = 24, /* per region */
    REHA_REGIONS_MAX = 4,   /* per image */
    REHA_NOTES_MAX = 12,
    REHA_POINTS_MAX = 64,
    REHA_PROFILE_MAX = 128
};

typedef struct reha_code { /* a coded concept; empty strings where no code exists */
    const char *system;    /* "http://snomed.info/sct", "http://loinc.org", "http://radlex.org"; static */
    const char *code;      /* static */
    const char *display;   /* static */
} reha_code;

/* A number never appears without its unit, its error and its source. */
typedef struct reha_measure {
    double value;          /* NaN: not measured; then `source` says why */
    const char *unit;      /* UCUM: "mm", "deg", "px", "1" (ratio), "{grade}"; static */
    double error;          /* half width of the 95 % interval; NaN if unknown */
    char error_source[96]; /* "cross-validated landmark error and test-time spread" */
    char source[96];       /* where the millimetres come from, or why there are none */
} reha_measure;

typedef struct reha_finding {
    char key[40];   /* stable identifier: "kl-grade", "oa", "jsw-medial-min", ... */
    char label[96]; /* for people: "Kellgren-Lawrence grade" */
    reha_code code;
    reha_measure measure;
    double probability; /* calibrated; NaN where the finding is a measurement only */
    int class_count;    /* graded findings: probabilities of grades 0 .. class_count-1; else 0 */
    double class_probabilities[REHA_CLASSES_MAX];
    int grade;             /* that is told (recognition/conformal.h); -1 if not graded */
    double expected_grade; /* NaN if not graded */
    int set_low, set_high; /* prediction set (contiguous grades); -1 if none */
    double set_coverage;   /* promised coverage: 0.9 */
    bool has_region;
    reha_box_px region; /* in the coordinates of the whole input image */
    char evidence[320]; /* why, in words a clinician uses */
    bool research_only;
} reha_finding;

typedef enum reha_note_level {
    REHA_NOTE_INFO,
    REHA_NOTE_REPAIRED,
    REHA_NOTE_WARNING,
    REHA_NOTE_REFUSED
} reha_note_level;
typedef struct reha_note {
    reha_note_level level;
    char code[32];  /* stable: "inverted", "too-dark", "not-a-knee", ... */
    char text[240]; /* what, where, why, what to do */
} reha_note;

typedef struct reha_region {
    bool is_accepted; /* false: refused; notes say why; no findings */
    reha_side side;
    char side_source[48]; /* "DICOM", "fibula position", "file name", "unknown" */
    reha_box_px box;      /* in the whole image */
    double certainty;     /* of the gate: probability that this is what it is taken for */
    int note_count;
    reha_note notes[REHA_NOTES_MAX];
    int finding_count;
    reha_finding findings[REHA_FINDINGS_MAX];
    int point_count; /* landmarks in the whole image's pixels */
    reha_point_px points[REHA_POINTS_MAX];
    int profile_count; /* joint space width along the joint, lateral to medial; NaN = notch */
    double profile_x_ratio[REHA_PROFILE_MAX]; /* 0 = lateral edge of the plateau, 1 = medial edge */
    double profile_width[REHA_PROFILE_MAX];   /* in `profile_unit` */
    bool has_profile_edges; /* the two edges that the width lies between, in the whole image; NaN in the notch
                             */
    reha_point_px profile_upper[REHA_PROFILE_MAX], profile_lower[REHA_PROFILE_MAX];
    const char *profile_unit;  /* "mm", "1" (ratio to plateau width) or "px" */
    bool profile_is_thickness; /* of a muscle, left to right in the image, not of a joint space */
    reha_gray
        *explanation; /* NULL, or signed map over `explanation_box`, positive = speaks for the grade; owned */
    reha_box_px
        explanation_box; /* in the whole image; rotated knees: `explanation_angle_deg` about its centre */
    double explanation_angle_deg;
    int mask_count; /* what was marked, pixel by pixel; made where an explanation was asked for */
    reha_mask masks[REHA_MASKS_MAX];
} reha_region;

typedef struct reha_analysis {
    char task[32]; /* "knee-oa" */
    char model_name[64];
    char model_version[32];
    char model_hash[65]; /* SHA-256 of the model files, filled by service; may be empty */
    uint32_t width_px, height_px;
    reha_spacing spacing;
    reha_acquisition acquisition;
    bool is_accepted; /* at least one region is */
    int note_count;
    reha_note notes[REHA_NOTES_MAX];
    int region_count;
    reha_region regions[REHA_REGIONS_MAX];
    bool was_inverted; /* photometric inversion was found and corrected before analysis */
    double analysis_ms;
} reha_analysis;

REHA_MUST_USE reha_status reha_analysis_new(const char *task, reha_analysis **out, reha_error *err);
/* One of `image` by this model, with nothing found yet. acquisition NULL: unknown. */
REHA_MUST_USE reha_status reha_analysis_begin(const char *task, const char *model_name,
                                              const char *model_version, const reha_gray *image,
                                              const reha_acquisition *acquisition, reha_analysis **out,
                                              reha_error *err);
/* How every recogniser ends: hands the analysis over with its time since start_ms (reha_clock_ms), or frees
 * it when `status` is not REHA_OK; returns `status`. */
REHA_MUST_USE reha_status reha_analysis_end(reha_status status, double start_ms, reha_analysis *analysis,
                                            reha_analysis **out);
void reha_analysis_free(reha_analysis *analysis); /* NULL is fine */

/* Appends a note; a full list keeps the first ones. */
void reha_analysis_note(reha_analysis *analysis, reha_note_level level, const char *code, const char *format,
                        ...) REHA_PRINTF(4, 5);
void reha_region_note(reha_region *region, reha_note_level level, const char *code, const char *format, ...)
    REHA_PRINTF(4, 5);
/* Appends a finding with every field harmless (NaN, -1, ""); NULL if the list is full. Borrowed. */
reha_finding *reha_region_add(reha_region *region, const char *key, const char *label);
/* Begins a mask with nothing inside, of an image of this analysis' size. Borrowed: the region's. */
REHA_MUST_USE reha_status reha_region_add_mask(const reha_analysis *analysis, reha_region *region,
                                               const char *key, reha_mask **out, reha_error *err);
const reha_finding *reha_region_find(const reha_region *region, const char *key); /* NULL if absent */

/* The analysis as JSON, schema in docs/formats/analysis.md. New reference. */
REHA_MUST_USE reha_status reha_analysis_to_json(const reha_analysis *analysis, json_t **out, reha_error *err);

#endif
