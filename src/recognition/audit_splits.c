#include "recognition/audit_priv.h"

#include "base/memory.h"

#include <string.h>

typedef struct group {
    const char *split; /* of its first row; NULL: no row yet */
    bool is_parted;
} group;

reha_status reha_find_parted_groups(size_t row_count, size_t group_count, reha_place_function place_of,
                                    const void *context, reha_parted_count counted, reha_problem *found,
                                    reha_error *err)
{
    group *groups = reha_alloc_zero(group_count, sizeof *groups);
    if (groups == NULL) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for %zu groups", group_count);
    }
    for (size_t i = 0; i < row_count; i++) {
        const reha_place place = place_of(context, i);
        group *of = &groups[place.group_idx];
        if (of->split == NULL) {
            of->split = place.split;
        } else if (strcmp(of->split, place.split) != 0) {
            if (counted == REHA_COUNT_ROWS || !of->is_parted) {
                reha_problem_add(found, place.name, NULL);
            }
            of->is_parted = true;
        }
    }
    reha_free(groups);
    return REHA_OK;
}
