/*
 * log.h - what the library would like to say, to whoever listens
 *
 * Silent by default: the library never prints. cli and serve install a callback.
 * Threads: any; the callback may be called from any thread and must not call back into the library.
 */
#ifndef PN_BASE_LOG_H
#define PN_BASE_LOG_H

#include "base/compiler.h"

typedef enum pn_log_level { PN_LOG_DEBUG, PN_LOG_INFO, PN_LOG_WARN, PN_LOG_ERROR } pn_log_level;

typedef void (*pn_log_callback)(void *context, pn_log_level level, const char *message);

/* Set once at start, before other threads run. NULL: silence. */
void pn_log_set(pn_log_callback callback, void *context, pn_log_level least);

PN_PRINTF(2, 3) void pn_log(pn_log_level level, const char *format, ...);

#endif
