/* Where the SOHs of a message stand and what its bytes sum up to, 64 bytes at a time: AVX2 where the processor has it. */
#ifndef TRADSYS_FIX_BLOCKS_H
#define TRADSYS_FIX_BLOCKS_H

#include <stdint.h>
#include <string.h>

/* Bit n of masks[i] is set where data[64 i + n] is SOH; masks has (size + 63) / 64 words. Returns the sum of all bytes. */
typedef uint32_t (*fix_blocks_t)(const uint8_t* data, int64_t size, uint64_t* masks);

/* In plain C: what other processors run, and what the others are compared with. */
static uint32_t fix_blocks_plain(const uint8_t* data, int64_t size, uint64_t* masks) {
    uint32_t sum = 0;
    memset(masks, 0, (size_t)((size + 63) / 64) * 8);
    for (int64_t at = 0; at < size; at++) {
        sum += data[at];
        masks[at >> 6] |= (uint64_t)(data[at] == 1) << (at & 63);
    }
    return sum;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* The last bytes of a message, filled up with zeros: nothing behind the message is read. */
static inline const uint8_t* fix_last_block(uint8_t* room, const uint8_t* data, int64_t size) {
    memset(room, 0, 64);
    memcpy(room, data, (size_t)size);
    return room;
}

static uint32_t fix_blocks_sse2(const uint8_t* data, int64_t size, uint64_t* masks) {
    const __m128i soh = _mm_set1_epi8(1), zero = _mm_setzero_si128();
    __m128i sums = zero;
    uint8_t room[64];
    for (int64_t at = 0; at < size; at += 64) {
        const uint8_t* block = size - at < 64 ? fix_last_block(room, data + at, size - at) : data + at;
        uint64_t mask = 0;
        for (int part = 0; part < 4; part++) {
            __m128i bytes = _mm_loadu_si128((const __m128i*)(block + 16 * part));
            mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, soh)) << (16 * part);
            sums = _mm_add_epi64(sums, _mm_sad_epu8(bytes, zero));
        }
        *masks++ = mask;
    }
    return (uint32_t)_mm_cvtsi128_si64(sums) + (uint32_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
}

__attribute__((target("avx2")))
static uint32_t fix_blocks_avx2(const uint8_t* data, int64_t size, uint64_t* masks) {
    const __m256i soh = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
    __m256i sums = zero;
    uint8_t room[64];
    for (int64_t at = 0; at < size; at += 64) {
        const uint8_t* block = size - at < 64 ? fix_last_block(room, data + at, size - at) : data + at;
        __m256i low = _mm256_loadu_si256((const __m256i*)block);
        __m256i high = _mm256_loadu_si256((const __m256i*)(block + 32));
        *masks++ = (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, soh))
            | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, soh)) << 32;
        sums = _mm256_add_epi64(sums, _mm256_add_epi64(_mm256_sad_epu8(low, zero), _mm256_sad_epu8(high, zero)));
    }
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return (uint32_t)_mm_cvtsi128_si64(half) + (uint32_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(half, half));
}
#endif

/* Sum of all bytes. */
__attribute__((unused)) static uint32_t fix_sum(const uint8_t* data, int64_t size) {
    uint32_t sum = 0;
    int64_t at = 0;
#if defined(__x86_64__)
    const __m128i zero = _mm_setzero_si128();
    __m128i sums = zero;
    for (; at + 16 <= size; at += 16)
        sums = _mm_add_epi64(sums, _mm_sad_epu8(_mm_loadu_si128((const __m128i*)(data + at)), zero));
    sum = (uint32_t)_mm_cvtsi128_si64(sums) + (uint32_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(sums, sums));
#endif
    for (; at < size; at++) sum += data[at];
    return sum;
}

/* kind 0: the best this processor has; 1 plain C, 2 SSE2, 3 AVX2; NULL where it is not there. */
__attribute__((unused)) static fix_blocks_t fix_choose_blocks(int kind) {
#if defined(__x86_64__)
    if (kind == 2) return fix_blocks_sse2;
    __builtin_cpu_init();
    if (kind != 1 && __builtin_cpu_supports("avx2")) return fix_blocks_avx2;
    if (kind == 0) return fix_blocks_sse2;
#endif
    return kind == 0 || kind == 1 ? fix_blocks_plain : NULL;
}

#endif
