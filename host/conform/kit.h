/* kit -- the conformance kit: what its rules share.  Opening the plugin under test, asking it as
 * the host does, one call at a time or many, and saying which rule is broken.
 *
 * A rule is a function that uses the plugin and returns where the rule is kept.  It runs in a
 * process of its own (run.c), with one loop and any number of instances on it.  Everything that
 * waits has a limit (patience), so that a plugin that never answers breaks a rule instead of
 * hanging the kit.
 *
 * The same functions serve the suites of our own stores (t/conform.h), which set `fail`.
 */
#ifndef HOST_CONFORM_KIT_H
#define HOST_CONFORM_KIT_H

#include <sys/types.h>

#include "host/base/buf.h"
#include "host/base/mem.h"
#include "host/plugins/plugin.h"

#define CONFORM_OPTIONS_MAX 64
#define CONFORM_NODES_MAX   64    /* given with --node */
#define CONFORM_LIST_MAX    16384 /* children of one node, in rules */

struct conform;

struct conform_rule {
    const char *name; /* "batch-all-or-nothing"; NULL: the last */
    const char *says; /* the rule, one sentence */
    void (*run)(struct conform *c);
    uint32_t rows;  /* of a table that the rule goes through, c->row; 0: it has none */
    uint32_t needs; /* CONFORM_LOCKS ...: else the rule is skipped */
};

enum {
    CONFORM_IN = 1 << 0,     /* an instance, started: c->in */
    CONFORM_ROOT = 1 << 1,   /* of a store: one, and the node c->root in it */
    CONFORM_LOCK = 1 << 2,   /* of a store with lock(): one, and c->lock */
    CONFORM_ACROSS = 1 << 3, /* of a store whose lock excludes other processes, too */
    CONFORM_NODES = 1 << 4,  /* of a transport, and nodes to ask; an instance */
    CONFORM_COUNTS = 1 << 5, /* of a store whose elections can be counted */
    CONFORM_CRASH = 1 << 6,  /* a crash is what this rule looks for: memory is not touched */
};

/* Rules that any other rule may find broken. */
extern const struct conform_rule conform_answers, conform_once, conform_reasons, conform_rows,
    conform_growth, conform_blocks, conform_stops, conform_survives;

/* The plugin under test. */
struct conform {
    struct loader *loader;
    const struct br_plugin *desc;
    const char *kind;
    const char *name;
    const char *argument;                   /* what the operator called it: a file or a name */
    char *options[CONFORM_OPTIONS_MAX + 1]; /* "key=value" */
    const char *nodes[CONFORM_NODES_MAX + 1];
    uint32_t node_count;
    int patience;             /* seconds until a wait gives up */
    struct loop *loop;        /* of the running rule */
    char root[64];            /* a store's node of the running rule's own */
    char text[FAIL_TEXT_MAX]; /* the sentence of the last conform_commit ... */
    char paths[8][8192];      /* of conform_at */
    uint32_t path;
    uint32_t row;        /* of the running rule's table */
    struct instance *in; /* the running rule's, where it is one with an instance */
    const char *lock;    /* the path of the lock, of the rules about locks */
    /* Does not return.  rule NULL: the one that runs. */
    void (*fail)(struct conform *c, const struct conform_rule *rule, const char *where,
                 const char *text);
    void *arg; /* of `fail` */
};

/* One opened plugin. */
struct instance {
    struct plugin plugin;
    struct arena arena;
    struct conform *c;
};

/* One call's answer; `done` once it came. */
struct answer {
    struct conform *c;
    bool done;
    br_status status;
    int64_t version;
    br_bytes value;
    const struct br_chunk *chunks;
    struct arena arena;
    char text[FAIL_TEXT_MAX];
};

/* -- Saying what is broken --------------------------------------------------------------------- */

BR_PRINTF(4, 5)
_Noreturn void conform_broken(struct conform *c, const struct conform_rule *rule, const char *where,
                              const char *format, ...);

const char *conform_status(br_status status); /* "BR_CONFLICT" */

void conform_same(struct conform *c, const char *where, const char *what, int64_t is,
                  int64_t expected);
void conform_same_status(struct conform *c, const char *where, const char *what, br_status is,
                         br_status expected);
void conform_same_text(struct conform *c, const char *where, const char *what, const char *is,
                       const char *expected);

#define CONFORM_TEXT_(x) #x
#define CONFORM_TEXT(x)  CONFORM_TEXT_(x)
#define CONFORM_WHERE    __FILE__ ":" CONFORM_TEXT(__LINE__)

/* need(condition, sentence ...): c is in scope, as in all of these. */
#define need(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            conform_broken(c, NULL, CONFORM_WHERE, __VA_ARGS__);                                   \
    } while (0)
#define need_true(condition)      need(condition, "not so: %s", #condition)
#define same(is, expected)        conform_same(c, CONFORM_WHERE, #is, (int64_t) (is), (int64_t) (expected))
#define same_status(is, expected) conform_same_status(c, CONFORM_WHERE, #is, (is), (expected))
#define same_text(is, expected)   conform_same_text(c, CONFORM_WHERE, #is, (is), (expected))

/* -- The plugin ------------------------------------------------------------------------------- */

/* Load what `argument` names: a file KIND_NAME.so with its directory, or the name of one that is
 * linked in, lies in `path` or is installed. */
br_status conform_find(struct conform *c, const char *kind, const char *argument,
                       const char *const *path, struct fail *ret_fail);
bool conform_option(struct conform *c, char *option); /* false: there are too many */

/* A loop and a fresh root node's name; and back. */
void conform_begin(struct conform *c);
void conform_end(struct conform *c);

/* Options as the section of a file; those that are lists are written [a, b].  Breaks a rule where
 * one is not KEY=VALUE. */
struct yaml *conform_map(struct conform *c, struct arena *arena, char *const *options);
struct instance *conform_open(struct conform *c);  /* opened, not started */
struct instance *conform_start(struct conform *c); /* started */
void instance_free(struct instance *in);
void instance_stop(struct instance *in); /* and wait */

/* -- Asking ----------------------------------------------------------------------------------- */

void answer_begin(struct conform *c, struct answer *answer);
void answer_done(struct answer *answer); /* frees */
void answer_take(void *answer, struct call_answer *from);
void answer_wait(struct answer *answer); /* breaks the rule when patience is over */
bool answer_soon(struct answer *answer, br_time limit);
void conform_turn(struct conform *c, uint32_t count); /* so many round trips of the loop's own */

/* Ask and wait.  The answers' sentence is in c->text. */
br_status conform_commit(struct instance *in, const struct br_write *writes, uint32_t count);
br_status conform_write(struct instance *in, br_write_kind kind, const char *path,
                        const char *value, int64_t version);
br_status conform_get(struct instance *in, const char *path, struct buf *ret_value,
                      int64_t *ret_version);
br_status conform_list(struct instance *in, const char *path, struct answer *ret, char ***ret_names,
                       uint32_t *ret_count); /* names sorted; free(*ret_names), answer_done */

/* Stand at c->lock and wait; the fence, malloc'ed.  And wait for an election that was asked for. */
char *conform_lock(struct instance *in, const char *value);
char *conform_elected(struct answer *answer);
br_status conform_unlock(struct instance *in, const char *fence);
void conform_move_lock(struct conform *c, const char *path); /* c->lock is another from now on */
int64_t conform_elections(struct instance *in,
                          const char *path); /* breaks the rule where not told */

/* Ask and do not wait.  Writes and values must live until the answer. */
void conform_issue(struct instance *in, const struct br_write *writes, uint32_t count,
                   struct answer *answer);

/* Everything below `path`, as text: one node a line, with version, size and value's checksum. */
void conform_dump(struct instance *in, const char *path, struct buf *ret_text);

/* "<root>/<format>": one of c's eight places, in turn. */
BR_PRINTF(2, 3) const char *conform_at(struct conform *c, const char *format, ...);

/* How long the loop stood still until this was answered: the longest time between two turns. */
br_time conform_stalled(struct answer *answer);
#define CONFORM_STALL_MAX   (250 * BR_MILLISECOND) /* of the best of CONFORM_STALL_TRIES */
#define CONFORM_STALL_TRIES 5

/* Whatever comes a moment too late: replies that nobody waits for. */
void conform_linger(struct conform *c);

/* `once` again and again: `warm` times, then `rounds` times and again, until those leave no more
 * than CONFORM_GROWTH_MAX bytes a round behind.  What leaks does so each of CONFORM_GROWTH_TURNS
 * times; what the C library and others keep for later does not. */
#define CONFORM_GROWTH_TURNS 64
#define CONFORM_GROWTH_MAX   8
void conform_repeat(struct conform *c, uint32_t warm, uint32_t rounds,
                    void (*once)(struct conform *c, uint32_t round));

/* Every chunk, row and string of an answer lies in the host's memory or in the plugin's file. */
void conform_check_memory(struct answer *answer);

/* -- Other processes -------------------------------------------------------------------------- */

/* This program again, as another process; args[0] is filled in.  At its end it must have exited
 * with 0, or died of the signal that child_end sends it. */
struct child {
    struct conform *c;
    pid_t pid;
    int in, out; /* its stdin and stdout, our ends */
};
struct child conform_spawn(struct conform *c, char **args);
void child_end(struct child *child, int signal);

/* Memory of whole pages that `size` bytes end exactly at the end of, with an unmapped page behind.
 */
void *conform_guarded(size_t size);
void conform_read_only(void *memory, size_t size);
void conform_unguard(void *memory, size_t size); /* frees */

/* -- Running ---------------------------------------------------------------------------------- */

struct conform_run {
    const char *only; /* the one rule to run; NULL: all */
    bool stop;        /* at the first broken one */
    bool inside;      /* in this process: for debuggers; ends at the first broken one */
};

/* Every rule of the plugin's kind, as TAP on stdout; 0: all kept, 1: some broken. */
int conform_run(struct conform *c, const struct conform_run *how);

/* The rules of a kind, array by array; NULL behind the last. */
const struct conform_rule *const *conform_rules(const char *kind);

/* The program, with plugins by name found in `path` (or linked in, or installed). */
int conform_main(int argc, char **argv, const char *const *path);

/* -- The rules -------------------------------------------------------------------------------- */

extern const struct conform_rule conform_every_rules[];
extern const struct conform_rule conform_write_rules[];
extern const struct conform_rule conform_batch_rules[];
extern const struct conform_rule conform_lock_rules[];
extern const struct conform_rule conform_elections_rules[];
extern const struct conform_rule conform_death_rules[];
extern const struct conform_rule conform_life_rules[];
extern const struct conform_rule conform_transport_rules[];
extern const struct conform_rule conform_policy_rules[];

/* Says the fence on stdout, then holds the lock until stdin ends (or it is killed): what the other
 * process of store_death.c runs. */
void conform_hold(struct conform *c, const char *path, const char *value);

/* Prints a store's rates of commits. */
void conform_rates(struct conform *c);

#endif
