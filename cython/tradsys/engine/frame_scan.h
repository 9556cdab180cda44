/* A walk over journal frames; apart from frames.h, so that others can hold one. */
#ifndef TRADSYS_ENGINE_FRAME_SCAN_H
#define TRADSYS_ENGINE_FRAME_SCAN_H

#include <stdint.h>

enum { SCAN_FULL = 0, SCAN_BAD_FRAME = 1, SCAN_OUT_OF_ORDER = 2, SCAN_AT_END = 3 };

/* Where a walk over frames stands. */
struct frame_scan {
    const uint8_t* base;  /* the segment's bytes */
    int64_t size;         /* how many there are, bytes */
    int64_t at;           /* offset of the next frame, bytes */
    uint64_t next_seq;    /* the seq it must have */
    int64_t last_ts_ns;   /* it must not be less */
    int32_t stop;         /* why the walk stopped: SCAN_... */
};

#endif
