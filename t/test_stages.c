/* test_stages -- a recovery in steps: the files of host/stage, and what is made of them. */
#include <stdio.h>

#include "t/recovery.h"
#include "t/stages.h"

int main(void)
{
    struct fail fail;
    recovery_loader = loader_new(&fail);
    if (!recovery_loader) {
        fprintf(stderr, "%s\n", fail.text);
        return 1;
    }
    int failed = test_run("stages", stages_survey_cases(), stages_plan_cases(),
                          stages_explain_cases(), stages_diagnose_cases(), stages_compare_cases(),
                          stages_rank_cases(), stages_apply_cases(), stages_undo_cases(),
                          stages_amend_cases(), stages_amended_cases(), NULL);
    loader_free(recovery_loader);
    return failed;
}
