/*
 * table_import.c - rows from NDJSON, CSV or a NumPy matrix into a table
 *
 *     source -> row (a JSON object | CSV fields | numbers, and an object) -> builders -> batch -> data file ... -> one commit
 *
 * The commit makes the table, appends, overwrites the table, or is an upsert (dataset/upsert.h), for which not all columns have to come.
 *
 * Memory is one row, one batch of rows, and the pages in the hand of the file's writer. A batch ends after 4,096 rows or 32 MiB of text.
 *
 * Vectors are looked at before anything of the row is appended, so that a row can still be dropped.
 */
#include "transfer/table_import.h"

#include "base/limits.h"
#include "base/npy.h"
#include "transfer/csv_rows.h"
#include "transfer/guess_schema.h"
#include "transfer/json_value.h"
#include "transfer/scalar_text.h"
#include "transfer/schema_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BATCH_ROWS = 4096, BATCH_BYTES = 32 << 20, LOOK_BYTES = 4 << 20 };

/* Where the value of a column comes from, of the row in hand. */
typedef struct cell {
    enum { CELL_NONE, CELL_JSON, CELL_TEXT, CELL_NUMBERS } kind;
    const json_t *json;
    pn_str text; /* ptr NULL: a null */
    const double *numbers;
    size_t n_numbers, number_bytes; /* number_bytes: of each where it comes from, 2, 4 or 8 */
    float *floats;                  /* [n_numbers] room for the same in another width */
} cell;

typedef struct importer {
    const pn_import_plan *plan;
    pn_arena arena;
    pn_text_source source, rest;
    pn_dataset *dataset; /* NULL: the commit makes the table */
    const pn_schema
        *schema; /* of the rows: the dataset's, what comes of it, or what comes in its place */
    pn_append *append; /* or else */
    pn_upsert *upsert;
    pn_builder **builders; /* [schema->n_fields] */
    pn_array *views;       /* likewise */
    size_t n_in_batch;
    uint64_t batch_start; /* of bytes taken */

    pn_csv_row csv;
    ptrdiff_t *csv_places; /* CSV: [schema->n_fields] which field of a row; -1: none */
    size_t n_csv;
    pn_npy_header npy;
    uint64_t npy_row;
    double *numbers; /* NPY: [npy.shape[1]] of the row in hand */
    float *floats;   /* likewise */
    json_t *object;
    cell *cells; /* [schema->n_fields] of the row in hand */
    pn_import_counts counts;
} importer;

/* ---- vectors ---- */

static bool is_vector(const pn_field *field)
{
    return field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type >= PN_TYPE_HALF &&
           field->children[0].type <= PN_TYPE_DOUBLE;
}

/* Why the vector is bad, or NULL. What is no list of numbers at all is for the builder to refuse. */
static const char *fault_of_json(const json_t *value, const pn_field *field)
{
    if (!value || json_is_null(value))
        return field->nullable ? NULL : "is null";
    if (!json_is_array(value))
        return NULL;
    if (json_array_size(value) != (size_t)field->size)
        return "has another length";
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (json_is_null(item) ||
            (json_is_string(item) && strcmp(json_string_value(item), "NaN") == 0))
            return "has a NaN";
        if (!pn_real_fits(json_number_value(item), field->children[0].type))
            return "has a number that does not fit";
    }
    return NULL;
}

static const char *fault_of_numbers(const cell *c, const pn_field *field)
{
    size_t n_nan = 0;
    if (c->n_numbers != (size_t)field->size)
        return "has another length";
    for (size_t i = 0; i < c->n_numbers; i++)
        n_nan += isnan(c->numbers[i]);
    if (n_nan == c->n_numbers && field->nullable)
        return NULL; // a null, as an export writes it
    if (n_nan > 0)
        return "has a NaN";
    bool all_fit = pn_type_width(&field->children[0]) >= c->number_bytes;
    for (size_t i = 0; i < c->n_numbers && !all_fit; i++)
        if (!pn_real_fits(c->numbers[i], field->children[0].type))
            return "has a number that does not fit";
    return NULL;
}

static const char *fault_of(const cell *c, const pn_field *field)
{
    switch (c->kind) {
    case CELL_JSON:
        return fault_of_json(c->json, field);
    case CELL_NUMBERS:
        return fault_of_numbers(c, field);
    case CELL_TEXT:
    case CELL_NONE:
        break;
    }
    return field->nullable ? NULL : "is null";
}

static pn_status append_filled(pn_builder *builder, const pn_field *field, double value,
                               pn_error *err)
{
    for (int32_t i = 0; i < field->size; i++)
        PN_TRY(pn_builder_append_double(pn_builder_child(builder, 0), value, err));
    return pn_builder_close_row(builder, err);
}

/* ---- one row ---- */

static pn_status append_numbers(pn_builder *builder, const cell *c, const pn_field *field,
                                pn_error *err)
{
    if (field->nullable && isnan(c->numbers[0]))
        return pn_builder_append_null(builder, err);
    if (field->children[0].type == PN_TYPE_FLOAT) {
        for (size_t i = 0; i < c->n_numbers; i++)
            c->floats[i] = (float)c->numbers[i];
        return pn_builder_append_floats(builder, c->floats, c->n_numbers, err);
    }
    for (size_t i = 0; i < c->n_numbers; i++)
        PN_TRY(pn_builder_append_double(pn_builder_child(builder, 0), c->numbers[i], err));
    return pn_builder_close_row(builder, err);
}

static pn_status append_cell(pn_builder *builder, const cell *c, const pn_field *field,
                             pn_error *err)
{
    switch (c->kind) {
    case CELL_JSON:
        return pn_value_from_json(builder, field, c->json, err);
    case CELL_NUMBERS:
        return append_numbers(builder, c, field, err);
    case CELL_TEXT:
        if (c->text.ptr)
            return pn_scalar_from_text(builder, field, c->text, err);
        break;
    case CELL_NONE:
        break;
    }
    return pn_builder_append_null(builder, err);
}

/* *is_dropped: of no further interest. Bad vectors become what the policy says. */
static pn_status check_vectors(importer *im, bool *is_bad, bool *is_dropped, pn_error *err)
{
    const pn_import_plan *plan = im->plan;
    *is_dropped = false;
    for (size_t i = 0; i < im->schema->n_fields; i++) {
        const pn_field *field = &im->schema->fields[i];
        const char *fault = is_vector(field) ? fault_of(&im->cells[i], field) : NULL;
        is_bad[i] = fault != NULL;
        if (!fault)
            continue;
        if (plan->on_bad_vectors == PN_VECTORS_ERROR)
            return pn_fail(err, PN_ERR_INVALID,
                           "column \"%s\": the vector %s (it takes %d numbers)", field->name, fault,
                           (int)field->size);
        if (plan->on_bad_vectors == PN_VECTORS_NULL && !field->nullable)
            return pn_fail(err, PN_ERR_INVALID,
                           "column \"%s\": the vector %s, and the column cannot be null",
                           field->name, fault);
        im->counts.n_bad_vectors++;
        *is_dropped = *is_dropped || plan->on_bad_vectors == PN_VECTORS_DROP;
    }
    return PN_OK;
}

static pn_status flush_batch(importer *im, pn_error *err)
{
    if (im->n_in_batch == 0)
        return PN_OK;
    for (size_t i = 0; i < im->schema->n_fields; i++)
        PN_TRY(pn_builder_view(im->builders[i], &im->views[i], err));
    pn_batch batch = {.schema = im->schema, .columns = im->views, .n_rows = im->n_in_batch};
    if (im->upsert)
        PN_TRY(pn_upsert_batch(im->upsert, &batch, err));
    else
        PN_TRY(pn_append_batch(im->append, &batch, err));
    for (size_t i = 0; i < im->schema->n_fields; i++)
        pn_builder_clear(im->builders[i]);
    im->n_in_batch = 0;
    return PN_OK;
}

static uint64_t bytes_taken(const importer *im)
{
    return im->source.n_taken + im->rest.n_taken;
}

static pn_status append_row(importer *im, bool *is_bad, pn_error *err)
{
    bool is_dropped;
    PN_TRY(check_vectors(im, is_bad, &is_dropped, err));
    im->counts.n_dropped += is_dropped;
    for (size_t i = 0; i < im->schema->n_fields && !is_dropped; i++) {
        const pn_field *field = &im->schema->fields[i];
        pn_builder *builder = im->builders[i];
        if (!is_bad[i])
            PN_TRY(append_cell(builder, &im->cells[i], field, err));
        else if (im->plan->on_bad_vectors == PN_VECTORS_FILL)
            PN_TRY(append_filled(builder, field, im->plan->fill_value, err));
        else
            PN_TRY(pn_builder_append_null(builder, err));
    }
    im->n_in_batch += !is_dropped;
    im->counts.n_rows += !is_dropped;
    return PN_OK;
}

/* ---- rows of each form: the cells of the next one ---- */

static pn_status no_column(const importer *im, pn_str name, pn_error *err)
{
    bool is_late = im->upsert && pn_schema_find(pn_dataset_schema(im->dataset), name) >= 0;
    return pn_fail(err, PN_ERR_INVALID, "%s \"" PN_STR_FORMAT "\"",
                   is_late ? "none of the first rows has the column" : "the table has no column",
                   PN_STR_ARG(name));
}

static pn_status take_object(importer *im, pn_str line, bool skip_vector, pn_error *err)
{
    size_t n_found = 0;
    json_decref(im->object);
    im->object = NULL;
    PN_TRY(pn_json_parse(line, &im->object, err));
    if (!json_is_object(im->object))
        return pn_fail(err, PN_ERR_INVALID, "a row is a JSON object, and here is something else");
    for (size_t i = 0; i < im->schema->n_fields; i++) {
        const char *name = im->schema->fields[i].name;
        const json_t *value = json_object_get(im->object, name);
        if (skip_vector && strcmp(name, im->plan->vector_column) == 0)
            continue; // twice would be once too often, which the count tells
        n_found += value != NULL;
        im->cells[i] = (cell){.kind = value ? CELL_JSON : CELL_NONE, .json = value};
    }
    if (n_found == json_object_size(im->object))
        return PN_OK;
    const char *key;
    json_t *value;
    json_object_foreach(im->object, key, value)
    {
        if (pn_schema_find(im->schema, pn_str_of(key)) < 0)
            return no_column(im, pn_str_of(key), err);
    }
    return pn_fail(err, PN_ERR_INVALID, "the column \"%s\" is in both files",
                   im->plan->vector_column);
}

static pn_status next_line(importer *im, pn_text_source *source, bool skip_vector, bool *is_end,
                           pn_error *err)
{
    pn_str line;
    do
        PN_TRY(pn_text_source_line(source, &line, is_end, err));
    while (!*is_end && pn_str_trim(line).len == 0);
    return *is_end ? PN_OK : take_object(im, line, skip_vector, err);
}

static pn_status next_csv(importer *im, bool *is_end, pn_error *err)
{
    do
        PN_TRY(pn_csv_row_read(&im->source, &im->csv, is_end, err));
    while (!*is_end && im->n_csv > 1 && im->csv.n == 1 && !pn_csv_row_field(&im->csv, 0).ptr);
    if (*is_end)
        return PN_OK;
    if (im->csv.n != im->n_csv)
        return pn_fail(err, PN_ERR_INVALID, "%zu fields, and the first line has %zu names",
                       im->csv.n, im->n_csv);
    json_decref(im->object);
    im->object = json_array(); // holds what the cells point to
    if (!im->object)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < im->schema->n_fields; i++) {
        const pn_field *field = &im->schema->fields[i];
        pn_str text = im->csv_places[i] >= 0 ? pn_csv_row_field(&im->csv, (size_t)im->csv_places[i])
                                             : (pn_str){NULL, 0};
        im->cells[i] = (cell){.kind = CELL_TEXT, .text = text};
        if (!text.ptr || pn_type_is_scalar(field->type))
            continue;
        json_t *value;
        pn_status status = pn_json_parse(text, &value, err);
        if (status != PN_OK)
            return pn_fail_wrap(err, status, "column \"%s\": ", field->name);
        if (json_array_append_new(im->object, value) != 0)
            return pn_fail_nomem(err);
        im->cells[i] = (cell){.kind = CELL_JSON, .json = value};
    }
    return PN_OK;
}

static pn_status take_numbers(importer *im, pn_error *err)
{
    size_t n = (size_t)im->npy.shape[1], bytes = n * im->npy.number_bytes;
    PN_TRY(pn_text_source_fill(&im->source, bytes, err));
    pn_str raw = pn_text_source_peek(&im->source);
    if (raw.len < bytes)
        return pn_fail(err, PN_ERR_INVALID,
                       "the NumPy file ends after %" PRIu64 " of %" PRIu64 " rows", im->npy_row,
                       im->npy.shape[0]);
    pn_npy_numbers(&im->npy, raw.ptr, n, im->numbers);
    pn_text_source_take(&im->source, bytes);
    im->npy_row++;
    return PN_OK;
}

static pn_status next_npy(importer *im, bool *is_end, pn_error *err)
{
    bool no_rest = true;
    for (size_t i = 0; i < im->schema->n_fields; i++)
        im->cells[i] = (cell){.kind = CELL_NONE};
    if (im->plan->read_rest)
        PN_TRY(next_line(im, &im->rest, true, &no_rest, err));
    *is_end = im->npy_row == im->npy.shape[0];
    if (im->plan->read_rest && no_rest != *is_end)
        return pn_fail(err, PN_ERR_INVALID, "the NumPy file has %" PRIu64 " rows, the other %s",
                       im->npy.shape[0], no_rest ? "fewer" : "more");
    if (*is_end)
        return PN_OK;
    PN_TRY(take_numbers(im, err));
    ptrdiff_t at = pn_schema_find(im->schema, pn_str_of(im->plan->vector_column));
    im->cells[at] = (cell){.kind = CELL_NUMBERS,
                           .numbers = im->numbers,
                           .n_numbers = (size_t)im->npy.shape[1],
                           .number_bytes = im->npy.number_bytes,
                           .floats = im->floats};
    return PN_OK;
}

static pn_status next_row(importer *im, bool *is_end, pn_error *err)
{
    switch (im->plan->format) {
    case PN_ROWS_NDJSON:
        return next_line(im, &im->source, false, is_end, err);
    case PN_ROWS_CSV:
        return next_csv(im, is_end, err);
    case PN_ROWS_NPY:
        break;
    }
    return next_npy(im, is_end, err);
}

/* Whatever is wrong with a row is told with its place. */
static pn_status place_fault(const importer *im, pn_status status, pn_error *err)
{
    if (status != PN_ERR_INVALID && status != PN_ERR_LIMIT)
        return status;
    if (im->plan->format == PN_ROWS_NPY)
        return pn_fail_wrap(err, status, "row %" PRIu64 ": ", im->npy_row);
    if (pn_str_starts_with(pn_str_of(err ? err->message : ""), "line "))
        return status;
    return pn_fail_wrap(err, status, "line %" PRIu64 ": ",
                        im->plan->format == PN_ROWS_CSV ? im->csv.line : im->source.line);
}

static pn_status import_rows(importer *im, pn_error *err)
{
    bool is_end = false;
    bool *is_bad = PN_ARENA_NEW(&im->arena, bool, im->schema->n_fields + 1);
    if (!is_bad)
        return pn_fail_nomem(err);
    while (!is_end) {
        pn_status status = next_row(im, &is_end, err);
        if (status == PN_OK && !is_end)
            status = append_row(im, is_bad, err);
        if (status != PN_OK)
            return place_fault(im, status, err);
        if (!is_end && im->n_in_batch < BATCH_ROWS &&
            bytes_taken(im) - im->batch_start < BATCH_BYTES)
            continue;
        PN_TRY(flush_batch(im, err));
        im->batch_start = bytes_taken(im);
        if (im->plan->progress &&
            !im->plan->progress(im->plan->progress_context, im->counts.n_rows, bytes_taken(im)))
            return pn_fail(err, PN_ERR_CANCELLED, "stopped: no row was added");
    }
    return PN_OK;
}

/* ---- the table ---- */

static pn_status read_npy_header(importer *im, pn_error *err)
{
    PN_TRY(pn_text_source_fill(&im->source, PN_NPY_FIRST_BYTES, err));
    pn_str there = pn_text_source_peek(&im->source);
    size_t n =
        there.len >= PN_NPY_FIRST_BYTES ? pn_npy_header_bytes((const uint8_t *)there.ptr) : 0;
    PN_TRY(pn_text_source_fill(&im->source, n, err));
    there = pn_text_source_peek(&im->source);
    if (n == 0 || there.len < n)
        return pn_fail(err, PN_ERR_INVALID, "this is not a NumPy file");
    PN_TRY(pn_npy_header_parse(pn_str_make(there.ptr, n), &im->npy, err));
    if (im->npy.n_dims != 2)
        return pn_fail(err, PN_ERR_INVALID,
                       "the NumPy file is not a matrix of rows and columns: it has %zu dimensions",
                       im->npy.n_dims);
    if (im->npy.shape[1] == 0 || im->npy.shape[1] > PN_EMBEDDING_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "vectors of %" PRIu64 " numbers: 1 to %d are possible",
                       im->npy.shape[1], PN_EMBEDDING_MAX_DIM);
    pn_text_source_take(&im->source, n);
    im->numbers = PN_ARENA_NEW(&im->arena, double, (size_t)im->npy.shape[1]);
    im->floats = PN_ARENA_NEW(&im->arena, float, (size_t)im->npy.shape[1]);
    return im->numbers && im->floats ? PN_OK : pn_fail_nomem(err);
}

/* What is looked at before any of it is taken: some, and the first line in any case. */
static pn_status look_ahead(pn_text_source *source, pn_error *err)
{
    PN_TRY(pn_text_source_fill(source, LOOK_BYTES, err));
    return pn_text_source_fill_line(source, err);
}

/* The columns beside the vectors, and those. */
static pn_status guess_npy(importer *im, pn_schema *out, pn_error *err)
{
    pn_schema rest = {0};
    if (im->plan->read_rest) {
        PN_TRY(look_ahead(&im->rest, err));
        PN_TRY(pn_schema_guess(pn_text_source_peek(&im->rest), im->rest.ended, false, NULL,
                               &im->arena, &rest, err));
    }
    pn_field *fields = PN_ARENA_NEW(&im->arena, pn_field, rest.n_fields + 1);
    if (!fields || !pn_field_init_vector(&fields[0], im->plan->vector_column,
                                         (int32_t)im->npy.shape[1], &im->arena))
        return pn_fail_nomem(err);
    fields[0].nullable = true;
    for (size_t i = 0; i < rest.n_fields; i++)
        fields[i + 1] = rest.fields[i];
    *out = (pn_schema){.fields = fields, .n_fields = rest.n_fields + 1};
    return PN_OK;
}

static pn_status choose_schema(importer *im, pn_schema *out, pn_error *err)
{
    const pn_import_plan *plan = im->plan;
    json_t *json;
    if (plan->schema_json) {
        pn_status status = pn_json_parse(pn_str_of(plan->schema_json), &json, err);
        if (status != PN_OK)
            return pn_fail_wrap(err, status, "the schema: ");
        status = pn_schema_from_json(json, &im->arena, out, err);
        json_decref(json);
        return status;
    }
    if (plan->format == PN_ROWS_NPY)
        return guess_npy(im, out, err);
    PN_TRY(look_ahead(&im->source, err));
    PN_TRY(pn_schema_guess(pn_text_source_peek(&im->source), im->source.ended,
                           plan->format == PN_ROWS_CSV, plan->vector_column, &im->arena, out, err));
    if (out->n_fields == 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "there is no row to guess the columns of the new table from");
    return PN_OK;
}

static pn_status open_table(importer *im, const char *path, pn_error *err)
{
    pn_schema *schema = PN_ARENA_NEW(&im->arena, pn_schema, 1);
    pn_error why = {0};
    if (!schema)
        return pn_fail_nomem(err);
    pn_status status = pn_dataset_open(path, 0, &im->dataset, &why);
    bool is_there = status == PN_OK;
    if (is_there && im->plan->mode == PN_IMPORT_CREATE)
        return pn_fail(err, PN_ERR_EXISTS, "%s: there is a table already", path);
    if (!is_there && (status != PN_ERR_NOT_FOUND || im->plan->mode == PN_IMPORT_APPEND))
        return pn_fail(err, status, "%s", why.message);
    if (!is_there || im->plan->mode == PN_IMPORT_OVERWRITE)
        PN_TRY(choose_schema(im, schema, err));
    if (!is_there && im->plan->upsert) // which looks for keys in a table
        PN_TRY(pn_dataset_create_format(path, schema, im->plan->data_format, &im->dataset, err));
    bool is_new = !im->dataset || (is_there && im->plan->mode == PN_IMPORT_OVERWRITE);
    im->schema = is_new ? schema : pn_dataset_schema(im->dataset);
    return PN_OK;
}

/* ---- the columns that come, when not all of the table's have to ---- */

static void mark_members(const importer *im, pn_str line, bool *comes)
{
    json_t *object = NULL;
    const char *key;
    json_t *value;
    if (pn_str_trim(line).len == 0 || pn_json_parse(line, &object, NULL) != PN_OK)
        return; // its fault is told when its turn comes
    json_object_foreach(object, key, value)
    {
        ptrdiff_t at = pn_schema_find(im->schema, pn_str_of(key));
        if (at >= 0)
            comes[at] = true;
    }
    json_decref(object);
}

static pn_status mark_lines(const importer *im, pn_text_source *source, bool *comes, pn_error *err)
{
    PN_TRY(look_ahead(source, err));
    pn_str text = pn_text_source_peek(source);
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        if (!end && !source->ended)
            return PN_OK; // half a line
        mark_members(im, pn_str_split(&text, '\n'), comes);
    }
    return PN_OK;
}

static pn_status mark_columns(importer *im, bool *comes, pn_error *err)
{
    ptrdiff_t vector = pn_schema_find(im->schema, pn_str_of(im->plan->vector_column));
    switch (im->plan->format) {
    case PN_ROWS_NDJSON:
        return mark_lines(im, &im->source, comes, err);
    case PN_ROWS_CSV:
        for (size_t i = 0; i < im->csv.n; i++) {
            pn_str name = pn_csv_row_field(&im->csv, i);
            ptrdiff_t at = pn_schema_find(im->schema, name.ptr ? name : PN_STR_LITERAL(""));
            if (at >= 0)
                comes[at] = true;
        }
        return PN_OK;
    case PN_ROWS_NPY:
        break;
    }
    if (vector >= 0)
        comes[vector] = true;
    return im->plan->read_rest ? mark_lines(im, &im->rest, comes, err) : PN_OK;
}

static pn_status choose_columns(importer *im, pn_error *err)
{
    const pn_schema *all = im->schema;
    bool *comes = PN_ARENA_NEW(&im->arena, bool, all->n_fields + 1);
    pn_schema *some = PN_ARENA_NEW(&im->arena, pn_schema, 1);
    pn_field *fields = PN_ARENA_NEW(&im->arena, pn_field, all->n_fields + 1);
    if (!comes || !some || !fields)
        return pn_fail_nomem(err);
    PN_TRY(mark_columns(im, comes, err));
    some->fields = fields;
    for (size_t i = 0; i < all->n_fields; i++)
        if (comes[i])
            fields[some->n_fields++] = all->fields[i];
    im->schema = some;
    return PN_OK;
}

static pn_status make_builders(importer *im, pn_error *err)
{
    size_t n = im->schema->n_fields;
    im->builders = PN_ARENA_NEW(&im->arena, pn_builder *, n + 1);
    im->views = PN_ARENA_NEW(&im->arena, pn_array, n + 1);
    im->cells = PN_ARENA_NEW(&im->arena, cell, n + 1);
    im->csv_places = PN_ARENA_NEW(&im->arena, ptrdiff_t, n + 1);
    if (!im->builders || !im->views || !im->cells || !im->csv_places)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        PN_TRY(pn_value_check_field(&im->schema->fields[i], err));
        PN_TRY(pn_builder_create(&im->schema->fields[i], PTRDIFF_MAX, &im->builders[i], err));
        im->csv_places[i] = -1;
    }
    return PN_OK;
}

/* The line of names. */
static pn_status read_csv_names(importer *im, pn_error *err)
{
    bool is_end;
    PN_TRY(pn_csv_row_read(&im->source, &im->csv, &is_end, err));
    if (is_end)
        return pn_fail(err, PN_ERR_INVALID, "there is no line with the names of columns");
    im->n_csv = im->csv.n;
    return PN_OK;
}

static pn_status place_csv_names(importer *im, pn_error *err)
{
    for (size_t i = 0; i < im->n_csv; i++) {
        pn_str name = pn_csv_row_field(&im->csv, i);
        ptrdiff_t at = pn_schema_find(im->schema, name.ptr ? name : PN_STR_LITERAL(""));
        if (at < 0)
            return no_column(im, name, err);
        if (im->csv_places[at] >= 0)
            return pn_fail(err, PN_ERR_INVALID, "two columns are named \"" PN_STR_FORMAT "\"",
                           PN_STR_ARG(name));
        im->csv_places[at] = (ptrdiff_t)i;
    }
    return PN_OK;
}

static pn_status check_npy_column(const importer *im, pn_error *err)
{
    ptrdiff_t at = pn_schema_find(im->schema, pn_str_of(im->plan->vector_column));
    if (at >= 0 && is_vector(&im->schema->fields[at]))
        return PN_OK;
    return pn_fail(err, PN_ERR_INVALID, "the table has no column \"%s\" of vectors",
                   im->plan->vector_column);
}

static pn_status skip_byte_order_mark(importer *im, pn_error *err)
{
    PN_TRY(pn_text_source_fill(&im->source, 3, err));
    if (pn_str_starts_with(pn_text_source_peek(&im->source), "\xEF\xBB\xBF"))
        pn_text_source_take(&im->source, 3);
    return PN_OK;
}

static pn_status begin_rows(importer *im, const char *path, pn_error *err)
{
    if (!im->dataset)
        return pn_create_begin(path, im->schema, im->plan->data_format,
                               im->plan->mode == PN_IMPORT_EXIST_OK, &im->append, err);
    if (im->plan->upsert)
        return pn_upsert_begin(im->dataset, im->schema, im->plan->upsert, &im->upsert, err);
    if (im->schema != pn_dataset_schema(im->dataset))
        return pn_overwrite_begin(im->dataset, im->schema, &im->append, err);
    return pn_append_begin(im->dataset, &im->append, err);
}

static pn_status begin(importer *im, const char *path, pn_error *err)
{
    if (im->plan->upsert && im->plan->mode == PN_IMPORT_OVERWRITE)
        return pn_fail(err, PN_ERR_INVALID, "an upsert does not overwrite the table");
    if (im->plan->format == PN_ROWS_NPY)
        PN_TRY(read_npy_header(im, err));
    else
        PN_TRY(skip_byte_order_mark(im, err));
    PN_TRY(open_table(im, path, err));
    if (im->plan->format == PN_ROWS_CSV)
        PN_TRY(read_csv_names(im, err));
    if (im->plan->upsert)
        PN_TRY(choose_columns(im, err));
    PN_TRY(make_builders(im, err));
    if (im->plan->format == PN_ROWS_NPY)
        PN_TRY(check_npy_column(im, err));
    if (im->plan->format == PN_ROWS_CSV)
        PN_TRY(place_csv_names(im, err));
    return begin_rows(im, path, err);
}

static pn_status commit(importer *im, pn_error *err)
{
    pn_dataset *made;
    pn_append *append = im->append;
    pn_upsert *upsert = im->upsert;
    im->append = NULL; // commit ends it in every case
    im->upsert = NULL;
    pn_status status = upsert ? pn_upsert_commit(upsert, &im->counts.upserted, &made, err)
                              : pn_append_commit(append, NULL, &made, err);
    if (status == PN_ERR_EXISTS && im->plan->mode == PN_IMPORT_OVERWRITE)
        return pn_fail_wrap(err, PN_ERR_CONFLICT, "another writer was faster: ");
    PN_TRY(status);
    im->counts.version = pn_dataset_version(made);
    pn_dataset_unref(made);
    return PN_OK;
}

static void end(importer *im)
{
    pn_append_abort(im->append);
    pn_upsert_abort(im->upsert);
    for (size_t i = 0; im->builders && i < im->schema->n_fields; i++)
        pn_builder_free(im->builders[i]);
    json_decref(im->object);
    pn_csv_row_reset(&im->csv);
    pn_text_source_reset(&im->source);
    pn_text_source_reset(&im->rest);
    pn_dataset_unref(im->dataset);
    pn_arena_reset(&im->arena);
}

pn_status pn_table_import(const char *path, const pn_import_plan *plan, pn_import_counts *out,
                          pn_error *err)
{
    pn_error why = {0}; // faults of rows are looked into before they are told
    importer im = {.plan = plan};
    pn_arena_init(&im.arena, SIZE_MAX);
    pn_text_source_init(&im.source, plan->read, plan->read_context);
    pn_text_source_init(&im.rest, plan->read_rest, plan->rest_context);
    pn_csv_row_init(&im.csv);
    pn_status status = begin(&im, path, &why);
    if (status == PN_OK)
        status = import_rows(&im, &why);
    if (status == PN_OK)
        status = commit(&im, &why);
    if (status == PN_OK)
        *out = im.counts;
    end(&im);
    return status == PN_OK ? PN_OK : pn_fail(err, status, "%s", why.message);
}
