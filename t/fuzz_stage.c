/* fuzz_stage -- surveys and plans: whatever the file is, it is read or a sentence, and what was
 * read is written again as the very same.  The first byte chooses: a survey, or a plan.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/stage/plan_file.h"
#include "t/fuzz.h"

static char *fuzz_copy(const void *data, size_t size)
{
    char *copy = mem_new(size + 1);
    memcpy(copy, data, size);
    return copy;
}

static bool fuzz_survey(const void *data, size_t size, struct buf *ret)
{
    struct fail fail = { 0 };
    char *copy = fuzz_copy(data, size);
    struct survey *survey = survey_parse("f.json", copy, size, &fail);
    free(copy);
    assert(survey || strncmp(fail.text, "f.json: ", 8) == 0);
    if (survey)
        survey_put(survey, ret);
    survey_free(survey);
    return survey != NULL;
}

static bool fuzz_plan(const void *data, size_t size, struct buf *ret)
{
    struct fail fail = { 0 };
    struct stage_plan plan;
    char *copy = fuzz_copy(data, size);
    br_status status = stage_plan_parse(&plan, "f.json", copy, size, &fail);
    free(copy);
    assert(status == BR_OK || strncmp(fail.text, "f.json: ", 8) == 0);
    if (status == BR_OK)
        stage_plan_put(&plan, ret);
    stage_plan_done(&plan);
    return status == BR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = { 0 };
    struct buf again = { 0 };
    if (!size)
        return 0;
    bool (*parse)(const void *, size_t, struct buf *) = data[0] == 'p' ? fuzz_plan : fuzz_survey;
    if (parse(data + 1, size - 1, &once)) {
        bool good = parse(once.data, once.size, &again);
        assert(good && once.size == again.size && memcmp(once.data, again.data, once.size) == 0);
    }
    buf_done(&once);
    buf_done(&again);
    return 0;
}
