/* apply_converge -- an invisible tree that an earlier attempt left becomes the plan's.
 *
 * A round lists `apps`, every planned table that is there and everything that must go, deletes the
 * latter from the leaves up, and walks the records.  The round that finds nothing to change was
 * the comparison of every record.  Below a partition nothing is listed: nobody reads there.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/recovery/apply_run.h"
#include "host/recovery/rows.h"

static void converge_delete(struct apply *apply);

void converge_forget(struct apply *apply)
{
    struct converge *converge = &apply->converge;
    for (uint32_t i = 0; i < APPLY_FLIGHT_MAX; i++) {
        if (converge->listers[i].call)
            call_forget(converge->listers[i].call);
        converge->listers[i].call = NULL;
    }
    arena_done(&converge->arena);
    free(converge->items);
    free(converge->listed);
    converge->items = NULL;
    converge->listed = NULL;
}

static void converge_push(struct converge *converge, const char *parent, const char *name,
                          int32_t table)
{
    if (converge->count == converge->cap) {
        converge->cap = converge->cap ? converge->cap * 2 : 256;
        converge->items =
            mem_grow(converge->items, (size_t) converge->cap * sizeof *converge->items);
    }
    size_t size = strlen(parent);
    size_t more = strlen(name);
    char *path = arena_alloc(&converge->arena, size + 1 + more + 1);
    memcpy(path, parent, size);
    path[size] = '/';
    memcpy(path + size + 1, name, more + 1);
    converge->items[converge->count++] = (struct listing){ .path = path, .table = table };
}

/* One child of `apps`. */
static void converge_take_table(struct apply *apply, const char *name)
{
    struct converge *converge = &apply->converge;
    const struct cluster *cluster = apply->request.plan->cluster;
    int32_t id = rows_number(name, INT32_MAX);
    const struct table *table = id < 0 ? NULL : cluster_table(cluster, id);
    int32_t index = table ? (int32_t) (table - cluster->tables) : -1;
    if (table)
        converge->listed[index] = true;
    converge_push(converge, apply->apps.data, name, index);
}

static void converge_take(struct apply *apply, struct listing parent, struct call_answer *answer)
{
    struct converge *converge = &apply->converge;
    const struct cluster *cluster = apply->request.plan->cluster;
    int32_t last = parent.table < 0 ? -1 : cluster->tables[parent.table].def.partition_count - 1;
    struct rows rows = rows_of(answer);
    const char *name;
    while ((name = rows_name(&rows))) {
        if (parent.table < 0 || rows_number(name, last) < 0)
            converge_push(converge, parent.path, name, -1);
    }
}

static void converge_list(struct apply *apply);

static void converge_listed(void *arg, struct call_answer *answer)
{
    struct lister *lister = arg;
    struct apply *apply = lister->apply;
    struct converge *converge = &apply->converge;
    lister->call = NULL;
    converge->flying--;
    if (answer->status == BR_OK) {
        converge_take(apply, converge->items[lister->item], answer);
    } else if (answer->status != BR_NOTFOUND) {
        converge_forget(apply);
        apply_soft(apply, answer->status, answer->message, converge_round);
        return;
    }
    converge_list(apply);
}

/* Lists what is to be listed, several at once; what surplus nodes hold is surplus, too. */
static void converge_list(struct apply *apply)
{
    struct converge *converge = &apply->converge;
    for (uint32_t i = 0; i < apply->flights && converge->next < converge->count; i++) {
        struct lister *lister = &converge->listers[i];
        if (lister->call)
            continue;
        lister->apply = apply;
        lister->item = converge->next++;
        converge->flying++;
        lister->call = store_list(apply->store, converge->items[lister->item].path, 0,
                                  converge_listed, lister);
    }
    if (converge->flying)
        return;
    apply->attempts = 0;
    converge->left = converge->count;
    converge_delete(apply);
}

static void converge_deleted(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status == BR_OK)
        converge_delete(apply);
    else
        apply_soft(apply, answer->status, answer->message, converge_round);
}

/* Children stand behind their parents, so they go first.  One batch at a time. */
static void converge_delete(struct apply *apply)
{
    struct converge *converge = &apply->converge;
    size_t overhead = apply->store->ops.store.write_overhead;
    size_t bytes = 0;
    uint32_t found = 0;
    struct batch batch;
    batch_begin(&batch, apply, apply->ops_max, true);
    while (converge->left && found < apply->ops_max) {
        const struct listing *item = &converge->items[converge->left - 1];
        if (item->table < 0) {
            bytes += strlen(item->path) + overhead;
            if (bytes > apply->bytes_max && found)
                break;
            batch_add(&batch, &(struct br_write){ .kind = BR_DELETE,
                                                  .path = batch_text(&batch, item->path),
                                                  .version = BR_ANY_VERSION });
            found++;
        }
        converge->left--;
    }
    if (found) {
        converge->changes += found;
        apply->call = batch_commit(&batch, apply, converge_deleted, apply);
        return;
    }
    arena_done(&batch.memory);
    walk_start(apply);
}

static void converge_apps_listed(void *arg, struct call_answer *answer)
{
    struct apply *apply = arg;
    apply->call = NULL;
    if (answer->status != BR_OK) {
        apply_soft(apply, answer->status, answer->message, converge_round);
        return;
    }
    struct rows rows = rows_of(answer);
    const char *name;
    while ((name = rows_name(&rows)))
        converge_take_table(apply, name);
    converge_list(apply);
}

void converge_round(struct apply *apply)
{
    struct converge *converge = &apply->converge;
    uint32_t rounds = converge->rounds + 1;
    if (rounds > APPLY_ROUNDS_MAX) {
        apply_end(apply, BR_CONFLICT,
                  "the tree below `apps` changes again after each round of converging: somebody "
                  "else writes to it");
        return;
    }
    converge_forget(apply);
    memset(converge, 0, sizeof *converge);
    converge->rounds = rounds;
    arena_init(&converge->arena, 0);
    size_t tables = apply->request.plan->cluster->table_count;
    converge->listed = mem_array(tables + 1, sizeof *converge->listed);
    apply->phase = rounds > 1 ? APPLY_COMPARE : APPLY_WRITE;
    apply->call = store_list(apply->store, apply->apps.data, 0, converge_apps_listed, apply);
}
