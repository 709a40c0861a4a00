/* conform -- what the parts of the stores' conformance kit share: opening the store under test, and
 * asking it as the host does, one call at a time or many.
 *
 * One loop; any number of instances on it.  Everything that waits has a limit (conform.patience),
 * so a store that never answers fails a test instead of hanging it.
 */
#ifndef T_CONFORM_H
#define T_CONFORM_H

#include <sys/types.h>

#include "host/base/mem.h"
#include "host/plugins/plugin.h"
#include "t/test.h"

#define CONFORM_OPTIONS_MAX 16
#define CONFORM_LIST_MAX    16384 /* children of one node, in tests */

/* The store under test; set by main before any test runs. */
struct conform {
    const struct br_plugin *desc;
    const char *name;
    char *options[CONFORM_OPTIONS_MAX + 1]; /* "key=value" */
    const char *const *path;                /* where it is loaded from; NULL: linked in */
    int patience;                           /* seconds until a wait gives up */
    struct loop *loop;                      /* of the running test */
    char root[64];                          /* a node of the running test's own */
    char text[FAIL_TEXT_MAX];               /* the sentence of the last conform_commit ... */
};
extern struct conform conform;

/* One opened store. */
struct instance {
    struct plugin plugin;
    struct arena arena;
};

/* One call's answer; `done` once it came. */
struct answer {
    bool done;
    br_status status;
    int64_t version;
    br_bytes value;
    const struct br_chunk *chunks;
    struct arena arena;
    char text[FAIL_TEXT_MAX];
};

/* Load the descriptor: "memory", "file=x" ...; exits with a sentence where that fails. */
void conform_load(int argc, char **argv, const char *const *path);

/* Fixtures: a loop and a fresh root node; and back. */
void conform_setup(void);
void conform_teardown(void);
TCase *conform_case(const char *name);

struct yaml *conform_section(struct arena *arena, char *const *options);
struct instance *instance_make(void); /* opened, not started */
struct instance *instance_new(void);  /* started */
void instance_free(struct instance *in);
void instance_stop(struct instance *in); /* and wait */

void answer_init(struct answer *answer);
void answer_done(struct answer *answer); /* frees */
void answer_take(void *answer, struct call_answer *from);
void answer_wait(struct answer *answer); /* fails the test when patience is over */
void conform_turns(uint32_t count);      /* so many round trips of the loop's own */
bool answer_soon(struct answer *answer, br_time limit);

/* Ask and wait.  The answers' sentence is in conform.text. */
br_status conform_commit(struct instance *in, const struct br_write *writes, uint32_t count);
br_status conform_write(struct instance *in, br_write_kind kind, const char *path,
                        const char *value, int64_t version);
br_status conform_get(struct instance *in, const char *path, struct buf *ret_value,
                      int64_t *ret_version);
br_status conform_list(struct instance *in, const char *path, struct answer *ret, char ***ret_names,
                       uint32_t *ret_count); /* names sorted; free(*ret_names), answer_done */

/* Wait for the election at that lock's path; the fence, malloc'ed. */
char *conform_elected(const char *lock, struct answer *answer);
br_status conform_unlock(struct instance *in, const char *fence);

/* The number at a lock's path; the test fails where it cannot be told. */
int64_t conform_elections(struct instance *in, const char *path);

/* Ask and do not wait.  Writes and values must live until the answer. */
void conform_issue(struct instance *in, const struct br_write *writes, uint32_t count,
                   struct answer *answer);

/* Everything below `path`, as text: one node a line, with version, size and value's checksum. */
void conform_dump(struct instance *in, const char *path, struct buf *ret_text);

/* "<root>/<format>": static memory, eight at a time. */
BR_PRINTF(1, 2) const char *at(const char *format, ...);

/* This program again, as another process; args[0] is filled in.  At its end it must have exited
 * with 0, or died of the signal that child_end sends it. */
struct child {
    pid_t pid;
    int in, out; /* its stdin and stdout, our ends */
};
struct child child_spawn(char **args);
void child_end(struct child *child, int signal);

TCase *conform_write_case(void);
TCase *conform_batch_case(void);
TCase *conform_lock_case(void);
TCase *conform_elections_case(void);
TCase *conform_death_case(void);
TCase *conform_life_case(void);
TCase *conform_bench_case(void);

/* What the other process of conform_death.c runs. */
TCase *conform_hold_case(const char *path, const char *value);

#endif
