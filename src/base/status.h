/*
 * status.h - making and passing errors
 *
 * pn_status and pn_error themselves are public (include/pennon_status.h). Here is how the rooms use them.
 *
 *     PN_TRY(call)          return the status when it is not PN_OK; while nothing is owned
 *     PN_GOTO(done, call)   status = call, and jump when it is not PN_OK; from the first owned thing on
 */
#ifndef PN_BASE_STATUS_H
#define PN_BASE_STATUS_H

#include <pennon_status.h>

#include "base/compiler.h"

#define PN_TRY(call)                                                                               \
    do {                                                                                           \
        pn_status pn_try_status = (call);                                                          \
        if (pn_try_status != PN_OK)                                                                \
            return pn_try_status;                                                                  \
    } while (0)

/* Needs a local `pn_status status`. */
#define PN_GOTO(label, call)                                                                       \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != PN_OK)                                                                       \
            goto label;                                                                            \
    } while (0)

/* Fill *err (NULL is welcome) and return status, so that a failure is one statement. A message that is too long
 * is cut at a UTF-8 boundary. */
PN_PRINTF(3, 4) pn_status pn_fail(pn_error *err, pn_status status, const char *format, ...);

/* The same for allocation failures: PN_ERR_NOMEM with a fixed message. */
pn_status pn_fail_nomem(pn_error *err);

/* Put context in front of the message that is already in *err ("manifest 17: " + message). Returns status, so it
 * can stand in a return statement. */
PN_PRINTF(3, 4) pn_status pn_fail_wrap(pn_error *err, pn_status status, const char *format, ...);

/* A short constant name: "ok", "invalid", "not_found", ... Never NULL. */
const char *pn_status_text(pn_status status);

/* clang's analyzer looks at one file at a time and would follow paths on which pn_fail(err, PN_ERR_IO, ...) is PN_OK. */
#ifdef __clang_analyzer__
#    define pn_fail(err, status, ...) ((pn_fail)((err), (status), __VA_ARGS__), (status))
#    define pn_fail_wrap(err, status, ...) ((pn_fail_wrap)((err), (status), __VA_ARGS__), (status))
#    define pn_fail_nomem(err) ((pn_fail_nomem)(err), PN_ERR_NOMEM)
#endif

#endif
