/*
 * metrics.h - counters and latency histograms, as Prometheus reads them
 * Threads: any.
 */
#ifndef PN_SERVE_METRICS_H
#define PN_SERVE_METRICS_H

#include <pennon.h>

#include "base/buffer.h"

typedef struct pn_metrics pn_metrics;

PN_NODISCARD pn_status pn_metrics_create(pn_metrics **out, pn_error *err);
void pn_metrics_free(pn_metrics *metrics); /* NULL is welcome */

void pn_metrics_begin_request(pn_metrics *metrics);
/* route and method are constants. */
void pn_metrics_end_request(pn_metrics *metrics, const char *route, const char *method,
                            unsigned code, double seconds);
void pn_metrics_search(pn_metrics *metrics, const pn_search_stats *stats);
void pn_metrics_ingest(pn_metrics *metrics, uint64_t added, uint64_t updated, uint64_t unchanged,
                       uint64_t failed);

/* The text format, version 0.0.4. table, upkeep and server (of the model) may be NULL. */
PN_NODISCARD pn_status pn_metrics_write(pn_metrics *metrics, const pn_table_info *table,
                                        const pn_upkeep_status *upkeep,
                                        const pn_model_server *server, const char *cpu,
                                        pn_buffer *out, pn_error *err);

#endif
