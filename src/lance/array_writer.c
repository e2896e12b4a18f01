/*
 * array_writer.c - down the tree of columns, a block of rows at a time
 *
 *     column   parts     parts (list)      rows, and where the items of each end
 *              item        item (struct)   its rows are the items of all lists in order
 *              n             n (int32)     rows of the struct
 *              s             s (string)
 *
 * A row of a list hands its items on to the columns below; lists that are null hand on none, whatever the array has there. Each
 * column collects its own rows and has pages of its own lengths, with two exceptions that LanceDB's reader asks for: a page of
 * lists ends the pages of all columns below it, because it cannot read a page whose items belong to two pages of lists; and a
 * struct has one page, which covers the file and has no bytes.
 *
 * Structs are never null in this version. LanceDB 0.39 refuses such rows, as we do; in its early days it dropped the null and kept
 * what stood behind it.
 */
#include "lance/array_writer.h"

#include "base/alloc.h"
#include "base/bits.h"
#include "base/limits.h"
#include "lance/lance_schema.h"
#include "lance/shred.h"

enum { BLOCK_ROWS = 1024, PAGE_ROWS = 8 << 20 /* a byte each says what is null */ };

typedef struct array_column {
    const pn_field *field;
    const char *top; /* name of the top-level column */
    size_t end;      /* columns up to here are below it */
    pn_stream rows;  /* since the last page; not of structs */
    size_t n_rows;   /* since the last page */
    int64_t n_items; /* of these rows, if they are lists */
} array_column;

struct pn_array_writer {
    array_column *columns;
    size_t n;
    size_t page_bytes, max_page_bytes;
    pn_array_page_sink sink;
    void *context;
    pn_encoded_page encoded;
};

/* ---- pages ---- */

static pn_status write_page(pn_array_writer *w, size_t i, pn_error *err)
{
    array_column *c = &w->columns[i];
    bool is_struct = c->field->type == PN_TYPE_STRUCT;
    if (c->n_rows == 0 && !is_struct)
        return PN_OK;
    pn_status status = is_struct ? pn_array_encode_struct(&w->encoded, err)
                                 : pn_array_encode(&c->rows, c->field, &w->encoded, err);
    if (status == PN_OK)
        status = w->sink(w->context, i, &w->encoded, c->n_rows, err);
    pn_encoded_page_clear(&w->encoded, 2 * w->page_bytes);
    pn_stream_clear(&c->rows, 2 * w->page_bytes);
    c->n_rows = 0;
    c->n_items = 0;
    return status;
}

static bool is_full(const pn_array_writer *w, const array_column *c)
{
    return c->rows.data.n_bytes >= w->page_bytes || c->rows.offsets.n_bytes >= w->page_bytes ||
           c->n_rows >= PAGE_ROWS;
}

/* The page of a leaf, or of lists and of all that is below them. */
static pn_status write_if_full(pn_array_writer *w, size_t i, pn_error *err)
{
    if (!is_full(w, &w->columns[i]))
        return PN_OK;
    for (size_t k = i; k < w->columns[i].end; k++)
        if (w->columns[k].field->type != PN_TYPE_STRUCT)
            PN_TRY(write_page(w, k, err));
    return PN_OK;
}

/* ---- rows ---- */

static pn_status check_null(const array_column *c, pn_error *err)
{
    if (!c->field->nullable)
        return pn_fail(err, PN_ERR_INVALID, "column \"%s\": \"%s\" cannot be null", c->top,
                       c->field->name);
    if (c->field->type == PN_TYPE_STRUCT)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "column \"%s\": a null of \"%s\": data files of version 2.0 have no null "
                       "structs, those of 2.1 to 2.3 have",
                       c->top, c->field->name);
    return PN_OK;
}

static bool is_null(const pn_array *array, size_t i)
{
    return array->field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i);
}

static pn_status append_row_stop(array_column *c, bool null, pn_error *err)
{
    uint8_t stop = null;
    if (null)
        PN_TRY(check_null(c, err));
    PN_TRY(pn_buffer_append(&c->rows.stop, &stop, 1, err));
    c->rows.n_entries++;
    c->n_rows++;
    return PN_OK;
}

static pn_status append_values(pn_array_writer *w, size_t i, const pn_array *array, size_t first,
                               size_t n, pn_error *err)
{
    array_column *c = &w->columns[i];
    for (size_t row = first, end = first + n; row < end;) {
        if (pn_shred_is_plain(&c->rows, array)) {
            size_t block = PN_MIN(end - row, (size_t)BLOCK_ROWS);
            PN_TRY(pn_shred_plain(&c->rows, array, row, block, err));
            c->n_rows += block;
            row += block;
        } else {
            bool null = is_null(array, row);
            PN_TRY(append_row_stop(c, null, err));
            PN_TRY(pn_shred_value(&c->rows, c->field, null ? NULL : array, row, err));
            row++;
        }
        PN_TRY(write_if_full(w, i, err));
    }
    return PN_OK;
}

static pn_status append(pn_array_writer *w, size_t i, const pn_array *array, size_t first, size_t n,
                        pn_error *err);

static pn_status append_list(array_column *c, const pn_array *array, size_t row, pn_error *err)
{
    static const int64_t zero = 0;
    bool null = is_null(array, row);
    PN_TRY(append_row_stop(c, null, err));
    if (c->rows.offsets.n_bytes == 0)
        PN_TRY(pn_buffer_append(&c->rows.offsets, &zero, sizeof zero, err));
    c->n_items += null ? 0 : array->offsets[row + 1] - array->offsets[row];
    c->rows.n_values++;
    return pn_buffer_append(&c->rows.offsets, &c->n_items, sizeof c->n_items, err);
}

/* The items of lists [first, first + n), those of neighbours together. */
static pn_status append_items(pn_array_writer *w, size_t i, const pn_array *array, size_t first,
                              size_t n, pn_error *err)
{
    int64_t from = 0, to = 0;
    for (size_t row = first; row < first + n; row++) {
        if (is_null(array, row) || array->offsets[row] == array->offsets[row + 1])
            continue;
        if (array->offsets[row] != to) {
            PN_TRY(append(w, i + 1, &array->children[0], (size_t)from, (size_t)(to - from), err));
            from = array->offsets[row];
        }
        to = array->offsets[row + 1];
    }
    return append(w, i + 1, &array->children[0], (size_t)from, (size_t)(to - from), err);
}

static pn_status append_lists(pn_array_writer *w, size_t i, const pn_array *array, size_t first,
                              size_t n, pn_error *err)
{
    for (size_t row = first, end = first + n, block; row < end; row += block) {
        block = PN_MIN(end - row, (size_t)BLOCK_ROWS);
        for (size_t k = 0; k < block; k++)
            PN_TRY(append_list(&w->columns[i], array, row + k, err));
        PN_TRY(append_items(w, i, array, row, block, err));
        PN_TRY(write_if_full(w, i, err));
    }
    return PN_OK;
}

static pn_status append_structs(pn_array_writer *w, size_t i, const pn_array *array, size_t first,
                                size_t n, pn_error *err)
{
    for (size_t row = first; array->validity && row < first + n; row++)
        if (!pn_bit_get(array->validity, row))
            PN_TRY(check_null(&w->columns[i], err));
    w->columns[i].n_rows += n;
    for (size_t child = 0, k = i + 1; k < w->columns[i].end; k = w->columns[k].end)
        PN_TRY(append(w, k, &array->children[child++], first, n, err));
    return PN_OK;
}

/* As deep as the schema. */
static pn_status append(pn_array_writer *w, size_t i, const pn_array *array, size_t first, size_t n,
                        pn_error *err)
{
    pn_type_id type = w->columns[i].field->type;
    if (n == 0)
        return PN_OK;
    return type == PN_TYPE_STRUCT  ? append_structs(w, i, array, first, n, err)
           : pn_type_is_list(type) ? append_lists(w, i, array, first, n, err)
                                   : append_values(w, i, array, first, n, err);
}

pn_status pn_array_writer_append(pn_array_writer *w, const pn_batch *batch, pn_error *err)
{
    for (size_t child = 0, i = 0; i < w->n; i = w->columns[i].end)
        PN_TRY(append(w, i, &batch->columns[child++], 0, batch->n_rows, err));
    return PN_OK;
}

/* ---- the writer ---- */

static void add_columns(pn_array_writer *w, const pn_field *field, const char *top)
{
    array_column *c = &w->columns[w->n++];
    c->field = field;
    c->top = top;
    pn_stream_init(&c->rows, w->max_page_bytes);
    for (size_t i = 0; !pn_lance_is_leaf(field) && i < field->n_children; i++)
        add_columns(w, &field->children[i], top);
    c->end = w->n;
}

pn_status pn_array_writer_create(const pn_schema *schema, size_t page_bytes, size_t max_page_bytes,
                                 pn_array_page_sink sink, void *context, pn_array_writer **out,
                                 pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < schema->n_fields; i++)
        n += pn_lance_count_nodes(&schema->fields[i]);
    if (n > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu columns, the limit is %d", n, PN_LANCE_MAX_COLUMNS);
    pn_array_writer *w = pn_alloc_zero(sizeof *w);
    if (!w)
        return pn_fail_nomem(err);
    *w = (pn_array_writer){.page_bytes = page_bytes,
                           .max_page_bytes = max_page_bytes,
                           .sink = sink,
                           .context = context};
    pn_encoded_page_init(&w->encoded, max_page_bytes);
    w->columns = pn_alloc_zero((n + 1) * sizeof *w->columns);
    if (!w->columns) {
        pn_array_writer_free(w);
        return pn_fail_nomem(err);
    }
    for (size_t i = 0; i < schema->n_fields; i++)
        add_columns(w, &schema->fields[i], schema->fields[i].name);
    pn_assert(w->n == n);
    *out = w;
    return PN_OK;
}

size_t pn_array_writer_columns(const pn_array_writer *w)
{
    return w->n;
}

pn_status pn_array_writer_finish(pn_array_writer *w, pn_error *err)
{
    for (size_t i = 0; i < w->n; i++)
        PN_TRY(write_page(w, i, err));
    return PN_OK;
}

void pn_array_writer_free(pn_array_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        pn_stream_reset(&w->columns[i].rows);
    pn_encoded_page_reset(&w->encoded);
    pn_free(w->columns);
    pn_free(w);
}
