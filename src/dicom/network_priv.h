/* What network.c makes of names that came over the network, for its tests. */
#ifndef REHA_DICOM_NETWORK_PRIV_H
#define REHA_DICOM_NETWORK_PRIV_H

#include "dicom/bridge_net_priv.h"

enum { NETWORK_SYNTAXES_MAX = 32 };
enum { NETWORK_HEAD_BYTES = 640 }; /* more than preamble, mark and seven elements can take */

bool network_uid_is_valid(const char *uid); /* digits and points only, at most 64 */
/* Preamble and file meta information of an object that `calling` sent; how many bytes. The names must be
 * valid. */
size_t network_file_head(const reha_incoming *object, const char *calling, uint8_t out[NETWORK_HEAD_BYTES]);

/* Between the bridge and whoever provides: checks names, puts the file's head before its data. */
typedef struct network_provision {
    const reha_provider *to;
    char calling[REHA_AE_BYTES]; /* who sends */
} network_provision;
reha_provider network_provider(network_provision *self, const char *calling);
/* The classes that we take, in all transfer syntaxes that dicom.h reads, which are put into `syntaxes`. */
reha_bridge_offer network_offer(const char *syntaxes[NETWORK_SYNTAXES_MAX]);

#endif
