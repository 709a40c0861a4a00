/* learned -- what a learner takes over from its primary: mutations, files of a log, files of a
 * checkpoint (src/replica/replica_learn.cpp:on_copy_remote_state_completed, src/replica/
 * replication_app_base.cpp:apply_checkpoint).
 */
#include <string.h>

#include "host/replica/copy.h"
#include "host/replica/files.h"
#include "host/replica/journal.h"

/* Into the list and the log, unless it is there already or a later one is. */
static br_status learned_take(struct replica *replica, const struct mutation_header *header,
                              br_bytes updates, bool soft, struct fail *ret_fail)
{
    const struct mutation *old = prepare_list_get(&replica->list, header->decree);
    if (header->decree <= replica_committed(replica)
        || (old && old->header.ballot >= header->ballot && soft)
        || (old && old->header.ballot > header->ballot))
        return BR_OK;
    if (!soft && header->decree - replica_committed(replica) > PREPARE_LIST_MAX)
        return fail_set(ret_fail, BR_CORRUPT, "decree %lld is too far above committed %lld",
                        (long long) header->decree, (long long) replica_committed(replica));
    br_status status = replica_take(replica, header, updates, soft, ret_fail);
    if (status)
        return status;
    struct mutation *mutation = prepare_list_get(&replica->list, header->decree);
    if (!replica_append(replica, mutation))
        return fail_set(ret_fail, BR_DENIED, "it cannot be logged");
    mutation->logged = true; /* learned_safe is to follow */
    return BR_OK;
}

/* All that was taken outlives what an acknowledgement promises. */
static br_status learned_safe(struct replica *replica, struct fail *ret_fail)
{
    bool sync = replica->journal && replica->stub->options.sync;
    return !sync || journal_sync(replica->journal)
               ? BR_OK
               : fail_set(ret_fail, BR_DENIED, "the private log cannot be synced");
}

br_status learned_take_cache(struct replica *replica, br_bytes bytes, struct fail *ret_fail)
{
    while (bytes.size > 0) {
        struct mutation_header header;
        br_bytes updates;
        size_t size;
        br_status status = mutation_decode(bytes, &header, &updates, &size, ret_fail);
        if (!status)
            status = learned_take(replica, &header, updates, false, ret_fail);
        if (status)
            return status;
        bytes = (br_bytes){ (const char *) bytes.data + size, bytes.size - size };
    }
    return learned_safe(replica, ret_fail);
}

/* -- Files ------------------------------------------------------------------------------------ */

static br_status learned_replay(void *arg, const struct mutation_header *header, br_bytes updates,
                                struct fail *ret_fail)
{
    return learned_take(arg, header, updates, true, ret_fail);
}

/* The primary's log: what it had committed when it answered is applied, the rest is forgotten. */
static br_status learned_apply_log(struct replica *replica, const char *dir, struct fail *ret_fail)
{
    struct plog_dir log;
    replica->learn.replaying = true;
    prepare_list_reset(&replica->list, replica->applied);
    br_status status = plog_dir_read(dir, replica->pid, learned_replay, replica, &log, ret_fail);
    plog_dir_done(&log);
    if (!status)
        replica_commit_soft(replica, replica->learn.copied_to);
    replica->learn.replaying = false;
    prepare_list_reset(&replica->list, replica->applied);
    if (!status && replica->applied < replica->learn.copied_to)
        status =
            fail_set(ret_fail, BR_CORRUPT, "the primary's log ends at decree %lld and not at %lld",
                     (long long) replica->applied, (long long) replica->learn.copied_to);
    return status ? status : learned_safe(replica, ret_fail);
}

static void learned_path(const struct replica *replica, const char *name, struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/learn%s", replica->dir, name);
}

static void learned_copied(struct replica *replica, const struct fail *fail, bool log)
{
    struct buf path = { 0 };
    struct fail why;
    replica->learn.copy = NULL;
    if (fail) {
        learner_failed(replica, fail->text, false);
        return;
    }
    learned_path(replica, "", &path);
    br_status status = log ? learned_apply_log(replica, path.data, &why)
                           : replica_replace(replica, path.data, &why);
    if (!status)
        status = files_delete_dir(path.data, &why); /* of a checkpoint it is gone already */
    buf_done(&path);
    if (status && !replica->store)
        replica_break(replica, "learned data cannot be taken over: %s", why.text);
    else if (status)
        learner_failed(replica, why.text, false);
    else if (!replica->broken)
        learner_round_done(replica);
}

static void learned_copied_log(struct replica *replica, const struct fail *fail)
{
    learned_copied(replica, fail, true);
}

static void learned_copied_checkpoint(struct replica *replica, const struct fail *fail)
{
    learned_copied(replica, fail, false);
}

/* A name is one file's, in a directory of the primary's at most. */
static bool learned_names_good(const struct wire_list *files)
{
    const char *const *names = files->items;
    bool good = files->count <= COPY_FILES_MAX;
    for (uint32_t i = 0; i < files->count && good; i++) {
        const char *slash = strrchr(names[i], '/');
        const char *last = slash ? slash + 1 : names[i];
        good = *last && strcmp(last, ".") != 0 && strcmp(last, "..") != 0;
    }
    return good;
}

void learned_begin(struct replica *replica, const struct msg_learn_response *response)
{
    struct stub *stub = replica->stub;
    struct buf path = { 0 };
    struct fail fail;
    learned_path(replica, "", &path);
    br_status status = files_delete_dir(path.data, &fail);
    if (status) /* it has directories of its own: a former Pegasus's */
        status = files_set_aside(path.data, ".bak", &fail);
    if (!status)
        status = files_make_dir(path.data, &fail);
    struct peer *source = stub_peer(stub, response->learnee, &response->hp_learnee);
    if (!status && (!source || !learned_names_good(&response->state.files)))
        status = fail_set(&fail, BR_CORRUPT,
                          "the primary names files or a server that make no "
                          "sense");
    replica->learn.copied_to = response->state.to_decree_included;
    if (!status)
        replica->learn.copy = copy_begin(&(struct copy_options){
            .replica = replica,
            .source = source,
            .source_dir = response->base_local_dir,
            .disk_tag = response->replica_disk_tag,
            .dir = path.data,
            .files = response->state.files.items,
            .count = response->state.files.count,
            .sync = stub->options.sync,
            .done = response->type == LEARN_LOG ? learned_copied_log : learned_copied_checkpoint,
        });
    else
        learner_failed(replica, fail.text, false);
    buf_done(&path);
}

void learned_cancel(struct replica *replica)
{
    copy_cancel(replica->learn.copy);
    replica->learn.copy = NULL;
}
