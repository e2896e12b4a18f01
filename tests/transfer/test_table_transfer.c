/*
 * test_table_transfer.c - a table out as text, and in again as an equal table
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "column/builder.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/plain_column.h"
#include "support/scratch_folder.h"
#include "transfer/json_value.h"
#include "transfer/schema_json.h"
#include "transfer/table_export.h"
#include "transfer/table_import.h"

enum { MAX_COLUMNS = 6, MAX_ROWS = 60 };

/* ---- text in memory, read in pieces of odd sizes */

typedef struct text {
    pn_buffer bytes;
    size_t at, piece;
} text;

static pn_status write_text(void *context, const void *bytes, size_t n, pn_error *err)
{
    return pn_buffer_append(&((text *)context)->bytes, bytes, n, err);
}

static pn_status read_text(void *context, void *out, size_t n, size_t *n_read, pn_error *err)
{
    text *t = context;
    size_t left = t->bytes.n_bytes - t->at;
    (void)err;
    n = PN_MIN(PN_MIN(n, left), t->piece);
    if (n > 0)
        memcpy(out, t->bytes.data + t->at, n);
    t->at += n;
    *n_read = n;
    return PN_OK;
}

static text text_of(const char *literal)
{
    text t = {.piece = 7};
    pn_buffer_init(&t.bytes, 1u << 26);
    assert_int_equal(pn_buffer_append_text(&t.bytes, literal, NULL), PN_OK);
    return t;
}

static void expect_ok(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* ---- tables */

/* A table of random columns. Vectors have no NaN: an import refuses those. */
typedef struct sample {
    pn_field fields[MAX_COLUMNS];
    pn_schema schema;
    model_value *values[MAX_COLUMNS];
    size_t n_rows;
    bool deleted[MAX_ROWS];
    pn_dataset *dataset;
} sample;

static void without_nan(const pn_field *field, model_value *values, size_t n)
{
    for (size_t i = 0; i < n && plain_is_vector(field); i++)
        for (size_t k = 0; k < values[i].n_items; k++) {
            model_value *item = (model_value *)(uintptr_t)&values[i].items[k];
            item->is_null = false;
            item->f = isnan(item->f) ? 1 : item->f;
        }
}

static void add_column(sample *s, pn_rng *rng, pn_arena *arena, bool is_matrix)
{
    static const char *const names[MAX_COLUMNS] = {"vector", "id",           "a,b",
                                                   " c\"",   "\xE5\x90\x8D", "metadata"};
    size_t c = s->schema.n_fields++;
    pn_field *field = &s->fields[c];
    do
        plain_random_field(rng, arena, names[c], 3, field);
    while (!plain_is_writable(field));
    if (c == 0 && is_matrix) {
        assert_true(pn_field_init_vector(field, names[c], 5, arena));
        field->nullable = pn_rng_below(rng, 2);
    }
    s->values[c] = plain_random_values(rng, arena, field, s->n_rows);
    without_nan(field, s->values[c], s->n_rows);
}

static void delete_some(sample *s, pn_rng *rng)
{
    pn_error err = {0};
    pn_rowset rows;
    pn_rowset_part *part;
    uint64_t n;
    pn_dataset *next;
    pn_rowset_init(&rows);
    assert_int_equal(pn_rowset_part_get(&rows, 0, (uint32_t)s->n_rows, &part, &err), PN_OK);
    for (size_t i = 0; i < s->n_rows; i++) {
        s->deleted[i] = pn_rng_below(rng, 4) == 0;
        if (s->deleted[i])
            pn_word_bit_set(part->words, i);
    }
    expect_ok(pn_dataset_delete(s->dataset, &rows, NULL, &n, &next, &err), &err);
    pn_dataset_unref(s->dataset);
    s->dataset = next;
    pn_rowset_reset(&rows);
}

static void make_sample(sample *s, pn_rng *rng, pn_arena *arena, const char *path, bool is_matrix)
{
    pn_error err = {0};
    pn_append *append;
    pn_builder *builders[MAX_COLUMNS];
    pn_array arrays[MAX_COLUMNS];
    pn_dataset *empty;
    *s = (sample){.schema = {.fields = s->fields}, .n_rows = 1 + pn_rng_below(rng, MAX_ROWS)};
    size_t n_columns = 1 + pn_rng_below(rng, MAX_COLUMNS);
    for (size_t c = 0; c < n_columns; c++)
        add_column(s, rng, arena, is_matrix);
    expect_ok(pn_dataset_create(path, &s->schema, &empty, &err), &err);
    for (size_t c = 0; c < n_columns; c++)
        builders[c] =
            model_build(&pn_dataset_schema(empty)->fields[c], s->values[c], s->n_rows, &arrays[c]);
    pn_batch batch = {pn_dataset_schema(empty), arrays, s->n_rows};
    expect_ok(pn_append_begin(empty, &append, &err), &err);
    expect_ok(pn_append_batch(append, &batch, &err), &err);
    expect_ok(pn_append_commit(append, NULL, &s->dataset, &err), &err);
    for (size_t c = 0; c < n_columns; c++)
        pn_builder_free(builders[c]);
    pn_dataset_unref(empty);
    if (pn_rng_below(rng, 2) == 0)
        delete_some(s, rng);
}

/* The values that are left, in order: what the table at path must hold, and nothing else. */
static void expect_sample(const sample *s, const char *path, const char *what)
{
    pn_error err = {0};
    pn_dataset *dataset;
    pn_scan *scan;
    pn_batch batch;
    const pn_row_addr *addrs;
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    size_t at = 0;
    expect_ok(pn_dataset_open(path, 0, &dataset, &err), &err);
    assert_int_equal(pn_dataset_schema(dataset)->n_fields, s->schema.n_fields);
    expect_ok(pn_scan_begin(dataset, &options, &scan, &err), &err);
    for (;;) {
        expect_ok(pn_scan_next(scan, &batch, &addrs, &err), &err);
        if (batch.n_rows == 0)
            break;
        for (size_t row = 0; row < batch.n_rows; row++, at++) {
            while (at < s->n_rows && s->deleted[at])
                at++;
            for (size_t c = 0; c < s->schema.n_fields; c++)
                if (at >= s->n_rows || !model_is(&batch.columns[c], row, &s->values[c][at]))
                    fail_msg("%s: row %zu, column %zu: another value", what, at, c);
        }
    }
    while (at < s->n_rows && s->deleted[at])
        at++;
    assert_int_equal(at, s->n_rows);
    pn_scan_end(scan);
    pn_dataset_unref(dataset);
}

static char *schema_text(const pn_schema *schema, pn_arena *arena)
{
    json_t *json = pn_schema_to_json(schema, arena);
    char *dumped = json_dumps(json, 0);
    char *copy = pn_arena_strdup(arena, dumped);
    free(dumped);
    json_decref(json);
    return copy;
}

static void round_trip(const sample *s, pn_row_format format, const char *path, size_t piece,
                       pn_arena *arena)
{
    static const char *const names[] = {"NDJSON", "CSV", "NPY"};
    pn_error err = {0};
    uint64_t n;
    pn_import_counts counts;
    text out = text_of(""), rest = text_of("");
    pn_export_plan plan = {.format = format,
                           .vector_column = "vector",
                           .write = write_text,
                           .write_context = &out,
                           .write_rest = write_text,
                           .rest_context = &rest};
    expect_ok(pn_table_export(s->dataset, &plan, &n, &err), &err);
    assert_int_equal(n, pn_dataset_count_rows(s->dataset));
    out.piece = rest.piece = piece;
    pn_import_plan in = {.format = format,
                         .mode = PN_IMPORT_CREATE,
                         .schema_json = schema_text(&s->schema, arena),
                         .vector_column = "vector",
                         .read = read_text,
                         .read_context = &out,
                         .read_rest = format == PN_ROWS_NPY ? read_text : NULL,
                         .rest_context = &rest};
    pn_status status = pn_table_import(path, &in, &counts, &err);
    if (status != PN_OK)
        fail_msg("%s: %s\n%.*s", names[format], err.message, (int)out.bytes.n_bytes,
                 (char *)out.bytes.data);
    assert_int_equal(counts.n_rows, n);
    assert_int_equal(counts.n_bad_vectors, 0);
    expect_sample(s, path, names[format]);
    pn_buffer_reset(&out.bytes);
    pn_buffer_reset(&rest.bytes);
}

static void transfer__gives_an_equal_table(void **state)
{
    scratch_folder *f = *state;
    pn_rng rng = pn_rng_seed(11);
    for (int round = 0; round < 120; round++) {
        pn_arena arena;
        sample s;
        bool is_matrix = round % 3 == 0;
        size_t piece = 1 + pn_rng_below(&rng, 5000);
        pn_arena_init(&arena, SIZE_MAX);
        make_sample(&s, &rng, &arena, pn_arena_printf(&arena, "%s/%d", f->path, round), is_matrix);
        for (int format = 0; format < (is_matrix ? 3 : 2); format++)
            round_trip(&s, (pn_row_format)format,
                       pn_arena_printf(&arena, "%s/%d-%d", f->path, round, format), piece, &arena);
        pn_dataset_unref(s.dataset);
        pn_arena_reset(&arena);
    }
}

/* ---- imports by hand */

static pn_status import_text(const char *path, pn_import_plan plan, const char *literal,
                             pn_import_counts *counts, pn_error *err)
{
    text t = text_of(literal);
    plan.read = read_text;
    plan.read_context = &t;
    if (!plan.vector_column)
        plan.vector_column = "vector";
    pn_status status = pn_table_import(path, &plan, counts, err);
    pn_buffer_reset(&t.bytes);
    return status;
}

/* All rows of the newest version as NDJSON, in arena. */
static char *rows_of(const char *path, pn_arena *arena)
{
    pn_error err = {0};
    pn_dataset *dataset;
    uint64_t n;
    text out = text_of("");
    pn_export_plan plan = {.write = write_text, .write_context = &out};
    expect_ok(pn_dataset_open(path, 0, &dataset, &err), &err);
    expect_ok(pn_table_export(dataset, &plan, &n, &err), &err);
    char *copy = pn_arena_strdup(arena, pn_buffer_text(&out.bytes));
    pn_buffer_reset(&out.bytes);
    pn_dataset_unref(dataset);
    return copy;
}

static void import__does_with_bad_vectors_what_it_is_told(void **state)
{
    static const char rows[] = "{\"id\":1,\"vector\":[1,2]}\n"
                               "{\"id\":2,\"vector\":[1]}\n"
                               "{\"id\":3,\"vector\":[1,\"NaN\"]}\n"
                               "{\"id\":4,\"vector\":null}\n"
                               "{\"id\":5,\"vector\":[1,2,3]}\n"
                               "{\"id\":6,\"vector\":[3,4]}\n";
    static const struct {
        pn_vectors_policy policy;
        bool nullable;
        const char *rows, *message;
        uint64_t n_bad;
    } cases[] = {
        {PN_VECTORS_ERROR, true, NULL, "line 2: column \"vector\": the vector has another length",
         0},
        {PN_VECTORS_DROP, true,
         "{\"id\":1,\"vector\":[1,2]}\n{\"id\":4,\"vector\":null}\n{\"id\":6,\"vector\":[3,4]}\n",
         NULL, 3},
        {PN_VECTORS_DROP, false, "{\"id\":1,\"vector\":[1,2]}\n{\"id\":6,\"vector\":[3,4]}\n", NULL,
         4},
        {PN_VECTORS_FILL, false,
         "{\"id\":1,\"vector\":[1,2]}\n{\"id\":2,\"vector\":[0.5,0.5]}\n{\"id\":3,\"vector\":[0.5,"
         "0.5]}\n"
         "{\"id\":4,\"vector\":[0.5,0.5]}\n{\"id\":5,\"vector\":[0.5,0.5]}\n{\"id\":6,\"vector\":["
         "3,4]}\n",
         NULL, 4},
        {PN_VECTORS_NULL, true,
         "{\"id\":1,\"vector\":[1,2]}\n{\"id\":2,\"vector\":null}\n{\"id\":3,\"vector\":null}\n"
         "{\"id\":4,\"vector\":null}\n{\"id\":5,\"vector\":null}\n{\"id\":6,\"vector\":[3,4]}\n",
         NULL, 3},
        {PN_VECTORS_NULL, false, NULL, "cannot be null", 0},
    };
    scratch_folder *f = *state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_import_counts counts = {0};
        char *path = pn_arena_printf(&f->arena, "%s/%zu", f->path, i);
        pn_import_plan plan = {
            .mode = PN_IMPORT_CREATE, .on_bad_vectors = cases[i].policy, .fill_value = 0.5};
        plan.schema_json = pn_arena_printf(
            &f->arena,
            "[{\"name\":\"id\",\"type\":\"int64\"},"
            "{\"name\":\"vector\",\"type\":\"fixed_size_list<float>[2]\",\"nullable\":%s}]",
            cases[i].nullable ? "true" : "false");
        pn_status status = import_text(path, plan, rows, &counts, &err);
        if (cases[i].message) {
            assert_int_equal(status, PN_ERR_INVALID);
            if (!strstr(err.message, cases[i].message))
                fail_msg("%s", err.message);
            pn_dataset *none;
            assert_int_equal(pn_dataset_open(path, 0, &none, &err), PN_ERR_NOT_FOUND);
            continue; // all or nothing
        }
        expect_ok(status, &err);
        assert_string_equal(rows_of(path, &f->arena), cases[i].rows);
        assert_int_equal(counts.n_bad_vectors, cases[i].n_bad);
        assert_int_equal(counts.n_dropped, cases[i].policy == PN_VECTORS_DROP ? cases[i].n_bad : 0);
    }
}

static void import__guesses_what_is_not_said(void **state)
{
    static const struct {
        pn_row_format format;
        const char *text, *types, *message;
    } cases[] = {
        {PN_ROWS_NDJSON,
         "{\"id\":1,\"price\":4,\"vector\":[1,2],\"m\":{\"a\":\"b\"},\"s\":{\"x\":1,\"y\":\"z\"},"
         "\"l\":[[1]]}\n"
         "{\"price\":4.5,\"ok\":true,\"vector\":[0,0.5],\"m\":{\"c\":\"d\"}}\n",
         "id int64, price double, vector fixed_size_list<float>[2], m map<string, string>, "
         "s struct<x: int64, y: string>, l list<list<int64>>, ok bool",
         NULL},
        {PN_ROWS_NDJSON, "{\"a\":null,\"b\":\"1\",\"c\":\"NaN\"}\n{\"b\":2,\"c\":1}\n",
         "a string, b string, c double", NULL},
        {PN_ROWS_NDJSON, "{\"a\":1}\n{\"a\":[1]}\n", NULL, "values of different kinds"},
        {PN_ROWS_NDJSON, "", NULL, "no row to guess"},
        {PN_ROWS_NDJSON, "[1]\n", NULL, "line 1: a row is a JSON object"},
        {PN_ROWS_NDJSON, "{\"a\":1\n", NULL, "line 1: not JSON"},
        {PN_ROWS_NDJSON, "{\"vector\":[\"a\"]}\n", NULL, "holds no vectors of numbers"},
        {PN_ROWS_CSV,
         "\xEF\xBB\xBFid,zip,price,vector,note,big\n1,01234,2.50,\"[1,2]\",,12345678901234567890\n",
         "id int64, zip string, price double, vector fixed_size_list<float>[2], note string, big "
         "string",
         NULL},
        {PN_ROWS_CSV, "a,b\n[1],true\nx,false\n", "a string, b bool", NULL},
        {PN_ROWS_CSV, "a,a\n1,2\n", NULL, "two columns are named \"a\""},
        {PN_ROWS_CSV, "a,b\n1\n", NULL, "line 2: 1 fields, and the first line has 2 names"},
        {PN_ROWS_CSV, "a,b\n1,\"x\n", NULL, "line 2, field 2: a quote that is never closed"},
        {PN_ROWS_CSV, "a,b\n\n1,2\n", "a int64, b int64", NULL},
        {PN_ROWS_NPY, "a,b\n\n1,2\n", NULL, "not a NumPy file"},
    };
    scratch_folder *f = *state;
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_import_counts counts;
        char *path = pn_arena_printf(&f->arena, "%s/%zu", f->path, i);
        pn_import_plan plan = {.format = cases[i].format, .mode = PN_IMPORT_CREATE};
        pn_status status = import_text(path, plan, cases[i].text, &counts, &err);
        if (cases[i].message) {
            assert_int_equal(status, PN_ERR_INVALID);
            if (!strstr(err.message, cases[i].message))
                fail_msg("case %zu: %s", i, err.message);
            continue;
        }
        expect_ok(status, &err);
        pn_dataset *dataset;
        expect_ok(pn_dataset_open(path, 0, &dataset, &err), &err);
        const pn_schema *schema = pn_dataset_schema(dataset);
        char *types = pn_arena_strdup(&f->arena, "");
        for (size_t c = 0; c < schema->n_fields; c++)
            types = pn_arena_printf(&f->arena, "%s%s%s %s", types, c > 0 ? ", " : "",
                                    schema->fields[c].name,
                                    pn_type_text(&schema->fields[c], &f->arena));
        assert_string_equal(types, cases[i].types);
        pn_dataset_unref(dataset);
    }
}

static void import__appends_creates_and_refuses(void **state)
{
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    char *path = scratch_path(f, "t");
    pn_import_plan plan = {.mode = PN_IMPORT_APPEND};
    assert_int_equal(import_text(path, plan, "{\"a\":1}\n", &counts, &err), PN_ERR_NOT_FOUND);
    plan.mode = PN_IMPORT_EXIST_OK;
    expect_ok(import_text(path, plan, "{\"a\":1}\n\n{\"a\":null}", &counts, &err), &err);
    assert_int_equal(counts.n_rows, 2);
    assert_int_equal(counts.version, 1);
    expect_ok(import_text(path, plan, "{\"a\":3}\r\n{}\r\n", &counts, &err), &err);
    plan.mode = PN_IMPORT_CREATE;
    assert_int_equal(import_text(path, plan, "{\"a\":1}\n", &counts, &err), PN_ERR_EXISTS);
    plan.mode = PN_IMPORT_APPEND;
    assert_int_equal(import_text(path, plan, "{\"a\":5}\n{\"b\":1}\n", &counts, &err),
                     PN_ERR_INVALID);
    assert_string_equal(err.message, "line 2: the table has no column \"b\"");
    assert_int_equal(import_text(path, plan, "{\"a\":5}\n{\"a\":\"x\"}\n", &counts, &err),
                     PN_ERR_INVALID);
    assert_string_equal(err.message, "line 2: column \"a\": \"x\" is not a whole number");
    assert_string_equal(rows_of(path, &f->arena),
                        "{\"a\":1}\n{\"a\":null}\n{\"a\":3}\n{\"a\":null}\n");
}

/* A first line that is longer than what is looked at, and more keys than a table can have columns: a map's. */
static void import__guesses_from_wide_rows(void **state)
{
    enum { LONG = 5 << 20, KEYS = 200000 };
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    pn_import_plan plan = {.mode = PN_IMPORT_CREATE};
    char *line = pn_arena_alloc(&f->arena, LONG + 16), *at;
    assert_non_null(line);
    memset(line, 'x', LONG);
    memcpy(line, "{\"a\":\"", 6);
    memcpy(line + LONG, "\"}\n", 4);
    expect_ok(import_text(scratch_path(f, "long"), plan, line, &counts, &err), &err);
    assert_int_equal(counts.n_rows, 1);
    assert_string_equal(rows_of(scratch_path(f, "long"), &f->arena), line);

    at = line + sprintf(line, "{\"m\":{");
    for (int i = 0; i < KEYS; i++)
        at += sprintf(at, "%s\"%d\":\"v\"", i > 0 ? "," : "", i);
    (void)sprintf(at, "}}\n");
    expect_ok(import_text(scratch_path(f, "map"), plan, line, &counts, &err), &err);
    const char *rows = rows_of(scratch_path(f, "map"), &f->arena); // so many as pairs
    assert_int_equal(strncmp(rows, "{\"m\":[[\"0\",\"v\"],", 16), 0);
    assert_non_null(strstr(rows, ",[\"199999\",\"v\"]]}\n"));
    (void)sprintf(at, ",\"n\":1}}\n");
    assert_int_equal(import_text(scratch_path(f, "none"), plan, line, &counts, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "column \"m\" has over 4096 members"));
    memcpy(line, "     {", 6); // {"m":{...}}: its members as columns
    (void)sprintf(at, "}\n");
    assert_int_equal(import_text(scratch_path(f, "none"), plan, line, &counts, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "a table has at most 4096 columns"));
}

/* All of it with one commit: rows that do not fit leave no table, and two that come at once are both there. */
static void import__makes_a_table_with_its_rows_or_none(void **state)
{
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    pn_dataset *dataset, *meanwhile;
    pn_append *first, *other, *late;
    char *path = scratch_path(f, "none");
    static const pn_import_mode modes[] = {PN_IMPORT_CREATE, PN_IMPORT_EXIST_OK,
                                           PN_IMPORT_OVERWRITE};
    for (size_t i = 0; i < PN_COUNT_OF(modes); i++) {
        pn_import_plan plan = {.mode = modes[i],
                               .schema_json = "[{\"name\":\"a\",\"type\":\"int64\"}]"};
        assert_int_equal(import_text(path, plan, "{\"a\":5}\n{\"a\":\"x\"}\n", &counts, &err),
                         PN_ERR_INVALID);
        assert_int_equal(pn_dataset_open(path, 0, &dataset, &err), PN_ERR_NOT_FOUND);
        assert_false(pn_path_exists(path)); // LanceDB lists every folder as a table
    }
    pn_import_plan plan = {.mode = PN_IMPORT_CREATE,
                           .schema_json = "[{\"name\":\"a\",\"type\":\"int64\"}]"};
    assert_int_equal(pn_dir_make(path, &err), PN_OK); // a folder that somebody else has made stays
    assert_int_equal(import_text(path, plan, "{\"a\":\"x\"}\n", &counts, &err), PN_ERR_INVALID);
    assert_true(pn_path_exists(path));
    plan.schema_json = NULL;
    expect_ok(import_text(path, plan, "{\"a\":5}\n", &counts, &err), &err);
    assert_int_equal(counts.version, 1);
    assert_string_equal(rows_of(path, &f->arena), "{\"a\":5}\n");

    path = scratch_path(f, "raced");
    pn_field field;
    pn_array value;
    pn_builder *builder;
    pn_field_init(&field, "a", PN_TYPE_INT64, true);
    const pn_schema schema = {.fields = &field, .n_fields = 1};
    expect_ok(pn_builder_create(&field, 1024, &builder, &err), &err);
    expect_ok(pn_builder_append_i64(builder, 7, &err), &err);
    expect_ok(pn_builder_view(builder, &value, &err), &err);
    const pn_batch batch = {.schema = &schema, .columns = &value, .n_rows = 1};
    expect_ok(pn_create_begin(path, &schema, NULL, true, &first, &err), &err);
    expect_ok(pn_create_begin(path, &schema, NULL, true, &other, &err), &err);
    expect_ok(pn_create_begin(path, &schema, NULL, false, &late, &err), &err);
    expect_ok(pn_append_batch(first, &batch, &err), &err);
    expect_ok(pn_append_batch(other, &batch, &err), &err);
    expect_ok(pn_append_commit(first, NULL, &dataset, &err), &err);
    assert_int_equal(pn_dataset_version(dataset), 1);
    expect_ok(pn_append_commit(other, NULL, &meanwhile, &err), &err);
    assert_int_equal(pn_dataset_version(meanwhile), 2);
    pn_dataset_unref(meanwhile);
    pn_dataset_unref(dataset);
    assert_int_equal(pn_append_commit(late, NULL, &dataset, &err), PN_ERR_EXISTS);
    assert_non_null(strstr(err.message, "raced: there is a table already"));
    assert_string_equal(rows_of(path, &f->arena), "{\"a\":7}\n{\"a\":7}\n");

    path = scratch_path(f, "of others");
    expect_ok(pn_create_begin(path, &schema, NULL, true, &first, &err), &err);
    expect_ok(import_text(path, plan, "{\"a\":\"x\"}\n", &counts, &err), &err);
    expect_ok(pn_append_batch(first, &batch, &err), &err);
    assert_int_equal(pn_append_commit(first, NULL, &dataset, &err), PN_ERR_CONFLICT);
    assert_non_null(strstr(err.message, "of other columns"));
    assert_string_equal(rows_of(path, &f->arena), "{\"a\":\"x\"}\n");
    pn_builder_free(builder);
}

static bool stop_at_once(void *context, uint64_t n_rows, uint64_t n_bytes)
{
    *(uint64_t *)context = n_rows + n_bytes;
    return false;
}

static void import__stops_when_told(void **state)
{
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    uint64_t seen = 0;
    char *path = scratch_path(f, "t");
    pn_import_plan plan = {
        .mode = PN_IMPORT_CREATE, .progress = stop_at_once, .progress_context = &seen};
    assert_int_equal(import_text(path, plan, "{\"a\":1}\n", &counts, &err), PN_ERR_CANCELLED);
    assert_int_equal(seen, 1 + 8);
    pn_dataset *dataset;
    assert_int_equal(pn_dataset_open(path, 0, &dataset, &err), PN_ERR_NOT_FOUND);
}

/* A matrix beside other columns: as many rows, and no column twice. */
static void import__takes_matrices_that_fit(void **state)
{
    static const uint8_t head[] =
        "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
        "          \n";
    static const float numbers[] = {1, 2, NAN, NAN};
    static const struct {
        const char *rest, *message;
        size_t cut;
    } cases[] = {{"{\"id\":1}\n{\"id\":2}\n", NULL, 0},
                 {"{\"id\":1}\n", "has 2 rows, the other fewer", 0},
                 {"{\"id\":1}\n{\"id\":2}\n{}\n", "has 2 rows, the other more", 0},
                 {"{\"id\":1}\n{\"id\":2}\n", "ends after 1 of 2 rows", 1},
                 {"{\"id\":1}\n{\"id\":2,\"vector\":[1,2]}\n", "in both files", 0}};
    scratch_folder *f = *state;
    assert_int_equal(sizeof head - 1, 80);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_import_counts counts;
        char *path = pn_arena_printf(&f->arena, "%s/%zu", f->path, i);
        text matrix = text_of(""), rest = text_of(cases[i].rest);
        assert_int_equal(pn_buffer_append(&matrix.bytes, head, sizeof head - 1, NULL), PN_OK);
        assert_int_equal(
            pn_buffer_append(&matrix.bytes, numbers, sizeof numbers - cases[i].cut, NULL), PN_OK);
        pn_import_plan plan = {.format = PN_ROWS_NPY,
                               .mode = PN_IMPORT_CREATE,
                               .vector_column = "vector",
                               .schema_json =
                                   "[{\"name\":\"id\",\"type\":\"int32\"},"
                                   "{\"name\":\"vector\",\"type\":\"fixed_size_list<double>[2]\"}]",
                               .read = read_text,
                               .read_context = &matrix,
                               .read_rest = read_text,
                               .rest_context = &rest};
        pn_status status = pn_table_import(path, &plan, &counts, &err);
        pn_buffer_reset(&matrix.bytes);
        pn_buffer_reset(&rest.bytes);
        if (cases[i].message) {
            assert_int_equal(status, PN_ERR_INVALID);
            if (!strstr(err.message, cases[i].message))
                fail_msg("case %zu: %s", i, err.message);
            continue;
        }
        expect_ok(status, &err);
        assert_string_equal(rows_of(path, &f->arena),
                            "{\"id\":1,\"vector\":[1,2]}\n{\"id\":2,\"vector\":null}\n");
    }
}

/* A matrix of four rows of two numbers: whole, with an infinity, with a NaN, of NaN alone. */
static const char *import_matrix(scratch_folder *f, const char *type, const void *numbers,
                                 size_t n_bytes, pn_import_plan plan, pn_import_counts *counts,
                                 pn_error *err)
{
    static int n_tables;
    char *path = pn_arena_printf(&f->arena, "%s/m%d", f->path, n_tables++);
    text matrix = text_of("");
    char *dictionary = pn_arena_printf(
        &f->arena, "{'descr': '%s', 'fortran_order': False, 'shape': (4, 2), }          \n", type);
    assert_int_equal(strlen(dictionary), 70);
    assert_int_equal(pn_buffer_append(&matrix.bytes, "\x93NUMPY\x01\x00\x46\x00", 10, NULL), PN_OK);
    assert_int_equal(pn_buffer_append(&matrix.bytes, dictionary, 70, NULL), PN_OK);
    assert_int_equal(pn_buffer_append(&matrix.bytes, numbers, n_bytes, NULL), PN_OK);
    plan.format = PN_ROWS_NPY;
    plan.mode = PN_IMPORT_CREATE;
    plan.vector_column = "vector";
    plan.read = read_text;
    plan.read_context = &matrix;
    pn_status status = pn_table_import(path, &plan, counts, err);
    pn_buffer_reset(&matrix.bytes);
    return status == PN_OK ? rows_of(path, &f->arena) : NULL;
}

static const uint16_t HALVES[8] = {0x3C00, 0x0001, 0x7C00, 0xC000, 0x7E00, 0x3C00, 0x7E00, 0xFE00};
static const char NULLABLE[] =
    "[{\"name\":\"vector\",\"type\":\"fixed_size_list<float>[2]\",\"nullable\":true}]";

static void import__takes_a_matrix_of_halves(void **state)
{
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    assert_null(import_matrix(f, "<f2", HALVES, sizeof HALVES, (pn_import_plan){0}, &counts, &err));
    assert_non_null(strstr(err.message, "row 3: column \"vector\": the vector has a NaN"));

    pn_import_plan drop = {.on_bad_vectors = PN_VECTORS_DROP};
    const char *rows = import_matrix(f, "<f2", HALVES, sizeof HALVES, drop, &counts, &err);
    assert_string_equal(rows, "{\"vector\":[1,5.9604645e-08]}\n{\"vector\":[\"Infinity\",-2]}\n"
                              "{\"vector\":null}\n");
    assert_int_equal(counts.n_rows, 3);
    assert_int_equal(counts.n_dropped, 1);

    pn_import_plan fill = {.on_bad_vectors = PN_VECTORS_FILL, .fill_value = 0.5};
    rows = import_matrix(f, "<f2", HALVES, sizeof HALVES, fill, &counts, &err);
    assert_non_null(strstr(rows, "{\"vector\":[0.5,0.5]}\n{\"vector\":null}\n"));

    pn_import_plan null = {.on_bad_vectors = PN_VECTORS_NULL, .schema_json = NULLABLE};
    rows = import_matrix(f, "<f2", HALVES, sizeof HALVES, null, &counts, &err);
    assert_non_null(strstr(rows, "-2]}\n{\"vector\":null}\n{\"vector\":null}\n"));
    assert_int_equal(counts.n_bad_vectors, 1);

    assert_null(import_matrix(f, "<f2", HALVES, sizeof HALVES - 1, drop, &counts, &err));
    assert_non_null(strstr(err.message, "ends after 3 of 4 rows"));
    assert_null(import_matrix(f, "<i2", HALVES, sizeof HALVES, drop, &counts, &err));
    assert_non_null(strstr(err.message, "holds '<i2', not float16, float32 or float64"));
}

static void import__keeps_halves_as_they_are(void **state)
{
    static const char schema[] = "[{\"name\":\"vector\",\"type\":\"fixed_size_list<halffloat>[2]\","
                                 "\"nullable\":true}]";
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    pn_import_plan drop = {.on_bad_vectors = PN_VECTORS_DROP, .schema_json = schema};
    const char *rows = import_matrix(f, "<f2", HALVES, sizeof HALVES, drop, &counts, &err);
    assert_non_null(rows);
    assert_non_null(strstr(rows, "{\"vector\":[\"Infinity\",-2]}\n{\"vector\":null}\n"));
    assert_int_equal(counts.n_rows, 3);
}

/* Numbers of a float64 file come whole into columns that have room for them, and are refused by others. */
static void import__refuses_numbers_beyond_the_column(void **state)
{
    static const double numbers[8] = {0.1, 1e300, -INFINITY, 2, NAN, 3, NAN, NAN};
    static const char doubles[] = "[{\"name\":\"vector\",\"type\":\"fixed_size_list<double>[2]\","
                                  "\"nullable\":true}]";
    scratch_folder *f = *state;
    pn_error err = {0};
    pn_import_counts counts;
    pn_import_plan drop = {.on_bad_vectors = PN_VECTORS_DROP, .schema_json = doubles};
    const char *rows = import_matrix(f, "<f8", numbers, sizeof numbers, drop, &counts, &err);
    assert_string_equal(rows, "{\"vector\":[0.1,1e+300]}\n{\"vector\":[\"-Infinity\",2]}\n"
                              "{\"vector\":null}\n");
    drop.schema_json = NULL;
    rows = import_matrix(f, "<f8", numbers, sizeof numbers, drop, &counts, &err);
    assert_string_equal(rows, "{\"vector\":[\"-Infinity\",2]}\n{\"vector\":null}\n");
    assert_int_equal(counts.n_dropped, 2);
    drop.on_bad_vectors = PN_VECTORS_ERROR;
    assert_null(import_matrix(f, "<f8", numbers, sizeof numbers, drop, &counts, &err));
    assert_non_null(strstr(err.message, "row 1: column \"vector\": the vector has a number that "
                                        "does not fit"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transfer__gives_an_equal_table, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__does_with_bad_vectors_what_it_is_told,
                                        scratch_folder_setup, scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__guesses_what_is_not_said, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__appends_creates_and_refuses, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__guesses_from_wide_rows, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__makes_a_table_with_its_rows_or_none,
                                        scratch_folder_setup, scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__stops_when_told, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__takes_matrices_that_fit, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__takes_a_matrix_of_halves, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__keeps_halves_as_they_are, scratch_folder_setup,
                                        scratch_folder_teardown),
        cmocka_unit_test_setup_teardown(import__refuses_numbers_beyond_the_column,
                                        scratch_folder_setup, scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
