/*
 * pennon_status.h - how every function of the library says what happened
 *
 * Included by pennon.h; it stands alone because the lowest floor of the library speaks the same language.
 * Every call that can fail returns a pn_status, which is for code, and fills a pn_error, which is for people:
 * what was found, what was expected, and where. Clean as C99 and as C++11.
 */
#ifndef PENNON_STATUS_H
#define PENNON_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Part of the stable ABI: numbers are never reused. */
typedef enum pn_status {
    PN_OK = 0,
    PN_ERR_INVALID = 1,     /* the caller's argument breaks the documented contract */
    PN_ERR_NOT_FOUND = 2,   /* the named file, table, column or row is not there */
    PN_ERR_EXISTS = 3,      /* it is there already */
    PN_ERR_CORRUPT = 4,     /* bytes break the format they claim */
    PN_ERR_UNSUPPORTED = 5, /* valid, but not by this version */
    PN_ERR_CONFLICT = 6,    /* another writer's commit won: reload and try again */
    PN_ERR_LIMIT = 7,       /* a documented limit was reached; the message has the number */
    PN_ERR_IO = 8,          /* the operating system or the network said no */
    PN_ERR_NOMEM = 9,
    PN_ERR_CANCELLED = 10, /* the caller asked to stop */
    PN_ERR_BUG = 11        /* the library's own fault; please report it */
} pn_status;

#define PN_ERROR_MESSAGE_BYTES 512

/* Owned by the caller; zero-initialise it, or leave it as it is. Untouched on success. */
typedef struct pn_error {
    pn_status status;
    char message
        [PN_ERROR_MESSAGE_BYTES]; /* UTF-8, NUL-terminated, no newline unless a caret line follows */
} pn_error;

#ifdef __cplusplus
}
#endif

#endif
