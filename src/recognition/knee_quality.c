#include "recognition/knee_gate.h"

#include "base/memory.h"
#include "recognition/sampling.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PERCENTILE_SAMPLE = 1 << 17 };

/* ---- Names and words ---- */

const char *reha_statistic_name(reha_statistic which)
{
    static const char *const names[REHA_STAT_COUNT] = {"image_short_side_px",
                                                       "image_chroma",
                                                       "image_contrast",
                                                       "image_mean",
                                                       "image_levels",
                                                       "box_side_px",
                                                       "outside",
                                                       "mean",
                                                       "p1",
                                                       "p50",
                                                       "p99",
                                                       "contrast",
                                                       "white",
                                                       "black",
                                                       "noise",
                                                       "laplace_ratio"};
    return (int)which >= 0 && which < REHA_STAT_COUNT ? names[which] : "?";
}

bool reha_knee_statistic_is_known(const char *name)
{
    for (int i = 0; i < REHA_STAT_COUNT; i++) {
        if (strcmp(name, reha_statistic_name((reha_statistic)i)) == 0) {
            return true;
        }
    }
    return false;
}

const char *reha_gate_code(reha_gate_class kind)
{
    static const char *const codes[REHA_GATE_CLASS_COUNT] = {
        "knee",          "inverted",   "upside-down", "rotated",        "prosthesis",
        "joint-cut-off", "not-a-knee", "ultrasound",  "ct-or-mr-slice", "not-a-radiograph"};
    return (int)kind >= 0 && kind < REHA_GATE_CLASS_COUNT ? codes[kind] : "refused";
}

/* What was seen, why that prevents grading, what to do. */
const char *reha_gate_advice(const char *code)
{
    static const struct {
        const char *code, *text;
    } table[] = {
        {"inverted", "the grey values seem to be inverted and turning them over did not help; export it with "
                     "bright bone"},
        {"upside-down", "the knee stands upside down; turn the image by 180 degrees and analyse it again"},
        {"rotated", "the knee lies on its side; turn the image by 90 degrees and analyse it again"},
        {"prosthesis", "metal at the joint (prosthesis or osteosynthesis): Kellgren-Lawrence does not apply, "
                       "so it is named "
                       "and not graded"},
        {"joint-cut-off",
         "the joint is cut off at the edge; a grade needs both condyles and the whole tibial plateau; use "
         "the uncropped radiograph"},
        {"not-a-knee", "a radiograph, but not of a knee from the front; use an AP or PA view of the knee"},
        {"ultrasound", "this is an ultrasound image; the task needs a frontal knee radiograph"},
        {"ct-or-mr-slice", "this is a CT or MR slice; the task needs a frontal knee radiograph"},
        {"not-a-radiograph",
         "this is a photograph, drawing or text, not a radiograph; use the original image file"},
        {"colour-picture",
         "a colour picture; a radiograph is grey: use the original file, not a photograph of it"},
        {"no-knee",
         "no knee joint was found; use a frontal (AP or PA) radiograph that shows the whole joint"},
        {"no-joint-edges",
         "the edges of femur and tibia cannot be made out; use a frontal view of the whole joint in full "
         "resolution"},
        {"uncertain", "cannot be told to be a frontal knee radiograph; use a standard AP or PA view"},
        {"unlike-training",
         "unlike the images that the model learned from, so its grade could not be trusted; have it "
         "read by a person"},
        {"too-small", "too small to measure; use the original image, not a preview"},
        {"too-dark", "too dark (under-exposed or wrongly windowed); export it with a wider window or repeat "
                     "the exposure"},
        {"too-bright",
         "too bright (over-exposed or clipped); export it with a wider window or repeat the exposure"},
        {"low-contrast", "too little contrast to see bone edges; export it with a narrower window"},
        {"blurred",
         "too blurred to see the joint space; repeat it without motion or use the original resolution"},
        {"noisy", "too noisy to measure the joint space; use the original image or repeat the exposure"},
        {"blank", "the image is blank; check the export"},
        {"wrong-modality", "the task needs a radiograph (modality CR or DX)"},
        {"wrong-body-part",
         "the file says another body part; if it is a knee, correct the tag and analyse it again"},
        {"wrong-view", "the task needs a frontal view (AP or PA)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(code, table[i].code) == 0) {
            return table[i].text;
        }
    }
    return "outside of the range that the model card allows";
}

/* ---- The whole picture ---- */

static bool is_all_finite(const reha_gray *image)
{
    /* A sum is finite only if every term is: one pass without branches. x * 0 is NaN for inf and NaN. */
    const size_t count = (size_t)image->width_px * image->height_px;
    float sum = 0.0f;
    for (size_t i = 0; i < count; i++) {
        sum += image->pixels[i] * 0.0f;
    }
    return sum == 0.0f;
}

reha_status reha_quality_of_image(const reha_gray *image, const reha_acquisition *facts, reha_quality *out,
                                  reha_grey_scale *scale, reha_error *err)
{
    for (int i = 0; i < REHA_STAT_COUNT; i++) {
        out->values[i] = (double)NAN;
    }
    *scale = (reha_grey_scale){.gain = 1.0, .offset = 0.0};
    if (!is_all_finite(image)) {
        return reha_fail(err, REHA_E_FORMAT, "the image has pixels that are not numbers; export it again");
    }
    static const double percentiles[6] = {0.1, 1.0, 50.0, 99.0, 99.9, 100.0};
    double p[6];
    REHA_TRY(reha_sample_percentiles(image, 0, 0, image->width_px, image->height_px, PERCENTILE_SAMPLE,
                                     percentiles, 6, p, err));
    const bool is_8_bit =
        facts != NULL && facts->bits_stored > 0 && facts->bits_stored <= 8 && p[5] <= 255.0 && p[0] >= 0.0;
    if (!is_8_bit && p[4] > p[0]) {
        scale->gain = 255.0 / (p[4] - p[0]);
        scale->offset = -p[0] * scale->gain;
    }
    out->values[REHA_STAT_IMAGE_SHORT_SIDE_PX] =
        image->width_px < image->height_px ? image->width_px : image->height_px;
    out->values[REHA_STAT_IMAGE_CHROMA] = facts != NULL ? facts->chroma_fraction : 0.0;
    out->values[REHA_STAT_IMAGE_CONTRAST] = (p[3] - p[1]) * scale->gain;
    out->values[REHA_STAT_IMAGE_MEAN] = p[2] * scale->gain + scale->offset;
    out->values[REHA_STAT_IMAGE_LEVELS] = p[4] - p[0];
    return REHA_OK;
}

/* ---- Rules ---- */

bool reha_quality_judge(const reha_knee_card *card, const reha_quality *quality, bool image_rules,
                        reha_note *notes, int *note_count)
{
    bool is_refused = false;
    for (int i = 0; i < card->rule_count; i++) {
        const reha_quality_rule *rule = &card->rules[i];
        const bool is_image_rule = strncmp(rule->statistic, "image_", 6) == 0;
        if (is_image_rule != image_rules) {
            continue;
        }
        double value = (double)NAN;
        for (int s = 0; s < REHA_STAT_COUNT; s++) {
            if (strcmp(rule->statistic, reha_statistic_name((reha_statistic)s)) == 0) {
                value = quality->values[s];
            }
        }
        if (isnan(value) || (value >= rule->low && value <= rule->high)) {
            continue;
        }
        const bool is_low = value < rule->low;
        if (*note_count < REHA_NOTES_MAX) {
            reha_note *note = &notes[(*note_count)++];
            note->level = rule->is_refusal ? REHA_NOTE_REFUSED : REHA_NOTE_WARNING;
            (void)snprintf(note->code, sizeof note->code, "%s", rule->code);
            (void)snprintf(note->text, sizeof note->text, "%s (%s %.3g, %s %.3g allowed)",
                           reha_gate_advice(rule->code), rule->statistic, value,
                           is_low ? "at least" : "at most", is_low ? rule->low : rule->high);
        }
        is_refused = is_refused || rule->is_refusal;
    }
    return is_refused;
}

/* ---- What the file says ---- */

static bool is_any_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(text, *list) == 0) {
            return true;
        }
    }
    return false;
}

static bool contains_any_of(const char *text, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strstr(text, *list) != NULL) {
            return true;
        }
    }
    return false;
}

const char *reha_gate_by_facts(const reha_acquisition *facts, char what[64])
{
    /* OT, SC and empty: secondary captures and careless converters write these for radiographs. */
    static const char *const modalities[] = {"CR", "DX", "RG", "RF", "OT", "SC", "XC", NULL};
    static const char *const body_parts[] = {"KNEE",     "LEG",   "EXTREMIT", "LIMB",  "FEMUR", "TIBIA",
                                             "PATELLA",  "GENU",  "KNIE",     "JOINT", "BONE",  "LOWER",
                                             "SKELETON", "WHOLE", "UNKNOWN",  NULL};
    static const char *const other_views[] = {
        "LL",           "RL",           "LAT",     "LATERAL", "LLD",     "RLD",      "ML",         "LM",
        "MEDIOLATERAL", "LATEROMEDIAL", "SKYLINE", "AXIAL",   "SUNRISE", "MERCHANT", "TANGENTIAL", NULL};
    what[0] = '\0';
    char upper[65];
    size_t n = 0;
    for (; facts->body_part[n] != '\0' && n + 1 < sizeof upper; n++) {
        upper[n] = (char)toupper((unsigned char)facts->body_part[n]);
    }
    upper[n] = '\0';
    if (facts->modality[0] != '\0' && !is_any_of(facts->modality, modalities)) {
        (void)snprintf(what, 64, "modality %s", facts->modality);
        return "wrong-modality";
    }
    if (upper[0] != '\0' && !contains_any_of(upper, body_parts)) {
        (void)snprintf(what, 64, "body part %.40s", upper);
        return "wrong-body-part";
    }
    if (is_any_of(facts->view_position, other_views)) {
        (void)snprintf(what, 64, "view %s", facts->view_position);
        return "wrong-view";
    }
    return NULL;
}
