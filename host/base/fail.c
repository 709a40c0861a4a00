/* fail -- see fail.h. */
#include "host/base/fail.h"

#include <stdio.h>
#include <string.h>

br_status fail_set(struct fail *fail, br_status status, const char *format, ...)
{
    if (!fail)
        return status;
    fail->status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(fail->text, sizeof fail->text, format, args);
    va_end(args);
    return status;
}

br_status fail_prefix(struct fail *fail, const char *format, ...)
{
    if (!fail)
        return BR_INTERNAL;
    char prefix[FAIL_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix - 2, format, args);
    va_end(args);
    size_t size = strlen(prefix);
    memcpy(prefix + size, ": ", 3);
    size += 2;
    memmove(fail->text + size, fail->text, sizeof fail->text - size);
    memcpy(fail->text, prefix, size);
    fail->text[sizeof fail->text - 1] = 0;
    return fail->status;
}
