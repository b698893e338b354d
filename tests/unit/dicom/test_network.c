/* Names that come over the network or from the command line, and the head of a received file. */
#include "support.h"

#include "base/memory.h"
#include "dicom/dataset_priv.h"
#include "dicom/network_priv.h"

#include <string.h>

static void test_titles(void **state)
{
    (void)state;
    const char *const good[] = {"A", "CT1", "ROOM 2 X-RAY", "SIXTEEN-LETTERS!"};
    const char *const bad[] = {"", " CT", "CT ", "SEVENTEEN-LETTERS", "A\\B", "A\nB", "M\xC3\xBCller"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(reha_ae_title_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(reha_ae_title_is_valid(bad[i]));
    }
}

static void test_uids(void **state)
{
    char longest[REHA_UID_BYTES + 1];
    (void)state;
    memset(longest, '1', sizeof longest);
    longest[REHA_UID_BYTES] = '\0';
    assert_false(network_uid_is_valid(longest)); /* 65 */
    longest[REHA_UID_BYTES - 1] = '\0';
    assert_true(network_uid_is_valid(longest));
    assert_false(network_uid_is_valid(""));
    assert_false(network_uid_is_valid("1.2.3'; DROP"));
    assert_false(network_uid_is_valid("1.2 "));
}

static void test_remotes(void **state)
{
    reha_remote remote;
    reha_error err = REHA_ERROR_INIT;
    (void)state;
    assert_ok(reha_remote_parse("MY PACS@pacs.clinic.example:11112", &remote, &err), &err);
    assert_string_equal(remote.ae_title, "MY PACS");
    assert_string_equal(remote.host, "pacs.clinic.example");
    assert_int_equal(remote.port, 11112);
    const char *const bad[] = {"",
                               "PACS",
                               "PACS@host",
                               "PACS:104@host",
                               "@host:104",
                               "PACS@:104",
                               "PACS@host:0",
                               "PACS@host:65536",
                               "PACS@host:1x",
                               "PACS@[::1]:104",
                               "PACS@h h:1",
                               "SEVENTEEN-LETTERS@host:104"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(reha_remote_parse(bad[i], &remote, &err), REHA_E_ARG);
    }
}

/* The head and a data set make a file that our own parser reads, for UIDs of odd, even and greatest length.
 */
static void test_file_head(void **state)
{
    static const uint8_t data[] = {0x08, 0, 0x60, 0, 'C', 'S', 2, 0, 'C', 'R'}; /* modality */
    static const char *const uids[] = {"1.2.3", "1.2.34",
                                       "2.25.12345678901234567890123456789012345678901234567890123456789"};
    (void)state;
    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++) {
        reha_error err = REHA_ERROR_INIT;
        reha_incoming object = {.sop_class_uid = "1.2.840.10008.5.1.4.1.1.1",
                                .syntax_uid = "1.2.840.10008.1.2.1"};
        uint8_t file[NETWORK_HEAD_BYTES + sizeof data];
        reha_dcm_dataset set;
        char text[REHA_UID_BYTES];
        (void)snprintf(object.sop_instance_uid, sizeof object.sop_instance_uid, "%s", uids[i]);
        const size_t head = network_file_head(&object, i == 0 ? "A" : "SIXTEEN-LETTERS!", file);
        assert_in_range(head, 200, NETWORK_HEAD_BYTES);
        memcpy(file + head, data, sizeof data);
        assert_true(reha_dcm_detect(file, head + sizeof data));
        assert_ok(reha_dcm_parse(file, head + sizeof data, &set, &err), &err);
        assert_string_equal(set.transfer_syntax_uid, "1.2.840.10008.1.2.1");
        const reha_dcm_scope root = reha_dcm_root(&set);
        assert_true(reha_dcm_text(&set, reha_dcm_find(&set, root, TAG_MODALITY), 0, text, sizeof text));
        assert_string_equal(text, "CR");
        /* Group length: up to the end of the head. */
        assert_int_equal(file[140] | file[141] << 8, head - 144);
        reha_dcm_clear(&set);
    }
}

static void test_ends_have_names(void **state)
{
    (void)state;
    assert_string_equal(reha_association_end_name(REHA_ASSOCIATION_RELEASED), "released");
    assert_string_equal(reha_association_end_name(REHA_ASSOCIATION_BROKEN), "broken");
    assert_string_equal(reha_association_end_name((reha_association_end)99), "broken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_titles), cmocka_unit_test(test_uids),
                                       cmocka_unit_test(test_remotes), cmocka_unit_test(test_file_head),
                                       cmocka_unit_test(test_ends_have_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
