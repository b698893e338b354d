/* Two stored images of one patient, laid over each other joint by joint. */
#include "service/sandbox_child_priv.h"

#include "base/memory.h"
#include "service/compare_priv.h"

#include <math.h>

static reha_status read_images(const wire_message *request, reha_compare_visit visits[2], reha_error *err)
{
    const size_t before_bytes = (size_t)fmax(reha_json_number(request->json, "before_bytes", 0.0), 0.0);
    if (before_bytes > request->count) {
        return reha_fail(err, REHA_E_ARG, "the first of two files ends behind the second");
    }
    const uint8_t *const starts[2] = {request->bytes, request->bytes + before_bytes};
    const size_t counts[2] = {before_bytes, request->count - before_bytes};
    for (int i = 0; i < 2; i++) {
        reha_input input;
        REHA_TRY(reha_input_read(starts[i], counts[i], "", NULL, &input, err));
        visits[i].image = input.image;
        input.image = NULL;
        reha_input_clear(&input);
    }
    return REHA_OK;
}

static reha_status read_pairs(const json_t *pairs, const reha_compare_visit visits[2], reha_films *out,
                              reha_error *err)
{
    const size_t regions[2] = {json_array_size(json_object_get(visits[0].analysis, "regions")),
                               json_array_size(json_object_get(visits[1].analysis, "regions"))};
    for (size_t i = 0; i < json_array_size(pairs) && i < REHA_PAIRS_MAX; i++) {
        const json_t *pair = json_array_get(pairs, i);
        const json_int_t before = json_integer_value(json_object_get(pair, "before"));
        const json_int_t after = json_integer_value(json_object_get(pair, "after"));
        if (before < 0 || after < 0 || (size_t)before >= regions[0] || (size_t)after >= regions[1]) {
            return reha_fail(err, REHA_E_ARG, "a joint to lay over is not in the results");
        }
        out->pairs[i] = (reha_film_pair){.before_idx = (size_t)before, .after_idx = (size_t)after};
        out->pair_count = (int)i + 1;
    }
    return REHA_OK;
}

reha_status sandbox_register(const wire_message *request, sandbox_reply *reply, reha_error *err)
{
    const json_t *analyses = json_object_get(request->json, "analyses");
    reha_status status = REHA_OK;
    json_t *joints = json_array();
    reha_comparison *both = reha_alloc_zero(1, sizeof *both);
    if (joints == NULL || both == NULL) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a comparison");
        goto done;
    }
    for (size_t i = 0; i < 2; i++) {
        both->visits[i].analysis = json_incref(json_array_get(analyses, i));
    }
    const reha_compare_options how = {.by_intensity =
                                          json_is_true(json_object_get(request->json, "by_intensity")),
                                      .kind = REHA_REGISTER_SIMILARITY};
    REHA_CHECK(read_pairs(json_object_get(request->json, "pairs"), both->visits, &both->films, err));
    REHA_CHECK(read_images(request, both->visits, err));
    REHA_CHECK(reha_compare_register_(&how, both, err));
    for (int i = 0; i < both->films.pair_count; i++) {
        (void)json_array_append_new(joints, reha_compare_registration_json_(&both->pictures[i]));
    }
    reply->done = json_pack("{s:O}", "joints", joints);
    status = reply->done != NULL ? REHA_OK : reha_fail(err, REHA_E_NOMEM, "out of memory for a comparison");
done:
    json_decref(joints);
    reha_comparison_free(both);
    return status;
}
