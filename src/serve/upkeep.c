/*
 * upkeep.c - what a service does beside answering: small files are folded, old versions go, rows that came get their index
 *
 * A failure is told once, when it changes, and tried again after a minute: a disk that is full for a night is one line in the log.
 */
#include "serve/upkeep.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/pool.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { EVERY_MS = 1000, AFTER_FAILURE_MS = 60000, NAP_MS = 50 };

struct pn_upkeep {
    pn_service *service;
    pn_thread *thread;
    atomic_bool stop;
    pn_error told; /* the failure that was logged last, of either */
};

static int is_stopped(void *context)
{
    const pn_upkeep *upkeep = context;
    return atomic_load(&upkeep->stop);
}

static void tell_failure(pn_upkeep *upkeep, const char *what, const pn_error *err)
{
    char line[sizeof err->message + 40];
    if (strcmp(err->message, upkeep->told.message) == 0)
        return;
    upkeep->told = *err;
    (void)snprintf(line, sizeof line, "%s: %s", what, err->message); // fits
    pn_service_log(upkeep->service, line);
}

/* False: it failed. */
static bool fold_due(pn_upkeep *upkeep)
{
    pn_error err = {0};
    pn_upkeep_options options = PN_UPKEEP_OPTIONS_INIT;
    options.retention_days = upkeep->service->options->retention_days;
    options.cancelled = is_stopped;
    options.context = upkeep;
    pn_status status = pn_table_upkeep(upkeep->service->table, &options, NULL, &err);
    if (status == PN_OK || status == PN_ERR_CANCELLED)
        return true;
    tell_failure(upkeep, "no upkeep", &err);
    return false;
}

/* False: it failed. */
static bool build_due(pn_upkeep *upkeep)
{
    pn_error err = {0};
    char line[160];
    pn_index_options options = PN_INDEX_OPTIONS_INIT;
    pn_index_report report = PN_INDEX_REPORT_INIT;
    options.if_due = 1;
    options.one_thread = 1;
    options.cancelled = is_stopped;
    options.context = upkeep;
    pn_status status = pn_table_index_build(upkeep->service->table, upkeep->service->model,
                                            &options, &report, &err);
    if (status == PN_OK && report.n_rows > 0) {
        upkeep->told = (pn_error){0};
        (void)snprintf(line, sizeof line, "an index of %" PRIu64 " rows in %.1f s", report.n_rows,
                       report.seconds);
        pn_service_log(upkeep->service, line);
    } else if (status != PN_OK && status != PN_ERR_CONFLICT && status != PN_ERR_CANCELLED) {
        tell_failure(upkeep, "no index", &err);
        return false;
    }
    return true;
}

static void upkeep_main(void *context)
{
    pn_upkeep *upkeep = context;
    pn_process_be_patient();
    while (!atomic_load(&upkeep->stop)) {
        bool good = fold_due(upkeep);
        if (!upkeep->service->options->no_index)
            good = build_due(upkeep) && good;
        int wait_ms = good ? EVERY_MS : AFTER_FAILURE_MS;
        for (int ms = 0; ms < wait_ms && !atomic_load(&upkeep->stop); ms += NAP_MS)
            pn_clock_sleep_ms(NAP_MS);
    }
}

pn_status pn_upkeep_start(pn_service *service, pn_upkeep **out, pn_error *err)
{
    *out = NULL;
    if (service->options->read_only)
        return PN_OK;
    pn_upkeep *upkeep = pn_alloc_zero(sizeof *upkeep);
    if (!upkeep)
        return pn_fail_nomem(err);
    upkeep->service = service;
    pn_status status = pn_thread_start(upkeep_main, upkeep, "pn-upkeep", &upkeep->thread, err);
    if (status != PN_OK) {
        pn_free(upkeep);
        return status;
    }
    *out = upkeep;
    return PN_OK;
}

void pn_upkeep_stop(pn_upkeep *upkeep)
{
    if (!upkeep)
        return;
    atomic_store(&upkeep->stop, true);
    pn_thread_join(upkeep->thread);
    pn_free(upkeep);
}
