/* A demonstration clinic: generated knees of nobody, with a history of several visits, signed and unsigned. */
#ifndef REHA_SERVICE_DEMO_H
#define REHA_SERVICE_DEMO_H

#include "service/clinic.h"

#define REHA_DEMO_PASSWORD "demonstration"

/* Fills a new clinic: accounts "admin", "physio", "reviewer", "researcher" and "reader" (REHA_DEMO_PASSWORD), patients, films,
 * scores, reviews. Waits for the analyses, which the clinic's own workers do (with_workers). REHA_E_CONFLICT where
 * there is an account already: a demonstration is never mixed with a clinic's own records. */
REHA_MUST_USE reha_status reha_demo_fill(reha_clinic *clinic, reha_error *err);

#endif
