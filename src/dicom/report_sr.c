#include "dicom/report_sr.h"

#include "base/memory.h"
#include "dicom/derived_priv.h"
#include "dicom/tags_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char CLASS_COMPREHENSIVE_SR[] = "1.2.840.10008.5.1.4.1.1.88.33";

enum {
    TAG_RELATIONSHIP = 0x0040A010,
    TAG_VALUE_TYPE = 0x0040A040,
    TAG_CONCEPT_NAME = 0x0040A043,
    TAG_CONTINUITY = 0x0040A050,
    TAG_CONTENT_TEMPLATE = 0x0040A504,
    TAG_CONTENT = 0x0040A730,
    DEPTH_MAX = 12,
    POINTS_MAX = 256,
    LINE_CHARS = 64
};

static const char *const relations[] = {"CONTAINS",        "HAS CONCEPT MOD", "HAS OBS CONTEXT",
                                        "HAS ACQ CONTEXT", "HAS PROPERTIES",  "INFERRED FROM",
                                        "SELECTED FROM"};

/* An item that is open: its children come before what has higher tags. */
typedef struct level {
    size_t item;             /* what closes it */
    size_t children;         /* 0: none yet */
    const char *template_id; /* of a container; NULL: none */
    reha_sr_shape shape;
    size_t point_count;
} level;

struct reha_sr {
    reha_dcm_writer w; /* the content of the root */
    reha_error fault;
    reha_sr_concept title;
    const char *template_id;
    level levels[DEPTH_MAX];
    int depth; /* open items below the root */
    reha_point_px points[POINTS_MAX];
};

reha_status reha_sr_new(reha_sr_concept title, const char *template_id, reha_sr **out, reha_error *err)
{
    *out = reha_alloc_zero(1, sizeof **out);
    if (*out == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a structured report");
    }
    (*out)->w.err = &(*out)->fault;
    (*out)->title = title;
    (*out)->template_id = template_id;
    return REHA_OK;
}

void reha_sr_free(reha_sr *sr)
{
    if (sr != NULL) {
        reha_free(sr->w.data);
        reha_free(sr);
    }
}

static void open_item(reha_sr *sr, reha_sr_relation relation, const char *type, const reha_sr_concept *name)
{
    reha_dcm_writer *w = &sr->w;
    if (sr->depth >= DEPTH_MAX) {
        reha_dcm_write_failed(w, REHA_E_INTERNAL, "a structured report is nested too deeply");
        return;
    }
    if (sr->depth > 0 && sr->levels[sr->depth - 1].children == 0) {
        sr->levels[sr->depth - 1].children = reha_dcm_open_sequence(w, TAG_CONTENT);
    }
    sr->levels[sr->depth++] = (level){.item = reha_dcm_open_item(w)};
    if (strcmp(type, "IMAGE") == 0) {
        return; /* its reference comes first */
    }
    reha_dcm_put_text(w, TAG_RELATIONSHIP, "CS", relations[relation]);
    reha_dcm_put_text(w, TAG_VALUE_TYPE, "CS", type);
    if (name != NULL) {
        reha_dcm_put_code(w, TAG_CONCEPT_NAME, name->value, name->scheme, name->meaning);
    }
}

static void put_template(reha_dcm_writer *w, const char *template_id)
{
    if (template_id != NULL) {
        const size_t sequence = reha_dcm_open_sequence(w, TAG_CONTENT_TEMPLATE);
        const size_t item = reha_dcm_open_item(w);
        reha_dcm_put_text(w, 0x00080105u, "CS", "DCMR");
        reha_dcm_put_text(w, 0x0040DB00u, "CS", template_id);
        reha_dcm_close(w, item);
        reha_dcm_close(w, sequence);
    }
}

void reha_sr_end(reha_sr *sr)
{
    static const char *const shapes[] = {"POINT", "MULTIPOINT", "POLYLINE"};
    reha_dcm_writer *w = &sr->w;
    if (w->status != REHA_OK || sr->depth == 0) {
        return;
    }
    const level *at = &sr->levels[--sr->depth];
    if (at->children != 0) {
        reha_dcm_close(w, at->children);
    }
    if (at->point_count > 0) {
        reha_dcm_put_points(w, 0x00700022u, sr->points, at->point_count);
        reha_dcm_put_text(w, 0x00700023u, "CS", shapes[at->shape]);
    }
    reha_dcm_close(w, at->item);
}

void reha_sr_container(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *template_id)
{
    open_item(sr, relation, "CONTAINER", &name);
    reha_dcm_put_text(&sr->w, TAG_CONTINUITY, "CS", "SEPARATE");
    put_template(&sr->w, template_id);
}

void reha_sr_text(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *text)
{
    char clean[4096];
    size_t used = 0;
    for (; text[used] != '\0' && used + 1 < sizeof(clean); used++) {
        const unsigned char byte = (unsigned char)text[used];
        clean[used] = (byte < 0x20 && byte != '\n' && byte != '\r') || byte == 0x7F ? ' ' : text[used];
    }
    while (text[used] != '\0' && used > 0 && ((unsigned char)text[used] & 0xC0U) == 0x80U) {
        used--; /* cut at a whole character */
    }
    clean[used] = '\0';
    open_item(sr, relation, "TEXT", &name);
    reha_dcm_put_text(&sr->w, 0x0040A160u, "UT", used > 0 ? clean : "-");
}

void reha_sr_code(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_concept value)
{
    open_item(sr, relation, "CODE", &name);
    reha_dcm_put_code(&sr->w, 0x0040A168u, value.value, value.scheme, value.meaning);
}

void reha_sr_number(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, double value,
                    reha_sr_concept unit)
{
    reha_dcm_writer *w = &sr->w;
    open_item(sr, relation, "NUM", &name);
    const size_t sequence = reha_dcm_open_sequence(w, 0x0040A300u);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_code(w, 0x004008EAu, unit.value, unit.scheme, unit.meaning);
    reha_dcm_put_decimals(w, 0x0040A30Au, &value, 1);
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

void reha_sr_uid(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *uid)
{
    open_item(sr, relation, "UIDREF", &name);
    reha_dcm_put_text(&sr->w, 0x0040A124u, "UI", uid);
}

/* People write "Ann Clinician"; DICOM wants the family name first and its own separators. A name that cannot
 * be taken apart for certain stays one component. */
void reha_sr_person(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *person)
{
    open_item(sr, relation, "PNAME", &name);
    reha_dcm_put_person(&sr->w, 0x0040A123u, person, "unknown");
}

void reha_sr_datetime(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, const char *time)
{
    open_item(sr, relation, "DATETIME", &name);
    reha_dcm_put_text(&sr->w, 0x0040A120u, "DT", time);
}

void reha_sr_image(reha_sr *sr, reha_sr_relation relation, const reha_sr_concept *name,
                   const reha_dicom_origin *image)
{
    reha_dcm_writer *w = &sr->w;
    open_item(sr, relation, "IMAGE", NULL);
    const size_t sequence = reha_dcm_open_sequence(w, 0x00081199u);
    reha_dcm_put_source_frame(w, image);
    reha_dcm_close(w, sequence);
    reha_dcm_put_text(w, TAG_RELATIONSHIP, "CS", relations[relation]);
    reha_dcm_put_text(w, TAG_VALUE_TYPE, "CS", "IMAGE");
    if (name != NULL) {
        reha_dcm_put_code(w, TAG_CONCEPT_NAME, name->value, name->scheme, name->meaning);
    }
}

void reha_sr_coordinates(reha_sr *sr, reha_sr_relation relation, reha_sr_concept name, reha_sr_shape shape,
                         const reha_point_px *points, size_t count)
{
    if (count < 1 || count > POINTS_MAX) {
        reha_dcm_write_failed(&sr->w, REHA_E_INTERNAL,
                              "coordinates of a structured report: too few or too many");
        return;
    }
    open_item(sr, relation, "SCOORD", &name);
    if (sr->w.status == REHA_OK) {
        memcpy(sr->points, points, count * sizeof(points[0]));
        sr->levels[sr->depth - 1].shape = shape;
        sr->levels[sr->depth - 1].point_count = count;
    }
}

/* ---- the document ---- */

static void put_verifier(reha_dcm_writer *w, const reha_sr_document *document)
{
    if (document->verifier_name == NULL) {
        return;
    }
    const size_t sequence = reha_dcm_open_sequence(w, 0x0040A073u);
    const size_t item = reha_dcm_open_item(w);
    reha_dcm_put_words(w, 0x0040A027u, "LO", document->verifier_organization, LINE_CHARS);
    reha_dcm_put_text(w, 0x0040A030u, "DT", document->verified_at);
    reha_dcm_put_person(w, 0x0040A075u, document->verifier_name, "unknown");
    reha_dcm_close(w, reha_dcm_open_sequence(w, 0x0040A088u)); /* no code for people */
    reha_dcm_close(w, item);
    reha_dcm_close(w, sequence);
}

static bool is_first_of_series(const reha_dicom_object *object, size_t image)
{
    for (size_t i = 0; i < image; i++) {
        if (strcmp(object->images[i]->ids.series_instance_uid,
                   object->images[image]->ids.series_instance_uid) == 0) {
            return false;
        }
    }
    return true;
}

/* What the report refers to, by study and series, so that an archive can find it. */
static void put_evidence(reha_dcm_writer *w, const reha_dicom_object *object)
{
    const size_t sequence = reha_dcm_open_sequence(w, 0x0040A375u);
    const size_t study = reha_dcm_open_item(w);
    const size_t all_series = reha_dcm_open_sequence(w, 0x00081115u);
    for (size_t i = 0; i < object->image_count; i++) {
        if (!is_first_of_series(object, i)) {
            continue;
        }
        const char *uid = object->images[i]->ids.series_instance_uid;
        const size_t series = reha_dcm_open_item(w);
        const size_t instances = reha_dcm_open_sequence(w, 0x00081199u);
        for (size_t k = i; k < object->image_count; k++) {
            if (strcmp(object->images[k]->ids.series_instance_uid, uid) == 0) {
                reha_dcm_put_source(w, object->images[k]);
            }
        }
        reha_dcm_close(w, instances);
        reha_dcm_put_text(w, TAG_SERIES_INSTANCE_UID, "UI", uid);
        reha_dcm_close(w, series);
    }
    reha_dcm_close(w, all_series);
    reha_dcm_put_text(w, TAG_STUDY_INSTANCE_UID, "UI", object->origin->ids.study_instance_uid);
    reha_dcm_close(w, study);
    reha_dcm_close(w, sequence);
}

/* The SR Document General module and the root, whose content stands already. */
static void put_document(reha_dcm_writer *w, const reha_sr *sr, const reha_sr_document *document)
{
    const bool is_complete = document->completeness == NULL;
    reha_dcm_put_text(w, TAG_VALUE_TYPE, "CS", "CONTAINER");
    reha_dcm_put_code(w, TAG_CONCEPT_NAME, sr->title.value, sr->title.scheme, sr->title.meaning);
    reha_dcm_put_text(w, TAG_CONTINUITY, "CS", "SEPARATE");
    put_verifier(w, document);
    reha_dcm_close(w, reha_dcm_open_sequence(w, 0x0040A372u)); /* no code of what was performed */
    put_evidence(w, document->object);
    reha_dcm_put_text(w, 0x0040A491u, "CS", is_complete ? "COMPLETE" : "PARTIAL");
    if (!is_complete) {
        reha_dcm_put_words(w, 0x0040A492u, "LO", document->completeness, LINE_CHARS);
    }
    reha_dcm_put_text(w, 0x0040A493u, "CS", document->verifier_name != NULL ? "VERIFIED" : "UNVERIFIED");
    reha_dcm_put_text(w, 0x0040A496u, "CS", document->verifier_name != NULL ? "FINAL" : "PRELIMINARY");
    put_template(w, sr->template_id);
    const size_t content = reha_dcm_open_sequence(w, TAG_CONTENT);
    reha_dcm_put_bytes(w, sr->w.data, sr->w.length);
    reha_dcm_close(w, content);
}

reha_status reha_sr_encode(reha_sr *sr, const reha_sr_document *document, uint8_t **out, size_t *out_bytes,
                           reha_error *err)
{
    reha_dcm_writer w = {.err = err};
    *out = NULL;
    *out_bytes = 0;
    if (sr->w.status != REHA_OK) {
        return reha_fail(err, sr->w.status, "%s", sr->fault.text);
    }
    if (sr->depth != 0 || (document->verifier_name != NULL && document->completeness != NULL)) {
        return reha_fail(err, REHA_E_INTERNAL, "a structured report is verified before it is complete");
    }
    reha_dcm_put_meta(&w, CLASS_COMPREHENSIVE_SR, document->object->instance_uid, NULL);
    reha_dcm_put_object_head(&w, document->object, CLASS_COMPREHENSIVE_SR, "SR");
    reha_dcm_close(&w, reha_dcm_open_sequence(&w, 0x00081111u)); /* of no performed procedure step */
    reha_dcm_put_object_patient(&w, document->object);
    reha_dcm_put_object_place(&w, document->object);
    put_document(&w, sr, document);
    return reha_dcm_take(&w, out, out_bytes);
}
