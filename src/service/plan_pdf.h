/* A plan on paper: for the clinician (every line with its cause and source) and for the patient (plain
 * words, drawings). The patient's words come from text/LANGUAGE.json of the guidelines folder, the
 * drawings from figures.json; nothing of the patient's identity is printed. Both say that nobody has reviewed
 * the plan, unless its "reviewed" is true; the clinician's then says who did ("review"). */
#ifndef REHA_SERVICE_PLAN_PDF_H
#define REHA_SERVICE_PLAN_PDF_H

#include "base/json.h"
#include "image/draw.h"

/* `plan` as reha_plan_make gives it. Atomic replace of the file. */
REHA_MUST_USE reha_status reha_plan_report_pdf(const json_t *plan, const char *path, reha_error *err);
REHA_MUST_USE reha_status reha_plan_patient_pdf(const json_t *plan, const char *guidelines_folder,
                                                const char *language, const char *path, reha_error *err);
/* The same in memory: reha_free *out. */
REHA_MUST_USE reha_status reha_plan_report_pdf_encode(const json_t *plan, uint8_t **out, size_t *out_bytes,
                                                      reha_error *err);
REHA_MUST_USE reha_status reha_plan_patient_pdf_encode(const json_t *plan, const char *guidelines_folder,
                                                       const char *language, uint8_t **out, size_t *out_bytes,
                                                       reha_error *err);

/* What the patient's page says, as one text (a paragraph per line), for tests of its reading age and for
 * screens. *out: reha_free. */
REHA_MUST_USE reha_status reha_plan_patient_text(const json_t *plan, const char *guidelines_folder,
                                                 const char *language, char **out, reha_error *err);

/* Draws the figure of an exercise into a box; what is not known draws nothing. `figures` is the member
 * "figures" of figures.json. */
void reha_plan_figure(reha_canvas *canvas, reha_rect box, const json_t *figures, const char *name);

#endif
