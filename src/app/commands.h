/* The commands of `rehascope`, one const entry each; main.c holds the list. */
#ifndef REHA_APP_COMMANDS_H
#define REHA_APP_COMMANDS_H

#include "app/options.h"

extern const app_command app_analyse;
extern const app_command app_train;
extern const app_command app_evaluate;
extern const app_command app_calibrate;
extern const app_command app_quantise;
extern const app_command app_audit_data;
extern const app_command app_predict;
extern const app_command app_plan;
extern const app_command app_drift;
extern const app_command app_model;
extern const app_command app_compare;
extern const app_command app_scores;
extern const app_command app_t2_map;
extern const app_command app_volume;
extern const app_command app_phantom;
extern const app_command app_doctor;
extern const app_command app_version;
extern const app_command app_serve;
extern const app_command app_worker;
extern const app_command app_import;
extern const app_command app_send;
extern const app_command app_outbox;
extern const app_command app_fetch;
extern const app_command app_user;
extern const app_command app_token;
extern const app_command app_audit;
extern const app_command app_backup;
extern const app_command app_restore;
extern const app_command app_erase;
extern const app_command app_export;
extern const app_command app_deidentify;

int app_main(int argc, char **argv);

#endif
