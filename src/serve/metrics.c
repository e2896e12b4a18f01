/*
 * metrics.c - a small table of series under one lock
 *
 * Requests take milliseconds, a lock takes nanoseconds. Series are few: routes are constants, so is the method, codes are
 * those we send. Source: Prometheus exposition formats and naming best practices.
 */
#include "serve/metrics.h"

#include "base/alloc.h"
#include "os/process.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

enum { N_BUCKETS = 15, MAX_SERIES = 256, MAX_ROUTES = 32, N_STAGES = 4, N_RESULTS = 4 };

static const double bounds[N_BUCKETS] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,     0.25,   0.5,   1,      2.5,   10};
static const char *const stage_names[N_STAGES] = {"embed", "filter", "scan", "fetch"};
static const char *const result_names[N_RESULTS] = {"added", "updated", "unchanged", "failed"};

typedef struct histogram {
    uint64_t buckets[N_BUCKETS], count;
    double sum;
} histogram;

struct pn_metrics {
    pthread_mutex_t mu;
    struct series {
        const char *route, *method;
        unsigned code;
        uint64_t n;
    } series[MAX_SERIES];
    size_t n_series;
    struct route {
        const char *name;
        histogram seconds;
    } routes[MAX_ROUTES];
    size_t n_routes;
    histogram stages[N_STAGES];
    uint64_t ingested[N_RESULTS];
    int64_t in_flight;
};

pn_status pn_metrics_create(pn_metrics **out, pn_error *err)
{
    pn_metrics *metrics = pn_alloc_zero(sizeof *metrics);
    if (!metrics)
        return pn_fail_nomem(err);
    pthread_mutex_init(&metrics->mu, NULL);
    *out = metrics;
    return PN_OK;
}

void pn_metrics_free(pn_metrics *metrics)
{
    if (!metrics)
        return;
    pthread_mutex_destroy(&metrics->mu);
    pn_free(metrics);
}

static void observe(histogram *h, double seconds)
{
    for (size_t i = 0; i < N_BUCKETS; i++)
        h->buckets[i] += seconds <= bounds[i];
    h->count++;
    h->sum += seconds;
}

void pn_metrics_begin_request(pn_metrics *metrics)
{
    pthread_mutex_lock(&metrics->mu);
    metrics->in_flight++;
    pthread_mutex_unlock(&metrics->mu);
}

static void count_request(pn_metrics *m, const char *route, const char *method, unsigned code)
{
    size_t i = 0;
    while (i < m->n_series &&
           (strcmp(m->series[i].route, route) != 0 || strcmp(m->series[i].method, method) != 0 ||
            m->series[i].code != code))
        i++;
    if (i == MAX_SERIES)
        return;
    if (i == m->n_series)
        m->series[m->n_series++] = (struct series){route, method, code, 0};
    m->series[i].n++;
}

void pn_metrics_end_request(pn_metrics *m, const char *route, const char *method, unsigned code,
                            double seconds)
{
    pthread_mutex_lock(&m->mu);
    m->in_flight--;
    count_request(m, route, method, code);
    size_t i = 0;
    while (i < m->n_routes && strcmp(m->routes[i].name, route) != 0)
        i++;
    if (i == m->n_routes && i < MAX_ROUTES)
        m->routes[m->n_routes++].name = route;
    if (i < MAX_ROUTES)
        observe(&m->routes[i].seconds, seconds);
    pthread_mutex_unlock(&m->mu);
}

void pn_metrics_search(pn_metrics *m, const pn_search_stats *stats)
{
    const double seconds[N_STAGES] = {stats->embed_seconds, stats->filter_seconds,
                                      stats->scan_seconds, stats->fetch_seconds};
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < N_STAGES; i++)
        observe(&m->stages[i], seconds[i]);
    pthread_mutex_unlock(&m->mu);
}

void pn_metrics_ingest(pn_metrics *m, uint64_t added, uint64_t updated, uint64_t unchanged,
                       uint64_t failed)
{
    const uint64_t counts[N_RESULTS] = {added, updated, unchanged, failed};
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < N_RESULTS; i++)
        m->ingested[i] += counts[i];
    pthread_mutex_unlock(&m->mu);
}

static pn_status head(pn_buffer *out, const char *name, const char *type, const char *help,
                      pn_error *err)
{
    return pn_buffer_append_format(out, err, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                                   type);
}

static pn_status write_histogram(pn_buffer *out, const char *name, const char *label,
                                 const char *value, const histogram *h, pn_error *err)
{
    for (size_t i = 0; i < N_BUCKETS; i++)
        PN_TRY(pn_buffer_append_format(out, err, "%s_bucket{%s=\"%s\",le=\"%g\"} %" PRIu64 "\n",
                                       name, label, value, bounds[i], h->buckets[i]));
    return pn_buffer_append_format(out, err,
                                   "%s_bucket{%s=\"%s\",le=\"+Inf\"} %" PRIu64
                                   "\n%s_sum{%s=\"%s\"} %.9g\n%s_count{%s=\"%s\"} %" PRIu64 "\n",
                                   name, label, value, h->count, name, label, value, h->sum, name,
                                   label, value, h->count);
}

static pn_status write_requests(pn_metrics *m, pn_buffer *out, pn_error *err)
{
    PN_TRY(head(out, "pennon_http_requests_total", "counter", "Requests answered.", err));
    for (size_t i = 0; i < m->n_series; i++)
        PN_TRY(pn_buffer_append_format(
            out, err,
            "pennon_http_requests_total{route=\"%s\",method=\"%s\",code=\"%u\"} %" PRIu64 "\n",
            m->series[i].route, m->series[i].method, m->series[i].code, m->series[i].n));
    PN_TRY(head(out, "pennon_http_request_duration_seconds", "histogram",
                "Time to answer a request.", err));
    for (size_t i = 0; i < m->n_routes; i++)
        PN_TRY(write_histogram(out, "pennon_http_request_duration_seconds", "route",
                               m->routes[i].name, &m->routes[i].seconds, err));
    PN_TRY(head(out, "pennon_http_requests_in_flight", "gauge", "Requests being answered.", err));
    PN_TRY(pn_buffer_append_format(out, err, "pennon_http_requests_in_flight %" PRId64 "\n",
                                   m->in_flight));
    PN_TRY(head(out, "pennon_search_stage_duration_seconds", "histogram",
                "Time of each stage of a search.", err));
    for (size_t i = 0; i < N_STAGES; i++)
        PN_TRY(write_histogram(out, "pennon_search_stage_duration_seconds", "stage", stage_names[i],
                               &m->stages[i], err));
    PN_TRY(head(out, "pennon_ingest_pictures_total", "counter",
                "Pictures given to ingest, by what became of them.", err));
    for (size_t i = 0; i < N_RESULTS; i++)
        PN_TRY(pn_buffer_append_format(out, err,
                                       "pennon_ingest_pictures_total{result=\"%s\"} %" PRIu64 "\n",
                                       result_names[i], m->ingested[i]));
    return PN_OK;
}

static pn_status gauge(pn_buffer *out, const char *name, const char *help, double value,
                       pn_error *err)
{
    PN_TRY(head(out, name, "gauge", help, err));
    return pn_buffer_append_format(out, err, "%s %.15g\n", name, value);
}

static pn_status write_process(pn_buffer *out, pn_error *err)
{
    pn_process_usage usage;
    pn_process_get_usage(&usage);
    PN_TRY(head(out, "process_cpu_seconds_total", "counter", "User and system CPU time.", err));
    PN_TRY(
        pn_buffer_append_format(out, err, "process_cpu_seconds_total %.9g\n", usage.cpu_seconds));
    PN_TRY(gauge(out, "process_resident_memory_bytes", "Resident memory.",
                 (double)usage.resident_bytes, err));
    PN_TRY(gauge(out, "process_virtual_memory_bytes", "Virtual memory.",
                 (double)usage.virtual_bytes, err));
    PN_TRY(gauge(out, "process_start_time_seconds", "Start of the process since 1970.",
                 usage.start_time_seconds, err));
    PN_TRY(gauge(out, "process_open_fds", "Open file descriptors.", (double)usage.open_descriptors,
                 err));
    return gauge(out, "process_max_fds", "Most open file descriptors.",
                 (double)usage.max_descriptors, err);
}

static pn_status counter(pn_buffer *out, const char *name, const char *help, uint64_t value,
                         pn_error *err)
{
    PN_TRY(head(out, name, "counter", help, err));
    return pn_buffer_append_format(out, err, "%s %" PRIu64 "\n", name, value);
}

static pn_status write_server(const pn_model_server *server, pn_buffer *out, pn_error *err)
{
    static const char seconds[] = "pennon_model_request_duration_seconds";
    PN_TRY(counter(out, "pennon_model_requests_total", "Requests sent to the model's server.",
                   server->n_requests, err));
    PN_TRY(counter(out, "pennon_model_retries_total", "Of them, second and later attempts.",
                   server->n_retries, err));
    PN_TRY(counter(out, "pennon_model_failures_total",
                   "Requests given up, or refused by the model's server.", server->n_failures,
                   err));
    PN_TRY(counter(out, "pennon_model_rejections_total",
                   "Requests not made, because the server is left alone.", server->n_rejected,
                   err));
    PN_TRY(head(out, seconds, "summary", "Time of the requests to the model's server.", err));
    PN_TRY(pn_buffer_append_format(out, err, "%s_sum %.9g\n%s_count %" PRIu64 "\n", seconds,
                                   server->seconds, seconds, server->n_requests));
    return gauge(out, "pennon_model_server_up",
                 "0 while the model's server is left alone after failures, else 1.",
                 server->state == PN_SERVER_LEFT_ALONE ? 0 : 1, err);
}

static pn_status write_upkeep(const pn_upkeep_status *u, pn_buffer *out, pn_error *err)
{
    const struct {
        const char *name, *help;
        uint64_t value;
    } gauges[] = {
        {"pennon_table_versions", "Versions of the table that are kept.", u->n_versions},
        {"pennon_table_small_fragments", "Fragments of fewer than 1000 rows.", u->n_small},
        {"pennon_table_uncovered_rows", "Rows that no index covers.", u->n_uncovered},
        {"pennon_index_files", "Indexes of the table.", u->n_indexes},
        {"pennon_index_bytes", "Size of the indexes.", u->index_bytes},
        {"pennon_upkeep_failed", "1 when upkeep failed the last time, else 0.", u->failed ? 1 : 0},
    };
    for (size_t i = 0; i < PN_COUNT_OF(gauges); i++)
        PN_TRY(gauge(out, gauges[i].name, gauges[i].help, (double)gauges[i].value, err));
    PN_TRY(counter(out, "pennon_upkeep_folds_total", "Fragments made of smaller ones.", u->n_folds,
                   err));
    PN_TRY(counter(out, "pennon_upkeep_versions_removed_total", "Old versions removed.",
                   u->n_versions_removed, err));
    return counter(out, "pennon_upkeep_failures_total", "Times that upkeep failed.", u->n_failures,
                   err);
}

pn_status pn_metrics_write(pn_metrics *m, const pn_table_info *table,
                           const pn_upkeep_status *upkeep, const pn_model_server *server,
                           const char *cpu, pn_buffer *out, pn_error *err)
{
    pthread_mutex_lock(&m->mu);
    pn_status status = write_requests(m, out, err);
    pthread_mutex_unlock(&m->mu);
    PN_TRY(status);
    if (table) {
        PN_TRY(gauge(out, "pennon_table_rows", "Rows of the table.", (double)table->n_rows, err));
        PN_TRY(gauge(out, "pennon_table_version", "Version of the table.", (double)table->version,
                     err));
        PN_TRY(gauge(out, "pennon_table_fragments", "Fragments of the table.",
                     (double)table->n_fragments, err));
        PN_TRY(gauge(out, "pennon_table_data_bytes", "Size of the table's data files.",
                     (double)table->data_bytes, err));
    }
    if (upkeep)
        PN_TRY(write_upkeep(upkeep, out, err));
    if (server)
        PN_TRY(write_server(server, out, err));
    PN_TRY(head(out, "pennon_build_info", "gauge", "Version and instruction set; always 1.", err));
    PN_TRY(pn_buffer_append_format(out, err, "pennon_build_info{version=\"%s\",cpu=\"%s\"} 1\n",
                                   pn_version(), cpu));
    return write_process(out, err);
}
