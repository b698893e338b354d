/* Generated ultrasound pictures of muscle on disk, healthy or with a simulated injury. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/save.h"
#include "recognition/muscle_lesion.h"
#include "recognition/muscle_phantom.h"
#include "service/phantoms.h"

#include <stdio.h>
#include <string.h>

static reha_status save(const char *folder, const char *name, const reha_gray *image, reha_error *err)
{
    char *path = reha_path_join(folder, name);
    if (path == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
    }
    const reha_status status = reha_image_save_png(image, 8, path, err);
    reha_free(path);
    return status;
}

/* Nothing and each kind of injury in turn; the mask becomes that of the injury. */
static reha_status injure(int index, const reha_muscle_phantom *phantom, reha_gray *image, reha_gray *mask,
                          int *grade, reha_error *err)
{
    reha_status status = REHA_OK;
    const reha_injury_belly belly = reha_muscle_phantom_belly(phantom);
    const int turn = index % (REHA_LESION_KINDS + 1);
    const reha_lesion_kind kind = turn == 0 ? REHA_LESION_NOTHING : (reha_lesion_kind)(turn - 1);
    reha_random random = reha_random_init(phantom->seed, 0x696e6a);
    reha_muscle_frame frame;
    reha_speckle speckle;
    reha_lesion_truth truth = {0};
    REHA_CHECK(reha_muscle_frame_find(image, &frame, err));
    REHA_CHECK(reha_speckle_measure(image, &frame, &belly, &speckle, err));
    const reha_lesion_spec spec = kind == REHA_LESION_NOTHING
                                      ? (reha_lesion_spec){.kind = REHA_LESION_NOTHING}
                                      : reha_lesion_draw(kind, &belly, &frame, &random);
    REHA_CHECK(reha_lesion_apply(image, &frame, &belly, &speckle, &spec, &truth, err));
    for (size_t i = 0; i < (size_t)mask->width_px * mask->height_px; i++) {
        mask->pixels[i] = truth.injured[i];
    }
    *grade = reha_lesion_grade(&spec);
done:
    reha_lesion_truth_clear(&truth);
    return status;
}

static reha_status write_one(const char *folder, int index, uint64_t seed, bool injured, reha_text *table,
                             reha_error *err)
{
    reha_status status = REHA_OK;
    reha_gray *image = NULL;
    reha_gray *mask = NULL;
    char name[32];
    char mask_name[32];
    int grade = 0;
    const reha_muscle_phantom phantom = reha_muscle_phantom_of(seed * 1000003U + (uint64_t)index);
    (void)snprintf(name, sizeof name, "muscle-%04d.png", index);
    (void)snprintf(mask_name, sizeof mask_name, "mask-%04d.png", index);
    REHA_CHECK(reha_muscle_phantom_draw(&phantom, &image, &mask, err));
    if (injured) {
        REHA_CHECK(injure(index, &phantom, image, mask, &grade, err));
        reha_text_addf(table, "%s,%s,%d,phantom-%d\n", name, mask_name, grade, index);
    } else {
        reha_text_addf(table, "aponeurosis,%s,%s,phantom-%d\n", name, mask_name, index);
    }
    REHA_CHECK(save(folder, name, image, err));
    REHA_CHECK(save(folder, mask_name, mask, err));
done:
    reha_gray_free(image);
    reha_gray_free(mask);
    return status;
}

reha_status reha_muscle_phantoms_write(const char *folder, int count, uint64_t seed, bool injured,
                                       reha_error *err)
{
    reha_status status = REHA_OK;
    reha_text table = {0};
    char *text = NULL;
    char *path = NULL;
    REHA_TRY(reha_folder_make(folder, err));
    reha_text_add(&table,
                  injured ? "image,mask,grade,patient_id\n" : "structure,image,mask,similarity_group\n");
    for (int i = 0; i < count; i++) {
        REHA_CHECK(write_one(folder, i, seed, injured, &table, err));
    }
    REHA_CHECK(reha_text_take(&table, &text, err));
    path = reha_path_join(folder, "index.csv");
    if (path == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a path");
        goto done;
    }
    REHA_CHECK(reha_file_save(path, text, strlen(text), err));
done:
    reha_text_clear(&table);
    reha_free(text);
    reha_free(path);
    return status;
}
