/* crc -- the two checksums of Pegasus.
 *
 * CRC-32C (Castagnoli; src/utils/crc.cpp): messages, private logs, dump files.  Chaining:
 * crc32c(b, crc32c(a, 0)) is the checksum of a followed by b.
 * CRC-64 (reflected polynomial 0x9A6C9329AC4BC9B5): the partition hash of a key.
 * Hardware is used where the CPU has it.
 */
#ifndef HOST_BASE_CRC_H
#define HOST_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t size, uint32_t init);
/* What crc32c() is where the CPU has no instruction for it. */
uint32_t crc32c_portable(const void *data, size_t size, uint32_t init);

uint64_t crc64(const void *data, size_t size, uint64_t init);

#endif
