/* replica -- one replica's state machine (src/replica/replica_config.cpp): its ballot, its role,
 * and which change of them is allowed, ignored, or the end of the process.
 *
 * The parts: replica.c has roles and configurations; proposal.c what a meta server or a primary
 * asks for; prepare.c and write.c the two-phase commit, from a secondary's and from the primary's
 * side; apply.c what a committed mutation does; check.c the group check and failures; learner.c,
 * learned.c and learnee.c learning; durable.c what is on disk.
 *
 * A replica has data (host/data) and a private log, unless its server was told to keep none: then
 * what a mutation would do to data is not done, only counted.  Data are read and written on the
 * loop; flushes, checkpoints and the syncing of logs happen in threads.  Loop thread only.
 */
#ifndef HOST_REPLICA_REPLICA_H
#define HOST_REPLICA_REPLICA_H

#include "host/core/loop.h"
#include "host/replica/abort.h"
#include "host/replica/inventory.h"
#include "host/replica/member.h"
#include "host/replica/mutation.h"

#define STALENESS_MAX  20 /* prepared and not yet committed (staleness_for_commit) */
#define LEARNERS_MAX   MEMBERS_MAX
#define WRITE_SIZE_MAX (1 << 20) /* bytes of a client's write (max_allowed_write_size) */

#define PREPARE_TIMEOUT         (1 * BR_SECOND) /* prepare_timeout_ms_for_secondaries */
#define PREPARE_TIMEOUT_LEARNER (3 * BR_SECOND) /* ..._for_potential_secondaries */

struct stub;
struct outgoing;
struct decrees_file;
struct data_operation;
struct data_store;
struct journal;
struct copy;

/* What a server says about one replica (Pegasus's replica_configuration). */
struct replica_config {
    int64_t ballot;
    br_role role;
    struct peer *primary;
    int64_t signature;
};

/* A learner as its primary sees it. */
struct learner {
    struct peer *peer;
    int64_t signature;
    int64_t prepare_start; /* -1: it gets no prepares yet */
};

/* What only a primary has.  The learners outlive a reconfiguration, in which it is inactive. */
struct primary_state {
    struct membership members;
    int64_t led; /* the last ballot at which it was primary */
    struct learner learners[LEARNERS_MAX];
    uint32_t learner_count;
    uint64_t next_signature;
    int64_t must_commit; /* below it, reads are refused (last_prepare_decree_on_new_primary) */
    br_time last_prepare;
    struct timer *check_timer;
    uint64_t check_round;
    struct rdsn_incoming **queue; /* writes that wait for room, a ring */
    uint32_t queue_first, queue_count, queue_room;
    bool pumping;
};

/* What only a learner has. */
struct learner_state {
    uint64_t version; /* the signature; 0: none */
    int32_t status;   /* LEARNER_INVALID ... */
    int64_t prepare_start;
    bool running;   /* a round is under way */
    uint64_t round; /* answers to an older one are ignored */
    struct timer *timer;
    bool replaying;    /* learned mutations are applied as they come */
    struct copy *copy; /* of the primary's files, under way */
    int64_t copied_to; /* the last decree that they hold, by the primary's word */
};

/* A learner's question that waits for a checkpoint. */
struct learn_wait {
    struct rdsn_incoming *incoming;
    struct peer *peer;
    int64_t signature, applied;
};

/* Copies of the data for learners, data/checkpoint.DECREE; 0: none. */
struct replica_checkpoint {
    int64_t decree, older;
    bool making;
    struct learn_wait waiting[LEARNERS_MAX];
    uint32_t waiting_count;
};

/* The update under way to the meta server (reconfiguration_task). */
struct update {
    bool pending;
    uint64_t round;
    struct timer *timer; /* until it is sent again */
    int32_t type;
    struct peer *node;
    struct membership members; /* what is asked for, its ballot included */
};

enum replica_life { LIFE_SERVING = 0, LIFE_CLOSING, LIFE_CLOSED };

struct replica {
    struct stub *stub;
    uint32_t holders; /* the table, calls under way */
    enum replica_life life;
    struct gpid pid;
    int32_t thread_hash;
    struct br_table table; /* its strings are in table_memory */
    void *table_memory;
    const struct inventory_dir *data;
    char *dir;

    struct replica_config config;
    bool transient;    /* inactive, but may come back at the same ballot */
    bool initialising; /* loaded or made, and not yet synced */
    br_time created_at;
    int64_t durable, applied; /* decrees; applied is Pegasus's app->last_committed_decree() */
    struct prepare_list list;
    struct decrees_file *decrees; /* without data: what of the two outlives a kill; NULL: nothing */
    struct data_store *store;     /* this and the next: NULL without data, and when it is closed */
    struct journal *journal;
    int64_t valid_from; /* the log's offset from which it counts (init_offset_in_private_log) */
    bool flushing, broken;
    int64_t flushed_at; /* the log's end when the last flush began */
    struct timer *broken_timer;
    struct replica_checkpoint checkpoint;
    struct primary_state primary;
    struct learner_state learn;
    struct update update;
    struct timer *close_timer;
    uint64_t sync_round; /* the config sync that listed it last */
};

/* replica_store.c: one that is held once, from a directory or fresh.  NULL: its data or its log
 * cannot be opened. */
struct replica *replica_new(struct stub *stub, const struct inventory_replica *from,
                            struct fail *ret_fail);
void replica_hold(struct replica *replica);
void replica_release(struct replica *replica);

/* Cancel timers, forget what is under way: before it leaves the table for good. */
void replica_quiet(struct replica *replica);

/* .init-info and .app-info.  Failing is logged. */
void replica_store_init(struct replica *replica);

/* What is committed and prepared now outlives a kill from here on: before anybody hears of it. */
void replica_note_decrees(struct replica *replica);

void replica_store_table(struct replica *replica);

/* Another name, count ... of its table (strings are copied). */
void replica_set_table(struct replica *replica, const struct br_table *table);

const char *replica_role_name(br_role role); /* "PS_PRIMARY" ... */

BR_PRINTF(3, 4)
void replica_log(const struct replica *replica, br_level level, const char *format, ...);

/* replica_abort for this replica; `ok` is what must be so. */
#define REPLICA_CHECK(replica, ok, where, ...)                                                     \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            replica_die((replica), (where), __VA_ARGS__);                                          \
    } while (0)
BR_PRINTF(3, 4)
_Noreturn void replica_die(const struct replica *replica, const char *where, const char *format,
                           ...);

/* -- replica.c -------------------------------------------------------------------------------- */

/* update_configuration: what a partition's configuration makes of this replica.  false: nothing, or
 * it is being closed. */
bool replica_follow(struct replica *replica, const struct membership *members);

/* update_local_configuration.  false: not allowed, or it is being closed. */
bool replica_become(struct replica *replica, const struct replica_config *config, bool same_ballot);

/* update_local_configuration_with_no_ballot_change. */
bool replica_become_role(struct replica *replica, br_role role);

bool replica_may_at_same_ballot(const struct replica *replica, br_role role);

static inline int64_t replica_committed(const struct replica *replica)
{
    return replica->list.committed;
}

/* The last decree up to which everything is prepared without a gap. */
int64_t replica_prepared(const struct replica *replica);

/* -- proposal.c ------------------------------------------------------------------------------- */

/* A proposal or a partition of a config sync, its servers as peers. */
struct proposal {
    const struct msg_configuration_update_request *message;
    struct membership members;
    struct peer *node;
};

br_status proposal_read(struct stub *stub, const struct msg_configuration_update_request *message,
                        struct proposal *ret, struct fail *ret_fail);

void replica_proposed(struct replica *replica, struct proposal *proposal);
void replica_synced(struct replica *replica, struct proposal *proposal);
void replica_removed(struct replica *replica, const struct replica_config *config);

/* update_configuration_on_meta_server. */
void replica_update_meta(struct replica *replica, int32_t type, struct peer *node,
                         struct membership *members);
void replica_downgrade_to_inactive(struct replica *replica, struct membership *members,
                                   struct peer *node);
void replica_upgrade_to_secondary(struct replica *replica, struct peer *node);

/* -- prepare.c, write.c ----------------------------------------------------------------------- */

void replica_prepare(struct replica *replica, struct rdsn_incoming *incoming,
                     const struct prepare *prepare, const struct replica_config *config);

/* Commit up to `decree`; all of it must be there (COMMIT_TO_DECREE_HARD). */
void replica_commit_hard(struct replica *replica, int64_t decree);

/* What is ready, in order, up to `decree` (COMMIT_TO_DECREE_SOFT). */
void replica_commit_soft(struct replica *replica, int64_t decree);

/* do_possible_commit_on_primary: in order, from `decree` on. */
void replica_committable(struct replica *replica, int64_t decree);

void replica_write(struct replica *replica, const struct data_operation *operation,
                   struct rdsn_incoming *incoming);
void replica_write_empty(struct replica *replica);
void replica_replay(struct replica *replica);

/* After a change of role: writes that waited, or the refusal of all. */
void replica_pump(struct replica *replica);
void replica_refuse_queue(struct replica *replica, const char *error);
int32_t replica_min_members(const struct replica *replica);

/* What was appended is safe by now (syncer.h): on a primary it may be committed, else whoever asked
 * is answered. */
void replica_logged(struct replica *replica, struct mutation *mutation,
                    struct rdsn_incoming *incoming);

/* -- apply.c ---------------------------------------------------------------------------------- */

/* The mutation behind the last applied one is carried out; clients are answered. */
void replica_apply(struct replica *replica, struct mutation *mutation);

/* -- durable.c -------------------------------------------------------------------------------- */

/* Open data and log, and take in what the log holds.  Nothing where no data are kept. */
br_status replica_open(struct replica *replica, const struct inventory_replica *from,
                       struct fail *ret_fail);
void replica_shut(struct replica *replica);

/* Write it to the log.  mutation->logged: it is safe; else syncer_add is to follow.  false: it
 * cannot be, and the replica is broken. */
bool replica_append(struct replica *replica, struct mutation *mutation);

/* A mutation that others have prepared or committed goes into the list, after what it says is
 * committed.  `soft`: only as far as it is here.  BR_CORRUPT: there is no room for its decree. */
br_status replica_take(struct replica *replica, const struct mutation_header *header,
                       br_bytes updates, bool soft, struct fail *ret_fail);

/* Its disk fails: replica_local_failure follows from the loop, and until then nothing is done. */
BR_PRINTF(2, 3) void replica_break(struct replica *replica, const char *format, ...);

/* In a thread; learnee_go_on follows. */
void replica_make_checkpoint(struct replica *replica);

/* The learned database at `learned` takes the place of the data; NULL: an empty one.  Where it
 * fails and the store is still there, nothing has changed. */
br_status replica_replace(struct replica *replica, const char *learned, struct fail *ret_fail);

/* -- check.c ---------------------------------------------------------------------------------- */

/* The first one is at once: it tells the group who is primary now. */
void replica_start_check(struct replica *replica);
void replica_stop_check(struct replica *replica);
void replica_checked(struct replica *replica, const struct msg_group_check_request *request,
                     const struct replica_config *config,
                     struct msg_group_check_response *response);
void replica_local_failure(struct replica *replica);
void replica_remote_failure(struct replica *replica, br_role role, struct peer *peer,
                            const char *error, const char *why);
void replica_disconnected(struct replica *replica);

/* -- learner.c, learnee.c --------------------------------------------------------------------- */

void learner_cleanup(struct replica *replica);
void learner_start(struct replica *replica, int64_t signature);
void learner_added(struct replica *replica, const struct replica_config *config);
void learner_failed(struct replica *replica, const char *error, bool local);

/* What the primary told to copy is to be copied and taken over; learner_round_done follows. */
void learned_begin(struct replica *replica, const struct msg_learn_response *response);
void learned_cancel(struct replica *replica);
void learner_round_done(struct replica *replica);

/* Whole mutations one behind the other.  BR_CORRUPT: they make no sense. */
br_status learned_take_cache(struct replica *replica, br_bytes bytes, struct fail *ret_fail);

/* A checkpoint was made, or not: those who wait are answered. */
void learnee_go_on(struct replica *replica, bool made);

struct learner *learnee_find(struct replica *replica, const struct peer *peer);
void learnee_forget(struct replica *replica, const struct peer *peer);

/* Where a server stands with this primary: BR_ROLE_INACTIVE where nowhere. */
br_role learnee_role(struct replica *replica, const struct peer *peer);
void learnee_asked(struct replica *replica, struct rdsn_incoming *incoming,
                   const struct msg_learn_request *request, struct peer *learner);

/* A learner says that it is done; its upgrade begins.  ERR_OK too where it is a secondary already:
 * it says so in a group check's answer and in a notice, and the later one may come after the
 * upgrade. A server with data answers ERR_LEARNER_NOT_FOUND then
 * (handle_learning_succeeded_on_primary), and the learner gives up what it has learned. */
const char *learnee_succeeded(struct replica *replica, struct peer *learner, int64_t signature);

/* The configuration that a primary tells others. */
void learnee_config(const struct replica *replica, br_role role, int64_t signature,
                    struct msg_replica_configuration *ret);

/* What a primary tells a member of its group, or a learner: in group checks, and as the news that
 * it is to learn. */
void learnee_group_check(const struct replica *replica, const struct peer *peer, br_role role,
                         int64_t signature, struct msg_group_check_request *ret);

#endif
