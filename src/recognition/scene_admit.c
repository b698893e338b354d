#include "recognition/scene_admit.h"

#include "recognition/scene_priv.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define KIND(kind)  (1u << (kind))
#define RADIOGRAPHS (KIND(REHA_SCENE_KNEE) | KIND(REHA_SCENE_LIMB))
#define ULTRASOUNDS (KIND(REHA_SCENE_MUSCLE) | KIND(REHA_SCENE_ECHO))
#define MEDICAL     (RADIOGRAPHS | ULTRASOUNDS | KIND(REHA_SCENE_SLICE))

static const double SHARE_MIN = 0.02; /* where the card has no limit for a kind */
static const double CLEAR = 0.9;      /* probability from which a kind is said to contradict the file */
/* Above, a picture is more likely no medical image than one. Good limbs of the split "cal" reach 0.24,
 * muscles 0.01. */
static const double FOREIGN_MOST = 0.5;

/* One line per recogniser: what it needs. `unasked`: it is chosen where no task was named. `has_own`: it
 * admits pictures itself, by the knee's own gate or by the belly that muscle-us finds: the gate then only
 * names what it refuses. (An injured muscle is unlike the healthy ones that the gate knows: not for the gate
 * to refuse.) */
static const struct {
    const char *task;
    reha_scene_kind kind;
    bool unasked, has_own;
} needs[] = {
    /* clang-format off */
    {"knee-oa", REHA_SCENE_KNEE, true, true},
    {"muscle-us", REHA_SCENE_MUSCLE, true, false},
    {"fracture", REHA_SCENE_LIMB, false, false},
    {"muscle-injury", REHA_SCENE_MUSCLE, false, true},
    {"bone-density", REHA_SCENE_KNEE, false, true},
    /* clang-format on */
};

/* Which kinds a file can hold that states this modality. Secondary captures and careless converters write OT
 * or SC. */
static const struct {
    const char *modality;
    unsigned kinds;
} modalities[] = {
    {"CR", RADIOGRAPHS},
    {"DX", RADIOGRAPHS},
    {"RG", RADIOGRAPHS},
    {"RF", RADIOGRAPHS},
    {"XA", RADIOGRAPHS},
    {"US", ULTRASOUNDS},
    {"IVUS", KIND(REHA_SCENE_ECHO)},
    {"CT", KIND(REHA_SCENE_SLICE)},
    {"MR", KIND(REHA_SCENE_SLICE)},
    {"PT", KIND(REHA_SCENE_SLICE)},
    {"XC", KIND(REHA_SCENE_PHOTO)},
};

static unsigned kinds_by_file(const reha_acquisition *facts)
{
    for (size_t i = 0; facts != NULL && i < sizeof modalities / sizeof modalities[0]; i++) {
        if (strcmp(facts->modality, modalities[i].modality) == 0) {
            return modalities[i].kinds;
        }
    }
    return ~0u;
}

/* The most probable of the kinds that the file allows; of all, if the file says nothing. */
static reha_scene_kind likely_kind(const reha_scene *scene, unsigned allowed)
{
    int best = -1;
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        if ((allowed & KIND(k)) != 0 && (best < 0 || scene->kinds[k] > scene->kinds[best])) {
            best = k;
        }
    }
    return best < 0 ? reha_scene_verdict(scene) : (reha_scene_kind)best;
}

static double least_share(const reha_scene_card *card, reha_scene_kind kind)
{
    return card->limits[kind].is_present ? card->limits[kind].share_min : SHARE_MIN;
}

const char *reha_scene_task(const reha_scene *scene, const reha_acquisition *facts)
{
    const unsigned allowed = kinds_by_file(facts);
    const reha_scene_kind kind = likely_kind(scene, allowed);
    const char *possible = NULL;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (needs[i].unasked && needs[i].kind == kind) {
            return needs[i].task;
        }
        if (possible == NULL && needs[i].unasked && (allowed & KIND(needs[i].kind)) != 0) {
            possible = needs[i].task;
        }
    }
    return possible != NULL ? possible : needs[0].task;
}

bool reha_scene_is_unasked(const char *task)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (strcmp(needs[i].task, task) == 0) {
            return needs[i].unasked;
        }
    }
    return false;
}

/* ---- quality ---- */

static const char *fault_of_quality(const reha_scene_limits *limits, const reha_scene *scene)
{
    if (scene->shorter_px < limits->shorter_px_min) {
        return "too-small";
    }
    if (scene->contrast < limits->contrast_min) {
        return "low-contrast";
    }
    for (int f = REHA_SCENE_CLEAR + 1; f < REHA_SCENE_FLAWS; f++) {
        if (scene->flaws[f] > limits->flaw_max[f]) {
            return reha_scene_flaw_name((reha_scene_flaw)f);
        }
    }
    if (1.0 - scene->turns[REHA_SCENE_UPRIGHT] > limits->turned_max) {
        return scene->turns[REHA_SCENE_UPSIDE_DOWN] > scene->turns[REHA_SCENE_TURNED_RIGHT] &&
                       scene->turns[REHA_SCENE_UPSIDE_DOWN] > scene->turns[REHA_SCENE_TURNED_LEFT]
                   ? "upside-down"
                   : "rotated";
    }
    return NULL;
}

const char *reha_scene_fault(const reha_scene_card *card, reha_scene_kind kind, const reha_scene *scene)
{
    const reha_scene_limits *limits = &card->limits[kind];
    if (!limits->is_present) {
        return NULL;
    }
    if (scene->inverted > limits->inverted_max) {
        return "inverted";
    }
    if (scene->kinds[kind] < limits->share_min) {
        return "uncertain";
    }
    const char *fault = fault_of_quality(limits, scene); /* first: it can be mended */
    if (fault == NULL && reha_scene_modality_share(scene, kind) < limits->modality_min) {
        fault = "uncertain";
    }
    if (fault == NULL && isfinite(scene->distances[kind]) && scene->distances[kind] > limits->distance_max) {
        fault = "unlike-training";
    }
    return fault;
}

/* ---- words ---- */

/* What was seen, why that matters, what to do. */
static const char *advice_on(const char *code)
{
    static const struct {
        const char *code, *text;
    } table[] = {
        {"inverted", "bright and dark seem to be exchanged and turning them over did not help; export it "
                     "with bright bone or echo"},
        {"rotated", "the picture lies on its side; turn it by 90 degrees and analyse it again"},
        {"upside-down", "the picture stands upside down; turn it by 180 degrees and analyse it again"},
        {"blurred", "too blurred; repeat it without motion or give the original file instead of a preview"},
        {"noisy", "too noisy; give the original file or repeat the exposure"},
        {"burnt-out", "most of it is white (over-exposed or clipped); export it with a wider window"},
        {"part", "only a small part is shown, so that the rest cannot be told; give the whole picture"},
        {"low-contrast",
         "hardly any contrast (empty, too dark or wrongly windowed); export it with a narrower window"},
        {"too-small",
         "smaller than any picture that the model learned from; give the original, not a preview"},
        {"uncertain",
         "cannot be told to be what this recogniser reads; give a standard view of the whole part"},
        {"unlike-training",
         "unlike the pictures that the model learned from, so its answer could not be trusted; have it read "
         "by a person"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].code, code) == 0) {
            return table[i].text;
        }
    }
    return "it is not what this recogniser reads";
}

/* Code of a refusal by what the picture is instead: the knee's own where it has one. */
static const char *code_of_kind(reha_scene_kind kind)
{
    static const char *const codes[REHA_SCENE_KINDS] = {
        [REHA_SCENE_KNEE] = "knee-radiograph",  [REHA_SCENE_LIMB] = "not-a-knee",
        [REHA_SCENE_MUSCLE] = "ultrasound",     [REHA_SCENE_ECHO] = "other-ultrasound",
        [REHA_SCENE_SLICE] = "ct-or-mr-slice",  [REHA_SCENE_PHOTO] = "not-a-radiograph",
        [REHA_SCENE_PAGE] = "not-a-radiograph", [REHA_SCENE_BLANK] = "blank"};
    return codes[kind];
}

/* The recogniser that reads such pictures, for the advice. */
static const char *reader_of(reha_scene_kind kind)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (needs[i].kind == kind) {
            return needs[i].task;
        }
    }
    return NULL;
}

/* "the file says modality US, but ": what contradicts the picture; empty: nothing does. */
static void contradiction(const reha_acquisition *facts, reha_scene_kind seen, const reha_scene *scene,
                          char out[64])
{
    out[0] = '\0';
    if (facts == NULL || scene->kinds[seen] < CLEAR) {
        return;
    }
    if ((kinds_by_file(facts) & KIND(seen)) == 0) {
        (void)snprintf(out, 64, "the file says modality %.16s, but ", facts->modality);
    } else if ((RADIOGRAPHS & KIND(seen)) != 0 && facts->body_part[0] != '\0') {
        const bool says_knee =
            strstr(facts->body_part, "KNEE") != NULL || strstr(facts->body_part, "GENU") != NULL;
        const bool says_hand =
            strstr(facts->body_part, "HAND") != NULL || strstr(facts->body_part, "WRIST") != NULL ||
            strstr(facts->body_part, "ELBOW") != NULL || strstr(facts->body_part, "FOOT") != NULL;
        if ((says_knee && seen == REHA_SCENE_LIMB) || (says_hand && seen == REHA_SCENE_KNEE)) {
            (void)snprintf(out, 64, "the file says %.32s, but ", facts->body_part);
        }
    }
}

static void say_something_else(const reha_scene *scene, reha_scene_kind needed, reha_scene_kind seen,
                               const char *file_says, reha_scene_admission *out)
{
    char advice[64] = "choose the right file";
    const char *reader = reader_of(seen);
    if (reader != NULL) {
        (void)snprintf(advice, sizeof advice, "that is read by %s", reader);
    }
    out->is_refused = true;
    (void)snprintf(out->code, sizeof out->code, "%s", code_of_kind(seen));
    (void)snprintf(out->text, sizeof out->text, "%sthis looks like %s (%.0f %%), not %s; %s", file_says,
                   reha_scene_text(seen), 100.0 * scene->kinds[seen], reha_scene_text(needed), advice);
}

/* ---- the table ---- */

/* What the picture is instead of the kind that is needed; that kind, if it may be one. */
static reha_scene_kind what_instead(const reha_scene_card *card, reha_scene_kind needed,
                                    const reha_scene *scene)
{
    double foreign = 0.0;
    for (int k = 0; k < REHA_SCENE_KINDS; k++) {
        foreign += (MEDICAL & KIND(k)) == 0 ? scene->kinds[k] : 0.0;
    }
    return foreign > FOREIGN_MOST                             ? likely_kind(scene, ~MEDICAL)
           : scene->kinds[needed] < least_share(card, needed) ? reha_scene_verdict(scene)
                                                              : needed;
}

reha_scene_admission reha_scene_admit(const reha_model *gate, const char *task, const reha_scene *scene,
                                      const reha_acquisition *facts)
{
    reha_scene_admission out = {0};
    size_t line = 0;
    while (line < sizeof needs / sizeof needs[0] && strcmp(needs[line].task, task) != 0) {
        line++;
    }
    if (line == sizeof needs / sizeof needs[0]) {
        return out;
    }
    const reha_scene_kind needed = needs[line].kind;
    const reha_scene_kind seen = reha_scene_verdict(scene);
    char file_says[64];
    contradiction(facts, seen, scene, file_says);
    if ((kinds_by_file(facts) & KIND(needed)) == 0) {
        out.is_refused = true;
        (void)snprintf(out.code, sizeof out.code, "wrong-modality");
        (void)snprintf(
            out.text, sizeof out.text,
            "the file says modality %.16s, but %s is needed; if the picture is one, correct this tag in the file",
            facts->modality, reha_scene_text(needed));
        return out;
    }
    if (needs[line].has_own) {
        if (seen != needed && scene->kinds[seen] >= CLEAR) {
            say_something_else(scene, needed, seen, file_says, &out);
            out.is_refused = false;
            out.names_refusal = true;
        }
        return out;
    }
    const char *fault = reha_scene_fault(&gate->card, needed, scene);
    if (fault != NULL && strcmp(fault, "inverted") == 0) {
        out.turns_over = true; /* the rest is judged when it is turned over */
        (void)snprintf(out.code, sizeof out.code, "%s", fault);
        (void)snprintf(out.text, sizeof out.text, "%s", advice_on(fault));
        return out;
    }
    const reha_scene_kind instead = what_instead(&gate->card, needed, scene);
    if (instead != needed) {
        say_something_else(scene, needed, instead, file_says, &out);
        return out;
    }
    if (fault != NULL) {
        out.is_refused = true;
        (void)snprintf(out.code, sizeof out.code, "%s", fault);
        (void)snprintf(out.text, sizeof out.text, "%s", advice_on(fault));
    } else if (file_says[0] != '\0') {
        out.has_warning = true;
        (void)snprintf(out.code, sizeof out.code, "file-contradicts");
        (void)snprintf(out.text, sizeof out.text,
                       "%sthe picture looks like %s: check that it is the right file.", file_says,
                       reha_scene_text(seen));
    }
    return out;
}
