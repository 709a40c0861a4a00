/* store_magic -- exports the right name, and something else behind it. */
#include "t/plugins/tiny.h"

extern BR_EXPORT const struct br_plugin bridle_store_magic;
const struct br_plugin bridle_store_magic = { .magic = 0x7f454c46, .ops.store = &tiny_store };
