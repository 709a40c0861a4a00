/* apply_journal -- the journal's one line of JSON, both ways. */
#include <jansson.h>
#include <string.h>

#include "host/recovery/apply.h"

static const char *const journal_states[] = {
    [JOURNAL_WRITING] = "writing", [JOURNAL_DONE] = "done",         [JOURNAL_MARKING] = "marking",
    [JOURNAL_UNDOING] = "undoing", [JOURNAL_AMENDING] = "amending",
};

static bool journal_hash(const char *text)
{
    return text && strlen(text) == PLAN_HASH_SIZE - 1
           && strspn(text, "0123456789abcdef") == PLAN_HASH_SIZE - 1;
}

/* "apps": null where it was not there, else the value that it had. */
static bool journal_get_apps(const json_t *json, struct apply_journal *ret)
{
    const json_t *apps = json_object_get(json, "apps");
    const char *value = json_string_value(apps);
    if (json_is_null(apps))
        ret->apps = APPS_ABSENT;
    else if (value && !*value)
        ret->apps = APPS_EMPTY;
    else if (value && strcmp(value, LAYOUT_UNLOCK) == 0)
        ret->apps = APPS_UNLOCK;
    else
        return false;
    return true;
}

static bool journal_get_before(json_t *json, struct apply_journal *ret)
{
    int bulk_load, backup, converged;
    json_int_t elections;
    if (json_unpack(json, "{s:b, s:b, s:b, s:I}", "bulk_load", &bulk_load, "backup", &backup,
                    "converged", &converged, "elections", &elections)
        != 0)
        return false;
    ret->bulk_load = bulk_load != 0;
    ret->backup = backup != 0;
    ret->converged = converged != 0;
    ret->elections = elections;
    ret->known = true;
    return journal_get_apps(json, ret);
}

static bool journal_get_amendment(const json_t *json, struct apply_journal *ret)
{
    const json_t *amendment = json_object_get(json, "amendment");
    const char *hash = json_string_value(amendment);
    if (!amendment)
        return true;
    if (journal_hash(hash))
        memcpy(ret->amendment, hash, PLAN_HASH_SIZE);
    return *ret->amendment != '\0';
}

static bool journal_get(json_t *json, struct apply_journal *ret)
{
    const char *state = json_string_value(json_object_get(json, "state"));
    const char *hash = json_string_value(json_object_get(json, "plan"));
    json_int_t version = json_integer_value(json_object_get(json, "version"));
    if (!state || !journal_hash(hash) || (version != 1 && version != 2))
        return false;
    int at = JOURNAL_WRITING;
    while (at <= JOURNAL_AMENDING && strcmp(state, journal_states[at]) != 0)
        at++;
    if (at > JOURNAL_AMENDING || (version == 1 && at > JOURNAL_DONE && at != JOURNAL_AMENDING)
        || (version == 2 && !journal_get_before(json, ret)) || !journal_get_amendment(json, ret)
        || (at == JOURNAL_AMENDING && !*ret->amendment))
        return false;
    ret->state = (enum journal_state) at;
    const json_t *records = json_object_get(json, "records");
    ret->records = json_integer_value(records) > 0 ? (uint64_t) json_integer_value(records) : 0;
    memcpy(ret->hash, hash, PLAN_HASH_SIZE);
    return true;
}

void apply_journal_get(br_bytes value, struct apply_journal *ret)
{
    static const struct apply_journal strange = { .state = JOURNAL_STRANGE, .elections = -1 };
    *ret = strange;
    if (value.size == 0 || value.size > APPLY_JOURNAL_MAX)
        return;
    json_t *json = json_loadb(value.data, value.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json)
        return;
    if (!journal_get(json, ret))
        *ret = strange;
    json_decref(json);
}

void apply_journal_put(const struct apply_journal *journal, uint64_t records, struct buf *buf)
{
    static const char *const apps[] = {
        [APPS_ABSENT] = "null", [APPS_EMPTY] = "\"\"", [APPS_UNLOCK] = "\"" LAYOUT_UNLOCK "\""
    };
    buf_printf(buf, "{\"version\":%d,\"state\":\"%s\",\"plan\":\"%s\",\"records\":%llu",
               journal->known ? 2 : 1, journal_states[journal->state], journal->hash,
               (unsigned long long) records);
    if (journal->known)
        buf_printf(buf,
                   ",\"apps\":%s,\"bulk_load\":%s,\"backup\":%s,\"converged\":%s,"
                   "\"elections\":%lld",
                   apps[journal->apps], journal->bulk_load ? "true" : "false",
                   journal->backup ? "true" : "false", journal->converged ? "true" : "false",
                   (long long) journal->elections);
    if (*journal->amendment)
        buf_printf(buf, ",\"amendment\":\"%s\"", journal->amendment);
    buf_char(buf, '}');
}
