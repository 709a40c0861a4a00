/* synthetic_store -- write a synthetic cluster (synthetic.h) into a store, for scripts:
 *
 *     t/synthetic_store --store sqlite --file F --root /r --nodes 1000 --tables 100 \
 *         --partitions 10000 --seed 1
 *     t/synthetic_store --store zookeeper --hosts 127.0.0.1:2181 --root /r ...
 *
 * --version 2.6 (default 2.5) writes host names, too.  --names writes nothing: it lists the nodes'
 * names, one a line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/number.h"
#include "host/rdsn/address.h"
#include "t/synthetic.h"

struct writer {
    struct synthetic shape;
    const char *store, *file, *hosts, *root;
    enum layout_version version;
    bool names;
};

static int usage(const char *why)
{
    fprintf(stderr,
            "synthetic_store: %s\n"
            "usage: synthetic_store (--store sqlite --file FILE | --store zookeeper --hosts LIST)\n"
            "       --root PATH [--nodes N] [--tables N] [--partitions N] [--seed N]\n"
            "       [--version 2.5|2.6] [--names]\n",
            why);
    return 2;
}

static bool take_number(const char *text, uint32_t *ret_number)
{
    int32_t number;
    if (!number_i32(text, strlen(text), &number) || number < 0)
        return false;
    *ret_number = (uint32_t) number;
    return true;
}

static bool take_option(struct writer *writer, int option, const char *text)
{
    uint32_t seed;
    switch (option) {
    case 's': writer->store = text; return true;
    case 'f': writer->file = text; return true;
    case 'h': writer->hosts = text; return true;
    case 'r': writer->root = text; return true;
    case 'n': return take_number(text, &writer->shape.nodes);
    case 't': return take_number(text, &writer->shape.tables);
    case 'p': return take_number(text, &writer->shape.partitions);
    case 'l': writer->names = true; return true;
    case 'v':
        writer->version = strcmp(text, "2.6") == 0 ? LAYOUT_26 : LAYOUT_25;
        return strcmp(text, "2.5") == 0 || strcmp(text, "2.6") == 0;
    case 'e':
        if (!take_number(text, &seed))
            return false;
        writer->shape.seed = seed;
        return true;
    default: return false;
    }
}

static void list_names(const struct writer *writer)
{
    char text[ADDRESS_TEXT_MAX];
    for (uint32_t i = 0; i < writer->shape.nodes; i++)
        puts(address_format(synthetic_address(i), text));
}

static void write_cluster(const struct writer *writer, bool sqlite)
{
    struct synthetic_store store;
    struct cluster cluster;
    struct buf options = { 0 };
    if (sqlite)
        buf_printf(&options, "file: \"%s\"\n", writer->file);
    else
        buf_printf(&options, "hosts: \"%s\"\n", writer->hosts);
    synthetic_open(&store, writer->store, options.data);
    synthetic_cluster(&cluster, &writer->shape);
    synthetic_write(&store, &cluster, writer->root, writer->version);
    synthetic_close(&store);
    cluster_done(&cluster);
    buf_done(&options);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "store", required_argument, NULL, 's' },
        { "file", required_argument, NULL, 'f' },
        { "hosts", required_argument, NULL, 'h' },
        { "root", required_argument, NULL, 'r' },
        { "nodes", required_argument, NULL, 'n' },
        { "tables", required_argument, NULL, 't' },
        { "seed", required_argument, NULL, 'e' },
        { "partitions", required_argument, NULL, 'p' },
        { "version", required_argument, NULL, 'v' },
        { "names", no_argument, NULL, 'l' },
        { 0 },
    };
    struct writer writer = { .shape = { .nodes = 3, .tables = 1, .partitions = 8, .seed = 1 } };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(&writer, option, optarg))
            return usage("an option that is not known, or a value that is none");
    const char *wrong = synthetic_wrong(&writer.shape);
    if (wrong || optind < argc)
        return usage(wrong ? wrong : "there are only options");
    if (writer.names) {
        list_names(&writer);
        return 0;
    }
    bool sqlite = writer.store && strcmp(writer.store, "sqlite") == 0;
    bool zookeeper = writer.store && strcmp(writer.store, "zookeeper") == 0;
    if (!writer.root || writer.root[0] != '/')
        return usage("--root is needed, an absolute path");
    if (!(sqlite && writer.file) && !(zookeeper && writer.hosts))
        return usage("--store is sqlite, with --file, or zookeeper, with --hosts");
    write_cluster(&writer, sqlite);
    return 0;
}
