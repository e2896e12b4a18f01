/*
 * lance_writer.c - batches in, pages and a footer out
 *
 *     page buffers | schema | column metadata | column table | global buffer table | footer
 *
 * For each leaf the entries since its last page are kept plain (stream.h). A leaf that has 8 MiB, and each leaf at the end,
 * becomes a page (page_encode.h), independently of the others: a column of vectors has a page every few thousand rows, a
 * column of numbers one a million rows. What waits in memory is so bounded by 8 MiB a leaf and the block of rows in hand.
 *
 * Positions are known only while writing: the Page messages pile up, serialized, in a buffer a column, and follow the data.
 *
 * Files of version 2.0 have other columns and pages, which array_writer.c makes; only what is around them is the same.
 */
#include "lance/lance_writer.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "lance/array_writer.h"
#include "lance/container.h"
#include "lance/lance_schema.h"
#include "lance/page_encode.h"
#include "lance/shred.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

enum {
    PAGE_BYTES = 8 << 20,
    KEPT_BYTES =
        2 *
        PAGE_BYTES, /* of a buffer from page to page: new memory costs more than what is copied to it */
    WRITE_BACK_BYTES = 4 << 20, /* that the disk may begin with while the next page is made */
    PAGE_ENTRIES = 8 << 20,     /* levels take a byte each */
    PAGE_BARREN_ENTRIES =
        PN_LANCE_MAX_CHUNK_LEVELS / 2, /* on end: a chunk takes them, and a row's */
    BLOCK_ROWS = 1024,
    BUFFER_ALIGNMENT = 64,
    MAX_METADATA = 16,
    LARGEST_ALIGNMENT = 4096
};
static const size_t MAX_PAGE_BYTES = (size_t)4 << 30;

/* Which layout the entries of a page need for LanceDB to read it (page_encode.c). */
enum { NEEDS_CHUNKS = 1, NEEDS_ZIP = 2, NEEDS_BOTH = 3 };

/* The pages of a column so far. */
typedef struct page_list {
    uint64_t n_rows;
    pn_buffer messages; /* serialized, each as field 2 of ColumnMetadata */
} page_list;

typedef struct leaf_writer {
    pn_leaf_path path;
    size_t field_i, leaf_i; /* top-level column, leaf within it */
    pn_stream stream;       /* entries since the last page */
    size_t n_rows;          /* since the last page */
    bool may_be_chunks;
    size_t n_barren, max_barren; /* entries since the last value */
    bool has_small_chunks;       /* not every value fits one: such rows get pages of their own */
    bool ends;                   /* the next row needs another layout than the page */
    int page_needs, row_needs;
} leaf_writer;

struct pn_lance_writer {
    char *path;
    pn_fd fd;
    bool created;   /* there is a file of this name, and it is ours */
    bool finished;  /* and it stays */
    uint16_t minor; /* of the version, 2.minor */
    const pn_schema *schema;
    leaf_writer *leaves; /* since 2.1 */
    size_t n_leaves;
    pn_encoded_page encoded;
    pn_array_writer *arrays; /* of 2.0 */
    page_list *columns;
    size_t n_columns;
    uint64_t offset; /* bytes written */
    uint64_t begun;  /* of which the disk has been told */
    uint64_t n_rows;
    pn_arena arena; /* metadata */
    Pn__Lance__KeyBytes *metadata[MAX_METADATA];
    size_t n_metadata;
    pn_buffer globals; /* (position, length) of those that were added */
};

/* ---- bytes ---- */

static pn_status write_bytes(pn_lance_writer *w, const void *bytes, size_t n, pn_error *err)
{
    PN_TRY(pn_fd_write(w->fd, w->path, bytes, n, err));
    w->offset += n;
    return PN_OK;
}

static pn_status align(pn_lance_writer *w, size_t alignment, pn_error *err)
{
    static const uint8_t padding[LARGEST_ALIGNMENT]; // its content does not matter
    return write_bytes(w, padding, (size_t)(-w->offset & (alignment - 1)), err);
}

/* ---- collecting entries ---- */

static pn_status take_entry(void *context, pn_entry entry, const pn_array *array, pn_error *err)
{
    leaf_writer *leaf = context;
    pn_stream *s = &leaf->stream;
    if (leaf->path.n_lists > 0)
        PN_TRY(pn_buffer_append(&s->rep, &entry.rep, 1, err));
    PN_TRY(pn_buffer_append(&s->stop, &entry.stop, 1, err));
    if (entry.stop % 2 == 1) {
        const pn_field *field = leaf->path.nodes[(entry.stop - 1) / 2];
        if (!field->nullable)
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": \"%s\" cannot be null",
                           leaf->path.nodes[0]->name, field->name);
    }
    s->n_entries++;
    leaf->n_barren++;
    if (!pn_stop_is_visible(&leaf->path, entry.stop))
        return PN_OK;
    leaf->n_barren = 0;
    return pn_shred_value(s, leaf->path.nodes[leaf->path.n - 1], array, entry.value, err);
}

/* ---- pages ---- */

/* One Page message, for buffers that lie at these places. */
static pn_status describe_page(const pn_lance_writer *w, page_list *pages,
                               const pn_encoded_page *encoded, uint64_t n_rows, uint64_t *offsets,
                               uint64_t *sizes, pn_error *err)
{
    char layout_url[] = PN_LANCE_PAGE_LAYOUT_URL, array_url[] = PN_LANCE_ARRAY_URL;
    uint8_t any_bytes[4096], head[16];
    Pn__Lance__Any any = PN__LANCE__ANY__INIT;
    Pn__Lance__DirectEncoding direct = PN__LANCE__DIRECT_ENCODING__INIT;
    Pn__Lance__Encoding encoding = PN__LANCE__ENCODING__INIT;
    Pn__Lance__Page page = PN__LANCE__PAGE__INIT;
    any.type_url = w->minor == 0 ? array_url : layout_url;
    any.has_value = 1;
    any.value = (ProtobufCBinaryData){encoded->layout.n_bytes, encoded->layout.data};
    pn_assert(pn__lance__any__get_packed_size(&any) <= sizeof any_bytes); // a few numbers a node
    direct.has_encoding = 1;
    direct.encoding = (ProtobufCBinaryData){pn__lance__any__pack(&any, any_bytes), any_bytes};
    encoding.direct = &direct;
    page.n_buffer_offsets = page.n_buffer_sizes = encoded->n_buffers;
    page.buffer_offsets = offsets;
    page.buffer_sizes = sizes;
    page.has_length = page.has_priority = 1;
    page.length = n_rows;
    page.priority = pages->n_rows;
    page.encoding = &encoding;
    size_t n = pn__lance__page__get_packed_size(&page), n_head = 0;
    head[n_head++] = 0x12; // field 2 of ColumnMetadata, length-delimited
    for (size_t rest = n; n_head == 1 || rest > 0; rest >>= 7)
        head[n_head++] = (uint8_t)((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
    pn_buffer *out = &pages->messages;
    PN_TRY(pn_buffer_append(out, head, n_head, err));
    PN_TRY(pn_buffer_reserve(out, n, err));
    out->n_bytes += pn__lance__page__pack(&page, out->data + out->n_bytes);
    pages->n_rows += n_rows;
    return PN_OK;
}

static pn_status write_encoded(void *context, size_t column, const pn_encoded_page *encoded,
                               uint64_t n_rows, pn_error *err)
{
    pn_lance_writer *w = context;
    uint64_t offsets[PN_COUNT_OF(encoded->buffers)], sizes[PN_COUNT_OF(encoded->buffers)];
    for (size_t i = 0; i < encoded->n_buffers; i++) {
        const pn_buffer *buffer =
            i == 0 && encoded->as_it_lies ? encoded->as_it_lies : &encoded->buffers[i];
        PN_TRY(align(w, i == 0 ? encoded->alignment : BUFFER_ALIGNMENT, err));
        offsets[i] = w->offset;
        sizes[i] = buffer->n_bytes;
        PN_TRY(write_bytes(w, buffer->data, buffer->n_bytes, err));
    }
    if (w->offset - w->begun >= WRITE_BACK_BYTES) {
        pn_fd_begin_write_back(w->fd, w->begun, w->offset - w->begun);
        w->begun = w->offset;
    }
    return describe_page(w, &w->columns[column], encoded, n_rows, offsets, sizes, err);
}

static pn_status write_page(pn_lance_writer *w, size_t leaf_i, pn_error *err)
{
    leaf_writer *leaf = &w->leaves[leaf_i];
    if (leaf->n_rows == 0)
        return PN_OK;
    pn_status status =
        pn_page_encode(&leaf->stream, &leaf->path, leaf->n_rows, w->minor, &w->encoded, err);
    if (status == PN_OK)
        status = write_encoded(w, leaf_i, &w->encoded, leaf->n_rows, err);
    pn_encoded_page_clear(&w->encoded, KEPT_BYTES);
    leaf->n_rows = leaf->n_barren = 0;
    leaf->page_needs = 0;
    leaf->ends = false;
    pn_stream_clear(&leaf->stream, KEPT_BYTES);
    return status;
}

static bool is_full(const leaf_writer *leaf)
{
    return leaf->stream.data.n_bytes >= PAGE_BYTES || leaf->stream.n_entries >= PAGE_ENTRIES ||
           leaf->ends || (leaf->may_be_chunks && leaf->n_barren >= leaf->max_barren);
}

/* ---- rows of one leaf ---- */

static pn_status look_at_entry(void *context, pn_entry entry, const pn_array *array, pn_error *err)
{
    (void)err; // looking cannot fail
    leaf_writer *leaf = context;
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    if (entry.stop == 0) {
        size_t n = pn_type_is_variable(field->type) ? pn_array_bytes(array, entry.value).len
                                                    : pn_type_width(field);
        leaf->row_needs |= n > PN_LANCE_SMALL_CHUNK_VALUE_BYTES ? NEEDS_ZIP : 0;
    } else if (!pn_stop_is_visible(&leaf->path, entry.stop)) {
        leaf->row_needs |= NEEDS_CHUNKS;
    }
    return PN_OK;
}

/* Whether the page ends before this row. One that needs both layouts is alone, and unreadable for LanceDB. */
static pn_status look_at_row(leaf_writer *leaf, const pn_leaf_path *path, const pn_array *array,
                             size_t row, pn_error *err)
{
    leaf->row_needs = 0;
    PN_TRY(pn_shred(array, row, 1, path, look_at_entry, leaf, err));
    leaf->ends = leaf->n_rows > 0 && (leaf->page_needs | leaf->row_needs) == NEEDS_BOTH;
    if (!leaf->ends)
        leaf->page_needs |= leaf->row_needs;
    return PN_OK;
}

/* Rows of an array until the leaf's page is full; *first moves on. */
static pn_status take_rows(leaf_writer *leaf, const pn_array *array, size_t *first, pn_error *err)
{
    pn_leaf_path path; // through the batch's own fields: they may be a copy of the schema's
    pn_leaf_path_make(array->field, leaf->leaf_i, &path);
    size_t block = leaf->may_be_chunks ? 1 : BLOCK_ROWS;
    while (*first < array->length && !is_full(leaf)) {
        size_t n = PN_MIN(array->length - *first, block);
        if (leaf->has_small_chunks)
            PN_TRY(look_at_row(leaf, &path, array, *first, err));
        if (leaf->ends)
            break;
        if (leaf->path.n == 1 && pn_shred_is_plain(&leaf->stream, array))
            PN_TRY(pn_shred_plain(&leaf->stream, array, *first, n, err));
        else
            PN_TRY(pn_shred(array, *first, n, &path, take_entry, leaf, err));
        leaf->n_rows += n;
        *first += n;
    }
    return PN_OK;
}

/* ---- the writer ---- */

static const char EARLY_MAPS[] = "maps before version 2.2";

/* LanceDB keeps the values of such a column elsewhere in the file, and looks for them nowhere else. */
static bool is_marked_blob(const pn_field *field)
{
    for (size_t i = 0; i < field->n_metadata; i++)
        if (strcmp(field->metadata[i].key, "lance-encoding:blob") == 0)
            return field->type == PN_TYPE_LARGE_BINARY;
    return false;
}

/* What a reader expects elsewhere than where this writer puts it. */
static const char *other_storage(const pn_leaf_path *path, uint16_t minor)
{
    for (size_t i = 0; i < path->n; i++) {
        const pn_field *field = path->nodes[i];
        if (field->type == PN_TYPE_MAP && minor < 2)
            return EARLY_MAPS;
        if (field->is_packed)
            return "packed structs";
        if (field->is_blob || is_marked_blob(field))
            return "blobs";
    }
    return NULL;
}

/* Dictionaries of strings, bytes and numbers: of others the format has no name. An integer chooses. */
static bool is_odd_dictionary(const pn_field *field)
{
    bool is_float = field->type == PN_TYPE_HALF || field->type == PN_TYPE_FLOAT ||
                    field->type == PN_TYPE_DOUBLE;
    return field->is_dictionary &&
           !((pn_type_is_variable(field->type) || pn_type_is_integer(field->type) || is_float) &&
             pn_type_is_integer(field->index_type));
}

static pn_status check_leaf(const pn_leaf_path *path, uint16_t minor, pn_error *err)
{
    const pn_field *field = path->nodes[path->n - 1];
    const char *name = path->nodes[0]->name, *other = other_storage(path, minor);
    bool odd_list = field->type == PN_TYPE_FIXED_SIZE_LIST &&
                    (field->children[0].n_children > 0 || pn_type_width(field) == 0);
    bool odd_dictionary = is_odd_dictionary(field);
    if (odd_list || odd_dictionary || other || pn_type_width(field) > UINT32_MAX / 8 - 4096)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": writing %s is not supported%s",
                       name,
                       other            ? other
                       : odd_dictionary ? "this dictionary"
                       : odd_list       ? "this fixed-size list"
                                        : "values that wide",
                       other == EARLY_MAPS ? "; a list of structs of key and value is" : "");
    if (field->type == PN_TYPE_STRUCT)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "column \"%s\": a struct without members", name);
    return PN_OK;
}

static pn_status make_leaf(pn_lance_writer *w, size_t field_i, size_t leaf_i, pn_error *err)
{
    leaf_writer *leaf = &w->leaves[w->n_leaves++];
    leaf->field_i = field_i;
    leaf->leaf_i = leaf_i;
    pn_leaf_path_make(&w->schema->fields[field_i], leaf_i, &leaf->path);
    bool hides = pn_page_may_hide_lists(&leaf->path);
    const pn_field *field = leaf->path.nodes[leaf->path.n - 1];
    bool only_chunks = field->type == PN_TYPE_BOOL || field->is_dictionary;
    leaf->may_be_chunks = hides || (only_chunks && leaf->path.n_lists > 0);
    leaf->has_small_chunks = hides && w->minor == 1;
    leaf->max_barren = w->minor == 1 ? PN_LANCE_SMALL_CHUNK_BARREN : PAGE_BARREN_ENTRIES;
    pn_stream_init(&leaf->stream, MAX_PAGE_BYTES);
    return check_leaf(&leaf->path, w->minor, err);
}

/* Of 2.0 the leaves are made only to be looked at. */
static pn_status make_leaves(pn_lance_writer *w, pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < w->schema->n_fields; i++)
        n += pn_lance_count_leaves(&w->schema->fields[i]);
    if (n > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_LIMIT, "%zu columns, the limit is %d", n, PN_LANCE_MAX_COLUMNS);
    w->leaves = pn_alloc_zero((n + 1) * sizeof *w->leaves);
    if (!w->leaves)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < w->schema->n_fields; i++)
        for (size_t k = 0; k < pn_lance_count_leaves(&w->schema->fields[i]); k++)
            PN_TRY(make_leaf(w, i, k, err));
    return PN_OK;
}

static pn_status make_columns(pn_lance_writer *w, pn_error *err)
{
    PN_TRY(make_leaves(w, err));
    size_t n = w->n_leaves;
    if (w->minor == 0) {
        PN_TRY(pn_array_writer_create(w->schema, PAGE_BYTES, MAX_PAGE_BYTES, write_encoded, w,
                                      &w->arrays, err));
        n = pn_array_writer_columns(w->arrays);
        w->n_leaves = 0;
    }
    w->columns = pn_alloc_zero((n + 1) * sizeof *w->columns);
    if (!w->columns)
        return pn_fail_nomem(err);
    for (w->n_columns = 0; w->n_columns < n; w->n_columns++)
        pn_buffer_init(&w->columns[w->n_columns].messages, PN_LANCE_MAX_METADATA_BYTES);
    return PN_OK;
}

/* Without a file yet. *out is to be closed also after a failure. */
static pn_status make_writer(const pn_schema *schema, uint16_t minor, pn_lance_writer **out,
                             pn_error *err)
{
    *out = NULL;
    if (minor > 3)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "data files of version 2.%u are not written",
                       minor);
    pn_lance_writer *w = pn_alloc_zero(sizeof *w);
    if (!w)
        return pn_fail_nomem(err);
    w->fd = PN_FD_NONE;
    pn_encoded_page_init(&w->encoded, MAX_PAGE_BYTES);
    w->schema = schema;
    w->minor = minor;
    pn_arena_init(&w->arena, PN_LANCE_MAX_METADATA_BYTES);
    pn_buffer_init(&w->globals, 1u << 16);
    *out = w;
    return make_columns(w, err);
}

pn_status pn_lance_writer_check(const pn_schema *schema, uint16_t minor, pn_error *err)
{
    pn_lance_writer *w;
    pn_status status = make_writer(schema, minor, &w, err);
    pn_lance_writer_close(w);
    return status;
}

pn_status pn_lance_writer_create_version(const char *path, const pn_schema *schema, uint16_t minor,
                                         pn_lance_writer **out, pn_error *err)
{
    pn_lance_writer *w;
    pn_status status = make_writer(schema, minor, &w, err);
    PN_GOTO(done, status);
    w->path = pn_strdup(path);
    if (!w->path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_fd_open(path, PN_OPEN_CREATE_NEW, &w->fd, err));
    w->created = true;
    *out = w;
    w = NULL;
done:
    pn_lance_writer_close(w);
    return status;
}

pn_status pn_lance_writer_create(const char *path, const pn_schema *schema, pn_lance_writer **out,
                                 pn_error *err)
{
    return pn_lance_writer_create_version(path, schema, 2, out, err);
}

/* The same types all the way down; names and nullability may differ. */
static bool same_shape(const pn_field *a, const pn_field *b)
{
    bool sized = a->type == PN_TYPE_FIXED_SIZE_LIST || a->type == PN_TYPE_FIXED_SIZE_BINARY;
    if (a->type != b->type || a->n_children != b->n_children || (sized && a->size != b->size))
        return false;
    for (size_t i = 0; i < a->n_children; i++)
        if (!same_shape(&a->children[i], &b->children[i]))
            return false;
    return true;
}

static pn_status check_batch(const pn_lance_writer *w, const pn_batch *batch, pn_error *err)
{
    if (batch->schema->n_fields != w->schema->n_fields)
        return pn_fail(err, PN_ERR_INVALID, "%s: %zu columns to append to %zu", w->path,
                       batch->schema->n_fields, w->schema->n_fields);
    for (size_t i = 0; i < w->schema->n_fields; i++) {
        const char *name = w->schema->fields[i].name;
        if (!same_shape(&w->schema->fields[i], batch->columns[i].field))
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": values of another type", name);
        if (batch->columns[i].length != batch->n_rows)
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\": %zu values for %zu rows", name,
                           batch->columns[i].length, batch->n_rows);
    }
    return PN_OK;
}

pn_status pn_lance_writer_append(pn_lance_writer *w, const pn_batch *batch, pn_error *err)
{
    PN_TRY(check_batch(w, batch, err));
    if (w->arrays)
        PN_TRY(pn_array_writer_append(w->arrays, batch, err));
    for (size_t i = 0; i < w->n_leaves; i++) {
        leaf_writer *leaf = &w->leaves[i];
        for (size_t row = 0; row < batch->n_rows;) {
            PN_TRY(take_rows(leaf, &batch->columns[leaf->field_i], &row, err));
            if (is_full(leaf))
                PN_TRY(write_page(w, i, err));
        }
    }
    w->n_rows += batch->n_rows;
    return PN_OK;
}

pn_status pn_lance_writer_add_metadata(pn_lance_writer *w, const char *key, const char *value,
                                       pn_error *err)
{
    if (w->n_metadata == MAX_METADATA)
        return pn_fail(err, PN_ERR_LIMIT, "%s: over %d pairs of metadata", w->path, MAX_METADATA);
    Pn__Lance__KeyBytes *pair = pn_arena_alloc(&w->arena, sizeof *pair);
    if (!pair)
        return pn_fail_nomem(err);
    pn__lance__key_bytes__init(pair);
    pair->key = pn_arena_strdup(&w->arena, key);
    pair->has_value = 1;
    pair->value =
        (ProtobufCBinaryData){strlen(value), (uint8_t *)pn_arena_strdup(&w->arena, value)};
    if (!pair->key || !pair->value.data)
        return pn_fail_nomem(err);
    w->metadata[w->n_metadata++] = pair;
    return PN_OK;
}

pn_status pn_lance_writer_add_global(pn_lance_writer *w, const void *bytes, size_t n, pn_error *err)
{
    uint8_t entry[16];
    PN_TRY(align(w, BUFFER_ALIGNMENT, err));
    pn_store_le64(entry, w->offset);
    pn_store_le64(entry + 8, n);
    PN_TRY(write_bytes(w, bytes, n, err));
    return pn_buffer_append(&w->globals, entry, sizeof entry, err);
}

/* ---- behind the pages ---- */

/* The column's encoding, which is the same constant for all, behind its key; then the pages. */
static pn_status write_metadata(pn_lance_writer *w, pn_buffer *table, pn_error *err)
{
    static const char encoding[] =
        "\x0a\x29\x12\x27\x0a\x25\x0a\x1f/lance.encodings.ColumnEncoding\x12\x02\x0a\x00";
    for (size_t i = 0; i < w->n_columns; i++) {
        const pn_buffer *messages = &w->columns[i].messages;
        uint8_t entry[16];
        pn_store_le64(entry, w->offset);
        PN_TRY(write_bytes(w, encoding, sizeof encoding - 1, err));
        PN_TRY(write_bytes(w, messages->data, messages->n_bytes, err));
        pn_store_le64(entry + 8, w->offset - pn_load_le64(entry));
        PN_TRY(pn_buffer_append(table, entry, sizeof entry, err));
    }
    return PN_OK;
}

static pn_status write_descriptor(pn_lance_writer *w, uint64_t *position, uint64_t *length,
                                  pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    Pn__Lance__Schema schema = PN__LANCE__SCHEMA__INIT;
    Pn__Lance__FileDescriptor descriptor = PN__LANCE__FILE_DESCRIPTOR__INIT;
    pn_status status =
        pn_lance_schema_encode(w->schema, &arena, &schema.fields, &schema.n_fields, err);
    schema.metadata = w->metadata;
    schema.n_metadata = w->n_metadata;
    descriptor.schema = &schema;
    descriptor.has_length = 1;
    descriptor.length = w->n_rows;
    if (status == PN_OK)
        status = align(w, BUFFER_ALIGNMENT, err);
    *position = w->offset;
    size_t n = status == PN_OK ? pn__lance__file_descriptor__get_packed_size(&descriptor) : 0;
    uint8_t *bytes = pn_arena_alloc(&arena, n + 1);
    if (status == PN_OK && !bytes)
        status = pn_fail_nomem(err);
    if (status == PN_OK) {
        *length = pn__lance__file_descriptor__pack(&descriptor, bytes);
        status = write_bytes(w, bytes, n, err);
    }
    pn_arena_reset(&arena);
    return status;
}

static pn_status write_tail(pn_lance_writer *w, pn_buffer *table, pn_error *err)
{
    uint64_t descriptor_off, descriptor_bytes;
    uint8_t global[16], footer[PN_LANCE_FOOTER_BYTES] = {0};
    PN_TRY(write_descriptor(w, &descriptor_off, &descriptor_bytes, err));
    PN_TRY(align(w, BUFFER_ALIGNMENT, err));
    pn_store_le64(footer, w->offset);
    PN_TRY(write_metadata(w, table, err));
    pn_store_le64(footer + 8, w->offset);
    PN_TRY(write_bytes(w, table->data, table->n_bytes, err));
    pn_store_le64(footer + 16, w->offset);
    pn_store_le64(global, descriptor_off);
    pn_store_le64(global + 8, descriptor_bytes);
    PN_TRY(write_bytes(w, global, sizeof global, err));
    PN_TRY(write_bytes(w, w->globals.data, w->globals.n_bytes, err));
    pn_store_le32(footer + 24, 1 + (uint32_t)(w->globals.n_bytes / sizeof global));
    pn_store_le32(footer + 28, (uint32_t)w->n_columns);
    pn_store_le16(footer + 32, w->minor == 0 ? 0 : 2); // 2.0 calls itself 0.3
    pn_store_le16(footer + 34, w->minor == 0 ? 3 : w->minor);
    memcpy(footer + 36, PN_LANCE_MAGIC, 4);
    return write_bytes(w, footer, sizeof footer, err);
}

/* The descriptor is the list's, whatever comes of it. */
static pn_status hand_over(pn_lance_writer *w, pn_sync_list *unsynced, pn_error *err)
{
    pn_status status = pn_sync_list_add(unsynced, w->fd, w->path, err);
    w->fd = PN_FD_NONE;
    return status;
}

pn_status pn_lance_writer_finish(pn_lance_writer *w, pn_sync_list *unsynced, uint64_t *n_rows,
                                 uint64_t *size_bytes, pn_error *err)
{
    for (size_t i = 0; i < w->n_leaves; i++)
        PN_TRY(write_page(w, i, err));
    if (w->arrays)
        PN_TRY(pn_array_writer_finish(w->arrays, err));
    pn_buffer table;
    pn_buffer_init(&table, 1u << 20);
    pn_status status = write_tail(w, &table, err);
    pn_buffer_reset(&table);
    if (status == PN_OK)
        status = hand_over(w, unsynced, err);
    PN_TRY(status);
    w->finished = true;
    *n_rows = w->n_rows;
    *size_bytes = w->offset;
    return PN_OK;
}

void pn_lance_writer_close(pn_lance_writer *w)
{
    if (!w)
        return;
    pn_fd_close(w->fd);
    if (w->created && !w->finished) {
        pn_status ignored = pn_path_remove(w->path, NULL);
        (void)ignored; // nobody refers to the file: clean-up finds it if this fails
    }
    for (size_t i = 0; i < w->n_leaves; i++)
        pn_stream_reset(&w->leaves[i].stream);
    for (size_t i = 0; i < w->n_columns; i++)
        pn_buffer_reset(&w->columns[i].messages);
    pn_array_writer_free(w->arrays);
    pn_encoded_page_reset(&w->encoded);
    pn_arena_reset(&w->arena);
    pn_buffer_reset(&w->globals);
    pn_free(w->leaves);
    pn_free(w->columns);
    pn_free(w->path);
    pn_free(w);
}
