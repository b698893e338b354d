#include "recognition/each.h"

#include "base/clock.h"

reha_status reha_each(size_t count, const char *unit, const reha_progress *progress, reha_each_function work,
                      void *context, reha_error *err)
{
    const double start_ms = reha_clock_ms();
    for (size_t i = 0; i < count; i++) {
        if (reha_progress_is_stopped(progress)) {
            return reha_fail(err, REHA_E_CANCELLED, "stopped after %zu of %zu %s", i, count, unit);
        }
        REHA_TRY(work(context, i, err));
        reha_progress_tell(progress, i + 1, count, unit, start_ms);
    }
    return REHA_OK;
}
