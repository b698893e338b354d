/* A demonstration clinic: generated knees of nobody, with a history of several visits, signed and unsigned.
 */
#ifndef REHA_SERVICE_DEMO_H
#define REHA_SERVICE_DEMO_H

#include "service/clinic.h"

#define REHA_DEMO_PASSWORD "demonstration"

/* Accounts of a new clinic: "admin", "physio", "reviewer", "researcher" and "reader" (REHA_DEMO_PASSWORD).
 * REHA_E_CONFLICT where there is an account already: a demonstration is never mixed with a clinic's own
 * records. */
REHA_MUST_USE reha_status reha_demo_accounts(reha_clinic *clinic, reha_error *err);

/* Called between the steps of filling; false stops it. */
typedef bool (*reha_demo_goes_on)(void *context);
/* After it: patients, films, scores; then it waits for the analyses, which the clinic's own workers do
 * (with_workers), and signs former visits. May run while people look on. REHA_E_CANCELLED: goes_on said so.
 */
REHA_MUST_USE reha_status reha_demo_fill(reha_clinic *clinic, reha_demo_goes_on goes_on, void *context,
                                         reha_error *err);

#endif
