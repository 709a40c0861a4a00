/* tool -- see tool.h. */
#include "host/stage/tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/mem.h"
#include "host/base/number.h"
#include "host/rdsn/address.h"
#include "host/stage/survey_file.h"

static const char tool_defaults[] = "meta_server:\n"
                                    "  listen: 127.0.0.1:34601\n"
                                    "  cluster_root: /\n"
                                    "replication:\n"
                                    "  cluster_name: unknown\n";

br_status tool_init(struct tool *tool, const char *file, const char *const *sets,
                    struct fail *ret_fail)
{
    *tool = (struct tool){ .log = { .fd = STDERR_FILENO, .level = BR_ERROR }, .file = file };
    br_status status = file ? config_load(&tool->config, file, sets, ret_fail)
                            : config_parse(&tool->config, "defaults", tool_defaults,
                                           strlen(tool_defaults), sets, ret_fail);
    if (status == BR_OK)
        status = layout_root(tool->config.meta.cluster_root, &tool->root, ret_fail);
    if (status == BR_OK)
        status = layout_lock_path(tool->config.meta.lock_root, &tool->lock, ret_fail);
    if (status != BR_OK)
        return status;
    tool->loop = loop_new(&tool->log);
    if (!tool->loop)
        return fail_set(ret_fail, BR_NOMEM, "no event loop can be made");
    tool->loader = loader_new(ret_fail);
    return tool->loader ? BR_OK : ret_fail->status;
}

enum layout_version tool_version(const struct tool *tool)
{
    return tool->config.meta.pegasus_version ? LAYOUT_26 : LAYOUT_25;
}

/* -- Waiting ---------------------------------------------------------------------------------- */

struct tool_wait {
    bool done;
    struct tool_answer *answer;
};

static void tool_told(void *arg, struct call_answer *answer)
{
    struct tool_wait *wait = arg;
    wait->done = true;
    wait->answer->status = answer->status;
    wait->answer->chunks = answer->chunks;
    wait->answer->version = answer->version;
    if (answer->status != BR_OK)
        fail_set(&wait->answer->fail, answer->status, "%s", answer->message);
    arena_adopt(&wait->answer->arena, answer->arena);
}

void tool_until(struct tool *tool, const bool *done)
{
    while (!*done)
        loop_turn(tool->loop);
}

void tool_answer_done(struct tool_answer *answer)
{
    arena_done(&answer->arena);
}

static void tool_answer_init(struct tool_answer *answer)
{
    *answer = (struct tool_answer){ .status = BR_OK };
    arena_init(&answer->arena, 0);
}

void tool_read(struct tool *tool, const char *const *paths, uint32_t count,
               struct tool_answer *ret_answer)
{
    struct tool_wait wait = { .answer = ret_answer };
    struct arena memory;
    arena_init(&memory, 0);
    tool_answer_init(ret_answer);
    const char **copies = arena_alloc(&memory, (count + 1) * sizeof *copies);
    for (uint32_t i = 0; i < count; i++)
        copies[i] = arena_text(&memory, paths[i], strlen(paths[i]));
    store_read(&tool->store, copies, count, &memory, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
}

void tool_list(struct tool *tool, const char *path, struct tool_answer *ret_answer)
{
    struct tool_wait wait = { .answer = ret_answer };
    tool_answer_init(ret_answer);
    store_list(&tool->store, path, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
}

void tool_lists(struct tool *tool, const char *const *paths, uint32_t count,
                struct tool_answer *ret_answers)
{
    struct tool_wait *waits = mem_array(count + 1, sizeof *waits);
    for (uint32_t i = 0; i < count; i++) {
        waits[i].answer = &ret_answers[i];
        tool_answer_init(&ret_answers[i]);
        store_list(&tool->store, paths[i], 0, tool_told, &waits[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        tool_until(tool, &waits[i].done);
    free(waits);
}

void tool_elections(struct tool *tool, const char *path, struct tool_answer *ret_answer)
{
    struct tool_wait wait = { .answer = ret_answer };
    tool_answer_init(ret_answer);
    store_elections(&tool->store, path, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
}

/* A call whose time ran out leaves the plugin with what it was given, so all of it is copied. */
void tool_commit(struct tool *tool, const struct br_write *const *writes, uint32_t count,
                 struct tool_answer *ret_answer)
{
    struct tool_wait wait = { .answer = ret_answer };
    struct arena memory;
    arena_init(&memory, 0);
    tool_answer_init(ret_answer);
    struct br_write *copies = arena_alloc(&memory, (count + 1) * sizeof *copies);
    const struct br_write **list = arena_alloc(&memory, (count + 1) * sizeof *list);
    for (uint32_t i = 0; i < count; i++) {
        copies[i] = *writes[i];
        copies[i].path = arena_text(&memory, writes[i]->path, strlen(writes[i]->path));
        if (writes[i]->value.size)
            copies[i].value.data =
                arena_text(&memory, writes[i]->value.data, writes[i]->value.size);
        list[i] = &copies[i];
    }
    store_commit(&tool->store, list, count, &memory, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
}

struct tool_looking {
    bool done;
    struct root_facts *facts;
    struct fail *fail;
    br_status status;
};

static void tool_looked(void *arg, const struct root_facts *facts, const struct fail *fail)
{
    struct tool_looking *looking = arg;
    looking->done = true;
    if (facts)
        *looking->facts = *facts;
    else
        *looking->fail = *fail;
    looking->status = facts ? BR_OK : fail->status;
}

br_status tool_look(struct tool *tool, const char *root, struct root_facts *ret,
                    struct fail *ret_fail)
{
    struct tool_looking looking = { .facts = ret, .fail = ret_fail };
    root_look(&tool->store, root, tool_looked, &looking);
    tool_until(tool, &looking.done);
    return looking.status;
}

static void tool_paused(void *arg)
{
    bool *done = arg;
    *done = true;
}

void tool_pause(struct tool *tool, br_time delay)
{
    bool done = false;
    loop_after(tool->loop, delay, tool_paused, &done);
    tool_until(tool, &done);
}

/* -- Plugins ---------------------------------------------------------------------------------- */

static br_status tool_start(struct tool *tool, struct plugin *plugin, struct fail *ret_fail)
{
    struct tool_answer answer;
    struct tool_wait wait = { .answer = &answer };
    tool_answer_init(&answer);
    plugin_start(plugin, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
    if (answer.status != BR_OK)
        *ret_fail = answer.fail;
    tool_answer_done(&answer);
    return answer.status;
}

static void tool_close(struct tool *tool, struct plugin *plugin, bool started)
{
    struct tool_answer answer;
    struct tool_wait wait = { .answer = &answer };
    if (!plugin->desc)
        return;
    if (started) {
        tool_answer_init(&answer);
        plugin_stop(plugin, 0, tool_told, &wait);
        tool_until(tool, &wait.done);
        tool_answer_done(&answer);
    }
    plugin_close(plugin);
}

void tool_done(struct tool *tool)
{
    tool_close(tool, &tool->policy, false);
    tool_close(tool, &tool->transport, tool->transport_started);
    tool_close(tool, &tool->store, tool->store_started);
    if (tool->loader)
        loader_free(tool->loader);
    if (tool->loop)
        loop_free(tool->loop);
    buf_done(&tool->root);
    buf_done(&tool->lock);
    buf_done(&tool->store_root);
    buf_done(&tool->store_lock);
    config_done(&tool->config);
}

static br_status tool_open(struct tool *tool, const char *section, struct plugin *plugin,
                           struct fail *ret_fail)
{
    struct config_plugin which;
    const struct br_plugin *desc;
    br_status status = config_plugin(&tool->config, section, &which, ret_fail);
    if (status == BR_OK)
        status = loader_load(tool->loader, which.kind, which.name, tool->config.plugin_path, &desc,
                             ret_fail);
    if (status == BR_OK)
        status = plugin_open(plugin, tool->loop, desc, section, which.section, ret_fail);
    if (status == BR_OK && which.deadline)
        plugin->deadline = which.deadline;
    return status;
}

br_status tool_open_transport(struct tool *tool, struct fail *ret_fail)
{
    br_status status = tool_open(tool, "transport", &tool->transport, ret_fail);
    tool->transport_started = status == BR_OK;
    return status == BR_OK ? tool_start(tool, &tool->transport, ret_fail) : status;
}

br_status tool_open_policy(struct tool *tool, struct fail *ret_fail)
{
    return tool_open(tool, "policy", &tool->policy, ret_fail);
}

br_status tool_open_policy_named(struct tool *tool, const char *name, const struct yaml *options,
                                 struct fail *ret_fail)
{
    const struct br_plugin *desc;
    br_status status =
        loader_load(tool->loader, "policy", name, tool->config.plugin_path, &desc, ret_fail);
    if (status == BR_OK)
        status = plugin_open(&tool->policy, tool->loop, desc, "policy", options, ret_fail);
    return status;
}

/* -- The store --------------------------------------------------------------------- */

static void tool_refuse_commit(struct br_env *env, const struct br_write *const *writes,
                               uint32_t count, struct br_call *call)
{
    (void) env;
    (void) writes;
    (void) count;
    br_reply_fail(call, BR_UNSUPPORTED, "this program never writes to a store");
}

/* Starting the plugin would make the file. */
static br_status tool_store_there(struct tool *tool, struct fail *ret_fail)
{
    struct config_plugin which;
    struct stat stat_of;
    br_status status = config_plugin(&tool->config, "store", &which, ret_fail);
    const struct yaml *file = status == BR_OK ? yaml_get(which.section, "file") : NULL;
    if (!file || !file->text || strcmp(which.name, "sqlite") != 0)
        return status;
    if (stat(file->text, &stat_of) == 0 ? stat_of.st_size > 0 : access(file->text, F_OK) == 0)
        return BR_OK;
    if (access(file->text, F_OK) == 0)
        return fail_set(ret_fail, BR_NOTFOUND, "the file %s is empty", file->text);
    return fail_set(ret_fail, BR_NOTFOUND, "there is no file %s", file->text);
}

static br_status tool_behind(const char *chroot_of, const struct buf *path, struct buf *ret,
                             struct fail *ret_fail)
{
    struct buf whole = { 0 };
    buf_printf(&whole, "%s/%s", chroot_of, path->data);
    br_status status = layout_root(whole.data, ret, ret_fail);
    buf_done(&whole);
    return status;
}

/* Without its chroot, which stands before the paths instead; `to_write`: with it. */
static br_status tool_store_paths(struct tool *tool, bool to_write, struct fail *ret_fail)
{
    struct yaml *section = yaml_get(tool->config.root, "store");
    struct yaml *chroot_of = to_write ? NULL : yaml_get(section, "chroot");
    const char *before = chroot_of && chroot_of->text ? chroot_of->text : "";
    br_status status = tool_behind(before, &tool->root, &tool->store_root, ret_fail);
    if (status == BR_OK)
        status = tool_behind(before, &tool->lock, &tool->store_lock, ret_fail);
    if (*before)
        yaml_drop(section, chroot_of);
    return status;
}

br_status tool_open_store(struct tool *tool, struct fail *ret_fail)
{
    br_status status = tool_store_there(tool, ret_fail);
    if (status == BR_OK)
        status = tool_store_paths(tool, false, ret_fail);
    if (status == BR_OK)
        status = tool_open(tool, "store", &tool->store, ret_fail);
    if (status != BR_OK)
        return status;
    tool->store.ops.store.commit = tool_refuse_commit;
    tool->store.ops.store.lock = NULL;
    tool->store.ops.store.unlock = NULL;
    tool->store_started = true;
    return tool_start(tool, &tool->store, ret_fail);
}

br_status tool_open_store_to_write(struct tool *tool, struct fail *ret_fail)
{
    br_status status = tool_store_paths(tool, true, ret_fail);
    if (status == BR_OK)
        status = tool_open(tool, "store", &tool->store, ret_fail);
    if (status != BR_OK)
        return status;
    tool->store_started = true;
    return tool_start(tool, &tool->store, ret_fail);
}

/* -- Nodes ------------------------------------------------------------------------------------ */

/* `paths`: it may be one whose name nobody knows. */
static br_status tool_nodes_add(struct tool_nodes *nodes, const char *text, size_t size, bool paths,
                                struct fail *ret_fail)
{
    uint16_t port;
    size_t host;
    const char *name = arena_text(&nodes->arena, text, size);
    if (!number_node(name, &host, &port) && !(paths && *name == '/'))
        return fail_set(ret_fail, BR_INVALID, "%s is no replica server: host:port is needed", name);
    for (uint32_t i = 0; i < nodes->count; i++) {
        if (strcmp(nodes->names[i], name) == 0)
            return BR_OK;
    }
    if (nodes->count == BR_NODES_MAX)
        return fail_set(ret_fail, BR_TOOBIG, "more than %d replica servers", BR_NODES_MAX);
    uint64_t address = 0;
    if (*name != '/' && !address_parse(name, &address) && !address_resolve(name, &address))
        address = 0; /* the transport will say so */
    nodes->names[nodes->count] = name;
    nodes->addresses[nodes->count++] = address;
    return BR_OK;
}

static br_status tool_nodes_line(struct tool_nodes *nodes, const char *line, size_t size,
                                 struct fail *ret_fail)
{
    while (size && strchr(" \t\r\v\f", *line)) {
        line++;
        size--;
    }
    while (size && strchr(" \t\r\v\f", line[size - 1]))
        size--;
    if (!size || *line == '#' || *line == ';')
        return BR_OK;
    return tool_nodes_add(nodes, line, size, false, ret_fail);
}

static void tool_nodes_init(struct tool_nodes *nodes)
{
    *nodes = (struct tool_nodes){ 0 };
    arena_init(&nodes->arena, 0);
    nodes->names = arena_zero(&nodes->arena, BR_NODES_MAX * sizeof *nodes->names);
    nodes->addresses = arena_zero(&nodes->arena, BR_NODES_MAX * sizeof *nodes->addresses);
}

br_status tool_nodes_ask(struct tool_nodes *nodes, struct tool *tool, struct fail *ret_fail)
{
    struct tool_answer answer;
    struct tool_wait wait = { .answer = &answer };
    tool_nodes_init(nodes);
    tool_answer_init(&answer);
    transport_nodes(&tool->transport, 0, tool_told, &wait);
    tool_until(tool, &wait.done);
    br_status status = answer.status;
    if (status == BR_UNSUPPORTED)
        fail_set(ret_fail, status,
                 "this transport does not know which replica servers there are: name them with -f "
                 "or -l");
    else if (status != BR_OK)
        *ret_fail = answer.fail;
    for (const struct br_chunk *chunk = answer.chunks; chunk && status == BR_OK;
         chunk = chunk->next) {
        const char *const *names = chunk->rows;
        for (uint32_t i = 0; i < chunk->count && status == BR_OK; i++)
            status = tool_nodes_add(nodes, names[i], strlen(names[i]), true, ret_fail);
    }
    if (status == BR_OK && !nodes->count)
        status = fail_set(ret_fail, BR_INVALID, "the transport names no replica server");
    tool_answer_done(&answer);
    return status;
}

br_status tool_nodes_read(struct tool_nodes *nodes, const char *file, const char *list,
                          struct fail *ret_fail)
{
    struct buf text = { 0 };
    br_status status = BR_OK;
    tool_nodes_init(nodes);
    if (list)
        buf_text(&text, list);
    else if (!stage_read_file(file, &text, ret_fail))
        status = ret_fail->status;
    for (size_t at = 0; status == BR_OK && at < text.size;) {
        size_t size = strcspn(text.data + at, list ? "," : "\n");
        status = tool_nodes_line(nodes, text.data + at, size, ret_fail);
        at += size + 1;
    }
    buf_done(&text);
    if (status == BR_OK && !nodes->count)
        status =
            fail_set(ret_fail, BR_INVALID, "%s names no replica server", list ? "the list" : file);
    return status;
}

void tool_nodes_done(struct tool_nodes *nodes)
{
    arena_done(&nodes->arena);
}

/* -- Surveys ---------------------------------------------------------------------------------- */

struct tool_surveying {
    bool done;
    struct survey *survey;
};

static void tool_surveyed(void *arg, struct survey *survey)
{
    struct tool_surveying *surveying = arg;
    surveying->survey = survey;
    surveying->done = true;
}

struct survey *tool_survey(struct tool *tool, const char *const *names, const uint64_t *addresses,
                           uint32_t count)
{
    const struct config_recovery *config = &tool->config.recovery;
    struct tool_surveying surveying = { false };
    survey_start(tool->loop, &tool->transport,
                 &(struct survey_request){
                     .names = names,
                     .addresses = addresses,
                     .count = count,
                     .parallel = (uint32_t) config->parallel,
                     .retries = config->retries ? (uint32_t) config->retries : SURVEY_NO_RETRIES,
                     .node_deadline = config->node_deadline,
                     .done = tool_surveyed,
                     .arg = &surveying,
                 });
    tool_until(tool, &surveying.done);
    survey_to_wall(surveying.survey, loop_now(tool->loop));
    return surveying.survey;
}
