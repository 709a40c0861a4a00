/* sim_carry -- batches carried out, also those of processes that are dead: what they had sent
 * arrives at once, later, or never.
 */
#include <stdio.h>
#include <string.h>

#include "t/sim.h"

br_status sim_carry(const struct br_write *const *writes, uint32_t count, char *why, size_t size)
{
    const struct sim_tree before = sim_disk->tree;
    uint32_t index = 0;
    br_status status = BR_OK;
    if (sim_disk_commit(writes, count, &index, &status))
        sim_check_commit(&before);
    else
        snprintf(why, size, "write %u of %u: %.150s %s", index + 1, count, writes[index]->path,
                 br_write_why(writes[index], status));
    sim_trace("the store: %u writes from %s: %s", count, count > 1 ? writes[1]->path : "",
              status ? why : "done");
    return status;
}

static const struct br_write *const *ghost_copy(const struct br_write *const *writes,
                                                uint32_t count)
{
    struct br_write *copies = sim_disk_memory((count + 1) * sizeof *copies);
    const struct br_write **list = sim_disk_memory((count + 1) * sizeof *list);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = *writes[i];
        copies[i].path = sim_disk_text(writes[i]->path, strlen(writes[i]->path));
        copies[i].value.data = sim_disk_text(writes[i]->value.data, writes[i]->value.size);
        list[i] = &copies[i];
    }
    return list;
}

/* What is on its way arrives now, later, or never; in its order. */
void sim_ghost(const struct br_write *const *writes, uint32_t count, uint32_t place, uint32_t all)
{
    int ghosts = sim.faults.ghosts;
    char why[256];
    bool arrives = ghosts == 2 || (ghosts == 1 && place < (all + 1) / 2)
                   || (ghosts == 3 && sim_percent(&sim.chance, 50));
    if (!arrives)
        return;
    if (!sim.faults.late && (ghosts != 3 || sim_percent(&sim.chance, 50))) {
        sim_carry(writes, count, why, sizeof why);
    } else if (sim_disk->ghost_count < SIM_POSTS_MAX) {
        uint32_t at = sim_disk->ghost_count++;
        sim_disk->ghosts[at] = (struct sim_post){
            .writes = ghost_copy(writes, count),
            .count = count,
            .due = sim.faults.late ? INT64_MAX
                                   : sim.now + sim_below(&sim.chance, 10000) * BR_MILLISECOND,
        };
    }
}

static void ghost_arrive(struct br_env *env, void *arg)
{
    const struct sim_post *ghost = arg;
    char why[256];
    (void) env;
    if (sim.shut)
        return;
    sim_trace("the store: a request of the dead arrives");
    sim_carry(ghost->writes, ghost->count, why, sizeof why);
}

void sim_ghosts_await(struct br_env *env)
{
    for (uint32_t i = 0; i < sim_disk->ghost_count; i++) {
        if (sim_disk->ghosts[i].due < INT64_MAX)
            br_after(env, sim_disk->ghosts[i].due - sim.now, ghost_arrive, &sim_disk->ghosts[i]);
    }
}

void sim_ghosts_arrive(void)
{
    char why[256];
    for (uint32_t i = 0; i < sim_disk->ghost_count; i++)
        sim_carry(sim_disk->ghosts[i].writes, sim_disk->ghosts[i].count, why, sizeof why);
    sim_disk->ghost_count = 0;
}
