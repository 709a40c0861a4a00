/* abi -- everything that crosses the plugin boundary, in one shared object for abidiff (t/abi.sh):
 * pointers, whose own size stays when a structure grows.
 */
#include <bridle/plugin.h>

#define SHOWN(type)                                                                                \
    extern BR_EXPORT const struct type *const bridle_abi_##type;                                   \
    const struct type *const bridle_abi_##type = NULL

SHOWN(br_plugin); /* leads to br_option, br_store, br_transport, br_policy, br_env, br_call, br_host
                   */
SHOWN(br_value);
SHOWN(br_chunk);
SHOWN(br_table);
SHOWN(br_replica);
