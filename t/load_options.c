/* load_options -- the command line of load. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "t/load.h"

static const char load_help[] =
    "usage: load --table NAME [--meta HOST:PORT,...] [OPTION]...\n"
    "\n"
    "Puts and gets keys of a Pegasus table until told to stop (SIGTERM, --seconds, --until-file),\n"
    "says every second how it goes, and at the end what failed and for how long.\n"
    "\n"
    "  -m, --meta LIST        meta servers (default 127.0.0.1:34601)\n"
    "  -t, --table NAME       the table\n"
    "  -n, --inflight N       operations under way at once (32)\n"
    "  -k, --keys N           different keys, more than operations under way (10000)\n"
    "  -r, --read-percent N   (50)\n"
    "      --value-size N     bytes (100)\n"
    "      --timeout MS       of one operation (5000)\n"
    "      --seed N           of the choice of keys (1)\n"
    "  -s, --seconds N        stop after so long\n"
    "      --until-file PATH  stop when this file is there\n"
    "      --strict           every operation is one attempt, and any failure is exit status 1\n"
    "      --track FILE       read and write the record of what was acknowledged\n"
    "      --verify           no load: read back every acknowledged key of --track's record\n"
    "      --json FILE        the totals as JSON; \"-\": standard output\n"
    "  -q, --quiet            no progress\n"
    "  -h, --help             this text\n"
    "\n"
    "exit status: 0; 1: an operation failed with --strict, a decree went back, or a key did not\n"
    "hold what it must; 2: wrong usage\n";

static bool options_metas(struct options *options, const char *list)
{
    free(options->metas_text);
    options->metas_text = mem_text(list);
    options->meta_count = 0;
    char *rest = options->metas_text;
    for (char *item; (item = strsep(&rest, ","));) {
        if (options->meta_count == TABLE_CLIENT_METAS_MAX)
            return false;
        options->metas[options->meta_count++] = item;
    }
    return true;
}

/* Options that are numbers: their letter, where it goes, and its limits. */
static bool options_number(struct options *options, int letter, const char *text)
{
    const struct {
        int letter;
        int64_t *to, min, max;
    } rows[] = {
        { 'n', &options->inflight, 1, LOAD_INFLIGHT_MAX },
        { 'k', &options->keys, 1, LOAD_KEYS_MAX },
        { 'r', &options->read_percent, 0, 100 },
        { 'V', &options->value_size, 0, LOAD_VALUE_MAX },
        { 'T', &options->timeout_ms, 1, 3600000 },
        { 'S', &options->seed, 0, INT64_MAX },
        { 's', &options->seconds, 1, 1000000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].letter == letter)
            return number_i64(text, strlen(text), rows[i].to) && *rows[i].to >= rows[i].min
                   && *rows[i].to <= rows[i].max;
    return false;
}

static bool options_one(struct options *options, int letter)
{
    switch (letter) {
    case 'm': return options_metas(options, optarg);
    case 't': options->table = optarg; break;
    case 'U': options->until_file = optarg; break;
    case 'F': options->track = optarg; break;
    case 'J': options->json = optarg; break;
    case 'x': options->strict = true; break;
    case 'v': options->verify = true; break;
    case 'q': options->quiet = true; break;
    default: return optarg && options_number(options, letter, optarg);
    }
    return true;
}

int options_read(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {
        { "meta", required_argument, NULL, 'm' },
        { "table", required_argument, NULL, 't' },
        { "inflight", required_argument, NULL, 'n' },
        { "keys", required_argument, NULL, 'k' },
        { "read-percent", required_argument, NULL, 'r' },
        { "value-size", required_argument, NULL, 'V' },
        { "timeout", required_argument, NULL, 'T' },
        { "seed", required_argument, NULL, 'S' },
        { "seconds", required_argument, NULL, 's' },
        { "until-file", required_argument, NULL, 'U' },
        { "strict", no_argument, NULL, 'x' },
        { "track", required_argument, NULL, 'F' },
        { "verify", no_argument, NULL, 'v' },
        { "json", required_argument, NULL, 'J' },
        { "quiet", no_argument, NULL, 'q' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *why = NULL;
    *options = (struct options){ .inflight = 32,
                                 .keys = 10000,
                                 .read_percent = 50,
                                 .value_size = 100,
                                 .timeout_ms = 5000,
                                 .seed = 1 };
    options_metas(options, "127.0.0.1:34601");
    for (int letter; (letter = getopt_long(argc, argv, "m:t:n:k:r:s:qh", longs, NULL)) != -1;) {
        if (letter == 'h') {
            fputs(load_help, stdout);
            return 0;
        }
        if (letter == '?' || !options_one(options, letter))
            why = "an option or its value is wrong";
    }
    if (!why && optind < argc)
        why = "there are words that are no options";
    if (!why && !options->table)
        why = "--table is missing";
    if (!why && options->keys < options->inflight)
        why = "--keys must be at least --inflight";
    if (!why && options->verify && !options->track)
        why = "--verify needs --track";
    if (why)
        fprintf(stderr, "load: %s; see load --help\n", why);
    return why ? EXIT_USAGE : -1;
}
