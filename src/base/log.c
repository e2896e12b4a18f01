/*
 * log.c - one callback, one threshold
 */
#include "base/log.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

static pn_log_callback the_callback; /* written before threads start */
static void *the_context;
static pn_log_level the_least = PN_LOG_ERROR;

void pn_log_set(pn_log_callback callback, void *context, pn_log_level least)
{
    the_callback = callback;
    the_context = context;
    the_least = least;
}

void pn_log(pn_log_level level, const char *format, ...)
{
    if (!the_callback || level < the_least)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args); // a long line is cut
    va_end(args);
    pn_text_trim_partial(message);
    the_callback(the_context, level, message);
}
