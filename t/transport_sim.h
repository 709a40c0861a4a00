/* transport_sim -- what the cases of t/test_transport_sim.c share: a simulated cluster in the real
 * host, asked by the real survey and judged by the real policy.
 */
#ifndef T_TRANSPORT_SIM_H
#define T_TRANSPORT_SIM_H

#include "host/recovery/judge.h"
#include "plugin/transport_sim.h"
#include "t/core.h"

extern const struct br_plugin bridle_transport_sim, bridle_policy_pegasus;

/* One instance of the plugin; two may live beside each other. */
struct rehearsal {
    struct plugin transport;
    struct arena options;
    const struct sim *sim; /* its state */
};

/* `yaml` are its options ("{servers: 3}").  Fixture: the loop of t/core.h. */
br_status rehearsal_try(struct rehearsal *rehearsal, const char *yaml, struct fail *ret_fail);
void rehearsal_open(struct rehearsal *rehearsal, const char *yaml);
void rehearsal_close(struct rehearsal *rehearsal);

/* The address of server `i`, from 0; static memory until the next call but seven. */
const char *rehearsal_name(const struct sim *sim, uint32_t i);

/* Ask a server one question (SIM_TABLES, SIM_REPLICAS) and wait. */
void rehearsal_ask(struct rehearsal *rehearsal, const char *name, int32_t index, int kind,
                   struct core_told *told);
void rehearsal_told_done(struct core_told *told);

/* "1.0:7:120/121/118:ssd1:1 ..."; "1:table_1:8:1 ..." (of tables): malloc'ed. */
char *rehearsal_text(const struct core_told *told);

/* A survey of all servers, judged.  Nothing is allowed to be lost, but everything is consented to.
 */
struct judged {
    struct plugin policy;
    struct survey *survey;
    struct findings findings;
    struct cluster cluster;
    struct fail fail;
    struct buf text; /* the findings */
    br_status status;
};
void rehearsal_judge(struct rehearsal *rehearsal, struct judged *judged);
void judged_done(struct judged *judged);

/* How many lines of the findings have this in them. */
uint32_t judged_count(const struct judged *judged, const char *part);

TCase *transport_sim_life(void);
TCase *transport_sim_truth(void);

#endif
