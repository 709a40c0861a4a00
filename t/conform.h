/* conform -- the conformance kit (host/conform/kit.h) inside Check suites: those of one store alone
 * open it and ask it by the same functions, and a broken rule is a failed test.
 */
#ifndef T_CONFORM_H
#define T_CONFORM_H

#include "host/conform/kit.h"
#include "t/test.h"

/* The plugin under test; set by main before any test runs. */
extern struct conform conform;

/* Load the descriptor: "memory", "file=x" ...; exits with a sentence where that fails. */
void conform_load(int argc, char **argv, const char *const *path);

/* Fixtures: a loop and a fresh root node; and back. */
void conform_setup(void);
void conform_teardown(void);
TCase *conform_case(const char *name);

static inline struct instance *instance_make(void)
{
    return conform_open(&conform);
}

static inline struct instance *instance_new(void)
{
    return conform_start(&conform);
}

static inline void answer_init(struct answer *answer)
{
    answer_begin(&conform, answer);
}

static inline struct yaml *conform_section(struct arena *arena, char *const *options)
{
    return conform_map(&conform, arena, options);
}

static inline struct child child_spawn(char **args)
{
    return conform_spawn(&conform, args);
}

#define at(...) conform_at(&conform, __VA_ARGS__)

#endif
