/* De-identification: each action, nested sequences, private elements, dates, pixels, hostile files. Secrets
 * are planted where names hide, and every byte of the copy is searched. */
#include "builder.h"
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "dicom/deidentify.h"
#include "dicom/deidentify_priv.h"
#include "dicom/dicom.h"
#include "store/secret.h"

#include <math.h>
#include <stdio.h>

#include "../../../fuzz/fuzz_deidentify.c"

#define SECRET "ZZSECRET"
#define CORPUS REHA_SOURCE_DIR "/fuzz/corpus/deidentify"

static const uint8_t KEY[REHA_KEY_BYTES] = {1, 2, 3};
static const uint8_t OTHER_KEY[REHA_KEY_BYTES] = {4, 5, 6};

static void mac(const void *context, const void *bytes, size_t count, char out[REHA_DEID_TEXT_BYTES])
{
    reha_mac(context, bytes, count, out);
}

static reha_deid_options with_key(const uint8_t *key)
{
    return (reha_deid_options){.mac = mac, .mac_context = key};
}

/* ---- a file with a secret wherever a text can stand ---- */

typedef struct recipe {
    const char *syntax;
    const char *class_uid; /* NULL: MR */
    const char *burned_in; /* NULL: not there */
    const char *patient_id;
    const char *date;
    bool with_regions;
    bool with_overlay; /* hidden in the high bits */
    bool with_secrets;
} recipe;

static void b_person(builder *b)
{
    b_text(b, 0x00080090, "PN", SECRET "^PHYSICIAN");
    b_text(b, 0x00081048, "PN", SECRET);
    b_text(b, 0x00081070, "PN", SECRET);
    b_text(b, 0x00081080, "LO", SECRET);
}

static void b_nested_secrets(builder *b)
{
    b_sequence(b, 0x00400275); /* Request Attributes: not on the list */
    b_item(b);
    b_text(b, 0x00321060, "LO", SECRET);
    b_sequence(b, 0x00081140); /* on the list, but within what is not */
    b_item(b);
    b_text(b, 0x00081155, "UI", "1.2.3.9");
    b_text(b, 0x00100010, "PN", SECRET);
    b_item_end(b);
    b_sequence_end(b);
    b_item_end(b);
    b_sequence_end(b);
}

static void b_private(builder *b, uint32_t group)
{
    b_text(b, group << 16 | 0x0010, "LO", SECRET);
    b_text(b, group << 16 | 0x1001, "LO", SECRET);
    b_octets(b, group << 16 | 0x1002, "UN", SECRET, 8);
    b_sequence(b, group << 16 | 0x1003);
    b_item(b);
    b_text(b, 0x00100010, "PN", SECRET);
    b_text(b, 0x00280030, "DS", "0.5\\0.5");
    b_item_end(b);
    b_sequence_end(b);
}

static void b_referenced(builder *b, bool with_secrets)
{
    b_sequence(b, 0x00081140);
    b_item(b);
    b_text(b, 0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.4");
    b_text(b, 0x00081155, "UI", "1.2.3.9");
    if (with_secrets) {
        b_text(b, 0x00100010, "PN", SECRET);
        b_private(b, 0x0011);
    }
    b_item_end(b);
    b_sequence_end(b);
}

static void b_regions(builder *b, bool with_secrets)
{
    b_sequence(b, 0x00186011);
    b_item(b);
    b_u16(b, 0x00186012, 1);
    b_u16(b, 0x00186014, 1);
    b_u32(b, 0x00186018, 2);
    b_u32(b, 0x0018601A, 2);
    b_u32(b, 0x0018601C, 5);
    b_u32(b, 0x0018601E, 5);
    b_u16(b, 0x00186024, 3);
    b_u16(b, 0x00186026, 3);
    b_f64(b, 0x0018602C, 0.01);
    b_f64(b, 0x0018602E, 0.02);
    if (with_secrets) {
        b_text(b, 0x00186031, "CS", SECRET);
        b_text(b, 0x00204000, "LT", SECRET);
    }
    b_item_end(b);
    b_sequence_end(b);
}

enum { SIDE = 8 };

static uint16_t cell_of(uint32_t i)
{
    return (uint16_t)(100 + 7 * i);
}

static builder make(recipe r)
{
    static const uint8_t version[2] = {0, 1};
    const bool s = r.with_secrets;
    uint16_t cells[SIDE * SIDE];
    builder b = b_start(r.syntax);
    const bool is_implicit = b.is_implicit;
    const bool is_big = b.is_big_endian;
    if (s) {
        memcpy(b.data + 10, SECRET, 8);
        b.is_implicit = b.is_big_endian = false;
        b_octets(&b, 0x00020001, "OB", version, 2);
        b_text(&b, 0x00020016, "AE", SECRET);
        b_text(&b, 0x00020100, "UI", "1.2.3");
        b_octets(&b, 0x00020102, "OB", SECRET, 8);
        b.is_implicit = is_implicit;
        b.is_big_endian = is_big;
    }
    b_text(&b, 0x00080005, "CS", "ISO_IR 100");
    b_text(&b, 0x00080008, "CS", s ? "ORIGINAL\\PRIMARY\\" SECRET "\\M" : "ORIGINAL\\PRIMARY\\M");
    b_text(&b, 0x00080016, "UI", r.class_uid != NULL ? r.class_uid : "1.2.840.10008.5.1.4.1.1.4");
    b_text(&b, 0x00080018, "UI", "1.2.3.4");
    b_text(&b, 0x00080020, "DA", r.date != NULL ? r.date : "20260131");
    b_text(&b, 0x00080022, "DA", r.date != NULL ? r.date : "20260131");
    b_text(&b, 0x0008002A, "DT", "20260131123456.5");
    b_text(&b, 0x00080030, "TM", "123456");
    b_text(&b, 0x00080050, "SH", "ACC" SECRET);
    b_text(&b, 0x00080060, "CS", r.with_regions ? "US" : "MR");
    b_text(&b, 0x00080070, "LO", "SIEMENS");
    b_text(&b, 0x00080080, "LO", "Hospital " SECRET);
    b_person(&b);
    b_text(&b, 0x00081090, "LO", s ? "Machine of " SECRET : "Avanto");
    b_referenced(&b, s);
    if (s) {
        b_private(&b, 0x0009);
    }
    b_text(&b, 0x00100010, "PN", SECRET "^JANE");
    b_text(&b, 0x00100020, "LO", r.patient_id != NULL ? r.patient_id : SECRET "-4711");
    b_text(&b, 0x00100030, "DA", "19500101");
    b_text(&b, 0x00100040, "CS", "F");
    b_text(&b, 0x00104000, "LT", SECRET);
    b_text(&b, 0x00180015, "CS", s ? SECRET : "KNEE");
    b_text(&b, 0x00180050, "DS", "3.5");
    b_text(&b, 0x00181030, "LO", SECRET);
    b_text(&b, 0x00185101, "CS", "AP");
    if (r.with_regions) {
        b_regions(&b, s);
    }
    b_text(&b, 0x0020000D, "UI", "1.2.3");
    b_text(&b, 0x0020000E, "UI", "1.2.3.1");
    b_text(&b, 0x00200010, "SH", SECRET);
    b_text(&b, 0x00200013, "IS", s ? SECRET : "7");
    b_text(&b, 0x00200020, "CS", "A\\F");
    b_text(&b, 0x00200062, "CS", "R");
    b_text(&b, 0x00204000, "LT", SECRET);
    b_pixel_module(&b,
                   (pixel_module){.columns = SIDE, .rows = SIDE, .bits_allocated = 16, .bits_stored = 12});
    b_text(&b, 0x00280030, "DS", "0.25\\0.25");
    if (r.burned_in != NULL) {
        b_text(&b, 0x00280301, "CS", r.burned_in);
    }
    b_nested_secrets(&b);
    if (s) {
        b_text(&b, 0x50000022, "LO", SECRET);
        b_text(&b, 0x60000022, "LO", SECRET);
        b_octets(&b, 0x60003000, "OW", SECRET, 8);
    }
    if (r.with_overlay) {
        b_u16(&b, 0x60000100, 16);
        b_u16(&b, 0x60000102, 12);
    }
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        cells[i] = (uint16_t)(cell_of(i) | (r.with_overlay ? 0x7000 : 0));
    }
    b_words(&b, 0x7FE00010, cells, SIDE * SIDE);
    if (s) {
        b_octets(&b, 0xFFFCFFFC, "OB", SECRET, 8);
        b_bytes(&b, SECRET SECRET, 16); /* and behind the end */
    }
    return b;
}

/* ---- looking at a copy ---- */

static bool holds(const uint8_t *bytes, size_t count, const char *text)
{
    const size_t length = strlen(text);
    for (size_t at = 0; at + length <= count; at++) {
        if (memcmp(bytes + at, text, length) == 0) {
            return true;
        }
    }
    return false;
}

static reha_dcm_dataset parse_copy(const reha_deid_result *copy)
{
    reha_dcm_dataset set;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_dcm_parse(copy->bytes, copy->size_bytes, &set, &err), &err);
    return set;
}

static void assert_text(const reha_dcm_dataset *set, uint32_t tag, const char *expected)
{
    char text[256] = "";
    const reha_dcm_node *node = reha_dcm_find(set, reha_dcm_root(set), tag);
    if (expected == NULL) {
        assert_null(node);
        return;
    }
    assert_non_null(node);
    assert_true(node->length < sizeof text);
    memcpy(text, set->bytes + node->offset, node->length);
    for (size_t end = node->length; end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\0'); end--) {
        text[end - 1] = '\0';
    }
    assert_string_equal(text, expected);
}

static reha_deid_result run(const builder *b, reha_deid_options options)
{
    reha_deid_result copy;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_dicom_deidentify(b->data, b->length, &options, &copy, &err), &err);
    assert_false(holds(copy.bytes, copy.size_bytes, SECRET));
    return copy;
}

static void assert_refused(const builder *b, reha_deid_options options, reha_status expected,
                           const char *words)
{
    reha_deid_result copy;
    reha_error err = REHA_ERROR_INIT;
    const size_t blocks = reha_mem_live_blocks();
    assert_int_equal(reha_dicom_deidentify(b->data, b->length, &options, &copy, &err), expected);
    assert_null(copy.bytes);
    if (strstr(err.text, words) == NULL) {
        fail_msg("'%s' does not say '%s'", err.text, words);
    }
    assert_null(strstr(err.text, SECRET));
    assert_int_equal(reha_mem_live_blocks(), blocks);
}

/* ---- the list ---- */

static void test_list(void **state)
{
    /* Attributes of table E.1-1 that no option of ours keeps, and others of their kind. */
    static const uint32_t never[] = {
        0x00080005, 0x00080012, 0x00080014, 0x00080024, 0x00080025, 0x00080032, 0x00080033, 0x00080080,
        0x00080081, 0x00080092, 0x00080201, 0x00081010, 0x00081030, 0x0008103E, 0x00081040, 0x00081050,
        0x00081060, 0x00081110, 0x00081111, 0x00081120, 0x00081195, 0x00082111, 0x00083010, 0x00084000,
        0x00101000, 0x00101010, 0x00101020, 0x00101030, 0x00102160, 0x001021B0, 0x00104000, 0x00180010,
        0x00181000, 0x00181002, 0x00181004, 0x00181020, 0x00181030, 0x00181400, 0x0018700A, 0x00200200,
        0x00204000, 0x00280A04, 0x00282000, 0x00321060, 0x00324000, 0x00380500, 0x00400244, 0x00400253,
        0x00400275, 0x00400555, 0x0040A730, 0x00420011, 0x00700001, 0x00880200, 0x04000100, 0x04000561,
        0x40000010, 0xFFFAFFFA, 0xFFFCFFFC};
    (void)state;
    for (size_t i = 0; i < reha_deid_rule_count; i++) {
        const deid_rule *rule = &reha_deid_rules[i];
        assert_true(i == 0 || rule[-1].tag < rule->tag);
        assert_ptr_equal(reha_deid_find_rule(rule->tag), rule);
        assert_int_equal((rule->tag >> 16) % 2, 0); /* nothing private, no file meta, no overlay */
        assert_true(rule->tag >> 16 != 2 && rule->tag >> 24 != 0x60 && rule->tag >> 24 != 0x50);
        if (rule->action == DEID_KEEP || rule->action == DEID_CLEAN) { /* nothing is kept without a check */
            assert_true(rule->check != DEID_ANY);
            assert_true((rule->check == DEID_BINARY || rule->check == DEID_TABLE) ==
                        (strstr("US SS UL SL FD AT OW", rule->vr) != NULL));
        }
    }
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_null(reha_deid_find_rule(never[i]));
    }
    for (uint32_t group = 0x6000; group <= 0x60FF; group++) {
        assert_null(reha_deid_find_rule(group << 16 | 0x3000));
    }
}

static void test_words(void **state)
{
    (void)state;
    static const char *const good[] = {"KNEE", "YBR_FULL_422", "Knee joint", "ISO_10918_1", "AP", ""};
    static const char *const bad[] = {SECRET, "KNEE OF SMITH", "KNEE^JANE", "4711", "KNEE\nM", "M\xFCller"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(reha_deid_are_known_words(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reha_deid_are_known_words(bad[i], strlen(bad[i])));
    }
    assert_true(reha_deid_is_code("T-D9200") && reha_deid_is_code("72696002"));
    assert_false(reha_deid_is_code(SECRET) || reha_deid_is_code("T-SMITH") || reha_deid_is_code("JANE"));
}

/* ---- actions ---- */

static void test_actions(void **state)
{
    (void)state;
    const builder b = make((recipe){.syntax = TS_EXPLICIT});
    reha_deid_result copy = run(&b, with_key(KEY));
    const reha_dcm_dataset set = parse_copy(&copy);
    char uid[65];
    assert_text(&set, 0x00080008, "ORIGINAL\\PRIMARY\\M"); /* K */
    assert_text(&set, 0x00080060, "MR");
    assert_text(&set, 0x00180015, "KNEE");
    assert_text(&set, 0x00180050, "3.5");
    assert_text(&set, 0x00185101, "AP");
    assert_text(&set, 0x00200020, "A\\F");
    assert_text(&set, 0x00200062, "R");
    assert_text(&set, 0x00280030, "0.25\\0.25");
    assert_text(&set, 0x00200013, "7");
    assert_text(&set, 0x00080050, ""); /* Z */
    assert_text(&set, 0x00080090, "");
    assert_text(&set, 0x00100030, "");
    assert_text(&set, 0x00100040, "");
    assert_text(&set, 0x00200010, "");
    assert_text(&set, 0x00080020, ""); /* a day, which is required; others go */
    assert_text(&set, 0x00080022, NULL);
    assert_text(&set, 0x0008002A, NULL);
    assert_text(&set, 0x00080030, "");
    assert_text(&set, 0x00080070, "");
    assert_text(&set, 0x00081090, NULL);
    assert_text(&set, 0x00080080, NULL); /* X */
    assert_text(&set, 0x00081030, NULL);
    assert_text(&set, 0x00400275, NULL);
    assert_text(&set, 0x00100010, copy.pseudonym); /* D */
    assert_text(&set, 0x00100020, copy.pseudonym);
    assert_text(&set, 0x00120062, "YES"); /* the marks */
    assert_text(&set, 0x00280303, "REMOVED");
    assert_text(&set, 0x00080018, copy.sop_uid); /* U */
    assert_text(&set, 0x0020000E, copy.series_uid);
    assert_text(&set, 0x00020003, copy.sop_uid);
    assert_true(strncmp(copy.sop_uid, "2.25.", 5) == 0 && strcmp(copy.sop_uid, copy.series_uid) != 0);

    reha_dcm_scope item;
    assert_true(reha_dcm_item(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00120064), 0, &item));
    assert_true(reha_dcm_text(&set, reha_dcm_find(&set, item, 0x00080100), 0, uid, sizeof uid));
    assert_string_equal(uid, "113100");
    assert_int_equal(reha_dcm_item_count(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00120064)), 1);

    assert_true(
        reha_dcm_item(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00081140), 0, &item)); /* nested U */
    assert_true(reha_dcm_text(&set, reha_dcm_find(&set, item, 0x00081155), 0, uid, sizeof uid));
    assert_true(strncmp(uid, "2.25.", 5) == 0);

    assert_true(copy.has_patient_number && !copy.is_blanked && copy.removed > 10 &&
                copy.removed_private == 0);
    bool told = false;
    for (size_t i = 0; i < copy.removed_tag_count; i++) {
        assert_true(i == 0 || copy.removed_tags[i - 1] < copy.removed_tags[i]);
        told = told || copy.removed_tags[i] == 0x00080080;
    }
    assert_true(told);
    reha_dcm_clear((reha_dcm_dataset *)&set);
    reha_deid_clear(&copy);
    b_end((builder *)&b);
}

/* Where a secret stands in an element of the list, the element goes or its word is exchanged. */
static void test_secrets(void **state)
{
    static const char *const syntaxes[] = {TS_IMPLICIT, TS_EXPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t i = 0; i < sizeof syntaxes / sizeof syntaxes[0]; i++) {
        builder b = make(
            (recipe){.syntax = syntaxes[i], .with_secrets = true, .with_regions = true, .burned_in = "NO"});
        reha_deid_options options = with_key(KEY);
        options.keeps_device = true;
        options.shifts_dates = true;
        size_t planted = 0;
        for (size_t at = 0; at + 8 <= b.length; at++) {
            planted += memcmp(b.data + at, SECRET, 8) == 0;
        }
        assert_true(planted > 35);
        reha_deid_result copy = run(&b, options);
        reha_dcm_dataset set = parse_copy(&copy);
        assert_string_equal(set.transfer_syntax_uid, syntaxes[i]);
        assert_text(&set, 0x00080008, "ORIGINAL\\PRIMARY\\OTHER\\M"); /* C */
        assert_text(&set, 0x00180015, NULL);
        assert_text(&set, 0x00200013, NULL);
        assert_text(&set, 0x00080070, "SIEMENS");
        assert_text(&set, 0x00081090, NULL); /* holds a word of the patient's name */
        assert_true(copy.removed_private >= 4);
        for (uint32_t n = 0; n < set.node_count; n++) {
            assert_int_equal((set.nodes[n].tag >> 16) % 2 == 1 && set.nodes[n].tag != TAG_ITEM, 0);
            assert_true(set.nodes[n].tag == TAG_ITEM || set.nodes[n].tag >> 16 == 2 ||
                        set.nodes[n].tag == 0x00080100 || set.nodes[n].tag == 0x00080102 ||
                        set.nodes[n].tag == 0x00080104 || reha_deid_find_rule(set.nodes[n].tag) != NULL);
        }
        reha_dicom *dicom;
        reha_dicom_region region;
        reha_error err = REHA_ERROR_INIT;
        assert_ok(reha_dicom_open(copy.bytes, copy.size_bytes, NULL, &dicom, &err), &err);
        assert_int_equal(reha_dicom_region_count(dicom, 0), 1);
        assert_true(reha_dicom_get_region(dicom, 0, 0, &region));
        assert_true(region.box.x_px == 2 && region.box.width_px == 4 &&
                    fabs(region.spacing.y_mm - 0.2) < 1e-12);
        reha_dicom_close(dicom);
        reha_dcm_clear(&set);
        reha_deid_clear(&copy);
        b_end(&b);
    }
}

static void test_codes(void **state)
{
    (void)state;
    static const struct {
        const char *code, *scheme, *meaning, *expected; /* NULL: the sequence goes */
    } table[] = {{"T-D9200", "SRT", "Knee joint", "Knee joint"},
                 {"72696002", "SCT", SECRET, "removed"},
                 {SECRET, "SCT", "Knee", NULL},
                 {"72696002", SECRET, "Knee", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4");
        b_sequence(&b, 0x00082218);
        b_item(&b);
        b_text(&b, 0x00080100, "SH", table[i].code);
        b_text(&b, 0x00080102, "SH", table[i].scheme);
        b_text(&b, 0x00080104, "LO", table[i].meaning);
        b_text(&b, 0x00080107, "DT", SECRET);
        b_item_end(&b);
        b_sequence_end(&b);
        b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
        b_octets(&b, 0x7FE00010, "OB", "abcd", 4);
        reha_deid_result copy = run(&b, with_key(KEY));
        reha_dcm_dataset set = parse_copy(&copy);
        reha_dcm_scope item;
        char text[65];
        const bool is_there =
            reha_dcm_item(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00082218), 0, &item);
        assert_int_equal(is_there, table[i].expected != NULL);
        if (is_there) {
            assert_true(reha_dcm_text(&set, reha_dcm_find(&set, item, 0x00080104), 0, text, sizeof text));
            assert_string_equal(text, table[i].expected);
        }
        assert_false(copy.has_patient_number);
        reha_dcm_clear(&set);
        reha_deid_clear(&copy);
        b_end(&b);
    }
}

/* Two visits of one patient, and another one, under one key and under another. */
static void test_links(void **state)
{
    (void)state;
    builder b[3] = {make((recipe){.syntax = TS_EXPLICIT, .date = "20251230"}),
                    make((recipe){.syntax = TS_IMPLICIT, .date = "20260228"}),
                    make((recipe){.syntax = TS_EXPLICIT, .date = "20251230", .patient_id = SECRET "-4712"})};
    reha_deid_result copy[4];
    char date[4][16];
    long day[4];
    for (int i = 0; i < 4; i++) {
        reha_deid_options options = with_key(i < 3 ? KEY : OTHER_KEY);
        options.shifts_dates = true;
        copy[i] = run(&b[i % 3], options);
        reha_dcm_dataset set = parse_copy(&copy[i]);
        assert_true(
            reha_dcm_text(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00080022), 0, date[i], 16));
        assert_true(reha_day_parse_compact(date[i], &day[i]));
        assert_text(&set, 0x00080020, date[i]);
        assert_text(&set, 0x00080030, ""); /* no time of day */
        assert_text(&set, 0x00100030, ""); /* no birth date, shifted or not */
        assert_text(&set, 0x00280303, "MODIFIED");
        assert_int_equal(reha_dcm_item_count(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00120064)), 2);
        reha_dcm_clear(&set);
    }
    assert_string_equal(copy[0].pseudonym, copy[1].pseudonym);
    assert_string_equal(copy[0].sop_uid, copy[1].sop_uid); /* the same UID in the same under one key */
    assert_string_not_equal(copy[0].pseudonym, copy[2].pseudonym);
    assert_string_not_equal(copy[0].pseudonym, copy[3].pseudonym);
    assert_string_not_equal(copy[0].sop_uid, copy[3].sop_uid);
    assert_int_equal(day[1] - day[0], 60); /* 30 December to 28 February */
    long original;
    assert_true(reha_day_parse_compact("20251230", &original));
    assert_true(original - day[0] >= 30 && original - day[0] <= 3650);
    assert_true(day[0] != day[2] && day[0] != day[3]);
    for (int i = 0; i < 4; i++) {
        reha_deid_clear(&copy[i]);
    }
    for (int i = 0; i < 3; i++) {
        b_end(&b[i]);
    }
}

static void test_days(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "2026013",  "20260230", "20261301",
                                      "20260100", "2026013A", "17991231"};
    long days;
    char text[9];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reha_day_parse_compact(bad[i], &days));
    }
    assert_true(reha_day_parse_compact("19700101", &days) && days == 0);
    assert_true(reha_day_parse_compact("20240229", &days));
    reha_day_format_compact(days + 1, text);
    assert_string_equal(text, "20240301");
    reha_day_format_compact(days - 366, text);
    assert_string_equal(text, "20230228");
}

/* ---- pixels ---- */

static uint16_t stored_at(const reha_deid_result *copy, uint32_t i)
{
    reha_dicom *dicom;
    reha_gray *image;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_dicom_open(copy->bytes, copy->size_bytes, NULL, &dicom, &err), &err);
    assert_ok(reha_dicom_read_stored(dicom, 0, &image, &err), &err);
    const uint16_t value = (uint16_t)image->pixels[i];
    reha_gray_free(image);
    reha_dicom_close(dicom);
    return value;
}

static void test_burned_in(void **state)
{
    static const struct {
        const char *class_uid, *burned_in;
        bool with_regions, passes;
    } table[] = {{NULL, NULL, false, true},
                 {NULL, "NO", false, true},
                 {NULL, "YES", false, false},
                 {NULL, NULL, true, false}, /* by its modality */
                 {"1.2.840.10008.5.1.4.1.1.7", NULL, false, false},
                 {"1.2.840.10008.5.1.4.1.1.7", "NO", false, true},
                 {"1.2.840.10008.5.1.4.1.1.7", SECRET, false, false},
                 {"1.2.840.10008.5.1.4.1.1.6.1", "NO", true, true},
                 {"1.2.840.10008.5.1.4.1.1.6.1", NULL, true, false},
                 {"1.2.840.10008.5.1.4.1.1.3.1", "YES", true, false}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        builder b = make((recipe){.syntax = TS_EXPLICIT,
                                  .class_uid = table[i].class_uid,
                                  .burned_in = table[i].burned_in,
                                  .with_regions = table[i].with_regions});
        reha_deid_options options = with_key(KEY);
        if (table[i].passes) {
            reha_deid_result copy = run(&b, options);
            reha_deid_clear(&copy);
        } else {
            assert_refused(&b, options, REHA_E_REFUSED, "--accept-burned-in");
        }
        options.accepts_burned_in = true;
        reha_deid_result copy = run(&b, options);
        assert_int_equal(stored_at(&copy, 0), cell_of(0));
        reha_deid_clear(&copy);
        b_end(&b);
    }
}

static void test_blanks(void **state)
{
    static const char *const syntaxes[] = {TS_IMPLICIT, TS_EXPLICIT, TS_BIG_ENDIAN};
    (void)state;
    for (size_t s = 0; s < sizeof syntaxes / sizeof syntaxes[0]; s++) {
        builder b = make((recipe){.syntax = syntaxes[s], .with_regions = true});
        for (int round = 0; round < 2; round++) {
            reha_deid_options options = with_key(KEY);
            options.blanks_outside_regions = round == 1;
            if (round == 0) {
                options.blanks[options.blank_count++] = (reha_box_px){0, 0, SIDE, 2};
            }
            reha_deid_result copy = run(&b, options);
            reha_dcm_dataset set = parse_copy(&copy);
            assert_true(copy.is_blanked);
            /* Only who names boxes has looked: outside of regions is not everywhere. */
            assert_text(&set, 0x00280301, round == 0 ? "NO" : NULL);
            assert_int_equal(reha_dcm_item_count(&set, reha_dcm_find(&set, reha_dcm_root(&set), 0x00120064)),
                             round == 0 ? 2 : 1);
            for (uint32_t i = 0; i < SIDE * SIDE; i++) {
                const uint32_t x = i % SIDE;
                const uint32_t y = i / SIDE;
                const bool is_inside = round == 0 ? y >= 2 : x >= 2 && x <= 5 && y >= 2 && y <= 5;
                assert_int_equal(stored_at(&copy, i), is_inside ? cell_of(i) : 0);
            }
            reha_dcm_clear(&set);
            reha_deid_clear(&copy);
        }
        b_end(&b);
    }
    builder b = make((recipe){.syntax = TS_EXPLICIT});
    reha_deid_options options = with_key(KEY);
    options.blanks[options.blank_count++] = (reha_box_px){SIDE, 0, 4, 4};
    assert_refused(&b, options, REHA_E_ARG, "outside");
    b_end(&b);
}

/* Colour of every layout: the box is black, the rest is what it was. */
static void test_blank_colours(void **state)
{
    static const struct {
        const char *photometric;
        uint16_t samples, planar;
        size_t bytes;
    } table[] = {{"RGB", 3, 0, 48}, {"RGB", 3, 1, 48}, {"YBR_FULL", 3, 0, 48}, {"YBR_FULL_422", 3, 0, 32}};
    (void)state;
    for (size_t t = 0; t < sizeof table / sizeof table[0]; t++) {
        uint8_t pixels[48];
        builder b = b_start(TS_EXPLICIT);
        b_text(&b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.6.1");
        b_pixel_module(&b, (pixel_module){.columns = 4,
                                          .rows = 4,
                                          .samples = table[t].samples,
                                          .bits_allocated = 8,
                                          .photometric = table[t].photometric});
        b_u16(&b, 0x00280006, table[t].planar);
        for (size_t i = 0; i < sizeof pixels; i++) {
            pixels[i] = (uint8_t)(128 + i % 3);
        }
        b_octets(&b, 0x7FE00010, "OB", pixels, table[t].bytes);
        reha_deid_options options = with_key(KEY);
        options.blanks[options.blank_count++] = (reha_box_px){0, 0, 4, 1};
        reha_deid_result copy = run(&b, options);
        for (uint32_t i = 0; i < 16; i++) {
            const uint16_t value = stored_at(&copy, i);
            assert_true(i < 4 ? value == 0 : value >= 126);
        }
        reha_deid_clear(&copy);
        b_end(&b);
    }
}

static void test_hidden_overlay(void **state)
{
    (void)state;
    builder b = make((recipe){.syntax = TS_BIG_ENDIAN, .with_overlay = true});
    reha_deid_result copy = run(&b, with_key(KEY));
    reha_dcm_dataset set = parse_copy(&copy);
    const reha_dcm_node *pixels = reha_dcm_find(&set, reha_dcm_root(&set), 0x7FE00010);
    assert_true(copy.has_cleared_overlay);
    assert_text(&set, 0x60000102, NULL);
    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        assert_int_equal(reha_dcm_u16_at(&set, pixels, i), cell_of(i)); /* the four high bits are 0 */
    }
    reha_dcm_clear(&set);
    reha_deid_clear(&copy);
    b_end(&b);
}

/* Bytes behind the declared frames are no pixels. */
static void test_excess_pixels(void **state)
{
    (void)state;
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4");
    b_pixel_module(&b, (pixel_module){.columns = 2, .rows = 2, .bits_allocated = 8});
    b_octets(&b, 0x7FE00010, "OB", "abcd" SECRET, 12);
    reha_deid_result copy = run(&b, with_key(KEY));
    assert_int_equal(stored_at(&copy, 3), 'd');
    reha_deid_clear(&copy);
    b_end(&b);
}

static void test_streams(void **state)
{
    (void)state;
    static const struct {
        const char *syntax;
        uint8_t bytes[96];
        size_t count;
        bool is_sound;
    } table[] = {
        {"1.2.840.10008.1.2.4.50", /* comment, EXIF, scan with stuffed bytes, tail */
         {0xFF, 0xD8, 0xFF, 0xFE, 0,   10,   'Z',  'Z', 'S', 'E', 'C',  'R',  'E', 'T', 0xFF, 0xE1,
          0,    10,   'Z',  'Z',  'S', 'E',  'C',  'R', 'E', 'T', 0xFF, 0xDA, 0,   2,   1,    0xFF,
          0,    2,    0xFF, 0xD0, 3,   0xFF, 0xD9, 'Z', 'Z', 'S', 'E',  'C',  'R', 'E', 'T'},
         47,
         true},
        {"1.2.840.10008.1.2.4.90", /* comment in the main header, tail */
         {0xFF, 0x4F, 0xFF, 0x64, 0,    12,  0,   1,   'Z', 'Z', 'S', 'E', 'C', 'R',  'E',
          'T',  0xFF, 0x90, 0,    10,   0,   0,   0,   0,   0,   0,   0,   1,   0xFF, 0x93,
          1,    2,    3,    0xFF, 0xD9, 'Z', 'Z', 'S', 'E', 'C', 'R', 'E', 'T'},
         43,
         true},
        {"1.2.840.10008.1.2.5", {1, 0, 0, 0, 64, 0, 0, 0, 'Z', 'Z', 'S', 'E', 'C', 'R', 'E', 'T'}, 66, true},
        {"1.2.840.10008.1.2.4.50", {'Z', 'Z', 'S', 'E', 'C', 'R', 'E', 'T'}, 8, false},
        {"1.2.840.10008.1.2.4.50", {0xFF, 0xD8, 0xFF, 0xFE, 0xFF, 0xFF, 'Z'}, 7, false},
        {"1.2.840.10008.1.2.4.90", {0xFF, 0x4F, 0xFF, 0x64, 0xFF, 0xFF}, 6, false},
        {"1.2.840.10008.1.2.5", {99}, 64, false},
        {"1.2.840.10008.1.2.4.80", {0}, 0, false}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint8_t *bytes = malloc(table[i].count + 1); /* the sanitizer sees the first byte too many */
        uint32_t cleared = 0;
        assert_non_null(bytes);
        memcpy(bytes, table[i].bytes, table[i].count < 96 ? table[i].count : 96);
        assert_int_equal(reha_deid_clean_stream(table[i].syntax, bytes, table[i].count, &cleared),
                         table[i].is_sound);
        if (table[i].is_sound) {
            assert_false(holds(bytes, table[i].count, SECRET));
            assert_true(cleared >= 1);
        }
        free(bytes);
    }
}

/* A comment in a real compressed frame goes, its pixels stay. */
static void test_jpeg_comment(void **state)
{
    uint8_t *file;
    size_t size;
    reha_error err = REHA_ERROR_INIT;
    reha_dicom *dicom;
    reha_gray *expected;
    static const uint8_t segment[] = {0xFF, 0xFE, 0x00, 0x0A, 'Z', 'Z', 'S', 'E', 'C', 'R', 'E', 'T'};
    (void)state;
    assert_ok(
        reha_file_load(REHA_SOURCE_DIR "/fuzz/corpus/dicom/jpeg-baseline.dcm", 1 << 20, &file, &size, &err),
        &err);
    assert_ok(reha_dicom_open(file, size, NULL, &dicom, &err), &err);
    assert_ok(reha_dicom_read_stored(dicom, 0, &expected, &err), &err);
    assert_int_equal(dicom->set.fragment_count, 1);
    const reha_dcm_span fragment = dicom->set.fragments[0];
    builder b = {0};
    b_bytes(&b, file, fragment.offset + 2);
    b_bytes(&b, segment, sizeof segment);
    b_bytes(&b, file + fragment.offset + 2, size - fragment.offset - 2);
    const uint32_t length = (uint32_t)(fragment.length + sizeof segment);
    for (int i = 0; i < 4; i++) {
        b.data[fragment.offset - 4 + (size_t)i] = (uint8_t)(length >> (8 * i));
    }
    reha_dicom_close(dicom);
    assert_true(holds(b.data, b.length, SECRET));
    reha_deid_options options = with_key(KEY);
    options.accepts_burned_in = true;
    reha_deid_result copy = run(&b, options);
    assert_true(copy.cleared_segments >= 1 && !copy.is_blanked);
    for (uint32_t i = 0; i < expected->width_px * expected->height_px; i += 37) {
        assert_int_equal(stored_at(&copy, i), (uint16_t)expected->pixels[i]);
    }
    reha_gray_free(expected);
    reha_deid_clear(&copy);
    b_end(&b);
    reha_free(file);
}

/* ---- what is refused ---- */

static void test_other_objects(void **state)
{
    static const struct {
        const char *class_uid, *words;
    } table[] = {{"1.2.840.10008.5.1.4.1.1.88.33", "structured report"},
                 {"1.2.840.10008.5.1.4.1.1.104.1", "encapsulated document"},
                 {"1.2.840.10008.5.1.4.1.1.11.1", "presentation state"},
                 {"1.2.840.10008.5.1.4.1.1.66.4", "segmentation"},
                 {"1.3.46.670589.5.0.1", "SOP class"},
                 {SECRET, "SOP class"}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        builder b = make((recipe){.syntax = TS_EXPLICIT, .class_uid = table[i].class_uid});
        assert_refused(&b, with_key(KEY), REHA_E_REFUSED, table[i].words);
        b_end(&b);
    }
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080060, "CS", SECRET); /* the reader's own error text would say it */
    b_text(&b, 0x00280004, "CS", SECRET);
    assert_refused(&b, with_key(KEY), REHA_E_UNSUPPORTED, "no image");
    b_end(&b);
    b = b_start(SECRET);
    b_text(&b, 0x00080060, "CS", "CT");
    assert_refused(&b, with_key(KEY), REHA_E_UNSUPPORTED, "not read");
    b_end(&b);
    b = make((recipe){.syntax = TS_EXPLICIT});
    b.length -= 100;
    assert_refused(&b, with_key(KEY), REHA_E_FORMAT, "damaged");
    b_end(&b);
}

static void test_torture(void **state)
{
    (void)state;
    const builder b =
        make((recipe){.syntax = TS_EXPLICIT, .with_secrets = true, .with_regions = true, .burned_in = "NO"});
    reha_deid_options options = with_key(KEY);
    options.blanks_outside_regions = true;
    reha_status status = REHA_E_NOMEM;
    const size_t blocks = reha_mem_live_blocks();
    for (long n = 0; status != REHA_OK; n++) {
        reha_deid_result copy;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(n);
        status = reha_dicom_deidentify(b.data, b.length, &options, &copy, &err);
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_deid_clear(&copy);
        assert_int_equal(reha_mem_live_blocks(), blocks);
        assert_true(n < 1000);
    }
    b_end((builder *)&b);
}

/* ---- real files ---- */

/* Every frame of the copy is, value by value, that of the file; the facts that recognition reads, too. */
static void compare_all(const uint8_t *file, size_t size, const reha_deid_result *copy, const char *name)
{
    reha_dicom *a;
    reha_dicom *b;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_dicom_open(file, size, NULL, &a, &err), &err);
    assert_ok(reha_dicom_open(copy->bytes, copy->size_bytes, NULL, &b, &err), &err);
    const reha_acquisition *fa = reha_dicom_facts(a);
    const reha_acquisition *fb = reha_dicom_facts(b);
    assert_string_equal(fa->modality, fb->modality);
    assert_string_equal(fa->view_position, fb->view_position);
    assert_string_equal(fa->patient_position, fb->patient_position);
    assert_string_equal(fa->orientation, fb->orientation);
    assert_int_equal(fa->side, fb->side);
    assert_int_equal(fa->is_lossy, fb->is_lossy);
    assert_int_equal(reha_dicom_frame_count(a), reha_dicom_frame_count(b));
    for (uint32_t f = 0; f < reha_dicom_frame_count(a) && f < 3; f++) {
        reha_gray *x;
        reha_gray *y;
        const reha_spacing sa = reha_dicom_spacing(a, f);
        const reha_spacing sb = reha_dicom_spacing(b, f);
        assert_int_equal(sa.source, sb.source);
        assert_true(!reha_spacing_is_known(sa) || (sa.x_mm == sb.x_mm && sa.y_mm == sb.y_mm));
        assert_int_equal(reha_dicom_region_count(a, f), reha_dicom_region_count(b, f));
        assert_ok(reha_dicom_read_frame(a, f, &x, NULL, &err), &err);
        assert_ok(reha_dicom_read_frame(b, f, &y, NULL, &err), &err);
        if (memcmp(x->pixels, y->pixels, sizeof(float) * x->width_px * x->height_px) != 0) {
            fail_msg("%s: frame %u has other pixels", name, f + 1);
        }
        reha_gray_free(x);
        reha_gray_free(y);
    }
    reha_dicom_close(a);
    reha_dicom_close(b);
}

/* Compressed or not: a box becomes black, every other stored value stays. */
static void check_box(const uint8_t *file, size_t size, const char *name)
{
    enum { BOX = 16 };
    reha_dicom *a;
    reha_dicom *b;
    reha_gray *x;
    reha_gray *y;
    reha_deid_result copy;
    reha_error err = REHA_ERROR_INIT;
    reha_deid_options options = with_key(KEY);
    options.blanks[options.blank_count++] = (reha_box_px){0, 0, BOX, BOX};
    assert_ok(reha_dicom_deidentify(file, size, &options, &copy, &err), &err);
    assert_ok(reha_dicom_open(file, size, NULL, &a, &err), &err);
    assert_ok(reha_dicom_open(copy.bytes, copy.size_bytes, NULL, &b, &err), &err);
    assert_false(b->set.is_encapsulated);
    const uint32_t last = reha_dicom_frame_count(a) - 1;
    assert_ok(reha_dicom_read_stored(a, last, &x, &err), &err);
    assert_ok(reha_dicom_read_stored(b, last, &y, &err), &err);
    for (uint32_t i = 0; i < x->width_px * x->height_px; i++) {
        const bool is_inside = i % x->width_px < BOX && i / x->width_px < BOX;
        if (!is_inside && x->pixels[i] != y->pixels[i]) {
            fail_msg("%s: pixel %u outside of the box changed", name, i);
        }
        assert_true(!is_inside || y->pixels[i] == y->pixels[0]);
    }
    assert_true(copy.is_blanked && y->pixels[0] <= x->pixels[BOX]);
    assert_int_equal(reha_dicom_facts(a)->is_lossy, reha_dicom_facts(b)->is_lossy);
    reha_gray_free(x);
    reha_gray_free(y);
    reha_dicom_close(a);
    reha_dicom_close(b);
    reha_deid_clear(&copy);
}

static void test_real_files(void **state)
{
    static const char *const folders[] = {"transfer_syntaxes", "examples"};
    char folder[512];
    size_t done = 0;
    size_t refused = 0;
    (void)state;
    TEST_NEED_DATA();
    for (size_t d = 0; d < sizeof folders / sizeof folders[0]; d++) {
        reha_paths files = {0};
        reha_error err = REHA_ERROR_INIT;
        (void)snprintf(folder, sizeof folder, "%s/dicom/%s", test_data_dir(), folders[d]);
        assert_ok(reha_folder_list(folder, 1000, &files, &err), &err);
        for (size_t i = 0; i < files.count; i++) {
            uint8_t *bytes;
            size_t size;
            reha_deid_result copy;
            reha_deid_options options = with_key(KEY);
            options.accepts_burned_in = true;
            assert_ok(reha_file_load(files.items[i], 64 << 20, &bytes, &size, &err), &err);
            const reha_status status = reha_dicom_deidentify(bytes, size, &options, &copy, &err);
            if (status == REHA_OK) {
                compare_all(bytes, size, &copy, files.items[i]);
                check_box(bytes, size, files.items[i]);
                done++;
            } else {
                print_message("%s: %s\n", reha_path_name(files.items[i]), err.text);
                refused++;
            }
            reha_deid_clear(&copy);
            reha_free(bytes);
        }
        reha_paths_clear(&files);
    }
    print_message("%zu files de-identified with the same pixels, %zu refused\n", done, refused);
    assert_true(done >= 34 && refused <= 2);
}

/* What a copy must be, whatever came: fuzz_deidentify.c says it. */
static void test_hostile(void **state)
{
    char folder[512];
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    TEST_NEED_DATA();
    (void)snprintf(folder, sizeof folder, "%s/dicom/malformed", test_data_dir());
    assert_ok(reha_folder_list(folder, 1000, &files, &err), &err);
    assert_true(files.count > 100);
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *bytes;
        size_t size;
        assert_ok(reha_file_load(files.items[i], 64 << 20, &bytes, &size, &err), &err);
        uint8_t *input = malloc(size + 1);
        assert_non_null(input);
        memcpy(input + 1, bytes, size);
        for (int flags = 0; flags < 16; flags += 5) {
            input[0] = (uint8_t)flags;
            (void)LLVMFuzzerTestOneInput(input, size + 1);
        }
        free(input);
        reha_free(bytes);
    }
    reha_paths_clear(&files);
}

static void save_seed(const char *name, uint8_t flags, builder b)
{
    char path[512];
    reha_error err = REHA_ERROR_INIT;
    builder seed = {0};
    b_bytes(&seed, &flags, 1);
    b_bytes(&seed, b.data, b.length);
    (void)snprintf(path, sizeof path, CORPUS "/%s", name);
    assert_ok(reha_file_save(path, seed.data, seed.length, &err), &err);
    b_end(&seed);
    b_end(&b);
}

static void test_write_corpus(void **state)
{
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    if (getenv("REHA_WRITE_CORPUS") == NULL) {
        return;
    }
    assert_ok(reha_folder_make(CORPUS, &err), &err);
    save_seed("secrets-explicit", 7, make((recipe){.syntax = TS_EXPLICIT, .with_secrets = true}));
    save_seed("secrets-implicit", 7,
              make((recipe){.syntax = TS_IMPLICIT, .with_secrets = true, .with_regions = true}));
    save_seed("secrets-big-endian", 15,
              make((recipe){.syntax = TS_BIG_ENDIAN, .with_secrets = true, .with_regions = true}));
    save_seed("regions-blanked", 8, make((recipe){.syntax = TS_EXPLICIT, .with_regions = true}));
    save_seed("hidden-overlay", 4, make((recipe){.syntax = TS_IMPLICIT, .with_overlay = true}));
}

static void test_replay(void **state)
{
    static const char *const corpora[] = {CORPUS, REHA_SOURCE_DIR "/fuzz/corpus/dicom"};
    reha_random random = reha_random_init(3, 4);
    (void)state;
    for (size_t c = 0; c < sizeof corpora / sizeof corpora[0]; c++) {
        reha_paths files = {0};
        reha_error err = REHA_ERROR_INIT;
        assert_ok(reha_folder_list(corpora[c], 1000, &files, &err), &err);
        assert_true(files.count >= 5);
        for (size_t i = 0; i < files.count; i++) {
            uint8_t *bytes;
            size_t size;
            assert_ok(reha_file_load(files.items[i], 1 << 20, &bytes, &size, &err), &err);
            builder b = {0};
            const uint8_t flags = (uint8_t)(i % 16);
            b_bytes(&b, &flags, c == 0 ? 0 : 1);
            b_bytes(&b, bytes, size);
            (void)LLVMFuzzerTestOneInput(b.data, b.length);
            for (int round = 0; round < 150; round++) {
                const size_t at = reha_random_below(&random, (uint32_t)b.length);
                const uint8_t kept = b.data[at];
                b.data[at] = (uint8_t)reha_random_u32(&random);
                (void)LLVMFuzzerTestOneInput(b.data, b.length);
                b.data[at] = kept;
            }
            b_end(&b);
            reha_free(bytes);
        }
        reha_paths_clear(&files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_corpus),  cmocka_unit_test(test_list),
        cmocka_unit_test(test_words),         cmocka_unit_test(test_actions),
        cmocka_unit_test(test_secrets),       cmocka_unit_test(test_codes),
        cmocka_unit_test(test_links),         cmocka_unit_test(test_days),
        cmocka_unit_test(test_burned_in),     cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_blank_colours), cmocka_unit_test(test_hidden_overlay),
        cmocka_unit_test(test_excess_pixels), cmocka_unit_test(test_streams),
        cmocka_unit_test(test_jpeg_comment),  cmocka_unit_test(test_other_objects),
        cmocka_unit_test(test_torture),       cmocka_unit_test(test_real_files),
        cmocka_unit_test(test_hostile),       cmocka_unit_test(test_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
