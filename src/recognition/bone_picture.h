/* What is measured in a knee radiograph for its bone density: the texture of the trabecular bone in regions
 * that the landmarks place, the embedding of the grading network, and, to test for shortcuts, what has
 * nothing to do with the bone. The knee recogniser finds, admits and marks the knees. One thread at a time.
 */
#ifndef REHA_RECOGNITION_BONE_PICTURE_H
#define REHA_RECOGNITION_BONE_PICTURE_H

#include "recognition/finding.h"
#include "recognition/recogniser.h"

enum {
    REHA_BONE_LEVELS = 3,       /* under the plateau, deeper in the tibia, in the condyles */
    REHA_BONE_LEVEL_VALUES = 6, /* four bands, direction, brightness */
    REHA_BONE_TEXTURE = REHA_BONE_LEVELS * REHA_BONE_LEVEL_VALUES,
    REHA_BONE_BACKGROUND = 6,
    REHA_BONE_EMBEDDING_MAX = 2048
};

typedef struct reha_bone_picture {
    int knee_count;                           /* whose landmarks could be used; 0: nothing is measured */
    double texture[REHA_BONE_TEXTURE];        /* mean over the knees and over both compartments */
    double background[REHA_BONE_BACKGROUND];  /* of the whole picture: border mean and SD, percentiles 1, 50,
                                               * 99,  height to width */
    int embedding_count;                      /* 0: not asked for */
    float embedding[REHA_BONE_EMBEDDING_MAX]; /* mean of the grading network's last map, of the last knee */
} reha_bone_picture;

typedef struct reha_bone_reader reha_bone_reader;
/* knee_folder: a knee-oa model with finder and landmarks. with_embedding: run its grading network's trunk
 * too. */
REHA_MUST_USE reha_status reha_bone_reader_open(const char *knee_folder, bool with_embedding, int threads,
                                                reha_bone_reader **out, reha_error *err);
void reha_bone_reader_close(reha_bone_reader *reader); /* NULL is fine */

/* *knees: the knee recogniser's analysis (its refusals, sides, landmarks), or NULL if the caller has no use
 * for it; reha_analysis_free. */
REHA_MUST_USE reha_status reha_bone_read(reha_bone_reader *reader, const reha_gray *image,
                                         const reha_acquisition *facts, reha_bone_picture *out,
                                         reha_analysis **knees, reha_error *err);

#endif
