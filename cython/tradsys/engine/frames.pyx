"""CRC-32C and the journal's frames; the work is in frames.h, chosen for the processor at import."""
from libc.stdint cimport uint16_t

cimport tradsys.wire.records as wire

cdef extern from "tradsys/engine/frames.h" nogil:
    uint16_t[64] frame_record_size
    uint16_t frame_schema_id
    uint16_t frame_schema_version
    int crc_hardware
    int crc_hardware_present()
    void crc_make_tables()
    uint32_t crc_update(uint32_t crc, const uint8_t* p, int64_t size)
    int64_t frame_stamp(uint8_t* records, int64_t size, int64_t limit, uint64_t first_seq, int64_t ts_ns)
    int64_t frame_write(uint8_t* frames, const uint8_t* records, int64_t size)
    void frame_mark_start(uint8_t* frame)
    int64_t frame_read(FrameScan* scan, uint8_t* records, int64_t capacity)
    int64_t frame_find(const uint8_t* base, int64_t size, int64_t at, uint64_t seq_min)
    int64_t first_not_zero(const uint8_t* base, int64_t at, int64_t size)


cdef uint32_t crc32c(const uint8_t* data, int64_t size, uint32_t before) noexcept nogil:
    return ~crc_update(~before, data, size)


cdef int64_t stamp_records(
    uint8_t* records, int64_t size, int64_t limit, uint64_t first_seq, int64_t ts_ns
) noexcept nogil:
    return frame_stamp(records, size, limit, first_seq, ts_ns)


cdef int64_t write_frames(uint8_t* frames, const uint8_t* records, int64_t size) noexcept nogil:
    return frame_write(frames, records, size)


cdef void mark_write_start(uint8_t* frame) noexcept nogil:
    frame_mark_start(frame)


cdef int64_t read_frames(FrameScan* scan, uint8_t* records, int64_t capacity) noexcept nogil:
    return frame_read(scan, records, capacity)


cdef int64_t find_frame(const uint8_t* base, int64_t size, int64_t at, uint64_t seq_min) noexcept nogil:
    return frame_find(base, size, at, seq_min)


cdef int64_t find_not_zero(const uint8_t* base, int64_t at, int64_t size) noexcept nogil:
    return first_not_zero(base, at, size)


cdef int64_t command_size(int64_t template_id) noexcept nogil:
    return frame_record_size[template_id] if 0 <= template_id < 64 else 0


def checksum(const uint8_t[::1] data not None, uint32_t before=0):
    """Give the CRC-32C of `data`, going on from the checksum `before` of the bytes in front of it."""
    cdef uint32_t crc
    if data.shape[0] == 0:
        return before
    with nogil:
        crc = crc32c(&data[0], data.shape[0], before)
    return crc


def use_hardware(bint wanted):
    """Choose the processor's CRC instruction or the table version; True when the instruction is used now."""
    global crc_hardware
    crc_hardware = wanted and crc_hardware_present()
    return bool(crc_hardware)


def frame(const uint8_t[::1] records not None):
    """Frame commands lying back to back; the bytes as the journal holds them. For tools and tests."""
    cdef int64_t size = records.shape[0], count = 0, at = 0, record_size
    while at < size:
        record_size = <int64_t>(<const uint16_t*>&records[at])[0] + 8
        if record_size > size - at:
            raise ValueError(f"record at byte {at} must end within {size} bytes, was {record_size} bytes long")
        at += record_size
        count += 1
    out = bytearray(size + FRAME_HEAD_BYTES * count)
    cdef uint8_t[::1] view = out
    if size:
        frame_write(&view[0], &records[0], size)
    return bytes(out)


cdef void fill_sizes() noexcept:
    """Write down the size of each command's record."""
    cdef int template_id
    for template_id in range(<int>wire.COMMAND_TEMPLATES):
        if wire.COMMAND_BLOCK_LENGTHS[template_id]:
            frame_record_size[template_id] = wire.COMMAND_BLOCK_LENGTHS[template_id] + <uint16_t>sizeof(wire.MessageHeader)


fill_sizes()
crc_make_tables()
frame_schema_id = wire.SCHEMA_ID
frame_schema_version = wire.SCHEMA_VERSION
use_hardware(True)
