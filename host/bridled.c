/* bridled -- the meta server as a process: arguments, configuration, plugins, signals. */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/core/libraries.h"
#include "host/core/notify.h"
#include "host/meta/meta.h"

#define BRIDLED_SETS_MAX   64
#define BRIDLED_STORES_MAX 16 /* under `stores:` */

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

static const char bridled_help[] =
    "usage: bridled [-c FILE] [--set KEY=VALUE]... [--check]\n"
    "\n"
    "bridled is a meta server for Apache Pegasus clusters.  With\n"
    "meta_server.recover_from_replica_server set to true and nothing in its store it enters\n"
    "recovery mode and waits for `bridle recover -f FILE`; otherwise it serves what is stored.\n"
    "\n"
    "  -c, --config FILE    the configuration (default " BRIDLE_CONFDIR "/bridled.yaml)\n"
    "  -s, --set KEY=VALUE  override one key, e.g. --set store.plugin=sqlite\n"
    "      --check          read the configuration, load and open every plugin, and exit\n"
    "  -V, --version        the version\n"
    "  -h, --help           this text\n"
    "\n"
    "exit status: 0 stopped by a signal or --check succeeded, 1 failed, 2 wrong usage, 71 out of\n"
    "memory, 78 refused: something in the configuration or in the store must be changed first\n"
    "\n"
    "example: bridled -c /etc/bridle/bridled.yaml --set log.level=debug\n";

struct bridled {
    const char *file;
    const char *sets[BRIDLED_SETS_MAX + 1];
    int set_count;
    bool check;

    struct log log;
    struct loop *loop;
    struct config config;
    struct loader *loader;
    struct plugin store, transport, policy;
    struct plugin more[BRIDLED_STORES_MAX]; /* further stores: opened, not started */
    uint32_t more_count;
    struct plugin *started[3]; /* in the order started */
    uint32_t started_count;
    struct meta meta;
    struct event *term, *interrupt;
    bool stopping; /* by a signal, or because what started has to go */
    int exit_status;
};

/* -- Arguments -------------------------------------------------------------------------------- */

static int bridled_usage(void)
{
    fputs("bridled: wrong usage; see bridled --help\n", stderr);
    return EXIT_USAGE;
}

/* -1: go on; else the exit status. */
static int bridled_arguments(struct bridled *bridled, int argc, char **argv)
{
    enum { OPT_CHECK = 256 };
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "set", required_argument, NULL, 's' },
        { "check", no_argument, NULL, OPT_CHECK },  { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "c:s:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'c': bridled->file = optarg; break;
        case 's':
            if (bridled->set_count == BRIDLED_SETS_MAX)
                return bridled_usage();
            bridled->sets[bridled->set_count++] = optarg;
            break;
        case OPT_CHECK: bridled->check = true; break;
        case 'V': puts("bridled " BRIDLE_VERSION); return 0;
        case 'h': fputs(bridled_help, stdout); return 0;
        default: return bridled_usage();
        }
    }
    return optind == argc ? -1 : bridled_usage();
}

/* -- Plugins ---------------------------------------------------------------------------------- */

static br_status bridled_open(struct bridled *bridled, const char *section, struct plugin *plugin,
                              struct fail *fail)
{
    struct config_plugin which;
    const struct br_plugin *desc;
    br_status status = config_plugin(&bridled->config, section, &which, fail);
    if (!status)
        status = loader_load(bridled->loader, which.kind, which.name, bridled->config.plugin_path,
                             &desc, fail);
    if (!status)
        status = plugin_open(plugin, bridled->loop, desc, section, which.section, fail);
    if (!status && which.deadline)
        plugin->deadline = which.deadline;
    if (!status)
        log_put(&bridled->log, BR_INFO, "bridled", "%s: %s %s, %s", section, which.name,
                desc->version, desc->summary);
    return status;
}

static br_status bridled_open_more(struct bridled *bridled, struct fail *fail)
{
    const struct yaml *stores = yaml_get(bridled->config.root, "stores");
    for (const struct yaml *at = stores ? stores->first : NULL; at; at = at->next) {
        if (bridled->more_count == BRIDLED_STORES_MAX)
            return yaml_fail(at, fail, BR_TOOBIG, "more than %d stores", BRIDLED_STORES_MAX);
        struct buf section = { 0 };
        buf_printf(&section, "stores.%s", at->key);
        const char *name = arena_text(&bridled->config.arena, section.data, section.size);
        buf_done(&section);
        br_status status = bridled_open(bridled, name, &bridled->more[bridled->more_count], fail);
        if (status)
            return status;
        bridled->more_count++;
    }
    return BR_OK;
}

static br_status bridled_open_all(struct bridled *bridled, struct fail *fail)
{
    bridled->loader = loader_new(fail);
    br_status status = bridled->loader ? BR_OK : fail->status;
    if (!status)
        status = bridled_open(bridled, "store", &bridled->store, fail);
    if (!status)
        status = bridled_open(bridled, "transport", &bridled->transport, fail);
    if (!status)
        status = bridled_open(bridled, "policy", &bridled->policy, fail);
    if (!status)
        status = bridled_open_more(bridled, fail);
    return status;
}

static void bridled_close(struct plugin *plugin)
{
    if (plugin->desc)
        plugin_close(plugin);
}

/* -- Starting and stopping -------------------------------------------------------------------- */

static void bridled_fail(struct bridled *bridled, int exit_status, const char *sentence)
{
    log_put(&bridled->log, BR_ERROR, "bridled", "%s", sentence);
    bridled->exit_status = exit_status;
}

static void bridled_stop_next(struct bridled *bridled);

static void bridled_stopped(void *arg, struct call_answer *answer)
{
    struct bridled *bridled = arg;
    if (answer->status)
        log_put(&bridled->log, BR_WARN, "bridled", "%s", answer->message);
    bridled_stop_next(bridled);
}

static void bridled_stop_next(struct bridled *bridled)
{
    if (bridled->started_count == 0)
        loop_stop(bridled->loop);
    else
        plugin_stop(bridled->started[--bridled->started_count], 0, bridled_stopped, bridled);
}

static const char *bridled_store_hosts(struct bridled *bridled)
{
    const struct yaml *section = yaml_get(bridled->config.root, "store");
    const struct yaml *hosts = section ? yaml_get(section, "hosts") : NULL;
    return hosts && hosts->text ? hosts->text : bridled->store.desc->name;
}

/* What started this process, where it wants to know (systemd's Type=notify). */
static void bridled_tell(struct bridled *bridled, const char *state)
{
    struct fail fail;
    if (notify_manager(state, &fail) != BR_OK)
        log_put(&bridled->log, BR_WARN, "bridled", "%s", fail.text);
}

static void bridled_start_next(struct bridled *bridled);

static void bridled_started(void *arg, struct call_answer *answer)
{
    struct bridled *bridled = arg;
    if (bridled->stopping)
        return; /* whatever came of it: its stop follows */
    if (answer->status) {
        bridled_fail(bridled, EXIT_FAILED, answer->message);
        loop_stop(bridled->loop);
    } else {
        bridled_start_next(bridled);
    }
}

static void bridled_start_next(struct bridled *bridled)
{
    struct plugin *const order[] = { &bridled->store, &bridled->transport, &bridled->policy };
    struct fail fail;
    if (bridled->started_count < 3) {
        struct plugin *next = order[bridled->started_count];
        bridled->started[bridled->started_count++] = next;
        plugin_start(next, 0, bridled_started, bridled);
        return;
    }
    struct meta *meta = &bridled->meta;
    meta->store = &bridled->store;
    meta->transport = &bridled->transport;
    meta->policy = &bridled->policy;
    meta->store_hosts = bridled_store_hosts(bridled);
    if (meta_start(meta, bridled->loop, &bridled->config, &fail) != BR_OK) {
        bool later = fail.status == BR_UNAVAILABLE; /* the address is somebody's */
        bridled_fail(bridled, later ? EXIT_FAILED : META_EXIT_REFUSED, fail.text);
        loop_stop(bridled->loop);
        return;
    }
    bridled_tell(bridled, "READY=1");
}

static void bridled_signal(evutil_socket_t number, short what, void *arg)
{
    struct bridled *bridled = arg;
    (void) what;
    log_put(&bridled->log, BR_INFO, "bridled", "%s: stopping",
            number == SIGTERM ? "SIGTERM" : "SIGINT");
    bool again = bridled->stopping;
    bridled->stopping = true;
    bridled_tell(bridled, "STOPPING=1");
    if (bridled->meta.server)
        meta_stop(&bridled->meta, 0);
    else if (!again)
        loop_stop(bridled->loop);
}

/* Before the plugins are opened: from the first log line on a signal is a clean stop. */
static void bridled_hear(struct bridled *bridled)
{
    signal(SIGPIPE, SIG_IGN);
    bridled->term = evsignal_new(bridled->loop->base, SIGTERM, bridled_signal, bridled);
    bridled->interrupt = evsignal_new(bridled->loop->base, SIGINT, bridled_signal, bridled);
    evsignal_add(bridled->term, NULL);
    evsignal_add(bridled->interrupt, NULL);
}

static void bridled_run(struct bridled *bridled)
{
    bridled_start_next(bridled);
    loop_run(bridled->loop);
    if (bridled->meta.server && bridled->exit_status == 0)
        bridled->exit_status = bridled->meta.exit_status;
    meta_done(&bridled->meta);
    bridled->stopping = true;
    bridled_stop_next(bridled);
    loop_run(bridled->loop);
}

static void bridled_done(struct bridled *bridled)
{
    bridled_close(&bridled->policy);
    bridled_close(&bridled->transport);
    bridled_close(&bridled->store);
    for (uint32_t i = 0; i < bridled->more_count; i++)
        bridled_close(&bridled->more[i]);
    if (bridled->loader)
        loader_free(bridled->loader);
    if (bridled->term) {
        event_free(bridled->term);
        event_free(bridled->interrupt);
    }
    if (bridled->loop)
        loop_free(bridled->loop);
    config_done(&bridled->config);
}

static void bridled_work(struct bridled *bridled)
{
    struct fail fail;
    bridled->log.level = bridled->config.log.level;
    for (const char *const *note = bridled->config.notes; *note; note++)
        log_put(&bridled->log, BR_WARN, "config", "%s", *note);
    bridled->loop = loop_new(&bridled->log);
    if (bridled->loop && !bridled->check)
        bridled_hear(bridled);
    if (!bridled->loop)
        bridled_fail(bridled, EXIT_FAILED, strerror(errno));
    else if (bridled_open_all(bridled, &fail) != BR_OK)
        bridled_fail(bridled, META_EXIT_REFUSED, fail.text);
    else if (!bridled->check)
        bridled_run(bridled);
    bridled_done(bridled);
}

int main(int argc, char **argv)
{
    libraries_memory();
    struct bridled *bridled = mem_new(sizeof *bridled);
    struct fail fail;
    bridled->file = BRIDLE_CONFDIR "/bridled.yaml";
    bridled->log = (struct log){ .fd = STDERR_FILENO, .level = BR_INFO };
    int status = bridled_arguments(bridled, argc, argv);
    if (status < 0) {
        if (config_load(&bridled->config, bridled->file, bridled->sets, &fail) != BR_OK)
            bridled_fail(bridled, META_EXIT_REFUSED, fail.text);
        else
            bridled_work(bridled);
        status = bridled->exit_status;
    }
    free(bridled);
    return status;
}
