/*
 * status.c - error messages in a buffer the caller owns
 *
 * Messages are formatted into a fixed array, so that reporting a failure never allocates and cannot itself
 * fail. File names can be long: what does not fit is cut between characters, never inside one, because the
 * text goes into JSON and onto terminals.
 */
#include "base/status.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names in parentheses below are not the analyzer's macros of status.h. */

PN_PRINTF(3, 0)
static void format_message(pn_error *err, pn_status status, const char *format, va_list args)
{
    err->status = status;
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    if (n < 0)
        err->message[0] = '\0';
    else if ((size_t)n >= sizeof err->message)
        pn_text_trim_partial(err->message);
}

pn_status(pn_fail)(pn_error *err, pn_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        format_message(err, status, format, args);
        va_end(args);
    }
    return status;
}

pn_status(pn_fail_nomem)(pn_error *err)
{
    return pn_fail(err, PN_ERR_NOMEM, "out of memory");
}

pn_status(pn_fail_wrap)(pn_error *err, pn_status status, const char *format, ...)
{
    if (err) {
        char inner[PN_ERROR_MESSAGE_BYTES];
        memcpy(inner, err->message, sizeof inner);
        inner[sizeof inner - 1] = '\0';
        va_list args;
        va_start(args, format);
        format_message(err, status, format, args);
        va_end(args);
        size_t used = strlen(err->message);
        size_t room = sizeof err->message - used;
        if (strlen(inner) >= room) {
            memcpy(err->message + used, inner, room - 1);
            err->message[sizeof err->message - 1] = '\0';
            pn_text_trim_partial(err->message);
        } else {
            memcpy(err->message + used, inner, strlen(inner) + 1);
        }
    }
    return status;
}

const char *pn_status_text(pn_status status)
{
    switch (status) {
    case PN_OK:
        return "ok";
    case PN_ERR_INVALID:
        return "invalid";
    case PN_ERR_NOT_FOUND:
        return "not_found";
    case PN_ERR_EXISTS:
        return "exists";
    case PN_ERR_CORRUPT:
        return "corrupt";
    case PN_ERR_UNSUPPORTED:
        return "unsupported";
    case PN_ERR_CONFLICT:
        return "conflict";
    case PN_ERR_LIMIT:
        return "limit";
    case PN_ERR_IO:
        return "io";
    case PN_ERR_NOMEM:
        return "out_of_memory";
    case PN_ERR_CANCELLED:
        return "cancelled";
    case PN_ERR_BUG:
        return "bug";
    }
    return "unknown";
}

void pn_assert_failed(const char *condition, const char *file, int line)
{
    /* The one place below cli and serve that prints: the process is about to end because of our own bug. */
    (void)fprintf(stderr, "pennon: assertion failed: %s (%s:%d)\n", condition, file,
                  line); // nothing left to do
    abort();
}
