/* store_misnamed -- the file and the symbol are right, the descriptor says another name. */
#include "t/plugins/tiny.h"

extern BR_EXPORT const struct br_plugin bridle_store_misnamed;
const struct br_plugin bridle_store_misnamed = {
    .magic = BR_MAGIC,
    .abi_major = BR_ABI_MAJOR,
    .abi_minor = BR_ABI_MINOR,
    .size = sizeof(struct br_plugin),
    .ops_size = sizeof(struct br_store),
    .kind = "store",
    .name = "zk",
    .ops.store = &tiny_store,
};
