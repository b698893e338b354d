/* Folders of slices, right and wrong, and a real multi-echo series where the data are. */
#include "support.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dicom/series.h"
#include "unit/dicom/builder.h"

#include <math.h>
#include <unistd.h>

enum { SIDE = 4 };

typedef struct slice {
    const char *series;      /* NULL: "1.2.3" */
    const char *sop;         /* NULL: none */
    const char *kind;        /* NULL: ORIGINAL\PRIMARY */
    const char *position;    /* NULL: none */
    const char *orientation; /* NULL: sagittal */
    const char *echo;        /* NULL: none */
    const char *between;     /* NULL: none */
    const char *spacing;     /* NULL: 0.5\0.25 (rows, columns) */
    uint16_t value;          /* of the first pixel; each next one is 1 more */
} slice;

static char folder[] = "/tmp/reha-series-XXXXXX";

static int begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/reha-series-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    reha_paths files = {0};
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_folder_list(folder, 1000, &files, &err), &err);
    for (size_t i = 0; i < files.count; i++) {
        (void)unlink(files.items[i]);
    }
    reha_paths_clear(&files);
    (void)rmdir(folder);
    return 0;
}

static void save(const char *name, const void *bytes, size_t count)
{
    char *path = reha_path_join(folder, name);
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_file_save(path, bytes, count, &err), &err);
    reha_free(path);
}

static void optional(builder *b, uint32_t tag, const char *vr, const char *text)
{
    if (text != NULL) {
        b_text(b, tag, vr, text);
    }
}

static void write_slice(const char *name, slice s)
{
    uint16_t pixels[SIDE * SIDE];
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080008, "CS", s.kind != NULL ? s.kind : "ORIGINAL\\PRIMARY");
    optional(&b, 0x00080018, "UI", s.sop);
    b_text(&b, 0x00080060, "CS", "MR");
    b_text(&b, 0x00180050, "DS", "3");
    b_text(&b, 0x00180080, "DS", "2000");
    optional(&b, 0x00180081, "DS", s.echo);
    optional(&b, 0x00180088, "DS", s.between);
    b_text(&b, 0x0020000E, "UI", s.series != NULL ? s.series : "1.2.3");
    b_text(&b, 0x00200011, "IS", "8");
    optional(&b, 0x00200032, "DS", s.position);
    b_text(&b, 0x00200037, "DS", s.orientation != NULL ? s.orientation : "0\\1\\0\\0\\0\\-1");
    b_u16(&b, 0x00280002, 1);
    b_text(&b, 0x00280004, "CS", "MONOCHROME2");
    b_u16(&b, 0x00280010, SIDE);
    b_u16(&b, 0x00280011, SIDE);
    b_text(&b, 0x00280030, "DS", s.spacing != NULL ? s.spacing : "0.5\\0.25");
    b_u16(&b, 0x00280100, 16);
    b_u16(&b, 0x00280101, 12);
    b_u16(&b, 0x00280102, 11);
    b_u16(&b, 0x00280103, 0);
    b_text(&b, 0x00281052, "DS", "-10");
    b_text(&b, 0x00281053, "DS", "2");
    for (int i = 0; i < SIDE * SIDE; i++) {
        pixels[i] = (uint16_t)(s.value + i);
    }
    b_words(&b, 0x7FE00010, pixels, SIDE * SIDE);
    save(name, b.data, b.length);
    b_end(&b);
}

/* Sagittal slices at x = -6, -3, ... with `echoes` echoes of 10 ms, 20 ms, ...; names in a wild order. */
static void write_train(int slices, int echoes, int left_out_slice, int left_out_echo)
{
    for (int k = 0; k < slices; k++) {
        for (int e = 0; e < echoes; e++) {
            char name[32];
            char position[48];
            char echo[16];
            if (k == left_out_slice && (left_out_echo < 0 || e == left_out_echo)) {
                continue;
            }
            (void)snprintf(name, sizeof name, "I%03d.dcm", (k * 37 + e * 11 + 5) % 101);
            (void)snprintf(position, sizeof position, "%d\\-20\\35.5", -6 + 3 * k);
            (void)snprintf(echo, sizeof echo, "%d", 10 * (e + 1));
            write_slice(name,
                        (slice){.position = position, .echo = echo, .value = (uint16_t)(100 * k + 20 * e)});
        }
    }
}

static reha_series_set *scan(void)
{
    reha_series_set *set = NULL;
    reha_error err = REHA_ERROR_INIT;
    assert_ok(reha_series_scan(folder, NULL, &set, &err), &err);
    return set;
}

static bool notes_say(const reha_series_set *set, const char *what)
{
    for (size_t i = 0; i < reha_series_note_count(set); i++) {
        if (strstr(reha_series_note(set, i), what) != NULL) {
            return true;
        }
    }
    return false;
}

static void a_train_is_sorted_by_place_and_echo(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    write_train(5, 3, -1, -1);
    reha_series_set *set = scan();
    assert_int_equal(reha_series_count(set), 1);
    assert_int_equal(reha_series_note_count(set), 0);
    const reha_stack *stack = reha_series_get(set, 0);
    assert_int_equal(stack->slice_count, 5);
    assert_int_equal(stack->echo_count, 3);
    assert_int_equal(stack->image_count, 15);
    assert_int_equal(stack->missing_count, 0);
    assert_int_equal(stack->series_number, 8);
    assert_true(stack->is_volume);
    assert_float_equal(stack->echo_ms[1], 20.0, 1e-9);
    assert_float_equal(stack->step_mm, 3.0, 1e-9);
    assert_float_equal(stack->repetition_ms, 2000.0, 1e-9);
    for (uint32_t e = 0; e < 3; e++) {
        reha_volume *volume = NULL;
        assert_ok(reha_series_load(set, 0, e, &volume, &err), &err);
        char letters[4];
        double spacing_mm[3];
        reha_volume_directions(volume, letters);
        reha_volume_spacing_mm(volume, spacing_mm);
        assert_string_equal(reha_volume_plane_name(volume), "sagittal");
        assert_float_equal(spacing_mm[0], 0.25, 1e-9);
        assert_float_equal(spacing_mm[1], 0.5, 1e-9);
        /* The normal of rows to the back and columns to the feet points right: k runs there. */
        assert_string_equal(letters, "PIR");
        for (uint32_t k = 0; k < 5; k++) {
            const reha_point3_mm mm = reha_affine3_to_mm(&volume->to_mm, (reha_point3_vox){1, 2, k});
            assert_float_equal(mm.x_mm, 6.0 - 3.0 * k, 1e-9);
            assert_float_equal(mm.y_mm, -20.0 + 0.25, 1e-9);
            assert_float_equal(mm.z_mm, 35.5 - 2.0 * 0.5, 1e-9);
            const float stored = (float)(100 * (4 - k) + 20 * e + 2 * SIDE + 1);
            assert_float_equal(volume->voxels[reha_volume_index(volume, 1, 2, k)], stored * 2.0F - 10.0F, 0);
        }
        reha_volume_free(volume);
    }
    reha_volume *none = NULL;
    assert_int_equal(reha_series_load(set, 0, 3, &none, &err), REHA_E_NOT_FOUND);
    assert_int_equal(reha_series_load(set, 1, 0, &none, &err), REHA_E_NOT_FOUND);
    assert_null(none);
    assert_null(reha_series_file(set, 0, 0, 5));
    reha_series_free(set);
}

static void gaps_are_told_by_their_neighbours(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    write_train(6, 2, 2, -1);
    reha_series_set *set = scan();
    const reha_stack *stack = reha_series_get(set, 0);
    assert_int_equal(stack->slice_count, 6);
    assert_int_equal(stack->missing_count, 2);
    assert_true(notes_say(set, "1 slice(s) are missing between I"));
    reha_volume *volume = NULL;
    assert_ok(reha_series_load(set, 0, 0, &volume, &err), &err);
    assert_true(isnan(volume->voxels[reha_volume_index(volume, 0, 0, 3)])); /* k runs from x = 9 down */
    assert_false(isnan(volume->voxels[reha_volume_index(volume, 0, 0, 2)]));
    reha_volume_free(volume);
    reha_series_free(set);
}

static void a_missing_echo_is_told(void **state)
{
    (void)state;
    write_train(3, 4, 1, 2);
    reha_series_set *set = scan();
    const reha_stack *stack = reha_series_get(set, 0);
    assert_int_equal(stack->missing_count, 1);
    assert_true(notes_say(set, "has no image of echo time 30.00 ms"));
    assert_null(reha_series_file(set, 0, 2, 1));
    assert_non_null(reha_series_file(set, 0, 1, 1));
    reha_series_free(set);
}

static void copies_and_rivals_are_told_apart(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    write_slice("a.dcm", (slice){.sop = "1.1", .position = "0\\0\\0", .echo = "10"});
    write_slice("b.dcm", (slice){.sop = "1.2", .position = "3\\0\\0", .echo = "10"});
    write_slice("copy.dcm", (slice){.sop = "1.2", .position = "3\\0\\0", .echo = "10"});
    reha_series_set *set = scan();
    assert_true(notes_say(set, "copy.dcm is a copy of b.dcm"));
    assert_true(reha_series_get(set, 0)->is_volume);
    reha_series_free(set);
    write_slice("rival.dcm", (slice){.sop = "1.3", .position = "3\\0\\0", .echo = "10", .value = 7});
    set = scan();
    assert_false(reha_series_get(set, 0)->is_volume);
    reha_volume *volume = NULL;
    assert_int_equal(reha_series_load(set, 0, 0, &volume, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "rival.dcm"));
    assert_non_null(strstr(err.text, "same place and echo"));
    reha_series_free(set);
}

static void mixed_folders_become_several_stacks(void **state)
{
    (void)state;
    write_slice("a1.dcm", (slice){.position = "0\\0\\0"});
    write_slice("a2.dcm", (slice){.position = "3\\0\\0"});
    write_slice("other-series.dcm", (slice){.series = "1.2.4", .position = "0\\0\\0"});
    write_slice("other-direction.dcm", (slice){.position = "0\\0\\0", .orientation = "1\\0\\0\\0\\1\\0"});
    write_slice("other-kind.dcm", (slice){.position = "0\\0\\0", .kind = "DERIVED\\SECONDARY\\T2 MAP"});
    write_slice("other-pixels.dcm", (slice){.position = "0\\0\\0", .spacing = "0.7\\0.7"});
    save("notes.txt", "hello", 5);
    reha_series_set *set = scan();
    assert_int_equal(reha_series_count(set), 5);
    assert_int_equal(reha_series_get(set, 0)->image_count, 2);
    assert_true(notes_say(set, "1 file(s) are not DICOM"));
    reha_series_free(set);
}

static void bad_files_are_named(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    static const char *const bad[][2] = {{"nan\\0\\0", NULL},
                                         {"0\\0", NULL},
                                         {"1e9\\0\\0", NULL},
                                         {"0\\0\\0", "1\\0\\0\\1\\0\\0"},
                                         {"0\\0\\0", "2\\0\\0\\0\\2\\0"},
                                         {"0\\0\\0", "0\\0\\0\\0\\0\\0"},
                                         {NULL, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_slice("bad.dcm", (slice){.position = bad[i][0], .orientation = bad[i][1]});
        reha_series_set *none = NULL;
        assert_int_equal(reha_series_scan(folder, NULL, &none, &err), REHA_E_NOT_FOUND);
        assert_non_null(strstr(err.text, "bad.dcm"));
        assert_null(none);
    }
    write_slice("good.dcm", (slice){.position = "0\\0\\0"});
    static const char cut[] = "DICM and nothing else";
    char file[200] = {0};
    memcpy(file + 128, cut, sizeof cut);
    save("cut.dcm", file, sizeof file);
    reha_series_set *set = scan();
    assert_true(notes_say(set, "cut.dcm was passed over"));
    assert_true(notes_say(set, "bad.dcm"));
    assert_int_equal(reha_series_count(set), 1);
    assert_float_equal(reha_series_get(set, 0)->to_mm.m[0][2], -3.0,
                       1e-9); /* one slice: its thickness, along the normal */
    reha_series_free(set);
}

static void uneven_and_shifted_slices_are_no_volume(void **state)
{
    (void)state;
    reha_error err = REHA_ERROR_INIT;
    reha_volume *volume = NULL;
    write_slice("a.dcm", (slice){.position = "0\\0\\0"});
    write_slice("b.dcm", (slice){.position = "3\\0\\0"});
    write_slice("c.dcm", (slice){.position = "7.2\\0\\0"});
    reha_series_set *set = scan();
    assert_int_equal(reha_series_load(set, 0, 0, &volume, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "not evenly spaced"));
    assert_true(notes_say(set, "not evenly spaced"));
    reha_series_free(set);
    write_slice("c.dcm", (slice){.position = "6\\0\\0"});
    write_slice("b.dcm", (slice){.position = "3\\2.5\\0"});
    set = scan();
    assert_int_equal(reha_series_load(set, 0, 0, &volume, &err), REHA_E_FORMAT);
    assert_non_null(strstr(err.text, "b.dcm is shifted"));
    assert_null(volume);
    reha_series_free(set);
    /* A sheared stack is a volume: its affine says so. */
    write_slice("b.dcm", (slice){.position = "3\\1\\0"});
    write_slice("c.dcm", (slice){.position = "6\\2\\0"});
    set = scan();
    assert_true(reha_series_get(set, 0)->is_volume);
    assert_float_equal(fabs(reha_series_get(set, 0)->to_mm.m[1][2]), 1.0, 1e-9);
    reha_series_free(set);
}

static void two_scans_in_one_are_refused(void **state)
{
    (void)state;
    write_slice("a.dcm", (slice){.position = "0\\0\\0"});
    write_slice("b.dcm", (slice){.position = "0.05\\0\\0"});
    write_slice("c.dcm", (slice){.position = "300\\0\\0"});
    reha_series_set *set = scan();
    assert_false(reha_series_get(set, 0)->is_volume);
    assert_true(notes_say(set, "only 0.05 mm apart"));
    reha_series_free(set);
}

static void stated_and_true_steps_are_compared(void **state)
{
    (void)state;
    write_slice("a.dcm", (slice){.position = "0\\0\\0", .between = "4"});
    write_slice("b.dcm", (slice){.position = "12\\0\\0", .between = "4"});
    reha_series_set *set = scan();
    assert_true(notes_say(set, "only every 3. slice"));
    reha_series_free(set);
    write_slice("b.dcm", (slice){.position = "5\\0\\0", .between = "4"});
    set = scan();
    assert_true(notes_say(set, "the positions are used"));
    reha_series_free(set);
}

/* Enhanced MR: one file, frames with their own place and echo in functional groups. */
static void a_multi_frame_file_is_a_train_too(void **state)
{
    (void)state;
    enum { SLICES = 3, ECHOES = 2 };
    reha_error err = REHA_ERROR_INIT;
    uint16_t pixels[SLICES * ECHOES * SIDE * SIDE];
    builder b = b_start(TS_EXPLICIT);
    b_text(&b, 0x00080060, "CS", "MR");
    b_text(&b, 0x0020000E, "UI", "1.2.9");
    b_u16(&b, 0x00280002, 1);
    b_text(&b, 0x00280004, "CS", "MONOCHROME2");
    b_text(&b, 0x00280008, "IS", "6");
    b_u16(&b, 0x00280010, SIDE);
    b_u16(&b, 0x00280011, SIDE);
    b_u16(&b, 0x00280100, 16);
    b_u16(&b, 0x00280101, 16);
    b_u16(&b, 0x00280102, 15);
    b_u16(&b, 0x00280103, 0);
    b_sequence(&b, 0x52009229); /* shared: orientation and pixel size */
    b_item(&b);
    b_sequence(&b, 0x00209116);
    b_item(&b);
    b_text(&b, 0x00200037, "DS", "1\\0\\0\\0\\1\\0");
    b_item_end(&b);
    b_sequence_end(&b);
    b_sequence(&b, 0x00289110);
    b_item(&b);
    b_text(&b, 0x00180050, "DS", "2");
    b_text(&b, 0x00280030, "DS", "0.6\\0.6");
    b_item_end(&b);
    b_sequence_end(&b);
    b_item_end(&b);
    b_sequence_end(&b);
    b_sequence(&b, 0x52009230);
    for (int f = 0; f < SLICES * ECHOES; f++) {
        char position[32];
        (void)snprintf(position, sizeof position, "0\\0\\%d", 10 - 2 * (f / ECHOES)); /* downwards */
        b_item(&b);
        b_sequence(&b, 0x00189114);
        b_item(&b);
        b_f64(&b, 0x00189082, 12.5 * (f % ECHOES + 1));
        b_item_end(&b);
        b_sequence_end(&b);
        b_sequence(&b, 0x00209113);
        b_item(&b);
        b_text(&b, 0x00200032, "DS", position);
        b_item_end(&b);
        b_sequence_end(&b);
        b_item_end(&b);
        for (int i = 0; i < SIDE * SIDE; i++) {
            pixels[f * SIDE * SIDE + i] = (uint16_t)(1000 * f + i);
        }
    }
    b_sequence_end(&b);
    b_words(&b, 0x7FE00010, pixels, SLICES * ECHOES * SIDE * SIDE);
    save("frames.dcm", b.data, b.length);
    b_end(&b);
    reha_series_set *set = scan();
    const reha_stack *stack = reha_series_get(set, 0);
    assert_int_equal(stack->slice_count, SLICES);
    assert_int_equal(stack->echo_count, ECHOES);
    assert_float_equal(stack->echo_ms[1], 25.0, 1e-9);
    reha_volume *volume = NULL;
    assert_ok(reha_series_load(set, 0, 1, &volume, &err), &err);
    assert_string_equal(reha_volume_plane_name(volume), "axial");
    /* k = 0 is the lowest place: the last two frames; echo 1 is the second of them. */
    assert_float_equal(volume->voxels[0], 5000.0, 0);
    assert_float_equal(volume->voxels[reha_volume_index(volume, 2, 0, 2)], 1002.0, 0);
    assert_float_equal(volume->to_mm.m[2][3], 6.0, 1e-9);
    reha_volume_free(volume);
    reha_series_free(set);
}

static void memory_that_runs_out_leaves_nothing(void **state)
{
    (void)state;
    write_train(2, 2, -1, -1);
    const size_t before = reha_mem_live_blocks();
    reha_status status = REHA_E_NOMEM;
    for (long n = 0; status != REHA_OK && n < 500; n++) {
        reha_series_set *set = NULL;
        reha_volume *volume = NULL;
        reha_error err = REHA_ERROR_INIT;
        reha_mem_fail_after(n);
        status = reha_series_scan(folder, NULL, &set, &err);
        if (status == REHA_OK) {
            status = reha_series_load(set, 0, 1, &volume, &err);
        }
        reha_mem_fail_after(-1);
        assert_true(status == REHA_OK || status == REHA_E_NOMEM);
        reha_volume_free(volume);
        reha_series_free(set);
        assert_int_equal(reha_mem_live_blocks(), before);
    }
    assert_int_equal(status, REHA_OK);
}

static void the_knee_series_is_read(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    reha_error err = REHA_ERROR_INIT;
    reha_series_set *set = NULL;
    char *path = reha_path_join(test_data_dir(), "dicom/knee_mr_t2");
    assert_ok(reha_series_scan(path, NULL, &set, &err), &err);
    assert_int_equal(reha_series_count(set), 1);
    const reha_stack *stack = reha_series_get(set, 0);
    assert_int_equal(stack->slice_count, 4);
    assert_int_equal(stack->echo_count, 8);
    assert_int_equal(stack->missing_count, 0);
    assert_float_equal(stack->echo_ms[0], 6.312, 1e-3);
    assert_float_equal(stack->echo_ms[7], 50.496, 1e-3);
    assert_float_equal(stack->step_mm, 12.0, 0.05);
    assert_true(notes_say(set, "only every 3. slice"));
    reha_volume *volume = NULL;
    assert_ok(reha_series_load(set, 0, 0, &volume, &err), &err);
    assert_string_equal(reha_volume_plane_name(volume), "sagittal");
    /* The first file says where its first pixel lies; rows to the back and columns to the feet: k runs right.
     */
    assert_string_equal(reha_series_file(set, 0, 0, 0), "E3655S8I049.MR.dcm");
    const reha_point3_mm corner = reha_affine3_to_mm(&volume->to_mm, (reha_point3_vox){0, 0, 0});
    const reha_point3_mm far = reha_affine3_to_mm(&volume->to_mm, (reha_point3_vox){0, 0, 3});
    assert_float_equal(corner.x_mm, -52.7778, 1e-3);
    assert_float_equal(corner.y_mm, -104.025, 1e-3);
    assert_float_equal(corner.z_mm, 59.7386, 1e-3);
    assert_float_equal(far.x_mm, -88.3898, 1e-3);
    reha_volume_free(volume);
    reha_series_free(set);
    reha_free(path);
}

/* Folders of hostile and odd files: every one is a volume, a note or an error with a text; nothing else. */
static void hostile_folders_end_in_words(void **state)
{
    (void)state;
    TEST_NEED_DATA();
    static const char *const folders[] = {"dicom/malformed", "dicom/examples"};
    for (size_t f = 0; f < 2; f++) {
        reha_series_set *set = NULL;
        reha_error err = REHA_ERROR_INIT;
        char *path = reha_path_join(test_data_dir(), folders[f]);
        const reha_status status = reha_series_scan(path, NULL, &set, &err);
        assert_true(status == REHA_OK || (status == REHA_E_NOT_FOUND && err.text[0] != '\0'));
        assert_true(status != REHA_OK || reha_series_note_count(set) > 0);
        for (size_t s = 0; status == REHA_OK && s < reha_series_count(set); s++) {
            reha_volume *volume = NULL;
            const reha_status loaded = reha_series_load(set, s, 0, &volume, &err);
            assert_true((loaded == REHA_OK) == (volume != NULL));
            assert_true(loaded == REHA_OK || (err.text[0] != '\0' && loaded != REHA_E_INTERNAL));
            assert_true(loaded != REHA_OK || reha_affine3_check(&volume->to_mm, &err) == REHA_OK);
            reha_volume_free(volume);
        }
        reha_series_free(set);
        reha_free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_train_is_sorted_by_place_and_echo, begin, end),
        cmocka_unit_test_setup_teardown(gaps_are_told_by_their_neighbours, begin, end),
        cmocka_unit_test_setup_teardown(a_missing_echo_is_told, begin, end),
        cmocka_unit_test_setup_teardown(copies_and_rivals_are_told_apart, begin, end),
        cmocka_unit_test_setup_teardown(mixed_folders_become_several_stacks, begin, end),
        cmocka_unit_test_setup_teardown(bad_files_are_named, begin, end),
        cmocka_unit_test_setup_teardown(uneven_and_shifted_slices_are_no_volume, begin, end),
        cmocka_unit_test_setup_teardown(two_scans_in_one_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(stated_and_true_steps_are_compared, begin, end),
        cmocka_unit_test_setup_teardown(a_multi_frame_file_is_a_train_too, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_leaves_nothing, begin, end),
        cmocka_unit_test(the_knee_series_is_read),
        cmocka_unit_test(hostile_folders_end_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
