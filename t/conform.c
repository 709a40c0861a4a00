/* conform -- see conform.h. */
#include "t/conform.h"

#include <stdio.h>
#include <stdlib.h>

static void conform_fail(struct conform *c, const struct conform_rule *rule, const char *where,
                         const char *text)
{
    (void) c;
    ck_abort_msg("%s: %s%s%s", where, rule ? rule->name : "", rule ? ": " : "", text);
}

struct conform conform = { .patience = 10, .fail = conform_fail };

void conform_load(int argc, char **argv, const char *const *path)
{
    struct fail fail;
    if (conform_find(&conform, "store", argv[0], path, &fail) != BR_OK) {
        fprintf(stderr, "%s\n", fail.text);
        exit(2);
    }
    conform.options[0] = NULL;
    for (int i = 1; i < argc; i++)
        if (!conform_option(&conform, argv[i])) {
            fprintf(stderr, "more than %d options\n", CONFORM_OPTIONS_MAX);
            exit(2);
        }
}

void conform_setup(void)
{
    conform_begin(&conform);
}

void conform_teardown(void)
{
    conform_end(&conform);
}

TCase *conform_case(const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, conform_setup, conform_teardown);
    tcase_set_timeout(tcase, 6.0 * conform.patience);
    return tcase;
}
