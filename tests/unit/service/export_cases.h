/* Studies for an archive: where their images are from, the golden ones of tests/golden/export, and dciodvfy
 * as the judge of what is written. Shared by the tests of exports. */
#ifndef REHA_TESTS_EXPORT_CASES_H
#define REHA_TESTS_EXPORT_CASES_H

#include "support.h"

#include "service/export_objects.h"
#include "service/origin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define GOLDEN REHA_SOURCE_DIR "/tests/golden/export/"

enum { COMMAND_BYTES = 512 };

static inline reha_dicom_origin example_origin(void)
{
    return (reha_dicom_origin){
        .patient_name = "M\xC3\xBCller^J\xC3\xB6rg",
        .patient_id = "H-4711",
        .patient_id_issuer = "Hospital",
        .patient_birth_date = "19640229",
        .patient_sex = "M",
        .study_date = "20260131",
        .study_time = "093000",
        .study_id = "S1",
        .study_description = "Knie a.p.",
        .accession_number = "A-1",
        .referring_physician = "Arzt^Anna",
        .modality = "DX",
        .ids = {.study_instance_uid = "1.2.3",
                .series_instance_uid = "1.2.3.4",
                .sop_instance_uid = "1.2.3.4.5",
                .sop_class_uid = "1.2.840.10008.5.1.4.1.1.1.1"},
        .width_px = 1000,
        .height_px = 1200,
        .frame_count = 1,
        .shown = {.slope = 1.0, .window = {.center = 2048.0, .width = 4096.0}, .aspect = 1.0}};
}

/* A golden study; json_decref it. */
static inline json_t *load_study(const char *name)
{
    reha_error err = REHA_ERROR_INIT;
    char path[COMMAND_BYTES];
    json_t *study = NULL;
    (void)snprintf(path, sizeof path, GOLDEN "%s.json", name);
    assert_ok(reha_json_load(path, &study, &err), &err);
    return study;
}

static inline bool has_tool(const char *tool)
{
    char command[COMMAND_BYTES];
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
    const bool is_there = system(command) == 0;
    if (!is_there) {
        print_message("not judged: %s is absent (scripts/packages.txt)\n", tool);
    }
    return is_there;
}

/* dciodvfy finds no error in the files, which lie in the folder. */
static inline void judge_folder(const reha_export *files, const char *folder)
{
    char command[COMMAND_BYTES];
    for (size_t i = 0; i < files->count && has_tool("dciodvfy"); i++) {
        (void)snprintf(command, sizeof command, "dciodvfy '%s/%s' 2>&1 | grep '^Error' >&2", folder,
                       files->files[i].name);
        if (system(command) == 0) {
            fail_msg("dciodvfy: errors in %s (above)", files->files[i].name);
        }
    }
}

static inline void remove_folder(const char *folder)
{
    char command[COMMAND_BYTES];
    (void)snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

/* The same of files in memory. */
static inline void judge(const reha_export *files)
{
    reha_error err = REHA_ERROR_INIT;
    char folder[] = "/tmp/reha-judged-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_ok(reha_export_save(files, folder, &err), &err);
    judge_folder(files, folder);
    remove_folder(folder);
}

#endif
