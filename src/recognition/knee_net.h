/* One loaded network with the scaling of its input, which belongs to its weights. One thread at a time. */
#ifndef REHA_RECOGNITION_KNEE_NET_H
#define REHA_RECOGNITION_KNEE_NET_H

#include "nn/session.h"

typedef struct reha_knee_net {
    reha_session *session;          /* owned; NULL: not loaded */
    float input_offset, input_gain; /* the network gets (x - offset) * gain of a picture in 0..1 */
} reha_knee_net;

void reha_knee_net_clear(reha_knee_net *net);
/* to[i] = (from[i] - offset) * gain; in place is fine. */
void reha_knee_net_scale(const reha_knee_net *net, const float *from, size_t count, float *to);
/* Scales `input` (batch x one channel, `count` values in all, 0..1) in place and runs. */
REHA_MUST_USE reha_status reha_knee_net_run(const reha_knee_net *net, int batch, float *input, size_t count,
                                            float *const *outputs, reha_error *err);

#endif
