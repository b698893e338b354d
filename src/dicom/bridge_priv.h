/* The one door to DCMTK, the only C++ of the tree: decoding of one JPEG or JPEG-LS frame; its other half, for
 * the network, is bridge_net_priv.h.
 *
 * DCMTK never sees a foreign file. Each call builds a tiny data set of one frame from numbers that
 * were checked against the frame's own header, and takes the samples out of it. No exception
 * crosses; DCMTK's logging goes nowhere; its codecs are registered once. Any thread. */
#ifndef REHA_DICOM_BRIDGE_PRIV_H
#define REHA_DICOM_BRIDGE_PRIV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/status.h" /* inside: its functions are C */

typedef enum reha_bridge_codec {
    REHA_BRIDGE_JPEG_BASELINE,    /* 8 bit sequential */
    REHA_BRIDGE_JPEG_EXTENDED,    /* 8 or 12 bit sequential */
    REHA_BRIDGE_JPEG_PROGRESSIVE, /* 8 or 12 bit */
    REHA_BRIDGE_JPEG_LOSSLESS,    /* 2 to 16 bit */
    REHA_BRIDGE_JPEG_LS
} reha_bridge_codec;

typedef struct reha_bridge_frame {
    reha_bridge_codec codec;
    const uint8_t *stream; /* borrowed */
    size_t stream_bytes;
    uint16_t columns;
    uint16_t rows;
    uint16_t samples;   /* 1 or 3 */
    uint16_t precision; /* bits of a sample: up to 8 gives bytes, more gives 16-bit words */
} reha_bridge_frame;

/* Writes rows * columns * samples interleaved samples in host byte order into out; colours are
 * left as the stream has them. `out_bytes` must be exactly that many bytes. */
reha_status reha_bridge_decode(const reha_bridge_frame *frame, uint8_t *out, size_t out_bytes,
                               reha_error *err);

#ifdef __cplusplus
}
#endif
#endif
