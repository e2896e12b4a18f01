/*
 * bench_churn.c - a table that lives: rows come and go while it is searched
 *
 *     bench_churn DATA ROWS TABLE [--seconds S] [--rate ROWS_A_SECOND] [--queries N]
 *
 * DATA is a folder made by bench_vectors; TABLE is made there, with ROWS rows and an index, and may be removed afterwards. Then, with
 * one line of JSON each:
 *
 *     idle      S seconds of searches, pictures and texts in turn, on one core; nothing else happens
 *     churn     the same, while on the other core rows are appended at the rate, a tenth of a second's at a time, the oldest are
 *               deleted, a second's at a time, and indexes are built when they are due
 *     replaced  recall before and after half the rows have made way for drifted ones, with the upkeep that went with it
 *
 * A row that is returned after its deletion ends the program with status 1, and so does a recall that falls there by more than .01, from what
 * it was or from what is promised, whichever is less. Times do not: they are for the reader.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* CPU sets */
#endif
#include "clip_table.h"

#include "base/alloc.h"
#include "index/index.h"
#include "kernels/kernels.h"
#include "os/clock.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_SEARCHES = 1 << 22, BATCHES_A_SECOND = 10, REPLACED_AT_ONCE = 4096 };
#define DRIFT 0.34f
#define RECALL_LOSS 0.01

static const char *const kind_names[CLIP_KINDS] = {"image", "text"};

typedef struct churn {
    clip_table table;
    size_t n_rows, n_queries, rate;
    double seconds;
    float mean[CLIP_DIM];

    int64_t first_id, end_id;    /* that are there; the writer's */
    _Atomic int64_t *deleted_at; /* [most ids] monotonic ns; 0: not deleted */
    int64_t most_ids;
    atomic_bool is_over;
    atomic_size_t n_built, n_ghosts;
    atomic_int_least64_t build_ns;
} churn;

static unsigned
    n_cores; /* counted before any thread stays on one, which then is all that it may use */

static void stay_on(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % n_cores, &set);
    (void)sched_setaffinity(0, sizeof set,
                            &set); /* on a machine of one core everything shares it */
}

static double seconds_since(int64_t ns)
{
    return (double)(pn_clock_monotonic_ns() - ns) * 1e-9;
}

static void sleep_until(int64_t ns)
{
    int64_t left = ns - pn_clock_monotonic_ns();
    if (left <= 0)
        return;
    struct timespec t = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    (void)nanosleep(&t, NULL); /* waking early only makes this batch early */
}

/* ---- rows that come and go */

static void drift(const churn *c, const float *x, float *out)
{
    for (size_t d = 0; d < CLIP_DIM; d++)
        out[d] = x[d] + DRIFT * c->mean[d];
    pn_kernels_get()->normalise_f32(out, CLIP_DIM);
}

static void add_rows(churn *c, size_t n, bool drifted)
{
    float *vectors = pn_alloc_array(n * CLIP_DIM, sizeof *vectors);
    if (!vectors || c->end_id + (int64_t)n > c->most_ids)
        clip_stop("no room for %zu rows more", n);
    for (size_t i = 0; i < n; i++) {
        const float *x = c->table.base + ((size_t)c->end_id + i) % c->table.n_base * CLIP_DIM;
        if (drifted)
            drift(c, x, vectors + i * CLIP_DIM);
        else
            memcpy(vectors + i * CLIP_DIM, x, CLIP_DIM * sizeof *x);
    }
    clip_table_append(&c->table, vectors, NULL, n, c->end_id);
    c->end_id += (int64_t)n;
    pn_free(vectors);
}

static void delete_oldest(churn *c, size_t n)
{
    int64_t end = c->first_id + (int64_t)n;
    clip_table_delete(&c->table, c->first_id, end);
    int64_t now = pn_clock_monotonic_ns();
    for (int64_t id = c->first_id; id < end; id++)
        atomic_store(&c->deleted_at[id], now);
    c->first_id = end;
}

/* ---- searches */

typedef struct searches {
    int64_t *ns[CLIP_KINDS], *pin_ns[CLIP_KINDS];
    size_t n[CLIP_KINDS];
} searches;

static void look_for_ghosts(churn *c, const clip_answer *a, int64_t asked_at)
{
    for (size_t i = 0; i < a->n; i++) {
        int64_t deleted_at = atomic_load(&c->deleted_at[a->ids[i]]);
        if (deleted_at != 0 && deleted_at < asked_at)
            atomic_fetch_add(&c->n_ghosts, 1);
    }
}

/* For c->seconds, on the second core. */
static void search_for_a_while(churn *c, searches *s)
{
    stay_on(1);
    int64_t start = pn_clock_monotonic_ns();
    for (size_t i = 0; seconds_since(start) < c->seconds && i < MOST_SEARCHES; i++) {
        size_t kind = i % CLIP_KINDS, q = i / CLIP_KINDS % c->table.n_queries[kind];
        clip_answer a;
        int64_t asked_at = pn_clock_monotonic_ns();
        clip_table_search(&c->table, c->table.queries[kind] + q * CLIP_DIM, NULL, false, &a);
        s->pin_ns[kind][s->n[kind]] = a.pin_ns;
        s->ns[kind][s->n[kind]++] = a.ns;
        look_for_ghosts(c, &a, asked_at);
        if (a.n != CLIP_K)
            clip_stop("%zu rows found", a.n);
    }
}

static void tell_searches(const char *what, searches *s, const char *more)
{
    for (size_t kind = 0; kind < CLIP_KINDS; kind++)
        printf("{\"what\": \"%s\", \"kind\": \"%s\", \"searches\": %zu, \"p50_us\": %.0f, "
               "\"p99_us\": %.0f, \"p999_us\": %.0f, \"pin_p99_us\": %.0f%s}\n",
               what, kind_names[kind], s->n[kind], clip_percentile_us(s->ns[kind], s->n[kind], 0.5),
               clip_percentile_us(s->ns[kind], s->n[kind], 0.99),
               clip_percentile_us(s->ns[kind], s->n[kind], 0.999),
               clip_percentile_us(s->pin_ns[kind], s->n[kind], 0.99), more);
    (void)fflush(stdout);
    for (size_t kind = 0; kind < CLIP_KINDS; kind++)
        s->n[kind] = 0;
}

/* ---- what goes on meanwhile */

static bool is_due(churn *c)
{
    pn_error err;
    pn_engine *engine = c->table.engine;
    pn_snapshot *snapshot;
    bool due;
    if (engine->pin(engine->self, &snapshot, &err) != PN_OK ||
        engine->index_due(engine->self, snapshot, &due, &err) != PN_OK)
        clip_stop("failed: %s", err.message);
    engine->unpin(engine->self, snapshot);
    return due;
}

static void build_what_is_due(churn *c)
{
    while (is_due(c)) {
        int64_t start = pn_clock_monotonic_ns();
        atomic_fetch_add(&c->n_built, clip_table_build_index(&c->table, false) > 0);
        atomic_fetch_add(&c->build_ns, pn_clock_monotonic_ns() - start);
    }
}

static void *keep_up(void *context)
{
    churn *c = context;
    stay_on(0);
    while (!atomic_load(&c->is_over)) {
        build_what_is_due(c);
        sleep_until(pn_clock_monotonic_ns() + 1000000000 / BATCHES_A_SECOND);
    }
    return NULL;
}

typedef struct writer {
    churn *c;
    double late_s; /* the most by which a batch was committed after its time */
    size_t n_inserted;
    double seconds;
} writer;

static void *write_always(void *context)
{
    writer *w = context;
    churn *c = w->c;
    stay_on(0);
    int64_t start = pn_clock_monotonic_ns();
    for (size_t i = 0; !atomic_load(&c->is_over); i++) {
        int64_t due = start + (int64_t)i * (1000000000 / BATCHES_A_SECOND);
        sleep_until(due);
        add_rows(c, c->rate / BATCHES_A_SECOND, false);
        w->n_inserted += c->rate / BATCHES_A_SECOND;
        if (i % BATCHES_A_SECOND == BATCHES_A_SECOND - 1)
            delete_oldest(c, c->rate);
        w->late_s = fmax(w->late_s, seconds_since(due));
    }
    w->seconds = seconds_since(start);
    return NULL;
}

static void search_while_rows_come_and_go(churn *c, searches *s)
{
    pthread_t writing, keeping;
    writer w = {.c = c};
    char more[256];
    if (pthread_create(&writing, NULL, write_always, &w) != 0 ||
        pthread_create(&keeping, NULL, keep_up, c) != 0)
        clip_stop("no threads");
    search_for_a_while(c, s);
    atomic_store(&c->is_over, true);
    (void)pthread_join(writing, NULL);
    (void)pthread_join(keeping, NULL);
    snprintf(more, sizeof more,
             ", \"inserts_per_s\": %.0f, \"most_late_s\": %.2f, \"indexes_built\": %zu, "
             "\"build_s\": %.1f, \"ghosts\": %zu",
             (double)w.n_inserted / w.seconds, w.late_s, atomic_load(&c->n_built),
             (double)atomic_load(&c->build_ns) * 1e-9, atomic_load(&c->n_ghosts));
    tell_searches("churn", s, more);
}

/* ---- recall */

/* Of the queries as they are, or drifted as the rows are. */
static double mean_recall(churn *c, size_t kind, bool drifted)
{
    double sum = 0;
    size_t n = PN_MIN(c->n_queries, c->table.n_queries[kind]);
    for (size_t i = 0; i < n; i++) {
        float query[CLIP_DIM];
        clip_answer answer, truth;
        memcpy(query, c->table.queries[kind] + i * CLIP_DIM, sizeof query);
        if (drifted)
            drift(c, query, query);
        clip_table_search(&c->table, query, NULL, false, &answer);
        clip_table_search(&c->table, query, NULL, true, &truth);
        sum += clip_recall(&answer, &truth) / (double)n;
    }
    return sum;
}

/* Whether it is kept. Pictures are asked as they were and as they are now, and the mean counts; texts stay what they are. */
static bool replace_half(churn *c)
{
    double before[CLIP_KINDS], after[CLIP_KINDS];
    bool kept = true;
    size_t n = c->n_rows / 2;
    for (size_t kind = 0; kind < CLIP_KINDS; kind++)
        before[kind] = mean_recall(c, kind, false);
    atomic_store(&c->n_built, 0);
    atomic_store(&c->build_ns, 0);
    int64_t start = pn_clock_monotonic_ns();
    for (size_t done = 0; done < n; done += REPLACED_AT_ONCE) {
        size_t step = PN_MIN(n - done, (size_t)REPLACED_AT_ONCE);
        add_rows(c, step, true);
        delete_oldest(c, step);
        build_what_is_due(c);
    }
    double seconds = seconds_since(start);
    after[0] = (mean_recall(c, 0, false) + mean_recall(c, 0, true)) / 2;
    after[1] = mean_recall(c, 1, false);
    for (size_t kind = 0; kind < CLIP_KINDS; kind++) {
        printf("{\"what\": \"replaced\", \"kind\": \"%s\", \"rows\": %zu, \"recall_before\": %.4f, "
               "\"recall_after\": %.4f, \"seconds\": %.1f, \"indexes_built\": %zu, \"build_s\": "
               "%.1f}\n",
               kind_names[kind], n, before[kind], after[kind], seconds, atomic_load(&c->n_built),
               (double)atomic_load(&c->build_ns) * 1e-9);
        kept = kept && after[kind] >= fmin(before[kind], PN_MIN_RECALL_DEFAULT) - RECALL_LOSS;
    }
    return kept;
}

/* ---- the command line */

static void fill(churn *c)
{
    size_t n_sample = PN_MIN(c->table.n_base, (size_t)10000);
    for (size_t i = 0; i < n_sample; i++)
        for (size_t d = 0; d < CLIP_DIM; d++)
            c->mean[d] += c->table.base[i * CLIP_DIM + d] / (float)n_sample;
    c->most_ids = (int64_t)(2 * c->n_rows + (size_t)(4 * (c->seconds + 5) * (double)c->rate));
    c->deleted_at = pn_alloc_zero((size_t)c->most_ids * sizeof *c->deleted_at);
    if (!c->deleted_at)
        clip_stop("no memory");
    while ((size_t)c->end_id < c->n_rows)
        add_rows(c, PN_MIN(c->n_rows - (size_t)c->end_id, (size_t)50000), false);
    (void)clip_table_build_index(&c->table, true);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        clip_stop("usage: bench_churn DATA ROWS TABLE [--seconds S] [--rate R] [--queries N]");
    static churn c;
    n_cores = pn_cpu_count();
    searches s = {.n = {0}};
    c.n_rows = strtoull(argv[2], NULL, 10), c.n_queries = 1000, c.rate = 1000, c.seconds = 20;
    for (int i = 4; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            c.seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--rate") == 0)
            c.rate = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--queries") == 0)
            c.n_queries = strtoull(argv[i + 1], NULL, 10);
        else
            clip_stop("no such option: %s", argv[i]);
    }
    for (size_t kind = 0; kind < CLIP_KINDS; kind++) {
        s.ns[kind] = pn_alloc_array(MOST_SEARCHES / CLIP_KINDS, sizeof *s.ns[kind]);
        s.pin_ns[kind] = pn_alloc_array(MOST_SEARCHES / CLIP_KINDS, sizeof *s.pin_ns[kind]);
    }
    clip_table_create(argv[1], argv[3], 1, &c.table);
    fill(&c);
    search_for_a_while(&c, &s);
    tell_searches("idle", &s, "");
    search_while_rows_come_and_go(&c, &s);
    bool kept = replace_half(&c);
    for (size_t kind = 0; kind < CLIP_KINDS; kind++) {
        pn_free(s.ns[kind]);
        pn_free(s.pin_ns[kind]);
    }
    size_t ghosts = atomic_load(&c.n_ghosts);
    clip_table_free(&c.table);
    return ghosts > 0 || !kept;
}
