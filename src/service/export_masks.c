/* What a recogniser marked pixel by pixel, as a segmentation. */
#include "service/export_objects_priv.h"

#include "base/memory.h"
#include "dicom/segmentation.h"
#include "service/clinic_report_priv.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 300, SEGMENTS_MAX = 24 };

/* Categories and types are of CID 7150 and 7151; what they don't tell apart is a modifier of our own. */
static const struct {
    const char *key; /* or what it begins with, if it ends with "-" */
    const char *label, *description;
    reha_sr_concept category, type, modifier;
    unsigned rgb;
} KINDS[] = {{"belly",
              "Muscle belly",
              "What lies between the facing edges of both aponeuroses, in the visible tissue.",
              {"85756007", "SCT", "Tissue"},
              {"91727004", "SCT", "Muscle"},
              {NULL, NULL, NULL},
              0x2ca02c},
             {"aponeurosis",
              "Aponeuroses",
              "What the network marked as aponeurosis: probability above one half.",
              {"85756007", "SCT", "Tissue"},
              {"87784001", "SCT", "Soft tissue"},
              {"aponeurosis", REHA_DICOM_OWN_SCHEME, "Aponeurosis"},
              0xffd23f},
             {"fascicle",
              "Muscle fascicles",
              "What the network marked as fascicle: probability above one half.",
              {"85756007", "SCT", "Tissue"},
              {"91727004", "SCT", "Muscle"},
              {"muscle-fascicle", REHA_DICOM_OWN_SCHEME, "Muscle fascicle"},
              0x35c2ff},
             {"lesion-",
              "Marked region",
              "Research only: marked by a detector that was trained on simulated lesions.",
              {"49755003", "SCT", "Morphologically Abnormal Structure"},
              {"52988006", "SCT", "Lesion"},
              {NULL, NULL, NULL},
              0xff5a3c}};
enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };

typedef struct words {
    char label[TEXT_BYTES], description[TEXT_BYTES], tracking[TEXT_BYTES];
} words;

typedef struct segmentation {
    reha_dicom_segment segments[SEGMENTS_MAX];
    words texts[SEGMENTS_MAX];
    size_t count;
    char label[EXPORT_LABEL_BYTES], description[TEXT_BYTES], parameters[TEXT_BYTES];
    const reha_export_source *source;
    const json_t *result;
} segmentation;

static size_t find_kind(const char *key)
{
    size_t i = 0;
    for (; i < KIND_COUNT; i++) {
        const size_t length = strlen(KINDS[i].key);
        const bool is_beginning = KINDS[i].key[length - 1] == '-';
        if (is_beginning ? strncmp(key, KINDS[i].key, length) == 0 : strcmp(key, KINDS[i].key) == 0) {
            break;
        }
    }
    return i;
}

static bool is_told(const json_t *result, const reha_export_mask *one, const reha_dicom_origin *image)
{
    const json_t *review = report_find_review(result, (int)one->region_idx, one->mask.key);
    const size_t count = (size_t)image->width_px * image->height_px;
    return strcmp(reha_json_string(review, "decision", ""), "reject") != 0 &&
           memchr(one->mask.inside, 1, count) != NULL;
}

static void add_segment(segmentation *to, size_t kind, const reha_export_mask *one)
{
    char id[TEXT_BYTES];
    if (to->count == SEGMENTS_MAX) {
        return;
    }
    reha_dicom_segment *segment = &to->segments[to->count];
    words *text = &to->texts[to->count++];
    const char *number = strrchr(KINDS[kind].key, '-') != NULL ? strrchr(one->mask.key, '-') + 1 : "";
    (void)snprintf(text->label, sizeof text->label, "%s%s%s", KINDS[kind].label, number[0] != '\0' ? " " : "",
                   number);
    (void)snprintf(text->description, sizeof text->description, "%s%s",
                   report_is_signed(to->source->study) ? "" : "Not reviewed. ", KINDS[kind].description);
    (void)snprintf(id, sizeof id, "%.64s/%zu/%s", reha_json_string(to->result, "id", ""), one->region_idx,
                   one->mask.key);
    (void)snprintf(text->tracking, sizeof text->tracking, "%s%s%s: %.40s", KINDS[kind].label,
                   number[0] != '\0' ? " " : "", number, reha_json_string(to->result, "task", ""));
    *segment = (reha_dicom_segment){.label = text->label,
                                    .description = text->description,
                                    .category = KINDS[kind].category,
                                    .type = KINDS[kind].type,
                                    .modifier = KINDS[kind].modifier,
                                    .tracking = text->tracking,
                                    .rgb = KINDS[kind].rgb,
                                    .inside = one->mask.inside};
    export_uid_of("mask", id, segment->tracking_uid);
}

static reha_status write_masks(const void *what, const reha_dicom_object *object, uint8_t **out,
                               size_t *out_bytes, reha_error *err)
{
    const segmentation *from = what;
    const reha_dicom_segmentation object_of = {
        .object = object,
        .label = from->label,
        .description = from->description,
        .creator = export_creator(from->source),
        .algorithm_name = reha_json_string(from->result, "model", "unknown"),
        .algorithm_version = reha_json_string(from->result, "model_version", "unknown"),
        .algorithm_parameters = from->parameters,
        .segments = from->segments,
        .count = from->count};
    return reha_dicom_write_segmentation(&object_of, out, out_bytes, err);
}

static void describe(const reha_export_source *source, const json_t *result, segmentation *out)
{
    out->source = source;
    out->result = result;
    export_label_of(reha_json_string(result, "task", ""), out->label);
    (void)snprintf(out->description, sizeof out->description, "Masks of %.40s%s",
                   reha_json_string(result, "task", ""),
                   report_is_signed(source->study) ? "" : " (not reviewed)");
    (void)snprintf(out->parameters, sizeof out->parameters,
                   "model sha256=%.64s; image sha256=%.64s; software=%.60s",
                   reha_json_string(result, "model_hash", "unknown"),
                   reha_json_string(result, "input_digest", ""), reha_json_string(result, "software", ""));
}

reha_status reha_export_masks(const reha_export_source *source, const char *as_of, size_t image_idx,
                              size_t result_idx, const reha_export_mask *masks, size_t count,
                              const char *name, reha_export *out, reha_error *err)
{
    const json_t *image = json_array_get(json_object_get(source->study, "images"), image_idx);
    const json_t *result = json_array_get(json_object_get(image, "results"), result_idx);
    const reha_dicom_origin *const images[] = {&source->origins[image_idx]};
    reha_status status = REHA_OK;
    segmentation *from = reha_alloc_zero(1, sizeof *from);
    if (from == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a segmentation");
    }
    describe(source, result, from);
    for (size_t kind = 0; kind < KIND_COUNT; kind++) { /* in the same order, from wherever they come */
        for (size_t i = 0; i < count; i++) {
            if (find_kind(masks[i].mask.key) == kind && is_told(result, &masks[i], images[0])) {
                add_segment(from, kind, &masks[i]);
            }
        }
    }
    if (from->count > 0) {
        reha_dicom_object object = export_begin(
            source, as_of, "masks", EXPORT_SERIES_MASKS,
            report_is_signed(source->study) ? "Rehascope masks" : "Rehascope masks (not reviewed)");
        object.images = images;
        object.image_count = 1;
        object.instance_number = export_number(image_idx, result_idx);
        status = export_add_object(name, &object, write_masks, from, out, err);
    }
    reha_free(from);
    return status;
}
