/* Parts of compare.h. */
#ifndef REHA_SERVICE_COMPARE_PRIV_H
#define REHA_SERVICE_COMPARE_PRIV_H

#include "service/compare.h"

REHA_MUST_USE reha_status reha_compare_load_(const char *const paths[2], const reha_compare_options *options,
                                             reha_comparison *out, reha_error *err);
/* Lays the joints of each pair over each other; leaves out pairs whose images are not at hand. */
REHA_MUST_USE reha_status reha_compare_register_(const reha_compare_options *options,
                                                 reha_comparison *comparison, reha_error *err);
/* The member `registration` of docs/formats/comparison.md; null without pictures. New reference. */
json_t *reha_compare_registration_json_(const reha_joint_pictures *pictures);

#endif
