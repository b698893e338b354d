#include "service/input.h"

#include "base/memory.h"
#include "base/text.h"
#include "dicom/dicom.h"
#include "image/load.h"
#include "image/nifti.h"
#include "store/digest.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { HEAD_BYTES = 140, FILES_MAX = 200000 };

static reha_status name_content(const uint8_t *bytes, size_t count, reha_error *err)
{
    static const struct {
        const char *magic;
        size_t length;
        const char *what;
    } others[] = {{"%PDF", 4, "a PDF document"},
                  {"PK\3\4", 4, "a zip archive (unpack it first)"},
                  {"GIF8", 4, "a GIF picture"},
                  {"\x1f\x8b", 2, "a gzip archive (unpack it first)"},
                  {"RIFF", 4, "a WebP picture or a sound"},
                  {"<html", 5, "a web page"},
                  {"BM", 2, "a Windows bitmap"}};
    if (count == 0) {
        return reha_fail(err, REHA_E_FORMAT, "the file is empty (0 bytes): export or copy it again");
    }
    if (reha_nifti_detect(bytes, count)) {
        return reha_fail(
            err, REHA_E_UNSUPPORTED,
            "this is a NIfTI volume, and one image is wanted: see 'rehascope volume --help' and 'rehascope t2-map --help'");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (count >= others[i].length && memcmp(bytes, others[i].magic, others[i].length) == 0) {
            return reha_fail(err, REHA_E_UNSUPPORTED, "this is %s; give a DICOM, PNG, JPEG or TIFF image",
                             others[i].what);
        }
    }
    size_t printable = 0;
    const size_t seen = count < 512 ? count : 512;
    for (size_t i = 0; i < seen; i++) {
        printable += isprint(bytes[i]) || isspace(bytes[i]) ? 1 : 0;
    }
    return reha_fail(err, REHA_E_FORMAT, "%s; give a DICOM, PNG, JPEG or TIFF image",
                     printable == seen ? "this is a text file, not an image"
                                       : "the content is no image format known here");
}

static reha_status load_dicom(const uint8_t *bytes, size_t count, uint32_t frame_idx,
                              const reha_image_limits *limits, reha_input *out, reha_error *err)
{
    reha_dicom *dicom = NULL;
    REHA_TRY(reha_dicom_open(bytes, count, limits, &dicom, err));
    const reha_status status =
        frame_idx < reha_dicom_frame_count(dicom)
            ? reha_dicom_read_frame(dicom, frame_idx, &out->image, &out->facts, err)
            : reha_fail(err, REHA_E_NOT_FOUND, "the file has no frame %u", frame_idx + 1);
    if (status == REHA_OK) {
        out->frame_count = reha_dicom_frame_count(dicom);
        for (uint32_t i = 0; i < reha_dicom_warning_count(dicom) && out->warning_count < 4; i++) {
            (void)snprintf(out->warnings[out->warning_count++], sizeof out->warnings[0], "%s",
                           reha_dicom_warning(dicom, i));
        }
    }
    reha_dicom_close(dicom);
    return status;
}

reha_status reha_input_read_frame(const void *bytes, size_t count, const char *name, uint32_t frame_idx,
                                  const reha_image_limits *limits, reha_input *out, reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    reha_status status = REHA_OK;
    *out = (reha_input){.facts = reha_acquisition_unknown(), .frame_count = 1};
    if (limits == NULL) {
        limits = &defaults;
    }
    out->side_hint = reha_side_from_name(name);
    if (reha_image_detect(bytes, count) != NULL) {
        status = reha_image_decode_frame(bytes, count, frame_idx, limits, &out->image, &out->facts, err);
        out->frame_count = out->facts.frame_count > 0 ? out->facts.frame_count : 1;
    } else if (reha_dicom_detect(bytes, count)) {
        status = load_dicom(bytes, count, frame_idx, limits, out, err);
    } else {
        status = name_content(bytes, count, err);
    }
    if (status != REHA_OK) {
        reha_input_clear(out);
    }
    return status;
}

reha_status reha_input_read(const void *bytes, size_t count, const char *name,
                            const reha_image_limits *limits, reha_input *out, reha_error *err)
{
    REHA_TRY(reha_input_read_frame(bytes, count, name, 0, limits, out, err));
    reha_digest_bytes(bytes, count, out->digest);
    return REHA_OK;
}

reha_status reha_input_load(const char *path, const reha_image_limits *limits, reha_input *out,
                            reha_error *err)
{
    return reha_input_load_frame(path, 0, limits, out, err);
}

reha_status reha_input_load_frame(const char *path, uint32_t frame_idx, const reha_image_limits *limits,
                                  reha_input *out, reha_error *err)
{
    const reha_image_limits defaults = reha_image_limits_default();
    uint8_t *bytes = NULL;
    size_t count = 0;
    *out = (reha_input){.facts = reha_acquisition_unknown(), .frame_count = 1};
    if (reha_path_is_folder(path)) {
        return reha_fail(err, REHA_E_NOT_FOUND, "the folder holds no DICOM, PNG, JPEG or TIFF image");
    }
    if (limits == NULL) {
        limits = &defaults;
    }
    reha_error fault = REHA_ERROR_INIT;
    reha_status status = reha_file_load(path, limits->file_bytes_max, &bytes, &count, &fault);
    if (status != REHA_OK) { /* the caller names the path: once is enough */
        const size_t length = strlen(path);
        const bool has_path =
            strncmp(fault.text, path, length) == 0 && strncmp(fault.text + length, ": ", 2) == 0;
        return reha_fail(err, status, "%s", has_path ? fault.text + length + 2 : fault.text);
    }
    status = reha_input_read_frame(bytes, count, path, frame_idx, limits, out, err);
    if (status == REHA_OK) {
        reha_digest_bytes(bytes, count, out->digest);
    }
    reha_free(bytes);
    return status;
}

void reha_input_clear(reha_input *input)
{
    reha_gray_free(input->image);
    input->image = NULL;
}

reha_status reha_input_load_gray(const char *path, reha_gray **out, reha_acquisition *facts, reha_error *err)
{
    reha_input input;
    *out = NULL;
    REHA_TRY(reha_input_load(path, NULL, &input, err));
    *out = input.image;
    *facts = input.facts;
    return REHA_OK;
}

/* A copy that broke off, a picture of a kind that is not read: whoever gave the folder counts on it, so it is
 * told and not passed over. */
static bool is_named_image(const char *path)
{
    static const char *const endings[] = {".dcm",  ".dicom", ".png",  ".jpg", ".jpeg", ".tif",
                                          ".tiff", ".bmp",   ".webp", ".gif", ".heic", ".jp2"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (reha_str_ends_nocase(path, endings[i])) {
            return true;
        }
    }
    return false;
}

static bool looks_like_image(const char *path)
{
    uint8_t head[HEAD_BYTES];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return true; /* its error is to be told, not hidden */
    }
    if (is_named_image(path)) {
        (void)close(fd);
        return true;
    }
    const ssize_t got = read(fd, head, sizeof head);
    (void)close(fd);
    return got > 0 && (reha_image_detect(head, (size_t)got) != NULL || reha_dicom_detect(head, (size_t)got));
}

static reha_status add_path(reha_paths *paths, const char *path, reha_error *err)
{
    char **items = reha_realloc(paths->items, (paths->count + 1) * sizeof *items);
    if (items == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu paths", paths->count + 1);
    }
    paths->items = items;
    items[paths->count] = reha_strdup(path);
    if (items[paths->count] == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    paths->count++;
    return REHA_OK;
}

static reha_status expand_folder(const char *folder, reha_paths *out, reha_error *err)
{
    reha_paths files = {0};
    reha_status status = REHA_OK;
    bool is_empty = true;
    REHA_TRY(reha_folder_list(folder, FILES_MAX, &files, err));
    for (size_t i = 0; i < files.count; i++) {
        if (looks_like_image(files.items[i])) {
            is_empty = false;
            REHA_CHECK(add_path(out, files.items[i], err));
        }
    }
    if (is_empty) {
        status = add_path(out, folder, err);
    }
done:
    reha_paths_clear(&files);
    return status;
}

reha_status reha_input_expand(const char *const *paths, size_t count, reha_paths *out, reha_error *err)
{
    *out = (reha_paths){0};
    for (size_t i = 0; i < count; i++) {
        const reha_status status =
            reha_path_is_folder(paths[i]) ? expand_folder(paths[i], out, err) : add_path(out, paths[i], err);
        if (status != REHA_OK) {
            reha_paths_clear(out);
            return status;
        }
    }
    return REHA_OK;
}

static bool is_word(const char *word, size_t length, const char *wanted)
{
    return strlen(wanted) == length && strncasecmp(word, wanted, length) == 0;
}

reha_side reha_side_from_name(const char *path)
{
    const char *name = reha_path_name(path);
    const char *dot = strrchr(name, '.');
    const char *end = dot != NULL && dot != name ? dot : name + strlen(name);
    bool right = false;
    bool left = false;
    for (const char *at = name; at < end;) {
        size_t length = 0;
        while (at + length < end && isalpha((unsigned char)at[length])) {
            length++;
        }
        /* A letter alone counts: "9000099L", "R-knee"; inside a word it does not. */
        right = right || is_word(at, length, "right") || is_word(at, length, "r");
        left = left || is_word(at, length, "left") || is_word(at, length, "l");
        at += length > 0 ? length : 1;
    }
    return right == left ? REHA_SIDE_UNKNOWN : right ? REHA_SIDE_RIGHT : REHA_SIDE_LEFT;
}
