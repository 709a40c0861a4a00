/* test_stages -- a recovery in steps: the files of host/stage, and what is made of them. */
#include "t/stages.h"

int main(void)
{
    return test_run("stages", stages_survey_cases(), stages_plan_cases(), stages_explain_cases(),
                    NULL);
}
