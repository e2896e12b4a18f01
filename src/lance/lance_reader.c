/*
 * lance_reader.c - which pages hold the rows, and back to an array
 *
 *     rows -> ranges -> for each leaf: pages that overlap -> stream of entries -> all leaves -> array
 *
 * A take is a read of many short ranges. Ranges of one page go to it together, so that a page is looked at once.
 *
 * Every read has a budget of memory, which follows from what the file holds and not from what it says: see limits.h. All that
 * is decoded on the way comes out of it.
 */
#include "lance/lance_reader.h"

#include "base/alloc.h"
#include "lance/array_leaf.h"
#include "lance/array_values.h"
#include "lance/assemble.h"
#include "lance/container.h"
#include "lance/lance_schema.h"
#include "lance/page_memo.h"

#include <inttypes.h>
#include <string.h>

struct pn_lance_file {
    pn_container container;
    pn_schema schema;
    int32_t *parents; /* 2.0: column of the node above each column, -1: none */
    int32_t *leaves;  /* [n_leaves] columns of the schema's leaves */
    size_t n_leaves;
};

/* Every node of the schema has a column before 2.1, the leaves alone since. */
static void number_columns(pn_lance_file *file, const pn_field *field, int32_t parent,
                           int32_t *next)
{
    bool is_leaf = pn_lance_is_leaf(field);
    int32_t column = *next;
    if (is_leaf || file->container.minor == 0) {
        if ((size_t)column < file->container.n_columns)
            file->parents[column] = parent;
        parent = column;
        ++*next;
    }
    if (is_leaf)
        file->leaves[file->n_leaves++] = column;
    for (size_t i = 0; !is_leaf && i < field->n_children; i++)
        number_columns(file, &field->children[i], parent, next);
}

static pn_status find_columns(pn_lance_file *file, pn_error *err)
{
    size_t n = 0;
    int32_t next = 0;
    pn_arena *arena = &file->container.arena;
    for (size_t i = 0; i < file->schema.n_fields; i++)
        n += pn_lance_count_leaves(&file->schema.fields[i]);
    file->parents = PN_ARENA_NEW(arena, int32_t, file->container.n_columns + 1);
    file->leaves = PN_ARENA_NEW(arena, int32_t, n + 1);
    if (!file->parents || !file->leaves)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < file->schema.n_fields; i++)
        number_columns(file, &file->schema.fields[i], -1, &next);
    if (file->container.minor == 0 && (size_t)next != file->container.n_columns)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %zu columns, its schema has %" PRId32 " fields",
                       file->container.path, file->container.n_columns, next);
    return PN_OK;
}

int32_t pn_lance_file_leaf_column(const pn_lance_file *file, size_t leaf_i)
{
    return leaf_i < file->n_leaves ? file->leaves[leaf_i] : -1;
}

pn_status pn_lance_file_open(const char *path, pn_lance_file **out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_lance_file *file = pn_alloc_zero(sizeof *file);
    if (!file)
        return pn_fail_nomem(err);
    PN_GOTO(done, pn_container_open(&file->container, path, err));
    const Pn__Lance__Schema *schema = file->container.descriptor->schema;
    status = pn_lance_schema_decode(schema->fields, schema->n_fields, &file->container.arena,
                                    &file->schema, err);
    if (status != PN_OK) {
        (void)pn_fail_wrap(err, status, "%s: ", path); // status is returned below
        goto done;
    }
    PN_GOTO(done, find_columns(file, err));
    *out = file;
    file = NULL;
done:
    pn_lance_file_close(file);
    return status;
}

void pn_lance_file_close(pn_lance_file *file)
{
    if (!file)
        return;
    pn_container_close(&file->container);
    pn_free(file);
}

uint64_t pn_lance_file_rows(const pn_lance_file *file)
{
    return file->container.n_rows;
}

uint64_t pn_lance_file_bytes(const pn_lance_file *file)
{
    return file->container.mapping.n_bytes;
}

uint16_t pn_lance_file_major(const pn_lance_file *file)
{
    return file->container.major;
}

uint16_t pn_lance_file_minor(const pn_lance_file *file)
{
    return file->container.minor;
}

uint64_t pn_lance_file_column_bytes(const pn_lance_file *file, int32_t column)
{
    uint64_t total = 0;
    if (column < 0 || (size_t)column >= file->container.n_columns)
        return 0;
    const pn_file_column *c = &file->container.columns[column];
    for (size_t p = 0; p < c->n_pages; p++)
        for (size_t b = 0; b < c->pages[p].n_buffers; b++)
            total += c->pages[p].buffers[b].n;
    return total;
}

const pn_mapping *pn_lance_file_mapping(const pn_lance_file *file, const char **path)
{
    *path = file->container.path;
    return &file->container.mapping;
}

size_t pn_lance_file_columns(const pn_lance_file *file)
{
    return file->container.n_columns;
}

const pn_schema *pn_lance_file_schema(const pn_lance_file *file)
{
    return &file->schema;
}

pn_status pn_lance_file_metadata(const pn_lance_file *file, const char *key, pn_str *out,
                                 pn_error *err)
{
    const Pn__Lance__Schema *schema = file->container.descriptor->schema;
    for (size_t i = 0; i < schema->n_metadata; i++) {
        const Pn__Lance__KeyBytes *pair = schema->metadata[i];
        if (!pair->key || strcmp(pair->key, key) != 0)
            continue;
        *out = pn_str_make((const char *)pair->value.data, pair->value.len);
        return PN_OK;
    }
    return pn_fail(err, PN_ERR_CORRUPT, "%s: no metadata \"%s\"", file->container.path, key);
}

pn_status pn_lance_file_global(const pn_lance_file *file, uint64_t i, pn_str *out, pn_error *err)
{
    pn_slice bytes;
    if (i >= file->container.n_globals)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: global buffer %" PRIu64 " of %" PRIu32,
                       file->container.path, i, file->container.n_globals);
    PN_TRY(pn_container_global(&file->container, (uint32_t)i, &bytes, err));
    *out = pn_str_make((const char *)bytes.data, bytes.n);
    return PN_OK;
}

/* ---- paths ---- */

static void collect_paths(const pn_field *field, pn_leaf_path *prefix, pn_leaf_path *out, size_t *n)
{
    pn_leaf_path path = *prefix;
    if (pn_type_is_list(field->type)) {
        path.n_lists++;
        path.innermost_list = (int)path.n;
    }
    path.nodes[path.n++] = field;
    if (pn_lance_is_leaf(field)) {
        out[(*n)++] = path;
        return;
    }
    for (size_t i = 0; i < field->n_children; i++)
        collect_paths(&field->children[i], &path, out, n);
}

/* ---- one leaf ---- */

typedef struct reading {
    pn_lance_file *file;
    const pn_row_range *ranges;
    size_t n_ranges;
    size_t max_bytes; /* to decode into */
    pn_lance_memo *memo;
    pn_arena *scratch;
    pn_error *err;
} reading;

/* The part of the ranges that lies in the page, counted from its first row. */
static size_t clip_ranges(const reading *r, const pn_file_page *page, pn_row_range *out)
{
    size_t n = 0;
    uint64_t end = page->first_row + page->n_rows;
    for (size_t i = 0; i < r->n_ranges; i++) {
        uint64_t from = PN_MAX(r->ranges[i].first, page->first_row);
        uint64_t to = PN_MIN(r->ranges[i].first + r->ranges[i].n, end);
        if (from < to)
            out[n++] = (pn_row_range){from - page->first_row, to - from};
    }
    return n;
}

static size_t saturating_add(size_t a, size_t b)
{
    size_t sum;
    return pn_size_add(a, b, &sum) ? sum : SIZE_MAX;
}

/* Pages may claim the same bytes, but not more than there are. */
static size_t stored_bytes(const reading *r, const int32_t *leaf_columns, size_t n_leaves)
{
    size_t total = 0;
    for (size_t i = 0; i < n_leaves; i++) {
        if (leaf_columns[i] < 0 || (size_t)leaf_columns[i] >= r->file->container.n_columns)
            continue;
        const pn_file_column *column = &r->file->container.columns[leaf_columns[i]];
        for (size_t p = 0; p < column->n_pages; p++) {
            const pn_row_range *first = &r->ranges[0], *last = &r->ranges[r->n_ranges - 1];
            const pn_file_page *page = &column->pages[p];
            if (page->first_row >= last->first + last->n ||
                page->first_row + page->n_rows <= first->first)
                continue;
            if (column->is_blob ||
                (page->layout && page->layout->layout_case == PN__LANCE__PAGE_LAYOUT__LAYOUT_BLOB))
                total = (size_t)r->file->container.mapping.n_bytes; // its values may lie anywhere
            for (size_t b = 0; b < page->n_buffers; b++)
                total = saturating_add(total, page->buffers[b].n);
        }
    }
    return PN_MIN(total, (size_t)r->file->container.mapping.n_bytes);
}

/* limits.h says why. */
static size_t budget(const reading *r, const int32_t *leaf_columns, size_t n_leaves)
{
    size_t bytes;
    if (r->n_ranges == 0 ||
        !pn_size_mul(stored_bytes(r, leaf_columns, n_leaves), PN_LANCE_READ_MAX_RATIO, &bytes))
        return r->n_ranges == 0 ? PN_LANCE_READ_FREE_BYTES : PN_LANCE_READ_MAX_BYTES;
    return PN_MIN(saturating_add(bytes, PN_LANCE_READ_FREE_BYTES), PN_LANCE_READ_MAX_BYTES);
}

/* A file of 2.0: the columns of the nodes above the leaf's are needed too. */
static pn_status read_array_leaf(const reading *r, const pn_leaf_path *path, int32_t column,
                                 pn_decoder *d, pn_stream *stream)
{
    const pn_file_column *columns[PN_SCHEMA_MAX_DEPTH_NODES];
    for (unsigned node = path->n; node-- > 0; column = r->file->parents[column]) {
        if (column < 0)
            return pn_fail(r->err, PN_ERR_CORRUPT, "%s: a column of another depth than its type",
                           d->where);
        columns[node] = &r->file->container.columns[column];
    }
    if (column >= 0)
        return pn_fail(r->err, PN_ERR_CORRUPT, "%s: a column of another depth than its type",
                       d->where);
    const pn_container *c = &r->file->container;
    const pn_slice bytes = {c->mapping.data, (size_t)c->mapping.n_bytes};
    return pn_array_leaf_read(d, bytes, path, columns, r->ranges, r->n_ranges, stream);
}

static pn_status read_leaf(const reading *r, const pn_leaf_path *path, int32_t column_i,
                           pn_stream *stream)
{
    char where[256];
    const pn_file_column *column = &r->file->container.columns[column_i];
    const pn_field *leaf = path->nodes[path->n - 1];
    pn_error text;
    (void)pn_fail(&text, PN_OK, "%s, column \"%s\"", r->file->container.path,
                  path->nodes[0]->name); // only the text
    memcpy(where, text.message, sizeof where - 1);
    where[sizeof where - 1] = '\0';
    PN_TRY(pn_stream_expect(stream, leaf, r->err));
    if (r->file->container.minor == 0) {
        pn_decoder d = {.arena = r->scratch,
                        .where = where,
                        .max_bytes = r->max_bytes,
                        .leaf = leaf,
                        .err = r->err};
        return read_array_leaf(r, path, column_i, &d, stream);
    }
    pn_row_range *clipped = PN_ARENA_NEW(r->scratch, pn_row_range, r->n_ranges + 1);
    if (!clipped)
        return pn_fail_nomem(r->err);
    for (size_t i = 0; i < column->n_pages; i++) {
        const pn_file_page *from = &column->pages[i];
        size_t n = clip_ranges(r, from, clipped);
        if (n == 0)
            continue;
        pn_arena_mark mark = pn_arena_get_mark(r->scratch);
        pn_decoder d = {.arena = r->scratch,
                        .where = where,
                        .max_bytes = r->max_bytes,
                        .leaf = leaf,
                        .err = r->err};
        pn_page page = {
            .layout = from->layout,
            .buffers = from->buffers,
            .n_buffers = from->n_buffers,
            .n_rows = from->n_rows,
            .file = {r->file->container.mapping.data, (size_t)r->file->container.mapping.n_bytes},
            .wide_chunks = r->file->container.minor >= 2};
        if (r->memo && pn_page_is_read_whole(&page, path))
            PN_TRY(pn_memo_page_read(r->memo, &d, column, from, &page, path, clipped, n, stream));
        else
            PN_TRY(pn_page_read(&d, &page, path, clipped, n, stream));
        pn_arena_rewind(r->scratch, mark);
    }
    return PN_OK;
}

static pn_status read_leaves(const reading *r, const pn_leaf_path *paths,
                             const int32_t *leaf_columns, size_t n_leaves, pn_stream *streams,
                             pn_stream **present)
{
    size_t left = r->max_bytes; // all leaves together
    for (size_t i = 0; i < n_leaves; i++) {
        if (leaf_columns[i] < 0)
            continue;
        if ((size_t)leaf_columns[i] >= r->file->container.n_columns)
            return pn_fail(r->err, PN_ERR_CORRUPT, "%s: column %" PRId32 " of %zu",
                           r->file->container.path, leaf_columns[i], r->file->container.n_columns);
        const pn_file_column *column = &r->file->container.columns[leaf_columns[i]];
        pn_stream_init(&streams[i], left);
        const pn_row_range *last = &r->ranges[r->n_ranges - 1];
        if (r->file->container.minor > 0 && last->first + last->n > column->n_rows)
            return pn_fail(r->err, PN_ERR_CORRUPT,
                           "%s, column \"%s\": %" PRIu64 " rows, row %" PRIu64 " was asked for",
                           r->file->container.path, paths[i].nodes[0]->name, column->n_rows,
                           last->first + last->n - 1);
        PN_TRY(read_leaf(r, &paths[i], leaf_columns[i], &streams[i]));
        present[i] = &streams[i];
        left -= PN_MIN(left, pn_stream_bytes(&streams[i]));
    }
    return PN_OK;
}

pn_status pn_lance_absent(const pn_field *field, size_t n_rows, pn_arena *arena, pn_array *out,
                          pn_error *err)
{
    pn_leaf_path prefix = {.innermost_list = -1};
    size_t n_leaves = pn_lance_count_leaves(field), n = 0;
    pn_leaf_path *paths = PN_ARENA_NEW(arena, pn_leaf_path, n_leaves + 1);
    pn_stream **none = PN_ARENA_NEW(arena, pn_stream *, n_leaves + 1);
    if (!paths || !none)
        return pn_fail_nomem(err);
    collect_paths(field, &prefix, paths, &n);
    return pn_assemble(field, paths, none, n_leaves, n_rows, arena, out, err);
}

typedef struct wanted_rows {
    const pn_row_range *ranges;
    size_t n_ranges, n_rows;
} wanted_rows;

/* A field that we do not read, at any depth; NULL: none. */
static const pn_field *find_unread(const pn_field *field)
{
    const pn_field *found = field->is_blob ? field : NULL;
    for (size_t i = 0; i < field->n_children && !found; i++)
        found = find_unread(&field->children[i]);
    return found;
}

static pn_status check_readable(const pn_field *field, pn_error *err)
{
    const pn_field *unread = find_unread(field);
    return unread ? pn_fail(err, PN_ERR_UNSUPPORTED,
                            "column \"%s\": encoding \"blob v2\" of \"%s\" is not supported",
                            field->name, unread->name)
                  : PN_OK;
}

static pn_status read_ranges(pn_lance_file *file, const pn_field *field,
                             const int32_t *leaf_columns, size_t n_leaves, wanted_rows wanted,
                             pn_lance_memo *memo, pn_arena *arena, pn_array *out, pn_error *err)
{
    const size_t n_ranges = wanted.n_ranges, n_rows = wanted.n_rows;
    pn_assert(n_leaves == pn_lance_count_leaves(field));
    bool absent = true;
    PN_TRY(check_readable(field, err));
    for (size_t i = 0; i < n_leaves; i++)
        absent = absent && leaf_columns[i] < 0;
    if (absent)
        return pn_lance_absent(field, n_rows, arena, out, err);
    pn_arena scratch;
    reading r = {file, wanted.ranges, n_ranges, 0, memo, &scratch, err};
    r.max_bytes = budget(&r, leaf_columns, n_leaves);
    pn_arena_init(&scratch, r.max_bytes);
    pn_leaf_path prefix = {.innermost_list = -1};
    pn_leaf_path *paths = PN_ARENA_NEW(&scratch, pn_leaf_path, n_leaves + 1);
    pn_stream *streams = PN_ARENA_NEW(&scratch, pn_stream, n_leaves + 1);
    pn_stream **present = PN_ARENA_NEW(&scratch, pn_stream *, n_leaves + 1);
    if (!paths || !streams || !present) {
        pn_arena_reset(&scratch);
        return pn_fail_nomem(err);
    }
    size_t n = 0;
    collect_paths(field, &prefix, paths, &n);
    for (size_t i = 0; i < n_leaves; i++)
        pn_stream_init(&streams[i], r.max_bytes);
    pn_status status =
        n_ranges > 0 ? read_leaves(&r, paths, leaf_columns, n_leaves, streams, present) : PN_OK;
    for (size_t i = 0; n_ranges == 0 && i < n_leaves; i++)
        present[i] = &streams[i];
    if (status == PN_OK)
        status = pn_assemble(field, paths, present, n_leaves, n_rows, arena, out, err);
    if (status != PN_OK && status != PN_ERR_NOMEM && err &&
        !strstr(err->message, file->container.path))
        (void)pn_fail_wrap(err, status, "%s, ", file->container.path); // status is returned below
    for (size_t i = 0; i < n_leaves; i++)
        pn_stream_reset(&streams[i]);
    pn_arena_reset(&scratch);
    return status;
}

/* The column's values as they lie in the mapping, when they are one page's plain array of vectors. */
static bool borrow_vectors(pn_lance_file *file, const pn_field *field, int32_t column,
                           uint64_t first, uint64_t n, pn_arena *arena, pn_array *out)
{
    pn_lance_run *runs;
    size_t n_runs;
    bool mappable = false;
    if (field->type != PN_TYPE_FIXED_SIZE_LIST || field->children[0].type != PN_TYPE_FLOAT ||
        column < 0 ||
        pn_lance_file_map_vectors(file, column, field->size, arena, &runs, &n_runs, &mappable,
                                  NULL) != PN_OK ||
        !mappable)
        return false;
    for (size_t i = 0; i < n_runs; i++) {
        if (first < runs[i].first_row || first + n > runs[i].first_row + runs[i].n_rows)
            continue;
        pn_array *item = PN_ARENA_NEW(arena, pn_array, 1);
        if (!item)
            return false;
        *item = (pn_array){.field = &field->children[0],
                           .length = (size_t)n * (size_t)field->size,
                           .values = runs[i].vectors +
                                     (first - runs[i].first_row) * (uint64_t)field->size};
        *out = (pn_array){.field = field, .length = (size_t)n, .children = item, .n_children = 1};
        return true;
    }
    return false;
}

pn_status pn_lance_file_read(pn_lance_file *file, const pn_field *field,
                             const int32_t *leaf_columns, size_t n_leaves, uint64_t first,
                             uint64_t n, pn_lance_memo *memo, pn_arena *arena, pn_array *out,
                             pn_error *err)
{
    pn_row_range range = {first, n};
    if (n > 0 && n_leaves == 1 &&
        borrow_vectors(file, field, leaf_columns[0], first, n, arena, out))
        return PN_OK;
    const wanted_rows wanted = {&range, n > 0 ? 1 : 0, (size_t)n};
    return read_ranges(file, field, leaf_columns, n_leaves, wanted, memo, arena, out, err);
}

pn_status pn_lance_file_take(pn_lance_file *file, const pn_field *field,
                             const int32_t *leaf_columns, size_t n_leaves, const uint64_t *rows,
                             size_t n, pn_lance_memo *memo, pn_arena *arena, pn_array *out,
                             pn_error *err)
{
    pn_row_range *ranges = PN_ARENA_NEW(arena, pn_row_range, n + 1);
    size_t n_ranges = 0;
    if (!ranges)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        pn_assert(i == 0 || rows[i - 1] <= rows[i]);
        if (n_ranges > 0 && rows[i] == ranges[n_ranges - 1].first + ranges[n_ranges - 1].n)
            ranges[n_ranges - 1].n++;
        else
            ranges[n_ranges++] = (pn_row_range){rows[i], 1};
    }
    const wanted_rows wanted = {ranges, n_ranges, n};
    return read_ranges(file, field, leaf_columns, n_leaves, wanted, memo, arena, out, err);
}

static bool is_plain_vectors(const pn_file_page *page, int32_t dim)
{
    if (!page->layout || page->layout->layout_case != PN__LANCE__PAGE_LAYOUT__LAYOUT_FULL_ZIP ||
        page->n_buffers < 1)
        return false;
    const Pn__Lance__FullZip *zip = page->layout->full_zip;
    const Pn__Lance__Compression *how = zip->values;
    size_t bytes;
    return zip->bits_rep == 0 && zip->bits_def == 0 && zip->n_layers == 1 && zip->layers[0] == 1 &&
           how && how->kind_case == PN__LANCE__COMPRESSION__KIND_FIXED_LIST &&
           !how->fixed_list->has_validity && how->fixed_list->items == (uint64_t)dim &&
           how->fixed_list->values &&
           how->fixed_list->values->kind_case == PN__LANCE__COMPRESSION__KIND_FLAT &&
           how->fixed_list->values->flat->bits == 32 &&
           zip->bits_per_value == 32u * (uint32_t)dim &&
           pn_size_mul((size_t)page->n_rows, (size_t)dim * 4, &bytes) &&
           bytes <= page->buffers[0].n && (uintptr_t)page->buffers[0].data % sizeof(float) == 0;
}

static const uint8_t *find_plain_vectors(const pn_file_column *column, const pn_file_page *page,
                                         int32_t dim)
{
    pn_array_buffers buffers = {page->buffers, column->buffers, page->n_buffers, column->n_buffers};
    if (page->array)
        return pn_array_plain_floats(&buffers, page->array, page->n_rows, (uint32_t)dim);
    return is_plain_vectors(page, dim) ? page->buffers[0].data : NULL;
}

pn_status pn_lance_file_map_vectors(pn_lance_file *file, int32_t column, int32_t dim,
                                    pn_arena *arena, pn_lance_run **runs, size_t *n_runs,
                                    bool *mappable, pn_error *err)
{
    if (column < 0 || (size_t)column >= file->container.n_columns || dim < 1)
        return pn_fail(err, PN_ERR_INVALID, "%s: no vectors in column %" PRId32,
                       file->container.path, column);
    const pn_file_column *from = &file->container.columns[column];
    pn_lance_run *list = PN_ARENA_NEW(arena, pn_lance_run, from->n_pages + 1);
    if (!list)
        return pn_fail_nomem(err);
    *mappable = true;
    for (size_t i = 0; i < from->n_pages; i++) {
        const pn_file_page *page = &from->pages[i];
        const uint8_t *plain = find_plain_vectors(from, page, dim);
        if (!plain) {
            *mappable = false;
            return PN_OK;
        }
        list[i] = (pn_lance_run){page->first_row, page->n_rows, (const float *)(const void *)plain};
    }
    *runs = list;
    *n_runs = from->n_pages;
    return PN_OK;
}
