/* fail -- what went wrong: a status for the machine, one sentence for the human.
 *
 * Functions that can fail for a reason from outside take a `struct fail *ret_fail` last, fill it
 * and return its status; on success it is not touched.
 */
#ifndef HOST_BASE_FAIL_H
#define HOST_BASE_FAIL_H

#include <bridle/host.h>

#define FAIL_TEXT_MAX 1024

struct fail {
    br_status status;
    char text[FAIL_TEXT_MAX]; /* longer sentences are cut */
};

/* Always returns `status`.  fail may be NULL. */
BR_PRINTF(3, 4)
br_status fail_set(struct fail *fail, br_status status, const char *format, ...);

/* Puts "format: " before the sentence that is there. */
BR_PRINTF(2, 3)
br_status fail_prefix(struct fail *fail, const char *format, ...);

#endif
