/* The paper of every PDF, and the inks that its text and lines have in common. */
#ifndef REHA_SERVICE_PAPER_PRIV_H
#define REHA_SERVICE_PAPER_PRIV_H

#define REHA_A4_WIDTH_PT  595.28
#define REHA_A4_HEIGHT_PT 841.89
#define REHA_MARGIN_PT    40.0

enum { /* 0xRRGGBB; on white all but the line are at least 4.5 : 1 */
       REHA_INK = 0x1b2733,
       REHA_INK_SOFT = 0x5b6875,
       REHA_INK_AMBER = 0x8a5800,
       REHA_INK_RED = 0xa4262c,
       REHA_INK_LINE = 0xd5dbe1
};

#endif
