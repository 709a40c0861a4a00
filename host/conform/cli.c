/* cli -- the program's arguments. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/number.h"
#include "host/conform/kit.h"

enum { CLI_BROKEN = 1, CLI_USAGE = 2 };

static const char cli_help[] =
    "usage: bridle-conform [OPTION]... KIND FILE [KEY=VALUE]...\n"
    "\n"
    "Runs the conformance kit: does this plugin keep the rules of bridle's boundary?  KIND is "
    "store,\n"
    "transport or policy, FILE is KIND_NAME.so or the NAME of an installed plugin, KEY=VALUE its\n"
    "options (lists as [a, b]).  Prints TAP, one line a rule.\n"
    "\n"
    "  -n, --node HOST:PORT     a transport's: a node to ask; may stand several times\n"
    "  -p, --patience SECONDS   how long a reply may take (default 10)\n"
    "  -r, --rule NAME          run this rule only\n"
    "      --stop               stop at the first broken rule\n"
    "      --inside             run the rules in this process, for a debugger\n"
    "      --rates              a store's: print how many commits a second it makes, run no rule\n"
    "      --rules              print the rules, of KIND or of all kinds\n"
    "  -V, --version            the version\n"
    "  -h, --help               this text\n"
    "\n"
    "exit status: 0 every rule is kept, 1 some are broken, 2 wrong usage\n"
    "\n"
    "example: bridle-conform store ./store_mine.so hosts=127.0.0.1:2379\n";

struct cli {
    struct conform c;
    struct conform_run how;
    const char *const *path;
    const char *hold[2]; /* the lock and its value */
    bool rates, rules;
    int32_t patience;
};

static int cli_usage(void)
{
    fputs("bridle-conform: wrong usage; see bridle-conform --help\n", stderr);
    return CLI_USAGE;
}

static bool cli_kind(const char *kind)
{
    return strcmp(kind, "store") == 0 || strcmp(kind, "transport") == 0
           || strcmp(kind, "policy") == 0;
}

static void cli_print_rules(const char *kind)
{
    const char *before = NULL;
    printf("rules of a %s:\n", kind);
    printf("  %-24s %s\n", conform_survives.name, conform_survives.says);
    for (const struct conform_rule *const *set = conform_rules(kind); *set; set++)
        for (const struct conform_rule *rule = *set; rule->name; rule++, before = rule[-1].name)
            if (!before || strcmp(before, rule->name) != 0)
                printf("  %-24s %s\n", rule->name, rule->says);
}

static int cli_rules(const char *kind)
{
    static const char *const kinds[] = { "store", "transport", "policy" };
    for (int i = 0; i < 3; i++)
        if (!kind || strcmp(kind, kinds[i]) == 0)
            cli_print_rules(kinds[i]);
    return 0;
}

static bool cli_node(struct conform *c, const char *node)
{
    if (c->node_count == CONFORM_NODES_MAX)
        return false;
    c->nodes[c->node_count++] = node;
    return true;
}

/* -1: go on; else the exit status. */
static int cli_options(struct cli *cli, int argc, char **argv)
{
    enum { OPT_STOP = 256, OPT_INSIDE, OPT_RATES, OPT_RULES, OPT_HOLD };
    static const struct option options[] = {
        { "node", required_argument, NULL, 'n' },
        { "patience", required_argument, NULL, 'p' },
        { "rule", required_argument, NULL, 'r' },
        { "stop", no_argument, NULL, OPT_STOP },
        { "inside", no_argument, NULL, OPT_INSIDE },
        { "rates", no_argument, NULL, OPT_RATES },
        { "rules", no_argument, NULL, OPT_RULES },
        { "hold", required_argument, NULL, OPT_HOLD }, /* the kit's own: store_death.c */
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "+n:p:r:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            if (!cli_node(&cli->c, optarg))
                return cli_usage();
            break;
        case 'p':
            if (!number_i32(optarg, strlen(optarg), &cli->patience) || cli->patience < 1)
                return cli_usage();
            break;
        case 'r': cli->how.only = optarg; break;
        case OPT_STOP: cli->how.stop = true; break;
        case OPT_INSIDE: cli->how.inside = true; break;
        case OPT_RATES: cli->rates = true; break;
        case OPT_RULES: cli->rules = true; break;
        case OPT_HOLD: cli->hold[0] = optarg; break;
        case 'V': puts("bridle-conform " BRIDLE_VERSION); return 0;
        case 'h': fputs(cli_help, stdout); return 0;
        default: return cli_usage();
        }
    }
    return -1;
}

static void cli_fail(struct conform *c, const struct conform_rule *rule, const char *where,
                     const char *text)
{
    (void) c;
    (void) rule;
    fprintf(stderr, "bridle-conform: %s: %s\n", where, text);
    exit(CLI_BROKEN);
}

static int cli_refused(const char *why)
{
    printf(
        "TAP version 13\n1..1\nnot ok 1 - loads\n# rule:  The loader takes the file: one symbol, a "
        "whole descriptor, written by nobody else.\n# found: %s\n",
        why);
    return CLI_BROKEN;
}

static int cli_work(struct cli *cli, char **argv)
{
    struct conform *c = &cli->c;
    struct fail fail;
    for (char **option = argv + 2; *option; option++)
        if (!strchr(*option, '=') || !conform_option(c, *option))
            return cli_usage();
    c->patience = cli->patience;
    c->fail = cli_fail;
    if (conform_find(c, argv[0], argv[1], cli->path, &fail) != BR_OK)
        return cli_refused(fail.text);
    if (!cli->hold[0] && !cli->rates)
        return conform_run(c, &cli->how);
    conform_begin(c);
    if (cli->hold[0])
        conform_hold(c, cli->hold[0], cli->hold[1]);
    else
        conform_rates(c);
    conform_end(c);
    return 0;
}

int conform_main(int argc, char **argv, const char *const *path)
{
    struct cli *cli = mem_new(sizeof *cli);
    cli->path = path;
    cli->patience = 10;
    int status = cli_options(cli, argc, argv);
    argv += optind;
    argc -= optind;
    if (status < 0 && cli->hold[0] && argc > 0) {
        cli->hold[1] = *argv++;
        argc--;
    }
    if (status < 0 && cli->rules)
        status = argc == 0 || (argc == 1 && cli_kind(argv[0])) ? cli_rules(argv[0]) : cli_usage();
    if (status < 0)
        status = argc < 2 || !cli_kind(argv[0]) ? cli_usage() : cli_work(cli, argv);
    if (cli->c.loader)
        loader_free(cli->c.loader);
    free(cli);
    if (fflush(stdout) != 0 && status == 0)
        status = CLI_BROKEN;
    return status;
}
