"""CRC-32C and the journal's frames (protocols/journal.md, 1.2): commands in, frames out, and back."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

# FRAME_HEAD_BYTES before each record; why a walk over frames stopped: the room given is used up, a frame does not hold, a
# frame holds but its seq or ts_ns does not follow, nothing is left.
cdef enum:
    FRAME_HEAD_BYTES = 8
    SCAN_FULL = 0
    SCAN_BAD_FRAME = 1
    SCAN_OUT_OF_ORDER = 2
    SCAN_AT_END = 3

cdef extern from "tradsys/engine/frame_scan.h" nogil:
    cdef struct FrameScan "frame_scan":
        const uint8_t* base   # the segment's bytes, borrowed
        int64_t size          # how many there are, bytes
        int64_t at            # offset of the next frame, bytes
        uint64_t next_seq     # the seq it must have
        int64_t last_ts_ns    # it must not be less
        int32_t stop          # why the walk stopped: SCAN_...

# Any size; `before` is the checksum of the bytes in front, 0 when there are none.
cdef uint32_t crc32c(const uint8_t* data, int64_t size, uint32_t before) noexcept nogil
# Fill in seq and ts_ns until `limit` bytes are passed; bytes done, -1 when a record is no command of our schema.
cdef int64_t stamp_records(
    uint8_t* records, int64_t size, int64_t limit, uint64_t first_seq, int64_t ts_ns
) noexcept nogil
# Frame records lying back to back; bytes written: `size` + FRAME_HEAD_BYTES for each.
cdef int64_t write_frames(uint8_t* frames, const uint8_t* records, int64_t size) noexcept nogil
# Set WRITE_START on one frame.
cdef void mark_write_start(uint8_t* frame) noexcept nogil
# Records of good frames, copied back to back; bytes copied. `capacity` at least 3 x 65,544 bytes, or it may stand still.
cdef int64_t read_frames(FrameScan* scan, uint8_t* records, int64_t capacity) noexcept nogil
# Offset of the first whole frame at or behind `at` of at least that seq, or -1.
cdef int64_t find_frame(const uint8_t* base, int64_t size, int64_t at, uint64_t seq_min) noexcept nogil
# Offset of the first byte in [at, size) that is not zero, or -1.
cdef int64_t find_not_zero(const uint8_t* base, int64_t at, int64_t size) noexcept nogil
# Size of the record of a command template, 0 when it is none.
cdef int64_t command_size(int64_t template_id) noexcept nogil
