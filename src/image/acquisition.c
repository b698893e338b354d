#include "image/acquisition.h"

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
    /* Everything else is zero: empty texts, no flags, 0 bits, 0 frames. */
    return (reha_acquisition){.side = REHA_SIDE_UNKNOWN};
}
