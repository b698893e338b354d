/* From paths to images: whatever a user names, DICOM or picture, file or folder. */
#ifndef REHA_SERVICE_INPUT_H
#define REHA_SERVICE_INPUT_H

#include "base/file.h"
#include "image/acquisition.h"
#include "image/gray.h"

typedef struct reha_input {
    reha_gray *image; /* one frame, the first unless another was asked for; owned */
    reha_acquisition facts;
    char digest[65]; /* SHA-256 of the file's bytes */
    uint32_t frame_count;
    int warning_count; /* of the decoder */
    char warnings[4][160];
    reha_side side_hint; /* from the file's name; UNKNOWN if it names none */
} reha_input;

/* Decides by content, never by name. Error texts say what the file is instead and what to do; they do not
 * hold the path. `limits` NULL: defaults. Any thread. */
REHA_MUST_USE reha_status reha_input_load(const char *path, const reha_image_limits *limits, reha_input *out,
                                          reha_error *err);
/* As above for bytes in memory; `name` only gives the side hint. */
REHA_MUST_USE reha_status reha_input_read(const void *bytes, size_t count, const char *name,
                                          const reha_image_limits *limits, reha_input *out, reha_error *err);
/* Frame frame_idx (from 0) of a file with several; REHA_E_NOT_FOUND beyond the last one. */
REHA_MUST_USE reha_status reha_input_load_frame(const char *path, uint32_t frame_idx,
                                                const reha_image_limits *limits, reha_input *out,
                                                reha_error *err);
/* As above for bytes in memory. The digest stays empty: for every frame of a long file it would be the same
 * work. */
REHA_MUST_USE reha_status reha_input_read_frame(const void *bytes, size_t count, const char *name,
                                                uint32_t frame_idx, const reha_image_limits *limits,
                                                reha_input *out, reha_error *err);
void reha_input_clear(reha_input *input);

/* For the recognisers' training and evaluation (reha_load_function). */
REHA_MUST_USE reha_status reha_input_load_gray(const char *path, reha_gray **out, reha_acquisition *facts,
                                               reha_error *err);

/* Replaces folders by the image files below them (by content: the first bytes; also what is named as an image
 * and is none, so that it is told and not passed over), keeps files as they are. A folder without images is
 * an entry of its own in *out, so that its error is told in its place. */
REHA_MUST_USE reha_status reha_input_expand(const char *const *paths, size_t count, reha_paths *out,
                                            reha_error *err);

/* "9000099L.jpg", "knee_left.dcm", "R-knee.png": the side that a file's name tells; UNKNOWN if in doubt. */
reha_side reha_side_from_name(const char *path);

#endif
