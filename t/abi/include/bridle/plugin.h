/* bridle/plugin.h -- include this one; define one BR_PLUGIN; export nothing else.
 *
 *     BR_PLUGIN(store, memory, &memory_store,
 *               .summary = "A store in memory, for tests and rehearsals.",
 *               .version = "1.0",
 *               .license = "Apache-2.0",
 *               BR_STATE(struct memory, memory_options),
 *               .open = memory_open, .close = memory_close);
 *
 * makes the one exported symbol, bridle_store_memory, of the one file, store_memory.so.  The
 * descriptor is inert data: the host reads and checks it before any code of the plugin runs.
 *
 * Life: verify -> allocate state -> fill options -> open -> start -> calls ... -> stop -> close
 * -> free.
 *
 * ABI.  Major changes when something is removed or changed; it must match.  Minor changes when
 * something is added at the end of a structure; the plugin's must not be greater than the host's.
 *
 *     1.0   first
 */
#ifndef BRIDLE_PLUGIN_H
#define BRIDLE_PLUGIN_H

#include <bridle/host.h>
#include <bridle/option.h>
#include <bridle/policy.h>
#include <bridle/store.h>
#include <bridle/transport.h>

#define BR_ABI_MAJOR 1
#define BR_ABI_MINOR 0
#define BR_MAGIC     UINT32_C(0x6272646c) /* "brdl" */

#define BR_STATE_MAX   (1 << 20) /* bytes of state_size */
#define BR_OPTIONS_MAX 64        /* options of one plugin */

enum {
    BR_NEEDS_LOOP = 1 << 0, /* cannot run without env->loop */
};

struct br_plugin {
    uint32_t magic;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t size;        /* of this structure, as the plugin knew it */
    uint32_t ops_size;    /* of *ops */
    uint32_t option_size; /* of one option */
    uint32_t state_size;  /* the host allocates it, zeroed, as env->self */
    uint32_t flags;
    uint32_t reserved;
    const char *kind; /* "store", "transport", "policy" */
    const char *name; /* [a-z][a-z0-9]* */
    const char *version;
    const char *summary;
    const char *license;
    const struct br_option *options; /* ends with a zeroed entry; NULL: none */
    union {
        const void *any;
        const struct br_store *store;
        const struct br_transport *transport;
        const struct br_policy *policy;
    } ops;

    /* All optional.  open: check the options, no I/O.  start: connect.  stop: every outstanding
     * call is replied to before this one is.  close: free what open and start made. */
    br_status (*open)(struct br_env *env);
    void (*start)(struct br_env *env, struct br_call *call);
    void (*stop)(struct br_env *env, struct br_call *call);
    void (*close)(struct br_env *env);
};

#if defined(__GNUC__)
#define BR_EXPORT __attribute__((visibility("default")))
#else
#define BR_EXPORT
#endif

#define BR_STATE(T, table) .state_size = sizeof(T), .options = (table)

#define BR_PLUGIN(kind_, name_, ops_, ...)                                                         \
    extern BR_EXPORT const struct br_plugin bridle_##kind_##_##name_;                              \
    const struct br_plugin bridle_##kind_##_##name_ = { .magic = BR_MAGIC,                         \
                                                        .abi_major = BR_ABI_MAJOR,                 \
                                                        .abi_minor = BR_ABI_MINOR,                 \
                                                        .size = sizeof(struct br_plugin),          \
                                                        .ops_size = sizeof(struct br_##kind_),     \
                                                        .option_size = sizeof(struct br_option),   \
                                                        .kind = #kind_,                            \
                                                        .name = #name_,                            \
                                                        .ops = { .kind_ = (ops_) },                \
                                                        __VA_ARGS__ }

#endif
