/* plan_file -- what would be written, why, and what is lost by it: a plan as a file.
 *
 *     {"format":"bridle plan","version":1,
 *      "hash":"<recovery/plan.h's>","passes":true,"cluster":"c1","root":"/pegasus/c1",
 *      "layout":"2.5","policy":"pegasus","policy_version":"1.0","policy_options":["mode","careful"],
 *      "consents":["skip_bad_nodes"],"assumed_dead":[],"assumed_back":[],
 *      "findings":[
 *     {"severity":"warning","node":-1,"table":2,"partition":5,"consent":"","consented":false,
 *      "text":"WARNING: ..."}
 *     ],"lost":[
 *     {"what":"environments","text":"..."}
 *     ],"partition_sources":["ballot","node: ..."],
 *      "tables":[
 *     {"id":2,...as in a survey...,"envs":[],"sources":["app_name","node h1:34801 (3 of 3
 * agree)",...], "partitions":[ [7,0,[2,1]]
 *     ]}
 *     ],"survey":{...}}
 *
 * Keys in this order.  A partition is [ballot, node of its primary or -1, [nodes of last_drops, the
 * best at the back]], nodes by their place in the survey, which stands at the end: the evidence
 * that was judged, merged and with what was assumed.  Everything else of a partition's record is
 * the same in all of them and stands in partition_sources.
 *
 * The hash is over the records alone: two plans of one hash write the same.  Reading makes it again
 * and refuses a file whose records have another one.
 */
#ifndef HOST_STAGE_PLAN_FILE_H
#define HOST_STAGE_PLAN_FILE_H

#include "host/model/finding.h"
#include "host/recovery/plan.h"
#include "host/stage/survey_file.h"
#include "host/stage/tool.h"

#define STAGE_OPTIONS_MAX  256 /* keys of a policy's section */
#define STAGE_ASSUMED_MAX  BR_NODES_MAX
#define STAGE_FINDINGS_MAX (FINDINGS_MAX + FINDINGS_STOP_MAX)

struct stage_finding {
    int32_t severity; /* br_severity */
    int32_t node, table, partition;
    const char *consent; /* "": it needs none */
    bool consented;
    const char *text;
};

struct stage_plan {
    struct arena arena;
    struct survey *survey; /* the evidence; owned */
    struct cluster cluster;
    struct plan plan; /* over the cluster */
    bool passes;
    const char *cluster_name;
    const char *root;
    const char *policy, *policy_version;
    const char *const *policy_options; /* key, value ..., NULL-terminated */
    const char *const *consents;       /* NULL-terminated, like the next two */
    const char *const *dead, *const *back;
    struct stage_finding *findings; /* in the order of the report */
    uint32_t finding_count;
    struct buf lost;             /* the manifest: JSON as in the file */
    const char *const **sources; /* by table's index: field, source ..., NULL-terminated */
};

struct stage_judging {
    struct tool *tool; /* with its policy open */
    const char *const *consents;
    const struct survey_assume *assume;
};

/* Judge the survey, which the plan takes over (also where it fails).  BR_OK whatever was found:
 * passes says whether it may be written.  A failure means that there is no plan at all; its reasons
 * are among *findings_text where they are more than the sentence.  stage_plan_done in any case. */
br_status stage_plan_make(struct stage_plan *plan, struct survey *survey,
                          const struct stage_judging *judging, struct fail *ret_fail);
void stage_plan_done(struct stage_plan *plan);

/* Judge once more: this survey, whatever the plan's is, by the policy of the tool with the plan's
 * consents.  For what-ifs.  cluster_done() where it is BR_OK. */
br_status stage_judge_again(const struct stage_plan *plan, struct tool *tool,
                            const struct survey *survey, struct cluster *ret_cluster,
                            struct fail *ret_fail);

/* Is the plan for the place that the configuration names: the same root and cluster?  BR_INVALID:
 * a sentence says which not. */
br_status stage_plan_place(const struct stage_plan *plan, const struct tool *tool,
                           struct fail *ret_fail);

/* The plan's servers, silent ones too, asked again; the transport is opened here.  NULL: a
 * sentence.  The caller's to survey_free(). */
struct survey *stage_survey_again(const struct stage_plan *plan, struct tool *tool,
                                  struct fail *ret_fail);

/* The policy that the plan names, with the options that it names. */
br_status stage_open_policy(const struct stage_plan *plan, struct tool *tool,
                            struct fail *ret_fail);

void stage_plan_put(const struct stage_plan *plan, struct buf *buf);

/* stage_plan_done in any case. */
br_status stage_plan_parse(struct stage_plan *plan, const char *file, char *text, size_t size,
                           struct fail *ret_fail);
br_status stage_plan_load(struct stage_plan *plan, const char *file, struct fail *ret_fail);

/* What a partition is, once the plan is written. */
enum stage_partition { STAGE_WHOLE = 0, STAGE_SHORT, STAGE_LOST, STAGE_PARTITIONS };
enum stage_partition stage_partition_of(const struct table *table,
                                        const struct partition *partition);

/* The page for people; `file`: where the plan was written, or NULL. */
void stage_plan_summary(const struct stage_plan *plan, const char *file, struct buf *buf);
/* The same for scripts, one line. */
void stage_plan_summary_json(const struct stage_plan *plan, struct buf *buf);

/* Where each field of a record comes from (manifest.c): pairs, NULL-terminated. */
extern const char *const stage_partition_sources[];
void stage_plan_sources(struct stage_plan *plan);
void stage_plan_lost(struct stage_plan *plan);

/* Of a pair list, the source of this field; "" where there is none. */
const char *stage_source(const char *const *sources, const char *field);

#endif
