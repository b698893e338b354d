/* Which pictures make a sequence, and what its smoothed values are. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "service/sequence.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { CASES = 9 };

static void fill(reha_case *one, const char *path, uint32_t frame_idx, uint32_t width_px, double thickness)
{
    reha_error err = REHA_ERROR_INIT;
    *one = (reha_case){.error = REHA_ERROR_INIT, .frame_idx = frame_idx, .frame_count = 1};
    one->path = reha_strdup(path);
    assert_ok(reha_analysis_new("muscle-us", &one->analysis, &err), &err);
    one->analysis->width_px = width_px;
    one->analysis->height_px = 100;
    one->analysis->is_accepted = true;
    one->analysis->region_count = 1;
    one->analysis->regions[0].is_accepted = true;
    reha_finding *finding = reha_region_add(&one->analysis->regions[0], "thickness-px", "Thickness");
    assert_non_null(finding);
    finding->measure.unit = "px";
    finding->measure.value = thickness;
}

static void clear(reha_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reha_case_clear(&cases[i]);
    }
}

static void numbers_and_frames_make_sequences(void **state)
{
    (void)state;
    reha_case cases[CASES];
    int numbers[CASES];
    fill(&cases[0], "a/scan_009.png", 0, 200, 1);
    fill(&cases[1], "a/scan_010.png", 0, 200, 2);
    fill(&cases[2], "a/scan_011.png", 0, 200, 3);
    fill(&cases[3], "a/scan_012.png", 0, 201, 4); /* another size */
    fill(&cases[4], "a/scan_014.png", 0, 201, 5); /* one is missing */
    fill(&cases[5], "b/cine.dcm", 0, 200, 6);
    fill(&cases[6], "b/cine.dcm", 1, 200, 7);
    fill(&cases[7], "b/cine.dcm", 2, 200, 8);
    fill(&cases[8], "b/other.dcm", 0, 200, 9);
    reha_sequence_number(cases, CASES, numbers);
    const int wanted[CASES] = {1, 1, 1, 0, 0, 2, 2, 2, 0};
    assert_memory_equal(numbers, wanted, sizeof wanted);
    clear(cases, CASES);
}

static void medians_stay_in_their_sequence_and_pass_over_gaps(void **state)
{
    (void)state;
    static const double thickness[6] = {10, 11, 99, 12, (double)NAN, 14};
    reha_case cases[6];
    int numbers[6];
    for (uint32_t i = 0; i < 6; i++) {
        fill(&cases[i], "cine.dcm", i, 200, thickness[i]);
    }
    reha_sequence_number(cases, 6, numbers);
    assert_int_equal(numbers[5], 1);
    /* 10 11 99 -> 11;  10 11 99 12 -> 11.5;  11 99 12 14 -> 13; 12 14 -> 13 */
    assert_true(reha_sequence_smoothed(cases, 6, numbers, 0, "thickness-px") == 11.0);
    assert_true(reha_sequence_smoothed(cases, 6, numbers, 2, "thickness-px") == 11.5);
    assert_true(reha_sequence_smoothed(cases, 6, numbers, 4, "thickness-px") == 14.0);
    assert_true(reha_sequence_smoothed(cases, 6, numbers, 5, "thickness-px") == 13.0);
    assert_true(isnan(reha_sequence_value(&cases[4], "thickness-px")));
    assert_true(isnan(reha_sequence_value(&cases[0], "pennation")));
    clear(cases, 6);
}

static void the_table_keeps_every_picture(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    char path[] = "/tmp/reha-sequence-XXXXXX";
    uint8_t *text = NULL;
    size_t bytes = 0;
    reha_case cases[2];
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    fill(&cases[0], "one, with comma.png", 0, 200, 12.5);
    cases[1] = (reha_case){.error = REHA_ERROR_INIT};
    cases[1].path = reha_strdup("broken.png");
    cases[1].status = reha_fail(&cases[1].error, REHA_E_FORMAT, "no image");
    assert_ok(reha_sequence_table(cases, 2, path, &err), &err);
    assert_ok(reha_file_load(path, 100000, &text, &bytes, &err), &err);
    assert_non_null(strstr((const char *)text, "\n\"one, with comma.png\",1,,1,,,,,12.5,"));
    assert_non_null(strstr((const char *)text, "\nbroken.png,1,,0,"));
    assert_non_null(strstr((const char *)text, ",no image\n"));
    assert_int_equal(reha_sequence_plot(cases, 2, path, &err), REHA_E_ARG);
    reha_free(text);
    (void)unlink(path);
    clear(cases, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_frames_make_sequences),
        cmocka_unit_test(medians_stay_in_their_sequence_and_pass_over_gaps),
        cmocka_unit_test(the_table_keeps_every_picture),
    };
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
