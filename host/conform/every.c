/* every -- what is asked of a plugin of any kind: descriptor, symbols, options, opening and
 * closing, the process left alone.
 */
#include <dlfcn.h>
#include <elf.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include "host/conform/kit.h"
#include "host/plugins/check.h"
#include "host/plugins/describe.h"

static void descriptor_is_whole(struct conform *c)
{
    const struct br_plugin *desc = c->desc;
    struct br_store store;
    same_text(desc->kind, c->kind);
    same_text(desc->name, c->name);
    need(desc->version && desc->version[0], "it has no version");
    need(desc->summary && desc->summary[0], "it has no summary");
    need(desc->license && desc->license[0], "it has no license");
    if (strcmp(c->kind, "store") != 0)
        return;
    check_copy(&store, sizeof store, desc->ops.any, desc->ops_size);
    need(!store.lock == !store.unlock && !store.lock == !store.owner && !store.lock == !store.lost
             && !store.lock == !store.cancel,
         "of lock, owner, lost, unlock and cancel it has some and lacks others");
    need(store.lock || !(store.flags & BR_STORE_LOCK), "BR_STORE_LOCK without lock()");
    need(!store.batch_bytes_max || store.batch_bytes_max > BR_PATH_MAX,
         "batch_bytes_max is less than one path");
}

/* -- Symbols ---------------------------------------------------------------------------------- */

struct elf {
    const char *data;
    size_t size;
};

static const void *elf_at(const struct elf *elf, uint64_t offset, uint64_t size)
{
    return offset <= elf->size && size <= elf->size - offset ? elf->data + offset : NULL;
}

static void elf_symbols(struct conform *c, const struct elf *elf, const Elf64_Shdr *symbols,
                        const Elf64_Shdr *strings)
{
    const Elf64_Sym *symbol = elf_at(elf, symbols->sh_offset, symbols->sh_size);
    const char *text = elf_at(elf, strings->sh_offset, strings->sh_size);
    char want[128];
    snprintf(want, sizeof want, "bridle_%s_%s", c->kind, c->name);
    for (uint64_t i = 0; symbol && text && i < symbols->sh_size / sizeof *symbol; i++) {
        const char *name = text + symbol[i].st_name;
        unsigned char bind = ELF64_ST_BIND(symbol[i].st_info);
        unsigned char seen = ELF64_ST_VISIBILITY(symbol[i].st_other);
        if (symbol[i].st_shndx == SHN_UNDEF || symbol[i].st_name >= strings->sh_size
            || bind == STB_LOCAL || seen == STV_HIDDEN || seen == STV_INTERNAL)
            continue;
        need(strcmp(name, want) == 0,
             "it exports %.100s beside %s: build with "
             "-fvisibility=hidden",
             name, want);
    }
}

/* Other machines' formats are not looked at. */
static void exports_one_symbol(struct conform *c)
{
    Dl_info where;
    struct stat st;
    if (!dladdr(c->desc->ops.any, &where) || !where.dli_fname || !strstr(where.dli_fname, ".so"))
        return; /* linked in */
    int fd = open(where.dli_fname, O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && fstat(fd, &st) == 0, "%s cannot be read", where.dli_fname);
    struct elf elf = { .size = (size_t) st.st_size };
    elf.data = mmap(NULL, elf.size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    need(elf.data != MAP_FAILED, "%s cannot be read", where.dli_fname);
    const Elf64_Ehdr *head = elf_at(&elf, 0, sizeof *head);
    if (head && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0
        && head->e_ident[EI_CLASS] == ELFCLASS64) {
        const Elf64_Shdr *sections =
            elf_at(&elf, head->e_shoff, (uint64_t) head->e_shnum * sizeof *sections);
        for (unsigned i = 0; sections && i < head->e_shnum; i++)
            if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < head->e_shnum)
                elf_symbols(c, &elf, &sections[i], &sections[sections[i].sh_link]);
    }
    munmap((void *) (uintptr_t) elf.data, elf.size);
}

/* -- Options ---------------------------------------------------------------------------------- */

static bool option_is(const char *given, const char *name)
{
    size_t size = strlen(name);
    return strncmp(given, name, size) == 0 && given[size] == '=';
}

/* Open with what the operator gave, but `name` as `value` (NULL: absent).  The sentence, malloc'ed,
 * where it was refused; NULL: it was opened, and is closed again. */
static char *option_try(struct conform *c, const char *name, const char *value)
{
    char *options[CONFORM_OPTIONS_MAX + 2], text[512];
    int count = 0;
    struct plugin plugin;
    struct arena arena;
    struct fail fail;
    for (int i = 0; c->options[i]; i++)
        if (!option_is(c->options[i], name))
            options[count++] = c->options[i];
    if (value) {
        snprintf(text, sizeof text, "%s=%s", name, value);
        options[count++] = text;
    }
    options[count] = NULL;
    arena_init(&arena, 0);
    br_status status =
        plugin_open(&plugin, c->loop, c->desc, c->kind, conform_map(c, &arena, options), &fail);
    arena_done(&arena);
    if (status == BR_OK) {
        plugin_close(&plugin);
        return NULL;
    }
    need(!strstr(fail.text, "gave no reason"), "%s=%s: %s", name, value ? value : "", fail.text);
    return mem_text(fail.text);
}

static void option_refused(struct conform *c, const char *name, const char *value)
{
    char *why = option_try(c, name, value);
    need(why != NULL, "%s=%s is taken", name, value ? value : "");
    need(strstr(why, name) != NULL, "%s=%s is refused without naming the option: %s", name,
         value ? value : "", why);
    free(why);
}

static void unknown_option_is_refused(struct conform *c)
{
    option_refused(c, "no_such_option", "1");
}

static void required_options_are_required(struct conform *c)
{
    struct br_option option;
    for (uint32_t i = 0; describe_option(c->desc, i, &option); i++) {
        need(!(option.flags & BR_REQUIRED) || !option.fallback, "%s is required and has a default",
             option.name);
        if (option.flags & BR_REQUIRED)
            option_refused(c, option.name, NULL);
        else
            free(option_try(c, option.name, NULL));
    }
}

static const char *option_unit(int32_t type)
{
    return type == BR_OPT_DURATION ? "ns" : type == BR_OPT_SIZE ? "B" : "";
}

static void option_range(struct conform *c, const struct br_option *option)
{
    char value[64];
    const char *unit = option_unit(option->type);
    if (option->min >= option->max)
        return;
    snprintf(value, sizeof value, "%" PRId64 "%s", option->min, unit);
    free(option_try(c, option->name, value)); /* may be refused with a sentence */
    snprintf(value, sizeof value, "%" PRId64 "%s", option->max, unit);
    free(option_try(c, option->name, value));
    if (option->max < INT64_MAX) {
        snprintf(value, sizeof value, "%" PRId64 "%s", option->max + 1, unit);
        option_refused(c, option->name, value);
    }
    if (option->min > 0) {
        snprintf(value, sizeof value, "%" PRId64 "%s", option->min - 1, unit);
        option_refused(c, option->name, value);
    }
}

static void option_choices(struct conform *c, const struct br_option *option)
{
    char value[256];
    for (const char *at = option->choices; at && *at;) {
        size_t size = strcspn(at, "|");
        snprintf(value, sizeof value, "%.*s", (int) size, at);
        free(option_try(c, option->name, value));
        at += size + (at[size] == '|');
    }
}

static void options_take_what_they_say(struct conform *c)
{
    struct br_option option;
    for (uint32_t i = 0; describe_option(c->desc, i, &option); i++) {
        if (option.type != BR_OPT_STRING && option.type != BR_OPT_LIST)
            option_refused(c, option.name, "no such value");
        if (option.type == BR_OPT_CHOICE)
            option_choices(c, &option);
        if (option.type == BR_OPT_INTEGER || option.type == BR_OPT_DURATION
            || option.type == BR_OPT_SIZE)
            option_range(c, &option);
    }
}

/* -- Life ------------------------------------------------------------------------------------- */

static void open_once(struct conform *c, uint32_t round)
{
    struct instance *in = conform_open(c);
    (void) round;
    plugin_close(&in->plugin);
    arena_done(&in->arena);
    free(in);
}

/* open does no I/O and close frees what it made. */
static void opened_and_closed_without_growth(struct conform *c)
{
    conform_repeat(c, 10, 250, open_once);
}

static void start_once(struct conform *c, uint32_t round)
{
    (void) round;
    instance_free(conform_start(c));
}

static void started_and_stopped_without_growth(struct conform *c)
{
    conform_repeat(c, 5, 5, start_once);
}

static void use_a_little(struct conform *c, struct instance *in)
{
    if (strcmp(c->kind, "store") != 0)
        return;
    same_status(conform_write(in, BR_CREATE, c->root, "", 0), BR_OK);
    same_status(conform_write(in, BR_CREATE, c->root, "", 0), BR_EXISTS);
}

/* The process is the host's: nothing of it changes, and nothing is written to stdout. */
static void process_is_left_alone(struct conform *c)
{
    struct sigaction before[32], after;
    sigset_t masks[2] = { 0 };
    struct stat st;
    char cwd[2][4096];
    int out = dup(STDOUT_FILENO), capture = memfd_create("stdout", MFD_CLOEXEC);
    need_true(out >= 0 && capture >= 0 && getcwd(cwd[0], sizeof cwd[0]));
    fflush(stdout);
    dup2(capture, STDOUT_FILENO);
    for (int i = 1; i < 32; i++)
        sigaction(i, NULL, &before[i]);
    sigprocmask(SIG_SETMASK, NULL, &masks[0]);
    struct instance *in = conform_start(c);
    use_a_little(c, in);
    instance_free(in);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    for (int i = 1; i < 32; i++) {
        sigaction(i, NULL, &after);
        need(after.sa_handler == before[i].sa_handler, "signal %d has another handler", i);
    }
    sigprocmask(SIG_SETMASK, NULL, &masks[1]);
    need(memcmp(&masks[0], &masks[1], sizeof masks[0]) == 0, "other signals are blocked");
    same(fstat(capture, &st), 0);
    need(st.st_size == 0, "%lld bytes were written to stdout", (long long) st.st_size);
    need(getcwd(cwd[1], sizeof cwd[1]) && strcmp(cwd[0], cwd[1]) == 0,
         "the working directory is another");
    same_text(setlocale(LC_ALL, NULL), "C");
    close(out);
    close(capture);
}

const struct conform_rule conform_every_rules[] = {
    { "descriptor-whole",
      "The descriptor has version, summary, license, and functions that belong "
      "together.",
      descriptor_is_whole, 0, 0 },
    { "one-symbol", "The file exports bridle_KIND_NAME and nothing else.", exports_one_symbol, 0,
      0 },
    { "unknown-option", "A key that is no option is refused by name.", unknown_option_is_refused, 0,
      0 },
    { "required-options",
      "Options without which nothing opens are BR_REQUIRED, without a default; all "
      "others may be absent, or open says why not.",
      required_options_are_required, 0, 0 },
    { "option-values",
      "Each option takes its least and greatest value and each choice, or open says "
      "why not; whatever lies beyond is refused.",
      options_take_what_they_say, 0, 0 },
    { "no-growth", "What is opened, started and asked for is given back when it is over.",
      opened_and_closed_without_growth, 0, 0 },
    { "no-growth", "What is opened, started and asked for is given back when it is over.",
      started_and_stopped_without_growth, 0, 0 },
    { "process-left-alone", "Signals, locale, working directory and stdout are the host's.",
      process_is_left_alone, 0, 0 },
    { 0 },
};
