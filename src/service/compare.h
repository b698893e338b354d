/* The use case `compare`: two visits of one patient, as images or as results of `analyse --json`, mixed as
 * you like. Images are analysed here, by one model; results are taken as they are, and their pictures are
 * shown if the file they name is still there unchanged (SHA-256). What is judged, and how:
 * rehab/change_films.h. */
#ifndef REHA_SERVICE_COMPARE_H
#define REHA_SERVICE_COMPARE_H

#include "image/register.h"
#include "rehab/change_films.h"

typedef struct reha_compare_options {
    const char *task;                         /* NULL: by what the image is */
    const char *models_folder, *model_folder; /* as reha_analyser_options; only needed for images */
    const char *guidelines_folder;            /* holds scores.json */
    int threads;
    double mm_per_px;     /* the user's scale for images without one; 0: none */
    const char *dates[2]; /* of the visits; NULL: from the files */
    const char *setting;
    bool is_setup_stated;
    bool with_pictures;      /* register and lay the joints over each other */
    bool by_intensity;       /* even where both have landmarks */
    reha_register_kind kind; /* of registration by intensity */
} reha_compare_options;

typedef struct reha_joint_pictures { /* one joint, both in the frame of the first visit, grey 0..255; owned */
    reha_gray *before, *after, *difference; /* NULL: an image is not at hand */
    reha_registration registration;         /* residuals in pixels of the first image */
    reha_affine before_to_after;            /* between the pixels of the two whole images */
    bool is_by_landmarks;
} reha_joint_pictures;

typedef struct reha_compare_visit {
    char *path;
    json_t *analysis; /* owned */
    reha_gray *image; /* owned; NULL if not at hand */
    char digest[65];
    char patient[65]; /* hash of the patient number, never shown; "" */
    char date[11];
    char position[17];
} reha_compare_visit;

typedef struct reha_comparison {
    reha_compare_visit visits[2];
    reha_scores *scores;
    reha_films films;
    reha_joint_pictures pictures[REHA_PAIRS_MAX];
} reha_comparison;

/* REHA_OK also where the comparison is refused (films.is_refused). Errors name the file at fault. */
REHA_MUST_USE reha_status reha_compare(const char *before, const char *after,
                                       const reha_compare_options *options, reha_comparison **out,
                                       reha_error *err);
void reha_comparison_free(reha_comparison *comparison); /* NULL is fine */

/* docs/formats/comparison.md; new reference. */
REHA_MUST_USE reha_status reha_comparison_to_json(const reha_comparison *comparison, json_t **out,
                                                  reha_error *err);
/* "4.21 -> 3.62 mm, -0.59 (SDC 0.28)": the numbers of one measure, for every screen and page. */
void reha_compared_text(const reha_compared *measure, char *out, size_t out_bytes);
/* How the joint was registered, with its residual; "" without pictures. */
void reha_registration_text(const reha_joint_pictures *pictures, char *out, size_t out_bytes);

/* All pictures of a comparison as PNG: before, after, difference, a row per joint. REHA_E_NOT_FOUND if there
 * is none. */
REHA_MUST_USE reha_status reha_comparison_png(const reha_comparison *comparison, uint8_t **out,
                                              size_t *out_bytes, reha_error *err);
/* Self-contained page, no script: the pictures side by side, one over the other with a switch and a blink,
 * and the difference. And the same as PDF, without the blink. */
REHA_MUST_USE reha_status reha_comparison_html(const reha_comparison *comparison, const char *path,
                                               reha_error *err);
REHA_MUST_USE reha_status reha_comparison_pdf(const reha_comparison *comparison, const char *path,
                                              reha_error *err);

#endif
