/* sim_check -- what must be true: after every batch that was carried out, after every event, and
 * after the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/sim.h"

#define APPS SIM_ROOT "/apps"

static bool path_below(const char *path, const char *root)
{
    size_t size = strlen(root);
    return strncmp(path, root, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

static bool item_same(const struct sim_item *one, const struct sim_item *other)
{
    return one->size == other->size && memcmp(one->value, other->value, one->size) == 0;
}

/* Does a reader see tables there? */
static bool tree_visible(const struct sim_tree *tree)
{
    const struct sim_item *apps = sim_tree_find(tree, APPS);
    if (!apps || (apps->size && strcmp(apps->value, LAYOUT_UNLOCK) != 0))
        return false;
    for (uint32_t i = 0; i < tree->count; i++) {
        if (path_below(tree->items[i].path, APPS) && tree->items[i].path[sizeof APPS - 1])
            return true;
    }
    return false;
}

bool sim_visible(void)
{
    return tree_visible(&sim_disk->tree);
}

/* -- Plans ------------------------------------------------------------------------------------- */

static int item_order(const void *one, const void *other)
{
    return strcmp(((const struct sim_item *) one)->path, ((const struct sim_item *) other)->path);
}

/* What this process is about to write, record by record. */
static void plan_keep(const struct plan *plan)
{
    struct plan_cursor cursor = plan_cursor_at(0, -1);
    br_bytes path, value;
    if (sim.plan_count == SIM_PLANS_MAX) {
        sim_break("more than %d plans", SIM_PLANS_MAX);
        return;
    }
    struct sim_plan *kept = &sim.plans[sim.plan_count++];
    *kept = (struct sim_plan){ .evidence = sim.process.evidence };
    kept->records = sim_disk_memory((plan->records + 1) * sizeof *kept->records);
    while (plan_record(plan, &cursor, &path, &value))
        kept->records[kept->count++] =
            (struct sim_item){ .path = sim_disk_text(path.data, path.size),
                               .value = sim_disk_text(value.data, value.size),
                               .size = (uint32_t) value.size };
    plan_cursor_done(&cursor);
    qsort(kept->records, kept->count, sizeof *kept->records, item_order);
}

static bool plan_is(const struct sim_plan *plan, const struct sim_tree *tree)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct sim_item *item = &tree->items[i];
        if (!path_below(item->path, APPS) || !item->path[sizeof APPS - 1])
            continue;
        if (at == plan->count || strcmp(plan->records[at].path, item->path) != 0
            || !item_same(&plan->records[at], item))
            return false;
        at++;
    }
    return at == plan->count;
}

/* Whose tree is it?  NULL: nobody's. */
static const struct sim_plan *plan_of(const struct sim_tree *tree)
{
    for (uint32_t i = sim.plan_count; i-- > 0;) {
        if (plan_is(&sim.plans[i], tree))
            return &sim.plans[i];
    }
    return NULL;
}

/* -- Every event ------------------------------------------------------------------------------- */

void sim_check_event(void)
{
    struct sim_process *process = &sim.process;
    const struct recover *recover = process->meta.recover;
    if (!recover || !recover->apply || process->applying)
        return;
    process->applying = true;
    sim_trace("about to write plan %.16s, %llu records", recover->plan.hash,
              (unsigned long long) recover->plan.records);
    plan_keep(&recover->plan);
    const char *why = sim_oracle_stop(&process->evidence);
    if (why)
        sim_break("it is about to be written, though %s", why);
}

/* -- Every batch ------------------------------------------------------------------------------- */

/* What was there before this run is there as it was, but for the value of a childless `apps`. */
static void commit_keeps(void)
{
    for (uint32_t i = 0; i < sim_disk->before.count; i++) {
        const struct sim_item *old = &sim_disk->before.items[i];
        const struct sim_item *new = sim_tree_find(&sim_disk->tree, old->path);
        if (!new)
            sim_break("%s was there before and is gone", old->path);
        else if (!item_same(old, new) && strcmp(old->path, APPS) != 0)
            sim_break("%s was there before and is another now", old->path);
    }
}

/* Only what is ours is written, and only once it was decided. */
static void commit_is_ours(const struct sim_tree *before)
{
    const struct sim_tree *tree = &sim_disk->tree;
    for (uint32_t i = 0; i < tree->count; i++) {
        const char *path = tree->items[i].path;
        const struct sim_item *old = sim_tree_find(before, path);
        if (old && item_same(old, &tree->items[i]) && old->version == tree->items[i].version)
            continue;
        bool ours = path_below(path, APPS) || path_below(path, SIM_ROOT "/bridle")
                    || strcmp(path, SIM_ROOT "/bulk_load") == 0
                    || strcmp(path, SIM_ROOT "/backup") == 0 || path_below(SIM_ROOT, path);
        if (!ours)
            sim_break("%s was written and is not ours", path);
        if (sim.plan_count == 0)
            sim_break("%s was written before anything was decided", path);
    }
}

void sim_check_commit(const struct sim_tree *before)
{
    commit_keeps();
    commit_is_ours(before);
    if (!sim_visible())
        return;
    if (!plan_of(&sim_disk->tree)) {
        sim_break("a reader sees what is no plan");
        if (sim.trace)
            sim_tree_print(&sim_disk->tree);
    }
    if (tree_visible(before) && !sim_same_tree(before, &sim_disk->tree))
        sim_break("what a reader saw was changed");
}

/* -- The end ----------------------------------------------------------------------------------- */

bool sim_same_tree(const struct sim_tree *one, const struct sim_tree *other)
{
    uint32_t i = 0, k = 0;
    for (;;) {
        while (i < one->count && !path_below(one->items[i].path, APPS))
            i++;
        while (k < other->count && !path_below(other->items[k].path, APPS))
            k++;
        if (i == one->count || k == other->count)
            return i == one->count && k == other->count;
        if (strcmp(one->items[i].path, other->items[k].path) != 0
            || !item_same(&one->items[i], &other->items[k]))
            return false;
        i++;
        k++;
    }
}

/* Nothing was decided, so nothing may be written but by the election. */
void sim_check_untouched(void)
{
    const struct sim_tree *tree = &sim_disk->tree;
    const char *lock = sim.setting.lock_below ? SIM_ROOT "/dsn.meta.server.leader"
                                              : "/locks/dsn.meta.server.leader";
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct sim_item *item = &tree->items[i];
        const struct sim_item *old = sim_tree_find(&sim_disk->before, item->path);
        bool same = old && item_same(old, item) && old->version == item->version;
        bool election = path_below(item->path, lock) || path_below(lock, item->path);
        if (!same && !(election && !old))
            sim_break("%s was touched, though nothing may be written", item->path);
    }
}

void sim_check_answer(bool recovered)
{
    const struct sim_process *process = &sim.process;
    if (!recovered) {
        if (sim.plan_count == 0)
            sim_check_untouched();
        return;
    }
    const struct sim_plan *plan = plan_of(&sim_disk->tree);
    const struct sim_item *apps = sim_tree_find(&sim_disk->tree, APPS);
    if (!plan || !apps || strcmp(apps->value, LAYOUT_UNLOCK) != 0) {
        sim_break("it was answered that all is well, and no reader sees it");
        return;
    }
    sim_oracle_told(&process->evidence, process->hint);
    sim_oracle_tree(&plan->evidence, &sim_disk->tree);
}

/* -- Reading back ------------------------------------------------------------------------------ */

static struct {
    struct load *load;
    bool done;
} reading;

static void reading_done(void *arg, struct cluster *cluster, const struct fail *fail)
{
    uint32_t count = 0;
    (void) arg;
    reading.done = true;
    if (!cluster) {
        sim_break("what is visible cannot be loaded: %s", fail->text);
        return;
    }
    const struct repair *repairs = load_repairs(reading.load, &count);
    for (uint32_t i = 0; i < count; i++) {
        /* A dropped table's partitions are written as Pegasus leaves them: half dropped. */
        if (cluster->tables[repairs[i].table].def.status != BR_TABLE_DROPPED)
            sim_break("app(%d) needs a repair", cluster->tables[repairs[i].table].def.id);
    }
    cluster_done(cluster);
    free(cluster);
}

void sim_check_loads(void)
{
    struct sim_faults faults = sim.faults;
    sim.away = 0;
    sim.faults = (struct sim_faults){ 0 };
    sim_start_plugins();
    reading.done = false;
    reading.load = load_start(sim.process.loop, &sim.process.store, SIM_ROOT, reading_done, NULL);
    while (!reading.done)
        loop_turn(sim.process.loop);
    sim_bury();
    sim.faults = faults;
}
