/* Scores, plans and predictions of the demonstration's patients. */
#ifndef REHA_SERVICE_DEMO_CARE_PRIV_H
#define REHA_SERVICE_DEMO_CARE_PRIV_H

#include "service/clinic.h"

typedef struct reha_demo_patient {
    const char *pseudonym, *patient_id, *episode_id;
} reha_demo_patient;

/* After the images were analysed: what their plans read of them is in the record then. A patient without care
 * in the table gets none. */
REHA_MUST_USE reha_status reha_demo_care(reha_clinic *clinic, const reha_actor *physio,
                                         const reha_demo_patient *who, reha_error *err);
/* "2026-01-31" so many days before today. */
enum { REHA_DEMO_DATE_BYTES = 11 };
void reha_demo_date(int days_ago, char out[REHA_DEMO_DATE_BYTES]);

#endif
