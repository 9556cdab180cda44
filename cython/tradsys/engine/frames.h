/* CRC-32C and the journal's frames (protocols/journal.md, 1.2).

   The processor's CRC instruction (SSE 4.2) takes 8 bytes every cycle but answers after 3, so three frames of one size
   are worked on side by side. It is chosen when the module is imported; the table version gives the same answers anywhere.
   Little-endian machines only, as all of TradSys. */
#ifndef TRADSYS_ENGINE_FRAMES_H
#define TRADSYS_ENGINE_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "tradsys/engine/frame_scan.h"

#define FRAME_HEAD_BYTES 8
#define FRAME_SIZE_MASK 0x0000FFFFu
#define FRAME_WRITE_START 0x80000000u

static uint16_t frame_record_size[64]; /* size of a command's record by template id, bytes; 0: no command */
static uint16_t frame_schema_id;
static uint16_t frame_schema_version;
static uint32_t crc_table[8][256];
static int crc_hardware; /* 1: the CRC instruction is there and used */

static inline uint16_t load_u16(const uint8_t* p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t load_u32(const uint8_t* p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load_u64(const uint8_t* p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline void store_u32(uint8_t* p, uint32_t v) { memcpy(p, &v, 4); }
static inline void store_u64(uint8_t* p, uint64_t v) { memcpy(p, &v, 8); }

/* ---- table version ---- */

static void crc_make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
        crc_table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            crc_table[k][byte] = (crc_table[k - 1][byte] >> 8) ^ crc_table[0][crc_table[k - 1][byte] & 0xFF];
}

static uint32_t crc_update_table(uint32_t crc, const uint8_t* p, int64_t size) {
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t w = load_u64(p) ^ crc;
        crc = crc_table[7][w & 0xFF] ^ crc_table[6][(w >> 8) & 0xFF] ^ crc_table[5][(w >> 16) & 0xFF] ^
              crc_table[4][(w >> 24) & 0xFF] ^ crc_table[3][(w >> 32) & 0xFF] ^ crc_table[2][(w >> 40) & 0xFF] ^
              crc_table[1][(w >> 48) & 0xFF] ^ crc_table[0][w >> 56];
    }
    for (; size > 0; p++, size--) crc = (crc >> 8) ^ crc_table[0][(crc ^ *p) & 0xFF];
    return crc;
}

/* ---- hardware version ---- */

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CRC_TARGET __attribute__((target("sse4.2")))

static int crc_hardware_present(void) { return __builtin_cpu_supports("sse4.2") != 0; }

CRC_TARGET static uint32_t crc_update_hardware(uint32_t crc, const uint8_t* p, int64_t size) {
    uint64_t c = crc;
    for (; size >= 8; p += 8, size -= 8) c = _mm_crc32_u64(c, load_u64(p));
    for (; size > 0; p++, size--) c = _mm_crc32_u8((uint32_t)c, *p);
    return (uint32_t)c;
}

/* Copy three records of `size` bytes (a multiple of 8), lying `step_in` apart, to places `step_out` apart; give their CRCs. */
CRC_TARGET static void crc_copy3(uint8_t* out, int64_t step_out, const uint8_t* in, int64_t step_in, int64_t size,
                                 const uint32_t* words, uint32_t* crcs) {
    uint64_t a = _mm_crc32_u32(~0u, words[0]), b = _mm_crc32_u32(~0u, words[1]), c = _mm_crc32_u32(~0u, words[2]);
    for (int64_t i = 0; i < size; i += 8) {
        uint64_t x = load_u64(in + i), y = load_u64(in + step_in + i), z = load_u64(in + 2 * step_in + i);
        a = _mm_crc32_u64(a, x);
        b = _mm_crc32_u64(b, y);
        c = _mm_crc32_u64(c, z);
        store_u64(out + i, x);
        store_u64(out + step_out + i, y);
        store_u64(out + 2 * step_out + i, z);
    }
    crcs[0] = ~(uint32_t)a;
    crcs[1] = ~(uint32_t)b;
    crcs[2] = ~(uint32_t)c;
}
#else
static int crc_hardware_present(void) { return 0; }
static uint32_t crc_update_hardware(uint32_t crc, const uint8_t* p, int64_t size) { return crc_update_table(crc, p, size); }
static void crc_copy3(uint8_t* out, int64_t step_out, const uint8_t* in, int64_t step_in, int64_t size,
                      const uint32_t* words, uint32_t* crcs) {
    for (int k = 0; k < 3; k++) {
        memcpy(out + k * step_out, in + k * step_in, (size_t)size);
        crcs[k] = ~crc_update_table(crc_update_table(~0u, (const uint8_t*)&words[k], 4), in + k * step_in, size);
    }
}
#endif

static inline uint32_t crc_update(uint32_t crc, const uint8_t* p, int64_t size) {
    return crc_hardware ? crc_update_hardware(crc, p, size) : crc_update_table(crc, p, size);
}

static inline uint32_t frame_crc(const uint8_t* frame, int64_t record_size) {
    return ~crc_update(~0u, frame + 4, 4 + record_size);
}

/* ---- writing ---- */

/* Give records their seq and ts_ns, until `limit` bytes are passed. Returns the bytes of the records done, or -1 when one is
   not a command of our schema. */
static int64_t frame_stamp(uint8_t* records, int64_t size, int64_t limit, uint64_t first_seq, int64_t ts_ns) {
    int64_t at = 0;
    while (at < size && at < limit) {
        int64_t record_size = (int64_t)load_u16(records + at) + 8;
        uint16_t template_id = load_u16(records + at + 2);
        if (template_id >= 64 || frame_record_size[template_id] != record_size || record_size > size - at) return -1;
        if (load_u16(records + at + 4) != frame_schema_id || load_u16(records + at + 6) != frame_schema_version) return -1;
        store_u64(records + at + 8, first_seq++);
        memcpy(records + at + 16, &ts_ns, 8);
        at += record_size;
    }
    return at;
}

/* Frame records lying back to back. Returns the bytes written. */
static int64_t frame_write(uint8_t* frames, const uint8_t* records, int64_t size) {
    uint8_t* out = frames;
    while (size > 0) {
        int64_t n = (int64_t)load_u16(records) + 8;
        if (crc_hardware && size >= 3 * n && load_u16(records + n) + 8 == n && load_u16(records + 2 * n) + 8 == n) {
            uint32_t words[3] = {(uint32_t)n, (uint32_t)n, (uint32_t)n}, crcs[3];
            int64_t step = n + FRAME_HEAD_BYTES;
            crc_copy3(out + FRAME_HEAD_BYTES, step, records, n, n, words, crcs);
            for (int k = 0; k < 3; k++) {
                store_u32(out + k * step, crcs[k]);
                store_u32(out + k * step + 4, (uint32_t)n);
            }
            out += 3 * step;
            records += 3 * n;
            size -= 3 * n;
        } else {
            store_u32(out + 4, (uint32_t)n);
            memcpy(out + FRAME_HEAD_BYTES, records, (size_t)n);
            store_u32(out, frame_crc(out, n));
            out += n + FRAME_HEAD_BYTES;
            records += n;
            size -= n;
        }
    }
    return out - frames;
}

static void frame_mark_start(uint8_t* frame) {
    uint32_t word = load_u32(frame + 4) | FRAME_WRITE_START;
    store_u32(frame + 4, word);
    store_u32(frame, frame_crc(frame, word & FRAME_SIZE_MASK));
}

/* ---- reading ---- */

/* Size of the record of the frame at p when its head is plausible (checksum not yet looked at), else 0. */
static inline int64_t frame_plausible(const uint8_t* p, int64_t left) {
    if (left < FRAME_HEAD_BYTES + 8) return 0;
    uint32_t word = load_u32(p + 4);
    int64_t n = word & FRAME_SIZE_MASK;
    uint16_t template_id = load_u16(p + FRAME_HEAD_BYTES + 2);
    if ((word & ~(FRAME_SIZE_MASK | FRAME_WRITE_START)) != 0 || n == 0 || n > left - FRAME_HEAD_BYTES) return 0;
    if (template_id >= 64 || frame_record_size[template_id] != n || load_u16(p + FRAME_HEAD_BYTES) + 8 != n) return 0;
    return n;
}

static inline int frame_in_order(struct frame_scan* scan, const uint8_t* record) {
    int64_t ts_ns;
    memcpy(&ts_ns, record + 16, 8);
    if (load_u64(record + 8) != scan->next_seq || ts_ns < scan->last_ts_ns) return 0;
    scan->next_seq++;
    scan->last_ts_ns = ts_ns;
    return 1;
}

/* Try three frames of one size at once. Returns 1 when all were taken; else nothing has changed but bytes at `out`. */
static int frame_read3(struct frame_scan* scan, uint8_t* out, int64_t n) {
    const uint8_t* p = scan->base + scan->at;
    int64_t step = n + FRAME_HEAD_BYTES;
    uint32_t words[3], crcs[3];
    for (int k = 0; k < 3; k++) {
        if (frame_plausible(p + k * step, scan->size - scan->at - k * step) != n) return 0;
        words[k] = load_u32(p + k * step + 4);
    }
    crc_copy3(out, n, p + FRAME_HEAD_BYTES, step, n, words, crcs);
    struct frame_scan tried = *scan;
    for (int k = 0; k < 3; k++)
        if (crcs[k] != load_u32(p + k * step) || !frame_in_order(&tried, out + k * n)) return 0;
    tried.at += 3 * step;
    *scan = tried;
    return 1;
}

/* Copy the records of good frames back to back to `records`; says in scan->stop why it ended. Returns the bytes copied. */
static int64_t frame_read(struct frame_scan* scan, uint8_t* records, int64_t capacity) {
    uint8_t* out = records;
    for (;;) {
        const uint8_t* p = scan->base + scan->at;
        int64_t left = scan->size - scan->at, n;
        if (left == 0) { scan->stop = SCAN_AT_END; break; }
        n = frame_plausible(p, left);
        if (n == 0) { scan->stop = SCAN_BAD_FRAME; break; }
        if (capacity - (out - records) < 3 * n) { scan->stop = SCAN_FULL; break; }
        if (crc_hardware && left >= 3 * (n + FRAME_HEAD_BYTES) && frame_read3(scan, out, n)) {
            out += 3 * n;
            continue;
        }
        if (frame_crc(p, n) != load_u32(p)) { scan->stop = SCAN_BAD_FRAME; break; }
        if (!frame_in_order(scan, p + FRAME_HEAD_BYTES)) { scan->stop = SCAN_OUT_OF_ORDER; break; }
        memcpy(out, p + FRAME_HEAD_BYTES, (size_t)n);
        out += n;
        scan->at += n + FRAME_HEAD_BYTES;
    }
    return out - records;
}

/* Offset of the first whole frame at or behind `at` whose seq is `seq_min` or higher, or -1. */
static int64_t frame_find(const uint8_t* base, int64_t size, int64_t at, uint64_t seq_min) {
    for (at = (at + 7) & ~(int64_t)7; at + FRAME_HEAD_BYTES + 16 <= size; at += 8) {
        int64_t n = frame_plausible(base + at, size - at);
        if (n != 0 && load_u64(base + at + FRAME_HEAD_BYTES + 8) >= seq_min && frame_crc(base + at, n) == load_u32(base + at))
            return at;
    }
    return -1;
}

/* Offset of the first byte in [at, size) that is not zero, or -1. */
static int64_t first_not_zero(const uint8_t* base, int64_t at, int64_t size) {
    for (; at < size && (at & 7); at++)
        if (base[at]) return at;
    for (; at + 8 <= size; at += 8)
        if (load_u64(base + at)) break;
    for (; at < size; at++)
        if (base[at]) return at;
    return -1;
}

#endif
