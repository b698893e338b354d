#include "recognition/knee_net.h"

void reha_knee_net_clear(reha_knee_net *net)
{
    reha_session_free(net->session);
    *net = (reha_knee_net){0};
}

void reha_knee_net_scale(const reha_knee_net *net, const float *from, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++) {
        to[i] = (from[i] - net->input_offset) * net->input_gain;
    }
}

reha_status reha_knee_net_run(const reha_knee_net *net, int batch, float *input, size_t count,
                              float *const *outputs, reha_error *err)
{
    reha_knee_net_scale(net, input, count, input);
    const float *inputs[1] = {input};
    return reha_session_run(net->session, batch, inputs, outputs, err);
}
