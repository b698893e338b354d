/* The sections of the knee card that the networks around the grader need (knee_card_parts.c). */
#ifndef REHA_RECOGNITION_KNEE_CARD_PRIV_H
#define REHA_RECOGNITION_KNEE_CARD_PRIV_H

#include "recognition/knee_card.h"

REHA_MUST_USE reha_status reha_card_parse_quality_(const json_t *section, reha_knee_card *out,
                                                   reha_error *err);
REHA_MUST_USE reha_status reha_card_parse_finder_(const json_t *section, reha_knee_card *out,
                                                  reha_error *err);
REHA_MUST_USE reha_status reha_card_parse_gate_(const json_t *section, reha_knee_card *out, reha_error *err);
REHA_MUST_USE reha_status reha_card_parse_landmarks_(const json_t *section, reha_knee_card *out,
                                                     reha_error *err);
REHA_MUST_USE reha_status reha_card_parse_joint_space_(const json_t *section, reha_knee_card *out,
                                                       reha_error *err);
REHA_MUST_USE reha_status reha_card_parse_measurement_(const json_t *section, reha_knee_card *out,
                                                       reha_error *err);

#endif
