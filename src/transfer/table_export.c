/*
 * table_export.c - rows of a table as NDJSON, CSV or a NumPy matrix
 *
 * A scan batch by batch, each turned into bytes and handed on: memory is one batch and its text, however long the table. A matrix says at
 * its beginning how many rows it has, so with a filter the rows are counted first.
 */
#include "transfer/table_export.h"

#include "base/npy.h"
#include "transfer/csv_rows.h"
#include "transfer/json_value.h"
#include "transfer/scalar_text.h"

#include <inttypes.h>
#include <math.h>

enum { BATCH_ROWS = 1024, FLUSH_BYTES = 1 << 20 };
static const size_t MAX_TEXT_BYTES = (size_t)4 << 30;

/* Bytes on their way to a writer. */
typedef struct sink {
    pn_write_all write;
    void *context;
    pn_buffer bytes;
    uint64_t n_written;
} sink;

typedef struct exporter {
    const pn_export_plan *plan;
    const pn_schema *schema; /* of the batches */
    sink out, rest;
    pn_buffer cell;     /* of CSV: the text of one value */
    ptrdiff_t vector_i; /* of NPY: its column in the batches */
    uint64_t n_rows, n_all;
} exporter;

static pn_status flush(sink *s, pn_error *err)
{
    if (s->bytes.n_bytes > 0)
        PN_TRY(s->write(s->context, s->bytes.data, s->bytes.n_bytes, err));
    s->n_written += s->bytes.n_bytes;
    pn_buffer_clear(&s->bytes);
    return PN_OK;
}

/* ---- rows ---- */

/* Every column but the one that is skipped (-1: none). */
static pn_status append_object(const pn_batch *batch, size_t row, ptrdiff_t skipped, pn_buffer *out,
                               pn_error *err)
{
    bool any = false;
    PN_TRY(pn_buffer_append(out, "{", 1, err));
    for (size_t c = 0; c < batch->schema->n_fields; c++) {
        if ((ptrdiff_t)c == skipped)
            continue;
        if (any)
            PN_TRY(pn_buffer_append(out, ",", 1, err));
        any = true;
        PN_TRY(pn_text_to_json(pn_str_of(batch->schema->fields[c].name), out, err));
        PN_TRY(pn_buffer_append(out, ":", 1, err));
        PN_TRY(pn_value_to_json(&batch->columns[c], row, out, err));
    }
    return pn_buffer_append(out, "}\n", 2, err);
}

static pn_status append_cell(exporter *e, const pn_array *column, size_t row, pn_error *err)
{
    bool is_bare, is_null = column->field->type == PN_TYPE_NULL || !pn_array_is_valid(column, row);
    pn_buffer_clear(&e->cell);
    if (is_null)
        return PN_OK;
    if (pn_type_is_scalar(column->field->type))
        PN_TRY(pn_scalar_to_text(column, row, &e->cell, &is_bare, err));
    else
        PN_TRY(pn_value_to_json(column, row, &e->cell, err));
    pn_str text = {e->cell.data ? (const char *)e->cell.data : "", e->cell.n_bytes};
    return pn_csv_append_field(text, &e->out.bytes, err);
}

static pn_status append_csv(exporter *e, const pn_batch *batch, size_t row, pn_error *err)
{
    for (size_t c = 0; c < batch->schema->n_fields; c++) {
        if (c > 0)
            PN_TRY(pn_buffer_append(&e->out.bytes, ",", 1, err));
        PN_TRY(append_cell(e, &batch->columns[c], row, err));
    }
    return pn_buffer_append(&e->out.bytes, "\r\n", 2, err);
}

static pn_status append_names(exporter *e, pn_error *err)
{
    for (size_t c = 0; c < e->schema->n_fields; c++) {
        if (c > 0)
            PN_TRY(pn_buffer_append(&e->out.bytes, ",", 1, err));
        PN_TRY(pn_csv_append_field(pn_str_of(e->schema->fields[c].name), &e->out.bytes, err));
    }
    return pn_buffer_append(&e->out.bytes, "\r\n", 2, err);
}

static pn_status append_vector(exporter *e, const pn_batch *batch, size_t row, pn_error *err)
{
    const pn_array *column = &batch->columns[e->vector_i];
    size_t dim = (size_t)column->field->size;
    const pn_array *items = &column->children[0];
    if (pn_array_is_valid(column, row) && !items->validity)
        return pn_buffer_append(&e->out.bytes, pn_array_floats(column, row), dim * sizeof(float),
                                err);
    for (size_t i = row * dim; i < (row + 1) * dim; i++) {
        bool is_valid = pn_array_is_valid(column, row) && pn_array_is_valid(items, i);
        float value = is_valid ? ((const float *)items->values)[i] : NAN;
        PN_TRY(pn_buffer_append(&e->out.bytes, &value, sizeof value, err));
    }
    return PN_OK;
}

static pn_status append_row(exporter *e, const pn_batch *batch, size_t row, pn_error *err)
{
    switch (e->plan->format) {
    case PN_ROWS_NDJSON:
        return append_object(batch, row, -1, &e->out.bytes, err);
    case PN_ROWS_CSV:
        return append_csv(e, batch, row, err);
    case PN_ROWS_NPY:
        break;
    }
    PN_TRY(append_vector(e, batch, row, err));
    if (e->rest.write)
        return append_object(batch, row, e->vector_i, &e->rest.bytes, err);
    return PN_OK;
}

static pn_status export_batch(exporter *e, const pn_batch *batch, pn_error *err)
{
    const pn_export_plan *plan = e->plan;
    for (size_t row = 0; row < batch->n_rows && (plan->limit == 0 || e->n_rows < plan->limit);
         row++) {
        pn_status status = append_row(e, batch, row, err);
        if (status != PN_OK)
            return pn_fail_wrap(err, status, "row %" PRIu64 ": ", e->n_rows + 1);
        e->n_rows++;
        if (e->out.bytes.n_bytes >= FLUSH_BYTES)
            PN_TRY(flush(&e->out, err));
        if (e->rest.bytes.n_bytes >= FLUSH_BYTES)
            PN_TRY(flush(&e->rest, err));
    }
    if (plan->progress && !plan->progress(plan->progress_context, e->n_rows, e->n_all,
                                          e->out.n_written + e->rest.n_written))
        return pn_fail(err, PN_ERR_CANCELLED, "stopped after %" PRIu64 " rows", e->n_rows);
    return PN_OK;
}

/* ---- the whole ---- */

static pn_status check_schema(exporter *e, pn_error *err)
{
    for (size_t c = 0; c < e->schema->n_fields; c++)
        PN_TRY(pn_value_check_field(&e->schema->fields[c], err));
    if (e->plan->format != PN_ROWS_NPY)
        return PN_OK;
    e->vector_i = pn_schema_find(e->schema, pn_str_of(e->plan->vector_column));
    if (e->vector_i >= 0) {
        const pn_field *field = &e->schema->fields[e->vector_i];
        if (field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type == PN_TYPE_FLOAT)
            return PN_OK;
    }
    return pn_fail(err, PN_ERR_INVALID, "there is no column \"%s\" of float vectors",
                   e->plan->vector_column);
}

/* How many rows there will be: for the matrix and the progress bar; 0 when counting them would cost a scan nobody needs. */
static pn_status count_rows(exporter *e, pn_dataset *dataset, pn_error *err)
{
    const pn_export_plan *plan = e->plan;
    pn_rowset rows;
    e->n_all = pn_dataset_count_rows(dataset);
    if (plan->filter && plan->format != PN_ROWS_NPY) {
        e->n_all = 0;
    } else if (plan->filter) {
        pn_rowset_init(&rows);
        PN_TRY(pn_dataset_filter_rows(dataset, pn_str_of(plan->filter), &rows, err));
        e->n_all = pn_rowset_count(&rows);
        pn_rowset_reset(&rows);
    }
    if (plan->limit > 0 && e->n_all > plan->limit)
        e->n_all = plan->limit;
    return PN_OK;
}

static pn_status begin(exporter *e, pn_dataset *dataset, pn_error *err)
{
    PN_TRY(check_schema(e, err));
    PN_TRY(count_rows(e, dataset, err));
    if (e->plan->format == PN_ROWS_CSV)
        return append_names(e, err);
    if (e->plan->format != PN_ROWS_NPY)
        return PN_OK;
    const uint64_t shape[] = {e->n_all, (uint64_t)e->schema->fields[e->vector_i].size};
    return pn_npy_header_append(shape, PN_COUNT_OF(shape), &e->out.bytes, err);
}

static pn_status run(exporter *e, pn_scan *scan, pn_error *err)
{
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        if (e->plan->limit > 0 && e->n_rows >= e->plan->limit)
            return PN_OK;
        PN_TRY(pn_scan_next(scan, &batch, &addrs, err));
        if (batch.n_rows == 0)
            return PN_OK;
        PN_TRY(export_batch(e, &batch, err));
    }
}

pn_status pn_table_export(pn_dataset *dataset, const pn_export_plan *plan, uint64_t *n_rows,
                          pn_error *err)
{
    pn_scan *scan = NULL;
    pn_scan_options options = {.columns = plan->columns,
                               .n_columns = plan->n_columns,
                               .filter = plan->filter,
                               .batch_rows = BATCH_ROWS};
    exporter e = {.plan = plan,
                  .out = {.write = plan->write, .context = plan->write_context},
                  .rest = {.write = plan->write_rest, .context = plan->rest_context},
                  .vector_i = -1};
    /* Of a matrix alone nothing else is read. */
    if (plan->format == PN_ROWS_NPY && !plan->write_rest) {
        options.columns = &plan->vector_column;
        options.n_columns = 1;
    }
    pn_buffer_init(&e.out.bytes, MAX_TEXT_BYTES);
    pn_buffer_init(&e.rest.bytes, MAX_TEXT_BYTES);
    pn_buffer_init(&e.cell, MAX_TEXT_BYTES);
    pn_status status = pn_scan_begin(dataset, &options, &scan, err);
    if (status == PN_OK) {
        e.schema = pn_scan_schema(scan);
        status = begin(&e, dataset, err);
    }
    if (status == PN_OK)
        status = run(&e, scan, err);
    if (status == PN_OK)
        status = flush(&e.out, err);
    if (status == PN_OK)
        status = flush(&e.rest, err);
    *n_rows = e.n_rows;
    pn_scan_end(scan);
    pn_buffer_reset(&e.out.bytes);
    pn_buffer_reset(&e.rest.bytes);
    pn_buffer_reset(&e.cell);
    return status;
}
