/* config -- bridled.yaml as a whole: the contract's keys, the plugins' sections, --set.
 *
 * Keys and defaults are Pegasus's where Pegasus has them (src/server/config.ini). conf/bridled.yaml
 * is the commented reference; each key below says its meaning and limits there.
 */
#ifndef HOST_CONFIG_CONFIG_H
#define HOST_CONFIG_CONFIG_H

#include "host/config/option.h"

#define CONFIG_NOTES_MAX       16 /* notes kept; further ones are counted in the last */
#define CONFIG_PLUGIN_NAME_MAX 32 /* bytes of a plugin's name */
#define CONFIG_STORE_NAME_MAX  32 /* bytes of a name under stores: */

struct config_meta {                /* section meta_server */
    const char *listen;             /* host:port, where it listens and how it names itself */
    const char *const *server_list; /* all meta servers, for cluster_info and messages */
    const char *cluster_root;       /* metadata */
    const char *lock_root;          /* the leader lock; default cluster_root */
    bool recover_from_replica_server;
    const char *meta_function_level_on_start; /* stopped, blind, freezed, steady or lively */
    int64_t min_live_node_count_for_unfreeze;
    int64_t node_live_percentage_threshold_for_update;
    int64_t hold_seconds_for_dropped_app;
    int64_t max_allowed_replica_count;
    int64_t add_secondary_max_count_for_one_node; /* learning at once; 0: any number */
    int64_t max_succssive_unstable_restart;       /* Pegasus's spelling */
    int64_t min_table_id;                         /* new tables get ids from here on */
    br_time replica_assign_delay;                 /* a server that left is waited for so long */
    br_time stable_rs_min_running;         /* one that restarts sooner is unstable; 0: never */
    br_time lb_interval;                   /* between looks at all partitions */
    const char *const *replica_white_list; /* empty: all */
    int32_t pegasus_version; /* layout and wire to peers that do not say: choice 2.5 | 2.6 */
};

struct config_replication { /* section replication */
    const char *cluster_name;
    int64_t fd_lease_seconds;
    int64_t fd_grace_seconds;
    int64_t mutation_2pc_min_replica_count; /* 0: most of max_replica_count */
    br_time fd_lease;                       /* the two as times */
    br_time fd_grace;
};

enum { CONFIG_HOT_AUTO = 0, CONFIG_HOT_COLD = 1, CONFIG_HOT_OFF = 2 };

struct config_recovery { /* section recovery */
    int64_t parallel;    /* nodes asked at once */
    br_time node_deadline;
    int64_t retries;    /* inside the deadline; 0: none */
    int32_t hot;        /* CONFIG_HOT_* */
    br_time hot_motion; /* between the two rounds; 0: none, and no motion is asked for */
    const char *const *consents;
    const char *audit_file; /* "": none */
};

struct config_log { /* section log */
    int32_t level;  /* error | warn | info | debug: br_level */
};

struct config_limits { /* section limits */
    uint64_t frame_size;
    int64_t connections;
    br_time idle;
};

#define CONFIG_APPS_MAX 1024 /* default tables */

struct config_app {   /* an entry of apps */
    const char *name; /* its key */
    const char *app_type;
    int64_t partition_count;
    int64_t max_replica_count;
    const char *const *envs; /* "key=value" each */
};

struct config {
    struct arena arena;
    struct yaml *root;
    struct config_meta meta;
    struct config_replication replication;
    struct config_recovery recovery;
    struct config_log log;
    struct config_limits limits;
    struct config_app *apps; /* by ascending name, as Pegasus makes them */
    uint32_t app_count;
    const char *const *plugin_path;          /* plugins.path */
    const char *notes[CONFIG_NOTES_MAX + 1]; /* NULL-terminated: what the log should say */
};

/* `sets`: "key.path=value" of --set (NULL-terminated, may be NULL), applied in order before
 * anything is checked.  A list's value is written as [a, b].
 *
 * The keys of a plugin's section are that plugin's: where --set names another plugin than the file
 * does, the file's keys of that section are left out but for `deadline`, and a note says which.
 *
 * On failure nothing is to be freed. */
br_status config_load(struct config *config, const char *file, const char *const *sets,
                      struct fail *ret_fail);

/* The same from a text; `file` is for messages. */
br_status config_parse(struct config *config, const char *file, const char *text, size_t size,
                       const char *const *sets, struct fail *ret_fail);

void config_done(struct config *config);

/* May a table be called so? */
bool config_table_name(const char *name);

/* The section `apps` (apps.c); config_parse calls it. */
br_status config_fill_apps(struct config *config, struct fail *ret_fail);

/* The section that configures a plugin: "store", "transport", "policy" or "stores.NAME", its
 * plugin's name, and its call deadline.  A section that is not there is the default plugin: sqlite,
 * rdsn, pegasus.  BR_DENIED where plugins.NAME.enabled is false; NAME is "sqlite" or, where only
 * that kind is meant, "store_sqlite". */
struct config_plugin {
    const struct yaml *section; /* NULL: not in the file */
    const char *kind;
    const char *name;
    br_time deadline;
};

/* Keys of a plugin's section that are not the plugin's: for option_fill.  NULL-terminated. */
extern const char *const config_plugin_keys[];

br_status config_plugin(struct config *config, const char *section, struct config_plugin *ret,
                        struct fail *ret_fail);

#endif
