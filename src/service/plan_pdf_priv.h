/* Shared by the files that put a plan on paper. */
#ifndef REHA_SERVICE_PLAN_PDF_PRIV_H
#define REHA_SERVICE_PLAN_PDF_PRIV_H

#include "service/plan_pdf.h"

typedef struct plan_page { /* what the patient's page says, before it is drawn */
    json_t *words;         /* the translation: an object of texts; owned */
    json_t *figures;       /* owned */
    json_t *
        blocks; /* [{"kind": "alarm" | "section" | "scale" | "cards", "heading", "lines" | "cards"}]; owned */
    json_t *facts; /* {"title", "subtitle", "footer"}; owned */
    bool failed;   /* memory ran out */
} plan_page;

REHA_MUST_USE reha_status reha_plan_page_make_(const json_t *plan, const char *guidelines_folder,
                                               const char *language, plan_page *out, reha_error *err);
void reha_plan_page_clear_(plan_page *page);

#endif
