/* stages -- what the suites of host/stage share: surveys by hand, in and out of their file. */
#ifndef T_STAGES_H
#define T_STAGES_H

#include "host/stage/plan_file.h"
#include "t/judge_kit.h"

/* A cluster of three servers: table 1 "users" of 4 partitions, table 3 "temp" of 2; ids 2 unknown;
 * 1.3 is lost, 3.1 has one replica only. */
void stages_cluster(struct kit *kit);

/* The survey's file; buf_done() it. */
struct buf stages_put(const struct survey *survey);

/* Parse a copy of this text; NULL: *ret_fail. */
struct survey *stages_parse(const char *text, struct fail *ret_fail);

/* A tool without a configuration but these sets, its policy the pegasus one; tool_done() it. */
void stages_tool(struct tool *tool, const char *const *sets);

/* The kit's survey, through its file, judged; stage_plan_done() it. */
void stages_plan(struct stage_plan *plan, struct tool *tool, struct kit *kit,
                 const char *const *consents);

TCase *stages_survey_cases(void);
TCase *stages_plan_cases(void);
TCase *stages_explain_cases(void);
TCase *stages_diagnose_cases(void);
TCase *stages_compare_cases(void);
TCase *stages_rank_cases(void);
TCase *stages_apply_cases(void);
TCase *stages_undo_cases(void);
TCase *stages_amend_cases(void);
TCase *stages_amended_cases(void);

#endif
