/*
 * pn_library.c - section 1 of pennon.h: the library itself
 *
 * Options structs grow at the end only. The caller's first field says how much of one it knows; we copy that much over
 * our defaults, so that an old program keeps its meaning.
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "kernels/kernels.h"
#include "os/fd.h"

#ifndef PN_VERSION_TEXT
#    define PN_VERSION_TEXT "0.1.0"
#endif

const char *pn_version(void)
{
    return PN_VERSION_TEXT;
}

const char *pn_status_name(pn_status status)
{
    return pn_status_text(status);
}

enum { MOST_STRUCT_BYTES = 1 << 16 }; // of any struct that a later version may have

static pn_status check_struct(const void *theirs, size_t *their_bytes, pn_error *err)
{
    memcpy(their_bytes, theirs, sizeof *their_bytes);
    if (*their_bytes < sizeof *their_bytes || *their_bytes > MOST_STRUCT_BYTES)
        return pn_fail(err, PN_ERR_INVALID,
                       "a struct that says it has %zu bytes: begin with its _INIT initialiser",
                       *their_bytes);
    return PN_OK;
}

pn_status pn_take_struct(void *ours, size_t our_bytes, const void *theirs, pn_error *err)
{
    size_t their_bytes;
    if (!theirs)
        return PN_OK;
    PN_TRY(check_struct(theirs, &their_bytes, err));
    memcpy(ours, theirs, PN_MIN(our_bytes, their_bytes));
    memcpy(ours, &our_bytes, sizeof our_bytes);
    return PN_OK;
}

pn_status pn_give_struct(const void *ours, size_t our_bytes, void *theirs, pn_error *err)
{
    size_t their_bytes;
    PN_TRY(check_struct(theirs, &their_bytes, err));
    memcpy(theirs, ours, PN_MIN(our_bytes, their_bytes));
    memcpy(theirs, &their_bytes, sizeof their_bytes);
    return PN_OK;
}

/* The caller's log function takes an int; ours an enum. */
static pn_library_options log_to; /* set once at open, before other threads run */

static void forward_log(void *context, pn_log_level level, const char *message)
{
    (void)context;
    log_to.log(log_to.log_context, (int)level, message);
}

void pn_library_faults(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, pn_fd_fault_from_environment); // cannot fail
}

pn_status pn_library_open(const pn_library_options *options, pn_library **out, pn_error *err)
{
    pn_library_options own = PN_LIBRARY_OPTIONS_INIT;
    PN_TAKE_OPTIONS(own, options, err);
    if (own.n_threads > PN_MAX_THREADS)
        return pn_fail(err, PN_ERR_LIMIT, "%u threads, the limit is %d", own.n_threads,
                       PN_MAX_THREADS);
    if (own.log) {
        log_to = own;
        pn_log_set(forward_log, NULL, PN_LOG_INFO);
    }
    pn_library_faults();
    pn_library *library = pn_alloc_zero(sizeof *library);
    if (!library)
        return pn_fail_nomem(err);
    pn_status status = pn_pool_create(own.n_threads, &library->pool, err);
    if (status != PN_OK) {
        pn_library_close(library);
        return status;
    }
    *out = library;
    return PN_OK;
}

void pn_library_close(pn_library *library)
{
    if (!library)
        return;
    pn_pool_free(library->pool);
    pn_free(library);
}

const char *pn_library_cpu(const pn_library *library)
{
    (void)library;
    return pn_kernels_get()->level;
}

void pn_memory_free(void *memory)
{
    pn_free(memory);
}
