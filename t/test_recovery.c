/* test_recovery -- survey, plan, apply, load and verify, against the real stores. */
#include "t/recovery.h"

#include <stdio.h>

int main(void)
{
    struct fail fail;
    recovery_loader = loader_new(&fail);
    if (!recovery_loader) {
        fprintf(stderr, "%s\n", fail.text);
        return 1;
    }
    int failed = test_run("recovery", recovery_plan_cases(), recovery_survey_cases(),
                          recovery_root_cases(), recovery_apply_cases(), recovery_audit_cases(),
                          recovery_fault_cases(), recovery_kill_cases(), recovery_load_cases(),
                          recovery_repair_cases(), recovery_odd_cases(), NULL);
    loader_free(recovery_loader);
    return failed;
}
