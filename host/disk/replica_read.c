/* replica_read -- see replica_read.h. */
#include "host/disk/replica_read.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/base/number.h"
#include "host/disk/look.h"
#include "host/rdsn/message_replica.h"

static br_status replica_app_info(struct arena *arena, const char *dir, struct br_table *table,
                                  struct fail *ret_fail)
{
    struct buf path = { 0 }, bytes = { 0 };
    buf_printf(&path, "%s/.app-info", dir);
    br_status status = look_file(path.data, APP_INFO_MAX, &bytes, ret_fail);
    if (!status && app_info_decode(arena, buf_bytes(&bytes), table, ret_fail) != BR_OK)
        status = fail_prefix(ret_fail, "%s", path.data);
    buf_done(&bytes);
    buf_done(&path);
    return status;
}

static br_status replica_init_info(const char *dir, struct init_info *info, struct fail *ret_fail)
{
    struct buf path = { 0 }, bytes = { 0 };
    buf_printf(&path, "%s/.init-info", dir);
    br_status status = look_file(path.data, INIT_INFO_MAX, &bytes, ret_fail);
    if (!status && init_info_decode(buf_bytes(&bytes), info, ret_fail) != BR_OK)
        status = fail_prefix(ret_fail, "%s", path.data);
    buf_done(&bytes);
    buf_done(&path);
    return status;
}

/* The largest N of data/checkpoint.N; -1: none. */
static int64_t replica_checkpoint(const char *dir)
{
    static const char prefix[] = "checkpoint.";
    struct buf path = { 0 };
    buf_printf(&path, "%s/data", dir);
    DIR *stream = look_dir(path.data);
    buf_done(&path);
    int64_t best = -1;
    for (struct dirent *entry; stream && (entry = readdir(stream));) {
        const char *number = entry->d_name + sizeof prefix - 1;
        int64_t decree;
        if (strncmp(entry->d_name, prefix, sizeof prefix - 1) == 0
            && number_i64(number, strlen(number), &decree) && decree > best)
            best = decree;
    }
    if (stream)
        closedir(stream);
    return best;
}

void decrees_read(const char *dir, int64_t durable, struct decrees *ret)
{
    int64_t words[4] = { 0 }; /* magic, committed, prepared, ballot */
    struct buf path = { 0 };
    buf_printf(&path, "%s/.decrees", dir);
    int fd = look_open(path.data, 0);
    buf_done(&path);
    bool ours = fd >= 0 && read(fd, words, sizeof words) == (ssize_t) sizeof words
                && words[0] == DECREES_MAGIC && words[1] >= durable;
    if (fd >= 0)
        close(fd);
    *ret = (struct decrees){ .committed = durable, .prepared = durable };
    if (!ours)
        return;
    ret->committed = ret->prepared = words[1];
    if (words[2] > words[1] && words[2] - words[1] < PREPARE_LIST_MAX) {
        ret->prepared = words[2];
        ret->ballot = words[3];
    }
}

static br_status replica_check(const struct replica_name *name, const struct br_table *table,
                               struct fail *ret_fail)
{
    if (table->id != name->table || strcmp(table->type, name->type) != 0)
        return fail_set(ret_fail, BR_CORRUPT, ".app-info is of table %d, type %s", table->id,
                        table->type);
    if (name->partition >= table->partition_count)
        return fail_set(ret_fail, BR_CORRUPT, "its table has %d partitions only",
                        table->partition_count);
    return BR_OK;
}

br_status replica_read(struct arena *arena, const char *dir, const char *entry, const char *name,
                       struct replica_read *ret_replica, struct fail *ret_fail)
{
    struct replica_name parsed;
    struct buf path = { 0 };
    if (!replica_name_parse(name, &parsed))
        return fail_set(ret_fail, BR_INVALID, "not <app_id>.<pidx>.<app_type>");
    buf_printf(&path, "%s/%s", dir, entry);
    ret_replica->partition = parsed.partition;
    br_status status = replica_app_info(arena, path.data, &ret_replica->table, ret_fail);
    if (!status)
        status = replica_check(&parsed, &ret_replica->table, ret_fail);
    if (!status)
        status = replica_init_info(path.data, &ret_replica->init, ret_fail);
    if (!status) {
        int64_t checkpoint = replica_checkpoint(path.data), init = ret_replica->init.durable;
        ret_replica->durable = init > checkpoint ? init : checkpoint;
        decrees_read(path.data, ret_replica->durable, &ret_replica->decrees);
    }
    buf_done(&path);
    return status;
}
