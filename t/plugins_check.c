/* plugins_check -- a descriptor's every field, wrong once each. */
#include "t/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/plugins/loader.h"
#include "t/plugins/tiny.h"

TCase *plugins_check_cases(void);

struct state {
    const char *hosts;
    bool loud;
    int32_t mode;
    int64_t many;
};

/* What a test may bend. */
struct bent {
    struct br_plugin plugin;
    struct br_store store;
    struct br_transport transport;
    struct br_policy policy;
    struct br_option options[BR_OPTIONS_MAX + 2];
};

static void bent_tables(struct br_env *env, const char *node, int32_t index, struct br_call *call)
{
    (void) env;
    (void) index;
    br_reply_fail(call, BR_UNAVAILABLE, "%s", node);
}

static br_status bent_names(struct br_env *env, const struct br_names_evidence *evidence,
                            struct br_names_verdict *verdict)
{
    (void) env;
    (void) evidence;
    (void) verdict;
    return BR_OK;
}

static br_status bent_table(struct br_env *env, const struct br_table_evidence *evidence,
                            struct br_table_verdict *verdict)
{
    (void) env;
    (void) evidence;
    (void) verdict;
    return BR_OK;
}

static br_status bent_partition(struct br_env *env, const struct br_partition_evidence *evidence,
                                struct br_partition_verdict *verdict)
{
    (void) env;
    (void) evidence;
    (void) verdict;
    return BR_OK;
}

static struct bent *bent_new(const char *kind)
{
    struct bent *bent = calloc(1, sizeof *bent);
    bent->store = tiny_store;
    bent->transport = (struct br_transport){ .tables = bent_tables, .replicas = bent_tables };
    bent->policy = (struct br_policy){ bent_table, bent_names, bent_partition };
    bent->options[0] = (struct br_option) BR_STRING(struct state, hosts, .help = "Where.");
    bent->options[1] = (struct br_option) BR_BOOL(struct state, loud, .help = "How.");
    bent->options[2] =
        (struct br_option) BR_CHOICE(struct state, mode, .help = "Which.", .choices = "a|b");
    bent->options[3] = (struct br_option) BR_INTEGER(struct state, many, .help = "How many.");
    bent->plugin = (struct br_plugin){
        .magic = BR_MAGIC,
        .abi_major = BR_ABI_MAJOR,
        .abi_minor = BR_ABI_MINOR,
        .size = sizeof(struct br_plugin),
        .ops_size = sizeof(struct br_store),
        .option_size = sizeof(struct br_option),
        .kind = kind,
        .name = "bent",
        BR_STATE(struct state, bent->options),
        .ops.store = &bent->store,
    };
    if (strcmp(kind, "transport") == 0) {
        bent->plugin.ops_size = sizeof(struct br_transport);
        bent->plugin.ops.transport = &bent->transport;
    } else if (strcmp(kind, "policy") == 0) {
        bent->plugin.ops_size = sizeof(struct br_policy);
        bent->plugin.ops.policy = &bent->policy;
    }
    return bent;
}

#define BEND(name, ...)                                                                            \
    static void name(struct bent *b)                                                               \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

BEND(nothing, (void) b)
BEND(magic, b->plugin.magic = 7)
BEND(major, b->plugin.abi_major = BR_ABI_MAJOR + 1)
BEND(major_older, b->plugin.abi_major = 0)
BEND(minor, b->plugin.abi_minor = BR_ABI_MINOR + 1)
BEND(short_descriptor, b->plugin.size = offsetof(struct br_plugin, ops))
BEND(no_size, b->plugin.size = 0)
BEND(longer_descriptor, b->plugin.size = sizeof b->plugin + 8)
BEND(no_kind, b->plugin.kind = NULL)
BEND(no_name, b->plugin.name = NULL)
BEND(other_name, b->plugin.name = "zk")
BEND(state_max, b->plugin.state_size = BR_STATE_MAX)
BEND(state_over, b->plugin.state_size = BR_STATE_MAX + 1)
BEND(no_ops, b->plugin.ops.any = NULL)
BEND(empty_ops, b->plugin.ops_size = 0)
BEND(no_read, b->store.read = NULL)
BEND(no_list, b->store.list = NULL)
BEND(no_commit, b->store.commit = NULL)
BEND(short_commit, b->plugin.ops_size = offsetof(struct br_store, commit))
BEND(least_ops, b->plugin.ops_size = offsetof(struct br_store, lock))
BEND(no_tables, b->transport.tables = NULL)
BEND(no_replicas, b->transport.replicas = NULL)
BEND(no_table, b->policy.table = NULL)
BEND(no_names, b->policy.names = NULL)
BEND(no_partition, b->policy.partition = NULL)
BEND(no_options, b->plugin.options = NULL; b->plugin.option_size = 0)
BEND(no_help, b->options[1].help = NULL)
BEND(empty_help, b->options[1].help = "")
BEND(bad_option_name, b->options[0].name = "Hosts")
BEND(empty_option_name, b->options[0].name = "")
BEND(underscores, b->options[0].name = "read_hosts_2")
BEND(host_plugin, b->options[0].name = "plugin")
BEND(host_deadline, b->options[0].name = "deadline")
BEND(twice, b->options[3].name = "hosts")
BEND(type_zero, b->options[1].type = 0)
BEND(type_over, b->options[1].type = BR_OPT_LIST + 1)
BEND(no_choices, b->options[2].choices = NULL)
BEND(behind_state, b->options[3].offset = sizeof(struct state))
BEND(far_behind_state, b->options[3].offset = UINT32_MAX)
BEND(over_the_end, b->options[3].offset = sizeof(struct state) - 4)
BEND(last_bytes, b->options[3].offset = sizeof(struct state) - 8)
BEND(askew, b->options[3].offset = 4)
BEND(option_size_small, b->plugin.option_size = offsetof(struct br_option, flags) - 8)
BEND(option_size_odd, b->plugin.option_size = sizeof(struct br_option) + 4)

static void fill_options(struct bent *bent, int count)
{
    static char names[BR_OPTIONS_MAX + 1][16];
    for (int i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "o%d", i);
        bent->options[i] = bent->options[3];
        bent->options[i].name = names[i];
    }
    bent->options[3].name = names[3];
}

BEND(options_max, fill_options(b, BR_OPTIONS_MAX))
BEND(options_over, fill_options(b, BR_OPTIONS_MAX + 1))

static const struct {
    const char *kind;
    void (*bend)(struct bent *);
    const char *says; /* after "FILE: "; NULL: passes */
} bends[] = {
    { "store", nothing, NULL },
    { "transport", nothing, NULL },
    { "policy", nothing, NULL },
    { "store", magic, "not a bridle plugin: magic 00000007, expected 6272646c" },
    { "store", major, "built for ABI 2.1, this host has 1.1: rebuild it" },
    { "store", major_older, "built for ABI 0.1, this host has 1.1: rebuild it" },
    { "store", minor, "built for ABI 1.2, this host has 1.1: rebuild it" },
    { "store", short_descriptor, "a descriptor of 80 bytes: the least is 88" },
    { "store", no_size, "a descriptor of 0 bytes: the least is 88" },
    { "store", longer_descriptor, NULL },
    { "store", no_kind, "calls itself ?_bent: expected store_bent" },
    { "store", no_name, "calls itself store_?: expected store_bent" },
    { "store", other_name, "calls itself store_zk: expected store_bent" },
    { "store", state_max, NULL },
    { "store", state_over, "a state of 1048577 bytes: at most 1048576" },
    { "store", no_ops, "store without functions" },
    { "store", empty_ops, "store without read" },
    { "store", no_read, "store without read" },
    { "store", no_list, "store without list" },
    { "store", no_commit, "store without commit" },
    { "store", short_commit, "store without commit" },
    { "store", least_ops, NULL },
    { "transport", no_tables, "transport without tables" },
    { "transport", no_replicas, "transport without replicas" },
    { "policy", no_table, "policy without table" },
    { "policy", no_names, "policy without names" },
    { "policy", no_partition, "policy without partition" },
    { "store", no_options, NULL },
    { "store", no_help, "option loud has no help" },
    { "store", empty_help, "option loud has no help" },
    { "store", bad_option_name, "option \"Hosts\": not a name" },
    { "store", empty_option_name, "option \"\": not a name" },
    { "store", underscores, NULL },
    { "store", host_plugin, "option plugin is the host's own" },
    { "store", host_deadline, "option deadline is the host's own" },
    { "store", twice, "option hosts stands twice" },
    { "store", type_zero, "option loud has type 0: the last known is 7" },
    { "store", type_over, "option loud has type 8: the last known is 7" },
    { "store", no_choices, "option mode has no choices" },
    { "store", behind_state, "option many lies at bytes 24 to 32 of a state of 24 bytes" },
    { "store", far_behind_state, "option many lies at bytes 4294967295 to 4294967303 of a state" },
    { "store", over_the_end, "option many lies at bytes 20 to 28 of a state of 24 bytes" },
    { "store", last_bytes, NULL },
    { "store", askew, "option many lies at byte 4, not a multiple of 8" },
    { "store", option_size_small, "options of 48 bytes each: the least is 56" },
    { "store", option_size_odd, "options of 68 bytes each: the least is 56, in steps of 8" },
    { "store", options_max, NULL },
    { "store", options_over, "more than 64 options" },
};

START_TEST(descriptor)
{
    struct bent *bent = bent_new(bends[_i].kind);
    struct fail fail = { .status = BR_OK };
    char says[512];
    bends[_i].bend(bent);
    br_status status = loader_check(&bent->plugin, "FILE", bends[_i].kind, "bent", &fail);
    if (bends[_i].says) {
        snprintf(says, sizeof says, "FILE: %s", bends[_i].says);
        ck_assert_msg(strncmp(fail.text, says, strlen(says)) == 0, "\"%s\" is not \"%s\"",
                      fail.text, says);
        ck_assert_int_eq(status, fail.status);
        ck_assert_int_ne(status, BR_OK);
    } else {
        ck_assert_msg(status == BR_OK, "%s", fail.text);
        ck_assert_str_eq(fail.text, "");
    }
    free(bent);
}
END_TEST

/* A descriptor is read only as far as its own size says: what follows is not even there. */
START_TEST(short_descriptor_is_not_overread)
{
    struct bent *bent = bent_new("store");
    size_t size = offsetof(struct br_plugin, open);
    struct br_plugin *shorter = malloc(size);
    struct fail fail;
    bent->plugin.size = (uint32_t) size;
    memcpy(shorter, &bent->plugin, size);
    ck_assert_int_eq(loader_check(shorter, "FILE", "store", "bent", &fail), BR_OK);
    free(shorter);
    free(bent);
}
END_TEST

TCase *plugins_check_cases(void)
{
    TCase *tcase = tcase_create("check");
    tcase_add_loop_test(tcase, descriptor, 0, (int) (sizeof bends / sizeof *bends));
    tcase_add_test(tcase, short_descriptor_is_not_overread);
    return tcase;
}
