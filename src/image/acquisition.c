#include "image/acquisition.h"

#include <string.h>

const char *reha_side_text(reha_side side)
{
    switch (side) {
    case REHA_SIDE_RIGHT:
        return "right";
    case REHA_SIDE_LEFT:
        return "left";
    case REHA_SIDE_BOTH:
        return "both";
    case REHA_SIDE_UNKNOWN:
        break;
    }
    return "unknown";
}

reha_acquisition reha_acquisition_unknown(void)
{
    /* memset and not {0}: the record is hashed and compared as bytes in tests, padding included. */
    reha_acquisition facts;
    memset(&facts, 0, sizeof facts);
    facts.side = REHA_SIDE_UNKNOWN;
    return facts;
}
