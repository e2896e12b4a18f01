/*
 * test_upsert.c - random upserts against a model that compares every row with every row; several writers at once
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "column/builder.h"
#include "dataset/internal.h"
#include "dataset/row_ids.h"
#include "dataset/upsert.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/how_many.h"
#include "support/small_table.h"
#include "support/table_place.h"

enum { ID, LANG, PRICE, NOTE, N_COLUMNS, MAX_ROWS = 4000, ABSENT = -1 };

/* A row: numbers stand for values, ABSENT for null. LANG is a text of one letter, NOTE one of many. */
typedef struct row {
    int64_t cells[N_COLUMNS];
} row;

typedef struct rows {
    row list[MAX_ROWS];
    size_t n;
} rows;

static void make_schema(pn_arena *arena, unsigned columns, pn_schema *out)
{
    static const struct {
        const char *name;
        pn_type_id type;
    } all[N_COLUMNS] = {{"id", PN_TYPE_INT64},
                        {"lang", PN_TYPE_STRING},
                        {"price", PN_TYPE_INT32},
                        {"note", PN_TYPE_LARGE_STRING}};
    *out = (pn_schema){.fields = PN_ARENA_NEW(arena, pn_field, N_COLUMNS)};
    for (int c = 0; c < N_COLUMNS; c++)
        if (columns >> c & 1)
            pn_field_init(&out->fields[out->n_fields++], all[c].name, all[c].type, true);
}

static void append_cell(pn_builder *builder, int column, int64_t cell)
{
    char text[40];
    pn_status status;
    if (cell == ABSENT) {
        status = pn_builder_append_null(builder, NULL);
    } else if (column == LANG || column == NOTE) {
        int n = column == LANG ? cell != 0 : snprintf(text, sizeof text, "note %" PRId64, cell);
        if (column == LANG) // the empty text is a key, too
            text[0] = (char)('a' + cell);
        status = pn_builder_append_bytes(builder, text, (size_t)n, NULL);
    } else {
        status = pn_builder_append_i64(builder, cell, NULL);
    }
    assert_int_equal(status, PN_OK);
}

/* Hand rows to take, in batches. */
static pn_status for_batches(const rows *r, unsigned columns, size_t batch_rows,
                             pn_status (*take)(void *, const pn_batch *, pn_error *), void *to,
                             pn_error *err)
{
    pn_arena arena;
    pn_schema schema;
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, columns, &schema);
    for (size_t first = 0; first < r->n && status == PN_OK; first += batch_rows) {
        size_t n = PN_MIN(batch_rows, r->n - first), at = 0;
        pn_builder *builders[N_COLUMNS];
        pn_array arrays[N_COLUMNS];
        for (int c = 0; c < N_COLUMNS; c++) {
            if (!(columns >> c & 1))
                continue;
            assert_int_equal(
                pn_builder_create(&schema.fields[at], PTRDIFF_MAX, &builders[at], NULL), PN_OK);
            for (size_t i = 0; i < n; i++)
                append_cell(builders[at], c, r->list[first + i].cells[c]);
            assert_int_equal(pn_builder_view(builders[at], &arrays[at], NULL), PN_OK);
            at++;
        }
        const pn_batch batch = {.schema = &schema, .columns = arrays, .n_rows = n};
        status = take(to, &batch, err);
        for (size_t c = 0; c < at; c++)
            pn_builder_free(builders[c]);
    }
    pn_arena_reset(&arena);
    return status;
}

static pn_status take_append(void *to, const pn_batch *batch, pn_error *err)
{
    return pn_append_batch(to, batch, err);
}

static pn_status take_upsert(void *to, const pn_batch *batch, pn_error *err)
{
    return pn_upsert_batch(to, batch, err);
}

static pn_status append_rows(pn_dataset *t, const rows *r, pn_dataset **out, pn_error *err)
{
    pn_append *append;
    PN_TRY(pn_append_begin(t, &append, err));
    assert_int_equal(for_batches(r, 15, 100, take_append, append, err), PN_OK);
    return pn_append_commit(append, NULL, out, err);
}

static pn_status upsert_rows(pn_dataset *t, const rows *r, unsigned columns,
                             const pn_upsert_options *options, pn_upsert_report *report,
                             pn_dataset **out, pn_error *err)
{
    pn_upsert *upsert;
    pn_arena arena;
    pn_schema schema;
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, columns, &schema);
    pn_status status = pn_upsert_begin(t, &schema, options, &upsert, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    status = for_batches(r, columns, 37, take_upsert, upsert, err);
    if (status == PN_OK)
        return pn_upsert_commit(upsert, report, out, err);
    pn_upsert_abort(upsert);
    return status;
}

static void read_rows(pn_dataset *t, rows *out)
{
    pn_error err;
    pn_scan *scan;
    pn_batch batch;
    const pn_row_addr *addrs;
    const pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    out->n = 0;
    EXPECT(PN_OK, pn_scan_begin(t, &options, &scan, &err));
    do {
        EXPECT(PN_OK, pn_scan_next(scan, &batch, &addrs, &err));
        for (size_t i = 0; i < batch.n_rows; i++, out->n++)
            for (int c = 0; c < N_COLUMNS; c++) {
                const pn_array *a = &batch.columns[c];
                int64_t *cell = &out->list[out->n].cells[c];
                if (!pn_array_is_valid(a, i))
                    *cell = ABSENT;
                else if (c == LANG)
                    *cell = pn_array_bytes(a, i).len == 0 ? 0 : pn_array_bytes(a, i).ptr[0] - 'a';
                else if (c == NOTE)
                    assert_true(pn_str_to_i64(
                        pn_str_make(pn_array_bytes(a, i).ptr + 5, pn_array_bytes(a, i).len - 5),
                        cell));
                else
                    *cell = pn_array_i64(a, i);
            }
    } while (batch.n_rows > 0);
    pn_scan_end(scan);
}

static int compare_rows(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(row));
}

static void expect_rows(pn_dataset *t, rows *want)
{
    rows *got = calloc(1, sizeof *got);
    read_rows(t, got);
    qsort(got->list, got->n, sizeof(row), compare_rows);
    qsort(want->list, want->n, sizeof(row), compare_rows);
    assert_int_equal(got->n, want->n);
    assert_memory_equal(got->list, want->list, got->n * sizeof(row));
    free(got);
}

/* ---- the model ---- */

static bool same_key(const row *a, const row *b, unsigned keys)
{
    for (int c = 0; c < N_COLUMNS; c++)
        if (keys >> c & 1 && (a->cells[c] == ABSENT || a->cells[c] != b->cells[c]))
            return false;
    return true;
}

static const row *find_row(const rows *r, const row *like, unsigned keys)
{
    for (size_t i = 0; i < r->n; i++)
        if (same_key(&r->list[i], like, keys))
            return &r->list[i];
    return NULL;
}

static bool passes(const row *r) /* "price >= 10" */
{
    return r->cells[PRICE] != ABSENT && r->cells[PRICE] >= 10;
}

static void model_upsert(rows *table, const rows *source, unsigned columns, unsigned keys,
                         const pn_upsert_options *options, pn_upsert_report *report)
{
    rows *next = calloc(1, sizeof *next);
    *report = (pn_upsert_report){0};
    for (size_t i = 0; i < table->n; i++) {
        const row *came = find_row(source, &table->list[i], keys);
        row now = table->list[i];
        if (!came && options->delete_missing && (!options->delete_where || passes(&now))) {
            report->n_deleted++;
            continue;
        }
        if (came && !options->leave_matched) {
            report->n_updated++;
            for (int c = 0; c < N_COLUMNS; c++)
                if (columns >> c & 1)
                    now.cells[c] = came->cells[c];
        }
        next->list[next->n++] = now;
    }
    for (size_t i = 0; i < source->n && !options->leave_unmatched; i++) {
        if (find_row(table, &source->list[i], keys))
            continue;
        report->n_inserted++;
        row *now = &next->list[next->n++];
        for (int c = 0; c < N_COLUMNS; c++)
            now->cells[c] = columns >> c & 1 ? source->list[i].cells[c] : ABSENT;
    }
    *table = *next;
    free(next);
}

static void random_rows(pn_rng *rng, size_t n, uint64_t n_ids, rows *out)
{
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        int64_t *cells = out->list[i].cells;
        cells[ID] = pn_rng_below(rng, 20) == 0 ? ABSENT : (int64_t)pn_rng_below(rng, n_ids);
        cells[LANG] = pn_rng_below(rng, 20) == 0 ? ABSENT : (int64_t)pn_rng_below(rng, 4);
        cells[PRICE] = pn_rng_below(rng, 9) == 0 ? ABSENT : (int64_t)pn_rng_below(rng, 40);
        cells[NOTE] = pn_rng_below(rng, 9) == 0 ? ABSENT : (int64_t)pn_rng_below(rng, 100000);
    }
}

static void drop_second_keys(rows *r, unsigned keys)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const row *first = find_row(r, &r->list[i], keys);
        if (!first || first >= &r->list[n]) // itself, or none: a null in it
            r->list[n++] = r->list[i];
    }
    r->n = n;
}

static void some_are_deleted(pn_rng *rng, pn_dataset **t, rows *model)
{
    pn_error err;
    pn_dataset *next;
    uint64_t n;
    int64_t below = (int64_t)pn_rng_below(rng, 12);
    char filter[40];
    (void)snprintf(filter, sizeof filter, "price < %" PRId64, below);
    EXPECT(PN_OK, small_table_delete(*t, filter, &n, &next, &err));
    table_place_step(t, next);
    size_t left = 0;
    for (size_t i = 0; i < model->n; i++)
        if (model->list[i].cells[PRICE] == ABSENT || model->list[i].cells[PRICE] >= below)
            model->list[left++] = model->list[i];
    model->n = left;
}

static void one_random_table(const table_place *p, uint64_t seed, rows *model, rows *more)
{
    static const char *const names[N_COLUMNS] = {"id", "lang", "price", "note"};
    pn_error err;
    pn_rng rng = pn_rng_seed(seed);
    pn_arena arena;
    pn_schema schema;
    pn_dataset *t, *next;
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, 15, &schema);
    EXPECT(PN_OK, pn_dataset_create(p->table, &schema, &t, &err));
    model->n = 0;
    for (int i = 0; i < 3; i++) {
        random_rows(&rng, (size_t)pn_rng_below(&rng, 200), 150, more);
        EXPECT(PN_OK, append_rows(t, more, &next, &err));
        table_place_step(&t, next);
        memcpy(&model->list[model->n], more->list, more->n * sizeof(row));
        model->n += more->n;
    }
    for (int turn = 0; turn < 6; turn++) {
        static const unsigned key_sets[] = {1u << ID, 1u << ID | 1u << LANG, 1u << NOTE,
                                            1u << ID | 1u << PRICE | 1u << LANG};
        unsigned keys = key_sets[pn_rng_below(&rng, PN_COUNT_OF(key_sets))];
        unsigned columns = keys | (pn_rng_below(&rng, 2) ? 15 : (unsigned)pn_rng_below(&rng, 16));
        const char *key_names[N_COLUMNS];
        pn_upsert_options options = {.keys = key_names};
        pn_upsert_report got, want;
        for (int c = 0; c < N_COLUMNS; c++)
            if (keys >> c & 1)
                key_names[options.n_keys++] = names[c];
        options.leave_matched = pn_rng_below(&rng, 4) == 0;
        options.leave_unmatched = pn_rng_below(&rng, 4) == 0;
        options.delete_missing = pn_rng_below(&rng, 5) == 0;
        options.delete_where = pn_rng_below(&rng, 3) == 0 ? NULL : "price >= 10";
        random_rows(&rng, (size_t)pn_rng_below(&rng, 150), 200, more);
        drop_second_keys(more, keys);
        model_upsert(model, more, columns, keys, &options, &want);
        EXPECT(PN_OK, upsert_rows(t, more, columns, &options, &got, &next, &err));
        assert_memory_equal(&got, &want, sizeof got);
        table_place_step(&t, next);
        expect_rows(t, model);
        if (pn_rng_below(&rng, 3) == 0)
            some_are_deleted(&rng, &t, model);
    }
    pn_dataset_unref(t);
    pn_arena_reset(&arena);
}

static size_t count_data_files(const table_place *p)
{
    pn_arena arena;
    char **names;
    size_t n = 0;
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dir_list(pn_path_join(&arena, p->table, "data"), &arena, &names, &n, NULL) != PN_OK)
        n = 0;
    pn_arena_reset(&arena);
    return n;
}

static void random_upserts__are_what_the_model_says(void **state)
{
    table_place *p = *state;
    pn_error err;
    rows *model = calloc(1, sizeof *model), *more = calloc(1, sizeof *more);
    uint64_t n = how_many("PN_UPSERT_TABLES", 24);
    for (uint64_t seed = 1; seed <= n; seed++) {
        one_random_table(p, seed, model, more);
        EXPECT(PN_OK, pn_dir_remove_all(p->table, &err));
    }
    free(model);
    free(more);
}

/* ---- one by one ---- */

static pn_dataset *make_table(const table_place *p)
{
    pn_error err;
    pn_arena arena;
    pn_schema schema;
    pn_dataset *t, *next;
    rows *r = calloc(1, sizeof *r);
    for (int64_t i = 0; i < 100; i++)
        r->list[r->n++] = (row){{i, i % 4, i, i}};
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, 15, &schema);
    EXPECT(PN_OK, pn_dataset_create(p->table, &schema, &t, &err));
    EXPECT(PN_OK, append_rows(t, r, &next, &err));
    table_place_step(&t, next);
    pn_arena_reset(&arena);
    free(r);
    return t;
}

static void expect_message(const char *part, const pn_error *err)
{
    if (!strstr(err->message, part))
        fail_msg("no \"%s\" in: %s", part, err->message);
}

static void mistakes__are_named(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    pn_upsert_report report;
    rows *r = calloc(1, sizeof *r);
    const char *keys[] = {"id", "lang"};
    pn_upsert_options options = {.keys = keys, .n_keys = 2};
    size_t n_files = count_data_files(p);
    r->list[r->n++] = (row){{7, 1, 0, 0}};
    r->list[r->n++] = (row){{ABSENT, 1, 0, 0}};
    r->list[r->n++] = (row){{ABSENT, 1, 0, 0}}; // nulls are no keys, so not twice the same
    r->list[r->n++] = (row){{7, 1, 0, 0}};
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 15, &options, &report, &next, &err));
    expect_message("the key id = 7, lang = \"b\" is in two of the rows: 1 and 4", &err);
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 1, &options, &report, &next, &err));
    expect_message("the key column \"lang\" is not in the rows", &err);
    keys[1] = "sku";
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 15, &options, &report, &next, &err));
    expect_message("the key column \"sku\" is not in the table", &err);
    keys[1] = "id";
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 15, &options, &report, &next, &err));
    expect_message("\"id\" is twice in the key", &err);
    options.n_keys = 0;
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 15, &options, &report, &next, &err));
    options = (pn_upsert_options){
        .keys = keys, .n_keys = 1, .delete_missing = true, .delete_where = "size > 3"};
    EXPECT(PN_ERR_INVALID, upsert_rows(t, r, 15, &options, &report, &next, &err));
    expect_message("size", &err);
    static const _Atomic bool stop = true;
    options = (pn_upsert_options){.keys = keys, .n_keys = 1, .cancel = &stop};
    r->n = 1;
    EXPECT(PN_ERR_CANCELLED, upsert_rows(t, r, 15, &options, &report, &next, &err));
    assert_int_equal(count_data_files(p), n_files); // nothing was left behind
    free(r);
    pn_dataset_unref(t);
}

static void an_upsert_without_effect__makes_no_version(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next;
    pn_upsert_report report;
    rows *r = calloc(1, sizeof *r);
    const char *keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1, .leave_matched = true};
    r->list[r->n++] = (row){{7, 1, 0, 0}};
    size_t n_files = count_data_files(p);
    EXPECT(PN_OK, upsert_rows(t, r, 15, &options, &report, &next, &err));
    assert_int_equal(pn_dataset_version(next), pn_dataset_version(t));
    pn_dataset_unref(next);
    r->n = 0;
    EXPECT(PN_OK, upsert_rows(t, r, 15, &options, &report, &next, &err));
    assert_int_equal(pn_dataset_version(next), pn_dataset_version(t));
    pn_dataset_unref(next);
    assert_int_equal(count_data_files(p), n_files);
    free(r);
    pn_dataset_unref(t);
}

/* The rows come while others commit: decided anew, or left standing. */
static void commits_in_between__are_seen(void **state)
{
    table_place *p = *state;
    pn_error err;
    pn_dataset *t = make_table(p), *next, *last;
    pn_upsert *upsert;
    pn_upsert_report report;
    pn_arena arena;
    pn_schema schema;
    rows *r = calloc(1, sizeof *r), *theirs = calloc(1, sizeof *theirs);
    const char *keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1};
    r->list[r->n++] = (row){{5, 1, 555, 0}};
    r->list[r->n++] = (row){{200, 1, 556, 0}};
    r->list[r->n++] = (row){{201, 1, 557, 0}};
    theirs->list[theirs->n++] = (row){{200, 2, 1, 1}};
    pn_arena_init(&arena, SIZE_MAX);
    make_schema(&arena, 7, &schema);
    EXPECT(PN_OK, pn_upsert_begin(t, &schema, &options, &upsert, &err));
    EXPECT(PN_OK, for_batches(r, 7, 2, take_upsert, upsert, &err));
    EXPECT(PN_OK, append_rows(t, theirs, &next, &err)); // 200 is there now
    pn_dataset_unref(next);
    uint64_t n;
    EXPECT(PN_OK, small_table_delete(t, "id = 5", &n, &next, &err)); // and 5 is not
    pn_dataset_unref(next);
    EXPECT(PN_OK, pn_upsert_commit(upsert, &report, &last, &err));
    assert_int_equal(report.n_inserted, 2);
    assert_int_equal(report.n_updated, 1);
    pn_rowset rows_of;
    EXPECT(PN_OK, pn_dataset_filter_rows(last,
                                         pn_str_of("id = 200 AND price = 556 AND note = "
                                                   "'note 1'"),
                                         &rows_of, &err));
    assert_int_equal(pn_rowset_count(&rows_of), 1);
    pn_rowset_reset(&rows_of);
    assert_int_equal(pn_dataset_count_rows(last), 102);
    pn_dataset_unref(last);
    EXPECT(PN_OK, pn_upsert_begin(t, &schema, &options, &upsert, &err));
    EXPECT(PN_OK, for_batches(r, 7, 2, take_upsert, upsert, &err));
    const char *dropped = "price";
    EXPECT(PN_OK, pn_dataset_drop_columns(t, &dropped, 1, &next, &err));
    pn_dataset_unref(next);
    EXPECT(PN_ERR_CONFLICT, pn_upsert_commit(upsert, &report, &last, &err));
    expect_message("dropped or changed the column \"price\"", &err);
    pn_arena_reset(&arena);
    free(r);
    free(theirs);
    pn_dataset_unref(t);
}

/* ---- no memory ---- */

typedef struct starving {
    pn_dataset *t;
    int64_t n; /* the allocation that fails */
    pn_status status;
    pn_dataset *out;
} starving;

static pn_status upsert_starving(void *context, const pn_batch *batch, pn_error *err)
{
    starving *s = context;
    static const char *const keys[] = {"id"};
    const pn_upsert_options options = {
        .keys = keys, .n_keys = 1, .delete_missing = true, .delete_where = "id >= 90"};
    pn_upsert *upsert = NULL;
    pn_upsert_report report;
    pn_alloc_fail_after(s->n);
    s->status = pn_upsert_begin(s->t, batch->schema, &options, &upsert, err);
    if (s->status == PN_OK)
        s->status = pn_upsert_batch(upsert, batch, err);
    if (s->status == PN_OK)
        s->status = pn_upsert_commit(upsert, &report, &s->out, err);
    else
        pn_upsert_abort(upsert);
    pn_alloc_fail_after(0);
    return PN_OK;
}

/* Two columns of four come, so that the others are taken from the table. */
static void no_memory__is_an_error(void **state)
{
    table_place *p = *state;
    pn_error err;
    starving s = {.t = make_table(p), .status = PN_ERR_NOMEM};
    rows *r = calloc(1, sizeof *r), *want = calloc(1, sizeof *want);
    for (int64_t i = 50; i < 60; i++)
        r->list[r->n++] = (row){{i == 59 ? 200 : i, 0, i * 2, 0}};
    for (int64_t i = 0; i < 90; i++)
        want->list[want->n++] = (row){{i, i % 4, i >= 50 && i < 59 ? i * 2 : i, i}};
    want->list[want->n++] = (row){{200, ABSENT, 118, ABSENT}};
    while (s.status != PN_OK) {
        int64_t live = pn_alloc_live();
        s.n++;
        err = (pn_error){0};
        EXPECT(PN_OK, for_batches(r, 1u << ID | 1u << PRICE, 100, upsert_starving, &s, &err));
        if (s.status != PN_OK) {
            assert_int_equal(s.status, PN_ERR_NOMEM);
            assert_true(pn_alloc_live() <= live + 6); // files that the table keeps open
        }
        assert_true(s.n < 2000);
    }
    print_message("  %d allocations failed\n", (int)s.n - 1);
    expect_rows(s.out, want);
    free(r);
    free(want);
    pn_dataset_unref(s.out);
    pn_dataset_unref(s.t);
}

/* ---- several at once ---- */

enum { WRITERS = 4, ROUNDS = 12, KEYS = 40 };

typedef struct writer {
    const table_place *place;
    int number;
    pn_error err;
    pn_status status;
} writer;

/* Each round: all keys of a window that the others' windows overlap, as updates and as inserts. */
static void *write_rounds(void *context)
{
    writer *w = context;
    const char *keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1};
    rows *r = calloc(1, sizeof *r);
    pn_dataset *t = NULL, *next;
    pn_upsert_report report;
    w->status = pn_dataset_open(w->place->table, 0, &t, &w->err);
    for (int round = 0; round < ROUNDS && w->status == PN_OK; round++) {
        r->n = 0;
        for (int64_t i = 0; i < KEYS; i++)
            r->list[r->n++] =
                (row){{1000 + round * 20 + w->number * 5 + i, w->number, round, ABSENT}};
        w->status = upsert_rows(t, r, 15, &options, &report, &next, &w->err);
        if (w->status == PN_OK && report.n_inserted + report.n_updated != KEYS)
            w->status = pn_fail(&w->err, PN_ERR_BUG, "%" PRIu64 " and %" PRIu64, report.n_inserted,
                                report.n_updated);
        if (w->status == PN_OK)
            table_place_step(&t, next);
    }
    pn_dataset_unref(t);
    free(r);
    return NULL;
}

static void writers_at_once__insert_no_key_twice(void **state)
{
    table_place *p = *state;
    pthread_t threads[WRITERS];
    writer writers[WRITERS];
    pn_error err;
    pn_dataset *t = make_table(p), *last;
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.place = p, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_rounds, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        if (writers[i].status != PN_OK)
            fail_msg("writer %d: %s", i, writers[i].err.message);
    rows *got = calloc(1, sizeof *got);
    bool seen[2000] = {false};
    EXPECT(PN_OK, pn_dataset_latest(t, &last, &err));
    read_rows(last, got);
    for (size_t i = 0; i < got->n; i++) {
        int64_t id = got->list[i].cells[ID];
        if (seen[id])
            fail_msg("id %" PRId64 " is there twice", id);
        seen[id] = true;
    }
    assert_int_equal(got->n, 100 + (ROUNDS - 1) * 20 + (WRITERS - 1) * 5 + KEYS);
    free(got);
    pn_dataset_unref(last);
    pn_dataset_unref(t);
}

/* ---- stable row ids ---- */

/* id -> stable row id, and the version that made the row. */
static void read_ids(pn_dataset *t, uint64_t *ids, uint64_t *created, size_t n)
{
    pn_error err;
    pn_arena arena;
    pn_scan *scan;
    pn_batch batch;
    const pn_row_addr *addrs;
    const char *column = "id";
    const pn_scan_options options = {.columns = &column, .n_columns = 1};
    pn_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        ids[i] = UINT64_MAX;
    EXPECT(PN_OK, pn_scan_begin(t, &options, &scan, &err));
    do {
        EXPECT(PN_OK, pn_scan_next(scan, &batch, &addrs, &err));
        for (size_t i = 0; i < batch.n_rows; i++) {
            const pn_fragment *f =
                &t->fragments[pn_dataset_find_fragment(t, (uint32_t)(addrs[i] >> 32))];
            uint64_t *of_fragment, *made, id = (uint64_t)pn_array_i64(&batch.columns[0], i);
            EXPECT(PN_OK, pn_row_ids_decode(f->message, f->n_rows, &arena, &of_fragment, &err));
            EXPECT(PN_OK, pn_row_created_decode(f->message, f->n_rows, &arena, &made, &err));
            if (id < n) {
                ids[id] = of_fragment[(uint32_t)addrs[i]];
                created[id] = made[(uint32_t)addrs[i]];
            }
        }
        pn_arena_reset(&arena);
    } while (batch.n_rows > 0);
    pn_scan_end(scan);
}

static void stable_row_ids__stay_with_their_rows(void **state)
{
    enum { N = 300 };
    table_place *p = *state;
    pn_error err;
    pn_dataset *t, *next;
    pn_upsert *upsert;
    pn_upsert_report report;
    uint64_t before[N], after[N], made[N], made_after[N];
    char from[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures/life2.2-stable/life.lance", from);
    small_table_copy_folder(from, p->table);
    EXPECT(PN_OK, pn_dataset_open(p->table, 0, &t, &err));
    read_ids(t, before, made, N);
    pn_field field;
    pn_array array;
    pn_builder *builder;
    const char *keys[] = {"id"};
    const pn_upsert_options options = {.keys = keys, .n_keys = 1};
    ptrdiff_t at = pn_schema_find(pn_dataset_schema(t), pn_str_of("id"));
    field = pn_dataset_schema(t)->fields[at];
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    EXPECT(PN_OK, pn_builder_create(&field, 1 << 20, &builder, &err));
    for (int64_t id = 20; id < 40; id++) // ids 23 and 33 were deleted
        EXPECT(PN_OK, pn_builder_append_i64(builder, id, &err));
    EXPECT(PN_OK, pn_builder_view(builder, &array, &err));
    const pn_batch batch = {.schema = &schema, .columns = &array, .n_rows = 20};
    EXPECT(PN_OK, pn_upsert_begin(t, &schema, &options, &upsert, &err));
    EXPECT(PN_OK, pn_upsert_batch(upsert, &batch, &err));
    EXPECT(PN_OK, pn_upsert_commit(upsert, &report, &next, &err));
    read_ids(next, after, made_after, N);
    assert_true(report.n_updated > 0);
    size_t n_same = 0;
    for (size_t id = 0; id < N; id++) {
        if (before[id] == UINT64_MAX)
            continue;
        assert_int_equal(after[id], before[id]);
        assert_int_equal(made_after[id], made[id]);
        n_same++;
    }
    assert_int_equal(n_same, pn_dataset_count_rows(t));
    for (size_t a = 0; a < N; a++) // and new rows got new ones
        for (size_t b = 0; b < a; b++)
            assert_true(after[a] == UINT64_MAX || after[a] != after[b]);
    pn_builder_free(builder);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, table_place_setup, table_place_teardown)
    const struct CMUnitTest tests[] = {
        TEST(random_upserts__are_what_the_model_says),
        TEST(mistakes__are_named),
        TEST(an_upsert_without_effect__makes_no_version),
        TEST(commits_in_between__are_seen),
        TEST(no_memory__is_an_error),
        TEST(writers_at_once__insert_no_key_twice),
        TEST(stable_row_ids__stay_with_their_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
