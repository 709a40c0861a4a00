/* bench_scan -- what t/bench_scan.sh needs made: `tree DIR N`, N replica directories as a server of
 * Apache Pegasus's has them; `survey FILE N`, a survey of N partitions with three replicas each;
 * `run PROGRAM ARGUMENT...`, a program, and then how much memory it had at most.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/disk/plog.h"
#include "host/disk/replica_dir.h"

#define BENCH_PARTITIONS 1000 /* of one table */
#define BENCH_NODES      10

static void bench_die(const char *what)
{
    perror(what);
    exit(1);
}

static void bench_put(const char *dir, const char *name, const struct buf *bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0 || (bytes && write(fd, bytes->data, bytes->size) != (ssize_t) bytes->size))
        bench_die(path);
    close(fd);
}

static void bench_mkdir(const char *dir, const char *below)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", dir, below);
    if (mkdir(path, 0777) != 0)
        bench_die(path);
}

/* Ten mutations, as a replica that is written to now and then. */
static void bench_log(int32_t table, int32_t partition, struct buf *log)
{
    struct plog_writer writer;
    const struct plog_origin origin = { { table, partition }, 0, 0 };
    buf_clear(log);
    plog_writer_begin(&writer, &(struct plog_name){ PLOG_FIRST_INDEX, 0 });
    plog_put_head(&writer, &origin, log);
    for (int64_t decree = 1; decree <= 10; decree++) {
        struct mutation_header header = { .pid = { table, partition },
                                          .ballot = 3,
                                          .decree = decree,
                                          .last_committed_decree = decree - 1 };
        plog_block_begin(&writer, log);
        plog_block_put(&writer, &header, (br_bytes){ "\0\0\0", 4 }, log, NULL);
        plog_block_end(&writer, log);
    }
}

static void bench_replica(const char *root, int32_t table, int32_t partition)
{
    static const char *const rdb[] = { "000004.log",      "000010.sst",     "CURRENT",
                                       "IDENTITY",        "LOCK",           "LOG",
                                       "MANIFEST-000005", "OPTIONS-000009", "OPTIONS-000012" };
    char name[32], dir[400], below[448];
    struct buf bytes = { 0 };
    snprintf(name, sizeof name, "table%d", table);
    const struct br_table def = { .id = table,
                                  .name = name,
                                  .type = "pegasus",
                                  .status = BR_TABLE_AVAILABLE,
                                  .partition_count = BENCH_PARTITIONS,
                                  .replica_count = 3,
                                  .flags = BR_TABLE_STATEFUL };
    snprintf(dir, sizeof dir, "%s/replica/reps/%d.%d.pegasus", root, table, partition);
    bench_mkdir(dir, "");
    bench_mkdir(dir, "/data");
    bench_mkdir(dir, "/data/rdb");
    bench_mkdir(dir, "/plog");
    app_info_encode(&def, false, &bytes);
    bench_put(dir, ".app-info", &bytes);
    buf_clear(&bytes);
    init_info_encode(&(struct init_info){ .ballot = 3 }, &bytes);
    bench_put(dir, ".init-info", &bytes);
    bench_log(table, partition, &bytes);
    bench_put(dir, "plog/log.1.0", &bytes);
    snprintf(below, sizeof below, "%s/data/rdb", dir);
    for (size_t i = 0; i < sizeof rdb / sizeof *rdb; i++)
        bench_put(below, rdb[i], NULL);
    buf_done(&bytes);
}

static void bench_tree(const char *root, int32_t count)
{
    static const char *const above[] = { "/replica", "/replica/reps" };
    mkdir(root, 0777);
    for (size_t i = 0; i < 2; i++)
        bench_mkdir(root, above[i]);
    for (int32_t i = 0; i < count; i++)
        bench_replica(root, 1 + i / BENCH_PARTITIONS, i % BENCH_PARTITIONS);
}

static void bench_survey(const char *path, int32_t partitions)
{
    FILE *file = fopen(path, "w");
    if (!file)
        bench_die(path);
    fprintf(file, "{\"format\":\"bridle survey\",\"version\":1,\"second\":1700000000,\"nodes\":[");
    for (int32_t node = 0; node < BENCH_NODES; node++) {
        const char *comma = "";
        fprintf(file,
                "%s\n{\"name\":\"10.0.0.%d:34801\",\"address\":\"10.0.0.%d:34801\",\"asked_ms\":1,"
                "\"answered_ms\":2,\"error\":\"\",\"why\":\"\",\"tables\":[\n"
                "{\"id\":1,\"status\":1,\"name\":\"t\",\"type\":\"pegasus\",\"partition_count\":%d,"
                "\"replica_count\":3,\"init_partition_count\":-1,\"flags\":1,\"expire_second\":0,"
                "\"create_second\":1700000000,\"drop_second\":0,\"envs\":[]}],\"replicas\":[",
                node ? "," : "", node + 1, node + 1, partitions);
        for (int32_t i = 0; i < partitions; i++) {
            if ((i + BENCH_NODES - node) % BENCH_NODES >= 3)
                continue;
            fprintf(file, "%s\n[1,%d,1,7,100%d,100%d,1000,\"pegasus\",\"ssd1\"]", comma, i, i, i);
            comma = ",";
        }
        fprintf(file, "]}");
    }
    fprintf(file, "\n]}\n");
    if (fclose(file) != 0)
        bench_die(path);
}

static int bench_run(char **argv)
{
    struct rusage usage;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execv(argv[0], argv);
        bench_die(argv[0]);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        bench_die("wait4");
    printf("peak %ld KiB\n", usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "tree") == 0)
        bench_tree(argv[2], (int32_t) strtol(argv[3], NULL, 10));
    else if (argc == 4 && strcmp(argv[1], "survey") == 0)
        bench_survey(argv[2], (int32_t) strtol(argv[3], NULL, 10));
    else if (argc > 2 && strcmp(argv[1], "run") == 0)
        return bench_run(argv + 2);
    else
        return 2;
    return 0;
}
