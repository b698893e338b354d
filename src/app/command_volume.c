#include "app/commands.h"
#include "app/terminal.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/volumes.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct volume_arguments {
    bool json;
    int series;
    int echo;
    const char *nifti;
    const char *png;
    const char *plane;
    double at;
    double step;
    double slab;
} volume_arguments;

static const app_option volume_options[] = {
    {"json", APP_FLAG, NULL, "the list as JSON on standard output", offsetof(volume_arguments, json), 0, 0},
    {"series", APP_INTEGER, "N", "series number, where a folder has several",
     offsetof(volume_arguments, series), 0, 2147483647},
    {"echo", APP_INTEGER, "N", "echo, or volume of a 4D NIfTI file, for --png (default 1)",
     offsetof(volume_arguments, echo), 1, 100000},
    {"nifti", APP_TEXT, "F.nii.gz", "write all echoes of the series as NIfTI",
     offsetof(volume_arguments, nifti), 0, 0},
    {"png", APP_TEXT, "F.png", "write a plane through the volume", offsetof(volume_arguments, png), 0, 0},
    {"plane", APP_TEXT, "P", "axial, coronal, sagittal, or X,Y,Z: the normal (default axial)",
     offsetof(volume_arguments, plane), 0, 0},
    {"at", APP_NUMBER, "MM", "place along the plane's normal: x, y or z of the patient (default: the middle)",
     offsetof(volume_arguments, at), -1e5, 1e5},
    {"step", APP_NUMBER, "MM", "pixel size (default: the smallest voxel side)",
     offsetof(volume_arguments, step), 0.01, 100},
    {"slab", APP_NUMBER, "MM", "mean over this thickness (default: a plane)",
     offsetof(volume_arguments, slab), 0, 1000},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

/* "1,0,0.5": a normal. */
static bool parse_normal(const char *text, double out[3])
{
    for (int i = 0; i < 3; i++) {
        char one[32];
        const char *comma = strchr(text, ',');
        const size_t length = comma != NULL ? (size_t)(comma - text) : strlen(text);
        if ((comma == NULL) != (i == 2) || length >= sizeof one) {
            return false;
        }
        memcpy(one, text, length);
        one[length] = '\0';
        if (!reha_parse_double(one, true, &out[i])) {
            return false;
        }
        text = comma != NULL ? comma + 1 : text;
    }
    return hypot(hypot(out[0], out[1]), out[2]) > 1e-6;
}

static reha_status make_cut(const volume_arguments *given, const reha_volume *volume, reha_cut *out,
                            reha_error *err)
{
    reha_plane plane = REHA_PLANE_AXIAL;
    double normal[3];
    if (given->plane == NULL || reha_plane_find(given->plane, &plane)) {
        return reha_cut_standard(volume, plane, given->at, given->step, out, err);
    }
    if (!parse_normal(given->plane, normal)) {
        return reha_fail(err, REHA_E_ARG,
                         "--plane is axial, coronal, sagittal, or three numbers X,Y,Z, not '%.40s'",
                         given->plane);
    }
    const double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
    const reha_point3_vox middle = {0.5 * (volume->size[0] - 1.0), 0.5 * (volume->size[1] - 1.0),
                                    0.5 * (volume->size[2] - 1.0)};
    reha_point3_mm through = reha_affine3_to_mm(&volume->to_mm, middle);
    if (isfinite(given->at)) { /* along the normal, from the patient's origin */
        const double along =
            given->at -
            (through.x_mm * normal[0] + through.y_mm * normal[1] + through.z_mm * normal[2]) / length;
        through.x_mm += along * normal[0] / length;
        through.y_mm += along * normal[1] / length;
        through.z_mm += along * normal[2] / length;
    }
    return reha_cut_oblique(volume, through, normal, given->step, out, err);
}

static reha_status write_picture(const volume_arguments *given, const reha_volumes *volumes, reha_error *err)
{
    reha_volume *volume = NULL;
    reha_cut cut;
    REHA_TRY(reha_volumes_load(volumes, given->series, given->echo, &volume, err));
    reha_status status = make_cut(given, volume, &cut, err);
    if (status == REHA_OK) {
        cut.slab_mm = given->slab;
        status = reha_volumes_picture(volume, &cut, given->png, err);
    }
    reha_volume_free(volume);
    return status;
}

static reha_status print_list(const volume_arguments *given, const reha_volumes *volumes, reha_error *err)
{
    json_t *document = NULL;
    char *lines = NULL;
    bool is_written = false;
    if (given->json) {
        REHA_TRY(reha_volumes_to_json(volumes, &document, err));
        is_written = app_print_json(document) == EXIT_DONE;
        json_decref(document);
    } else {
        REHA_TRY(reha_volumes_lines(volumes, &lines, err));
        is_written = fputs(lines, stdout) >= 0 && fflush(stdout) == 0;
        reha_free(lines);
    }
    return is_written ? REHA_OK : reha_fail(err, REHA_E_IO, "the result could not be written");
}

static int run_volume(const app_command *command, int argc, char **argv)
{
    volume_arguments given = {.series = -1, .echo = 1, .at = (double)NAN};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    reha_volumes *volumes = NULL;
    const int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if (given.png != NULL && !reha_str_ends_nocase(given.png, ".png")) {
        return app_wrong_use(command, "--png must end in .png: %s", given.png);
    }
    if (given.nifti != NULL && !reha_str_ends_nocase(given.nifti, ".nii") &&
        !reha_str_ends_nocase(given.nifti, ".nii.gz")) {
        return app_wrong_use(command, "--nifti must end in .nii or .nii.gz: %s", given.nifti);
    }
    reha_status status = reha_volumes_open(words[0], &volumes, &err);
    if (status == REHA_OK && given.nifti != NULL) {
        status = reha_volumes_convert(volumes, given.series, given.nifti, &err);
    }
    if (status == REHA_OK && given.png != NULL) {
        status = write_picture(&given, volumes, &err);
    }
    if (status == REHA_OK) {
        status = print_list(&given, volumes, &err);
    }
    reha_volumes_close(volumes);
    return status == REHA_OK ? EXIT_DONE : app_fail(status, &err);
}

const app_command app_volume = {.name = "volume",
                                .arguments = "FOLDER|FILE.nii",
                                .summary =
                                    "list, convert and cut volumes: folders of DICOM slices, NIfTI files",
                                .example = "rehascope volume knee-mr/ --plane coronal --png coronal.png",
                                .options = volume_options,
                                .words_min = 1,
                                .words_max = 1,
                                .is_large = true,
                                .run = run_volume};
