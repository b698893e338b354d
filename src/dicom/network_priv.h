/* What network.c makes of names that came over the network, for its tests. */
#ifndef REHA_DICOM_NETWORK_PRIV_H
#define REHA_DICOM_NETWORK_PRIV_H

#include "dicom/network.h"

enum { NETWORK_HEAD_BYTES = 640 }; /* more than preamble, mark and seven elements can take */

bool network_uid_is_valid(const char *uid); /* digits and points only, at most 64 */
/* Preamble and file meta information of an object that `calling` sent; how many bytes. The names must be
 * valid. */
size_t network_file_head(const reha_incoming *object, const char *calling, uint8_t out[NETWORK_HEAD_BYTES]);

#endif
