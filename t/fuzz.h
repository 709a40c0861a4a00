/* fuzz -- the one function of every t/fuzz_NAME.c.  libFuzzer calls it (--enable-fuzz), and so does
 * t/replay.c for the inputs in t/corpus/NAME.
 */
#ifndef T_FUZZ_H
#define T_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Always 0; what is wrong aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
