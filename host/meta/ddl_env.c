/* ddl_env -- which environments a table may have, and with which values (facts:
 * src/meta/app_env_validator.cpp, src/common/replica_envs.cpp, src/utils/throttling_controller.cpp,
 * src/utils/token_bucket_throttling_controller.cpp, src/utils/string_conv.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/mem.h"
#include "host/meta/ddl_run.h"

enum env_kind { ENV_TEXT, ENV_BOOL, ENV_INT32, ENV_INT64, ENV_CHOICE, ENV_THROTTLE, ENV_BUCKET };

struct env_rule {
    const char *key;
    enum env_kind kind;
    int64_t min, max;    /* of numbers; max 0: none */
    bool none;           /* -1 is allowed, too */
    const char *choices; /* separated by " | " */
};

#define ENV_DENY                                                                                   \
    "timeout*all | timeout*write | timeout*read | reconfig*all | reconfig*write | reconfig*read"
#define ENV_BOTTOMMOST "force | skip"

static const struct env_rule env_rules[] = {
    { .key = "replica.slow_query_threshold", .kind = ENV_INT64, .min = 20 },
    { .key = "replica.write_throttling", .kind = ENV_THROTTLE },
    { .key = "replica.write_throttling_by_size", .kind = ENV_THROTTLE },
    { .key = "replica.rocksdb_iteration_threshold_time_ms", .kind = ENV_INT64 },
    { .key = "replica.rocksdb_block_cache_enabled", .kind = ENV_BOOL },
    { .key = "replica.read_throttling", .kind = ENV_THROTTLE },
    { .key = "replica.read_throttling_by_size", .kind = ENV_BUCKET },
    { .key = "replica.split.validate_partition_hash", .kind = ENV_BOOL },
    { .key = "user_specified_compaction", .kind = ENV_TEXT },
    { .key = "replica.backup_request_throttling", .kind = ENV_THROTTLE },
    { .key = "rocksdb.allow_ingest_behind", .kind = ENV_BOOL },
    { .key = "replica.deny_client_request", .kind = ENV_CHOICE, .choices = ENV_DENY },
    { .key = "rocksdb.write_buffer_size", .kind = ENV_INT64, .min = 16 << 20, .max = 512 << 20 },
    { .key = "rocksdb.num_levels", .kind = ENV_INT64, .min = 1, .max = 10 },
    { .key = "business.info", .kind = ENV_TEXT },
    { .key = "default_ttl", .kind = ENV_INT32 },
    { .key = "rocksdb.usage_scenario",
      .kind = ENV_CHOICE,
      .choices = "normal | prefer_write | bulk_load" },
    { .key = "rocksdb.checkpoint.reserve_min_count", .kind = ENV_INT32, .min = 1 },
    { .key = "rocksdb.checkpoint.reserve_time_seconds", .kind = ENV_INT32 },
    { .key = "manual_compact.disabled", .kind = ENV_BOOL },
    { .key = "manual_compact.max_concurrent_running_count", .kind = ENV_INT32 },
    { .key = "manual_compact.once.trigger_time", .kind = ENV_INT64 },
    { .key = "manual_compact.once.target_level", .kind = ENV_INT64, .min = 1, .none = true },
    { .key = "manual_compact.once.bottommost_level_compaction",
      .kind = ENV_CHOICE,
      .choices = ENV_BOTTOMMOST },
    { .key = "manual_compact.periodic.trigger_time", .kind = ENV_TEXT },
    { .key = "manual_compact.periodic.target_level", .kind = ENV_INT64, .min = 1, .none = true },
    { .key = "manual_compact.periodic.bottommost_level_compaction",
      .kind = ENV_CHOICE,
      .choices = ENV_BOTTOMMOST },
    { .key = "replica_access_controller.allowed_users", .kind = ENV_TEXT },
    { .key = "replica_access_controller.ranger_policies", .kind = ENV_TEXT },
    { .key = "duplication.master_cluster", .kind = ENV_TEXT },
    { .key = "duplication.master_metas", .kind = ENV_TEXT },
    { .key = "duplication.master_app_name", .kind = ENV_TEXT },
    { .key = "duplication.follower_app_status", .kind = ENV_TEXT },
    { .key = NULL, .kind = ENV_TEXT },
};

/* -- Values ----------------------------------------------------------------------------------- */

/* As Apache Pegasus reads numbers: 0x and a leading 0 count (string_conv.h: buf2signed). */
static bool env_number(const char *text, size_t size, int64_t *ret_value)
{
    char digits[32];
    char *end;
    if (size == 0 || size >= sizeof digits)
        return false;
    memcpy(digits, text, size);
    digits[size] = 0;
    errno = 0;
    *ret_value = strtoll(digits, &end, 0);
    return *end == 0 && errno == 0;
}

/* A number of 0 or more, perhaps with a K or an M of 1000. */
static bool env_units(const char *text, size_t size)
{
    int64_t value;
    if (size && (text[size - 1] == 'K' || text[size - 1] == 'M'))
        size--;
    return env_number(text, size, &value) && value >= 0;
}

/* One of "UNITS*delay*MS" and "UNITS*reject*MS"; `seen`: bit 0 delay, bit 1 reject. */
static const char *env_throttle_part(const char *part, size_t size, unsigned *seen)
{
    const char *end = part + size;
    const char *first = memchr(part, '*', size);
    const char *second = first ? memchr(first + 1, '*', (size_t) (end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '*', (size_t) (end - second - 1)))
        return "invalid field count, should be 3";
    size_t type = (size_t) (second - first - 1);
    int64_t ms;
    if (!env_units(part, (size_t) (first - part)))
        return "invalid units, should be non-negative int";
    if (!env_number(second + 1, (size_t) (end - second - 1), &ms) || ms < 0)
        return "invalid delay ms, should be non-negative int";
    bool delay = type == 5 && memcmp(first + 1, "delay", 5) == 0;
    bool reject = type == 6 && memcmp(first + 1, "reject", 6) == 0;
    if (!delay && !reject)
        return "invalid throttling type";
    if (*seen & (delay ? 1u : 2u))
        return delay ? "duplicate delay config" : "duplicate reject config";
    *seen |= delay ? 1u : 2u;
    return NULL;
}

static const char *env_throttle(const char *value)
{
    const char *wrong = NULL;
    unsigned seen = 0;
    if (!*value)
        return "empty env value";
    while (!wrong) {
        size_t size = strcspn(value, ",");
        wrong = env_throttle_part(value, size, &seen);
        if (!value[size])
            break;
        value += size + 1;
    }
    return wrong;
}

/* "20000", "20K", or the throttling's form, of which the reject part counts. */
static const char *env_bucket(const char *value)
{
    const char *comma = strchr(value, ',');
    const char *from = comma ? comma + 1 : value;
    const char *star = strstr(from, "*reject");
    if (env_units(value, strlen(value)) || (strstr(value, "delay") && !strstr(value, "reject")))
        return NULL;
    if (star && env_units(from, (size_t) (star - from)))
        return NULL;
    return "wrong format, you can set like 20000 or 20K";
}

static bool env_chosen(const char *choices, const char *value)
{
    static const char between[] = " | ";
    size_t size = strlen(value);
    while (choices) {
        const char *end = strstr(choices, between);
        size_t length = end ? (size_t) (end - choices) : strlen(choices);
        if (size == length && memcmp(choices, value, size) == 0)
            return true;
        choices = end ? end + sizeof between - 1 : NULL;
    }
    return false;
}

/* -- Rules ------------------------------------------------------------------------------------ */

static const char *env_say(struct arena *arena, struct buf *text)
{
    const char *copy = arena_text(arena, text->data, text->size);
    buf_done(text);
    return copy;
}

static const char *env_number_wrong(struct arena *arena, const struct env_rule *rule,
                                    const char *value)
{
    struct buf text = { 0 };
    int64_t number;
    bool wide = rule->kind == ENV_INT64;
    bool good = env_number(value, strlen(value), &number)
                && (wide || (number >= INT32_MIN && number <= INT32_MAX));
    if (!good) {
        buf_printf(&text, "invalid value '%s', should be an %d bits integer", value,
                   wide ? 64 : 32);
        return env_say(arena, &text);
    }
    if ((number >= rule->min && (!rule->max || number <= rule->max))
        || (rule->none && number == -1))
        return NULL;
    buf_printf(&text, "invalid value '%s', should be '", value);
    if (rule->max)
        buf_printf(&text, "In range [%lld, %lld]'", (long long) rule->min, (long long) rule->max);
    else
        buf_printf(&text, "%s>= %lld'", rule->none ? "-1 or " : "", (long long) rule->min);
    return env_say(arena, &text);
}

static const char *env_choice_wrong(const struct env_rule *rule, const char *value)
{
    if (env_chosen(rule->choices, value))
        return NULL;
    if (strcmp(rule->choices, ENV_DENY) == 0)
        return "Invalid deny client args, valid include: timeout*all, timeout*write, timeout*read; "
               "reconfig*all, reconfig*write, reconfig*read";
    return rule->choices;
}

static const char *env_bool_wrong(struct arena *arena, const char *value)
{
    struct buf text = { 0 };
    if (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0)
        return NULL;
    buf_printf(&text, "invalid value '%s', should be a boolean", value);
    return env_say(arena, &text);
}

const char *ddl_env_wrong(struct arena *arena, const char *key, const char *value)
{
    const struct env_rule *rule = env_rules;
    struct buf text = { 0 };
    while (rule->key && strcmp(rule->key, key) != 0)
        rule++;
    if (!rule->key) {
        buf_printf(&text, "app_env '%s' is not supported", key);
        return env_say(arena, &text);
    }
    switch (rule->kind) {
    case ENV_BOOL: return env_bool_wrong(arena, value);
    case ENV_INT32:
    case ENV_INT64: return env_number_wrong(arena, rule, value);
    case ENV_CHOICE: return env_choice_wrong(rule, value);
    case ENV_THROTTLE: return env_throttle(value);
    case ENV_BUCKET: return env_bucket(value);
    case ENV_TEXT: break;
    }
    return NULL;
}

/* Of a new table's, Apache Pegasus looks at what RocksDB is opened with only.  A 2.5 server that
 * opens a new replica with a default_ttl dies of it; set later, it does no harm. */
const char *ddl_create_env_wrong(struct arena *arena, const char *key, const char *value,
                                 enum layout_version version)
{
    if (version == LAYOUT_25 && strcmp(key, "default_ttl") == 0)
        return "replica servers of 2.5 and older crash when they open a new table with "
               "default_ttl: create it without, then set_app_envs default_ttl";
    if (strcmp(key, "rocksdb.write_buffer_size") != 0 && strcmp(key, "rocksdb.num_levels") != 0)
        return NULL;
    return ddl_env_wrong(arena, key, value);
}
