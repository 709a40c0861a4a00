/* tool -- what a one-shot program needs of the host: configuration, plugins, waiting for answers.
 *
 * A store that tool_open_store opens cannot be written to: its commit, lock and unlock answer
 * BR_UNSUPPORTED, whatever is asked.  Only tool_open_store_to_write gives one that can, and it is
 * written to only between deed.h's deed_begin and deed_end.
 */
#ifndef HOST_STAGE_TOOL_H
#define HOST_STAGE_TOOL_H

#include "host/base/buf.h"
#include "host/config/config.h"
#include "host/model/layout.h"
#include "host/plugins/plugin.h"
#include "host/recovery/apply.h"

#define TOOL_SETS_MAX 64

struct survey;

struct tool {
    struct log log; /* errors, on stderr */
    struct loop *loop;
    struct config config;
    const char *file;      /* of the configuration; NULL: there is none */
    struct buf root;       /* cluster_root, normalised */
    struct buf lock;       /* the leader lock's path */
    struct buf store_root; /* both as the store must be asked for them: a ZooKeeper chroot before */
    struct buf store_lock; /* them, because opening such a store would make the chroot; the same as
                              above where it was opened to be written to */
    struct loader *loader;
    struct plugin store, transport, policy;
    bool store_started, transport_started;
};

/* `file` NULL: Apache Pegasus's defaults (cluster_root "/", no cluster's name).  `sets` as
 * config_load.  On failure there is nothing to be done with it but tool_done. */
br_status tool_init(struct tool *tool, const char *file, const char *const *sets,
                    struct fail *ret_fail);
void tool_done(struct tool *tool);

enum layout_version tool_version(const struct tool *tool);

/* Load, open and start one that the configuration names.  tool_open_store: BR_NOTFOUND where the
 * store would have to be made first (an SQLite file that is not there). */
br_status tool_open_transport(struct tool *tool, struct fail *ret_fail);
br_status tool_open_policy(struct tool *tool, struct fail *ret_fail);
br_status tool_open_store(struct tool *tool, struct fail *ret_fail);

/* What is missing to it is made: an SQLite file, a ZooKeeper chroot. */
br_status tool_open_store_to_write(struct tool *tool, struct fail *ret_fail);

/* Any policy, with these options (YAML map; NULL: none). */
br_status tool_open_policy_named(struct tool *tool, const char *name, const struct yaml *options,
                                 struct fail *ret_fail);

/* One answer, waited for.  What it holds is in `arena` (initialised); chunks and value only where
 * the status is BR_OK. */
struct tool_answer {
    br_status status;
    struct fail fail; /* the sentence, where it is not BR_OK */
    const struct br_chunk *chunks;
    int64_t version;
    struct arena arena;
};
void tool_read(struct tool *tool, const char *const *paths, uint32_t count,
               struct tool_answer *ret_answer);
void tool_list(struct tool *tool, const char *path, struct tool_answer *ret_answer);
void tool_elections(struct tool *tool, const char *path, struct tool_answer *ret_answer);
void tool_commit(struct tool *tool, const struct br_write *const *writes, uint32_t count,
                 struct tool_answer *ret_answer);
void tool_answer_done(struct tool_answer *answer);

/* As many lists at once as there are paths. */
void tool_lists(struct tool *tool, const char *const *paths, uint32_t count,
                struct tool_answer *ret_answers);

/* What the root is, in the store that is open. */
br_status tool_look(struct tool *tool, const char *root, struct root_facts *ret,
                    struct fail *ret_fail);

/* Turns of the loop until `*done`, or so long. */
void tool_until(struct tool *tool, const bool *done);
void tool_pause(struct tool *tool, br_time delay);

/* Replica servers: of a file, one host:port a line, # and ; begin comments; or of a list with
 * commas.  None twice. */
struct tool_nodes {
    struct arena arena;
    const char **names;
    uint64_t *addresses; /* 0: its name has no address */
    uint32_t count;
};
br_status tool_nodes_read(struct tool_nodes *nodes, const char *file, const char *list,
                          struct fail *ret_fail);

/* Those that the transport names, which is started. */
br_status tool_nodes_ask(struct tool_nodes *nodes, struct tool *tool, struct fail *ret_fail);
void tool_nodes_done(struct tool_nodes *nodes);

/* Ask them; the times are the wall clock's.  The caller's to survey_free(). */
struct survey *tool_survey(struct tool *tool, const char *const *names, const uint64_t *addresses,
                           uint32_t count);

#endif
