/* scan_kit -- see test_scan.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/config/yaml.h"
#include "host/disk/plog.h"
#include "host/replica/files.h"
#include "t/test_scan.h"

struct plugin scan_plugin;
char *scan_root;
static struct arena options;

void scan_setup(void)
{
    core_setup();
    arena_init(&options, 0);
    scan_root = test_directory();
}

void scan_teardown(void)
{
    arena_done(&options);
    free(scan_root);
    core_teardown();
}

br_status scan_open(const struct br_plugin *desc, const char *yaml, struct fail *ret_fail)
{
    struct yaml *section;
    struct fail fail;
    struct buf text = { 0 }, file = { 0 };
    for (const char *at = yaml; *at; at++) {
        if (at[0] == '%' && at[1] == 's') {
            buf_text(&text, scan_root);
            at++;
        } else {
            buf_char(&text, *at);
        }
    }
    buf_printf(&file, "%s.so", desc->name);
    ck_assert_msg(yaml_parse(&options, "t.yaml", text.data, text.size, &section, &fail) == BR_OK,
                  "%s", fail.text);
    ck_assert_int_eq(loader_check(desc, file.data, "transport", desc->name, &fail), BR_OK);
    buf_done(&text);
    buf_done(&file);
    return plugin_open(&scan_plugin, core_loop, desc, "transport", section, ret_fail);
}

void scan_begin(const struct br_plugin *desc, const char *yaml)
{
    struct fail fail = { 0 };
    struct core_told told = { 0 };
    ck_assert_msg(scan_open(desc, yaml, &fail) == BR_OK, "%s", fail.text);
    plugin_start(&scan_plugin, 30 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_msg(told.status == BR_OK, "%s", told.message);
}

void scan_end(void)
{
    struct core_told told = { 0 };
    plugin_stop(&scan_plugin, 30 * BR_SECOND, core_done, &told);
    core_wait(&told, 1);
    ck_assert_int_eq(told.status, BR_OK);
    plugin_close(&scan_plugin);
}

void scan_ask(const char *node, int32_t index, struct scan_told *told)
{
    *told = (struct scan_told){ 0 };
    transport_replicas(&scan_plugin, node, index, 30 * BR_SECOND, core_done, &told->replicas);
    transport_tables(&scan_plugin, node, index, 30 * BR_SECOND, core_done, &told->tables);
    core_wait(&told->replicas, 1);
    core_wait(&told->tables, 1);
    ck_assert_int_eq(told->replicas.status, told->tables.status);
}

void scan_told_done(struct scan_told *told)
{
    if (told->tables.chunks)
        arena_done(&told->tables.kept);
    if (told->replicas.chunks)
        arena_done(&told->replicas.kept);
}

const char *scan_rows(const struct scan_told *told)
{
    static char text[65536];
    size_t at = 0;
    text[0] = '\0';
    ck_assert_msg(told->replicas.status == BR_OK, "%s", told->replicas.message);
    for (const struct br_chunk *chunk = told->replicas.chunks; chunk; chunk = chunk->next) {
        const struct br_replica *rows = chunk->rows;
        for (uint32_t i = 0; i < chunk->count; i++) {
            ck_assert_int_eq(rows[i].role, BR_ROLE_INACTIVE);
            ck_assert_str_eq(rows[i].type, "pegasus");
            at += (size_t) snprintf(text + at, sizeof text - at, "%s%d.%d:%lld:%lld/%lld/%lld:%s",
                                    at ? " " : "", rows[i].table, rows[i].partition,
                                    (long long) rows[i].ballot, (long long) rows[i].committed,
                                    (long long) rows[i].prepared, (long long) rows[i].durable,
                                    rows[i].disk);
        }
    }
    return text;
}

const char *scan_tables(const struct scan_told *told)
{
    static char text[65536];
    size_t at = 0;
    text[0] = '\0';
    for (const struct br_chunk *chunk = told->tables.chunks; chunk; chunk = chunk->next) {
        const struct br_table *rows = chunk->rows;
        for (uint32_t i = 0; i < chunk->count; i++)
            at += (size_t) snprintf(text + at, sizeof text - at, "%s%d:%s:%d", at ? " " : "",
                                    rows[i].id, rows[i].name, rows[i].partition_count);
    }
    return text;
}

void scan_make(const char *data, int32_t id, int32_t partition, int64_t ballot, int64_t durable)
{
    struct buf path = { 0 };
    struct fail fail;
    char name[32];
    snprintf(name, sizeof name, "t%d", id);
    const struct br_table table = { .id = id,
                                    .name = name,
                                    .type = "pegasus",
                                    .status = BR_TABLE_AVAILABLE,
                                    .partition_count = 8,
                                    .replica_count = 3,
                                    .flags = BR_TABLE_STATEFUL };
    buf_printf(&path, "%s/%s", scan_root, data);
    ck_assert_msg(files_create(path.data, &table, partition, ballot, durable, false, &fail)
                      == BR_OK,
                  "%s", fail.text);
    buf_done(&path);
}

void scan_put(const char *path, const void *bytes, size_t size)
{
    struct buf full = { 0 };
    buf_printf(&full, "%s/%s", scan_root, path);
    if (!bytes) {
        ck_assert_msg(mkdir(full.data, 0777) == 0, "%s", full.data);
    } else {
        FILE *file = fopen(full.data, "w");
        ck_assert_msg(file != NULL, "%s", full.data);
        ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
        ck_assert_int_eq(fclose(file), 0);
    }
    buf_done(&full);
}

void scan_log(const char *replica, int32_t table, int32_t partition, const int64_t (*mutations)[3])
{
    const struct plog_name name = { PLOG_FIRST_INDEX, 0 };
    const struct plog_origin origin = { { table, partition }, 0, 0 };
    struct plog_writer writer;
    struct buf bytes = { 0 }, path = { 0 };
    plog_writer_begin(&writer, &name);
    plog_put_head(&writer, &origin, &bytes);
    plog_block_begin(&writer, &bytes);
    for (; (*mutations)[0]; mutations++) {
        struct mutation_header header = { .pid = { table, partition },
                                          .ballot = (*mutations)[0],
                                          .decree = (*mutations)[1],
                                          .last_committed_decree = (*mutations)[2] };
        ck_assert_int_eq(plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, &bytes, NULL),
                         BR_OK);
    }
    plog_block_end(&writer, &bytes);
    buf_printf(&path, "%s/plog", replica);
    scan_put(path.data, NULL, 0);
    buf_text(&path, "/log.1.0");
    scan_put(path.data, bytes.data, bytes.size);
    buf_done(&bytes);
    buf_done(&path);
}
