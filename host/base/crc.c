/* crc -- see crc.h.  A checksum is linear in its bits, so that eight constants a polynomial, those
 * of the single bits, give the compiler all 256 entries of its table.
 */
#include "host/base/crc.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define CRC_BITS(i, b0, b1, b2, b3, b4, b5, b6, b7)                                                \
    (((i) &1 ? (b0) : 0) ^ ((i) &2 ? (b1) : 0) ^ ((i) &4 ? (b2) : 0) ^ ((i) &8 ? (b3) : 0)         \
     ^ ((i) &16 ? (b4) : 0) ^ ((i) &32 ? (b5) : 0) ^ ((i) &64 ? (b6) : 0) ^ ((i) &128 ? (b7) : 0))
#define CRC_4(X, i)  X(i), X((i) + 1), X((i) + 2), X((i) + 3)
#define CRC_16(X, i) CRC_4(X, i), CRC_4(X, (i) + 4), CRC_4(X, (i) + 8), CRC_4(X, (i) + 12)
#define CRC_64(X, i) CRC_16(X, i), CRC_16(X, (i) + 16), CRC_16(X, (i) + 32), CRC_16(X, (i) + 48)
#define CRC_ALL(X)   CRC_64(X, 0), CRC_64(X, 64), CRC_64(X, 128), CRC_64(X, 192)

#define CRC_32C(i)                                                                                 \
    CRC_BITS(i, 0xF26B8303u, 0xE13B70F7u, 0xC79A971Fu, 0x8AD958CFu, 0x105EC76Fu, 0x20BD8EDEu,      \
             0x417B1DBCu, 0x82F63B78u)
#define CRC_64BIT(i)                                                                               \
    CRC_BITS(i, UINT64_C(0x7F6EF0C830358979), UINT64_C(0xFEDDE190606B12F2),                        \
             UINT64_C(0xC962E5739841B68F), UINT64_C(0xA61CECB46814FE75),                           \
             UINT64_C(0x78E0FF3B88BE6F81), UINT64_C(0xF1C1FE77117CDF02),                           \
             UINT64_C(0xD75ADABD7A6E2D6F), UINT64_C(0x9A6C9329AC4BC9B5))

static const uint32_t crc32c_table[256] = { CRC_ALL(CRC_32C) };
static const uint64_t crc64_table[256] = { CRC_ALL(CRC_64BIT) };

uint32_t crc32c_portable(const void *data, size_t size, uint32_t init)
{
    const unsigned char *bytes = data;
    uint32_t crc = ~init;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ crc32c_table[(crc ^ bytes[i]) & 0xFF];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const void *data, size_t size,
                                                               uint32_t init)
{
    const unsigned char *bytes = data;
    uint64_t crc = ~init;
    for (; size >= 8; bytes += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    uint32_t rest = (uint32_t) crc;
    for (; size; bytes++, size--)
        rest = _mm_crc32_u8(rest, *bytes);
    return ~rest;
}

/* The CPU is asked on every call: that is one load, and needs no state of ours. */
uint32_t crc32c(const void *data, size_t size, uint32_t init)
{
    if (__builtin_cpu_supports("sse4.2"))
        return crc32c_sse42(data, size, init);
    return crc32c_portable(data, size, init);
}
#else
uint32_t crc32c(const void *data, size_t size, uint32_t init)
{
    return crc32c_portable(data, size, init);
}
#endif

uint64_t crc64(const void *data, size_t size, uint64_t init)
{
    const unsigned char *bytes = data;
    uint64_t crc = ~init;
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ crc64_table[(crc ^ bytes[i]) & 0xFF];
    return ~crc;
}
