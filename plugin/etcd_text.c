/* etcd_text -- keys, values and requests as etcd's gateway has them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/store_etcd.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -- Keys -------------------------------------------------------------------------------------- */

char *etcd_key(const struct etcd *etcd, const char *path)
{
    struct buf key = { 0 };
    const char *name = strrchr(path, '/');
    buf_text(&key, etcd->prefix);
    buf_put(&key, path, (size_t) (name - path));
    buf_text(&key, name[1] ? "//" : "/");
    buf_text(&key, name + 1);
    return key.data;
}

char *etcd_children(const struct etcd *etcd, const char *path, char **ret_end)
{
    struct buf from = { 0 }, to = { 0 };
    const char *base = path[1] ? path : "";
    buf_printf(&from, "%s%s//", etcd->prefix, base);
    buf_printf(&to, "%s%s/0", etcd->prefix, base); /* '0' comes behind '/' */
    *ret_end = to.data;
    return from.data;
}

/* -- Base64 (RFC 4648) ------------------------------------------------------------------------- */

void etcd_base64(struct buf *buf, const void *data, size_t size)
{
    const unsigned char *at = data;
    buf_reserve(buf, (size + 2) / 3 * 4);
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t) at[i] << 16;
        size_t left = size - i;
        bits |= left > 1 ? (uint32_t) at[i + 1] << 8 : 0;
        bits |= left > 2 ? at[i + 2] : 0;
        const char text[4] = { base64_digits[bits >> 18], base64_digits[bits >> 12 & 63],
                               left > 1 ? base64_digits[bits >> 6 & 63] : '=',
                               left > 2 ? base64_digits[bits & 63] : '=' };
        buf_put(buf, text, sizeof text);
    }
}

static int base64_digit(char c)
{
    const char *at = strchr(base64_digits, c);
    return at ? (int) (at - base64_digits) : -1;
}

bool etcd_unbase64(const char *text, void *to, size_t *ret_size)
{
    unsigned char *at = to;
    size_t size = strlen(text), used = 0;
    if (size % 4)
        return false;
    for (size_t i = 0; i < size; i += 4) {
        size_t pads = i + 4 < size ? 0 : (size_t) (text[i + 3] == '=') + (text[i + 2] == '=');
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int digit = j < 4 - pads ? base64_digit(text[i + j]) : 0;
            if (digit < 0)
                return false;
            bits = bits << 6 | (uint32_t) digit;
        }
        at[used++] = (unsigned char) (bits >> 16);
        if (pads < 2)
            at[used++] = (unsigned char) (bits >> 8);
        if (pads < 1)
            at[used++] = (unsigned char) bits;
    }
    *ret_size = used;
    return true;
}

/* -- Answers ----------------------------------------------------------------------------------- */

int64_t etcd_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    int64_t number = 0;
    if (!text)
        return json_integer_value(value);
    return number_i64(text, strlen(text), &number) ? number : 0;
}

char *etcd_bytes(const json_t *object, const char *name, size_t *ret_size)
{
    const json_t *value = json_object_get(object, name);
    const char *text = value ? json_string_value(value) : "";
    if (!text)
        return NULL;
    char *bytes = mem_new(strlen(text) / 4 * 3 + 1);
    if (!etcd_unbase64(text, bytes, ret_size)) {
        free(bytes);
        return NULL;
    }
    bytes[*ret_size] = '\0';
    return bytes;
}

bool etcd_value(const char *value, size_t size, int64_t *ret_version, br_bytes *ret_data)
{
    const char *blank = size ? memchr(value, ' ', size) : NULL;
    if (!blank || !number_i64(value, (size_t) (blank - value), ret_version) || *ret_version < 0)
        return false;
    *ret_data = (br_bytes){ blank + 1, size - (size_t) (blank + 1 - value) };
    return true;
}

bool etcd_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

const json_t *etcd_response(const json_t *json, size_t index, const char *name)
{
    return json_object_get(json_array_get(json_object_get(json, "responses"), index), name);
}

const json_t *etcd_kv(const json_t *range)
{
    return json_array_get(json_object_get(range, "kvs"), 0);
}

/* -- Requests ---------------------------------------------------------------------------------- */

br_bytes etcd_text(const char *text)
{
    return (br_bytes){ text, strlen(text) };
}

void etcd_comma(struct buf *buf)
{
    if (buf->size)
        buf_char(buf, ',');
}

void etcd_put_key(struct buf *buf, br_bytes key, br_bytes end)
{
    buf_text(buf, "\"key\":\"");
    etcd_base64(buf, key.data, key.size);
    buf_char(buf, '"');
    if (!end.size)
        return;
    buf_text(buf, ",\"range_end\":\"");
    etcd_base64(buf, end.data, end.size);
    buf_char(buf, '"');
}

void etcd_put_compare(struct buf *buf, const char *target, const char *result, br_bytes key,
                      br_bytes end, int64_t number)
{
    const char *name = strcmp(target, "CREATE") == 0 ? "create_revision"
                       : strcmp(target, "MOD") == 0  ? "mod_revision"
                                                     : "lease";
    etcd_comma(buf);
    buf_printf(buf, "{\"target\":\"%s\",\"result\":\"%s\",\"%s\":\"%" PRId64 "\",", target, result,
               name, number);
    etcd_put_key(buf, key, end);
    buf_char(buf, '}');
}

void etcd_put_range(struct buf *buf, br_bytes key, br_bytes end, const char *more)
{
    etcd_comma(buf);
    buf_text(buf, "{\"request_range\":{");
    etcd_put_key(buf, key, end);
    buf_text(buf, more);
    buf_text(buf, "}}");
}

void etcd_put_put(struct buf *buf, const char *key, const char *head, br_bytes value, int64_t lease,
                  bool keep_lease)
{
    struct buf whole = { 0 };
    buf_text(&whole, head);
    buf_put(&whole, value.data, value.size);
    etcd_comma(buf);
    buf_text(buf, "{\"request_put\":{");
    etcd_put_key(buf, etcd_text(key), (br_bytes){ NULL, 0 });
    buf_text(buf, ",\"value\":\"");
    etcd_base64(buf, whole.data, whole.size);
    buf_char(buf, '"');
    if (lease)
        buf_printf(buf, ",\"lease\":\"%" PRId64 "\"", lease);
    if (keep_lease)
        buf_text(buf, ",\"ignore_lease\":true");
    buf_text(buf, "}}");
    buf_done(&whole);
}

void etcd_put_delete(struct buf *buf, const char *key)
{
    etcd_comma(buf);
    buf_text(buf, "{\"request_delete_range\":{");
    etcd_put_key(buf, etcd_text(key), (br_bytes){ NULL, 0 });
    buf_text(buf, "}}");
}

/* -- Hosts ------------------------------------------------------------------------------------- */

bool etcd_hosts_read(struct etcd *etcd)
{
    const char *at = etcd->hosts;
    for (etcd->host_count = 0; etcd->host_count < ETCD_HOSTS_MAX; at++) {
        struct etcd_host *host = &etcd->host[etcd->host_count++];
        size_t size = strcspn(at, ","), name_size;
        if (size > NODE_NAME_MAX)
            return false;
        memcpy(host->text, at, size);
        host->text[size] = '\0';
        if (!number_node(host->text, &name_size, &host->port))
            return false;
        memcpy(host->name, host->text, name_size);
        host->name[name_size] = '\0';
        at += size;
        if (*at == '\0')
            return true;
    }
    return false;
}
