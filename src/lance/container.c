/*
 * container.c - from the footer to the pages
 *
 *     page and global buffers | column metadata | column table | global buffer table | footer (40 bytes)
 *
 * Everything is checked when the file is opened: positions and sizes against the file, page rows against each other. A reader
 * of pages then only has to doubt what is inside the buffers.
 */
#include "lance/container.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "lance/message_depth.h"

#include <inttypes.h>
#include <string.h>

typedef struct footer {
    uint64_t metadata_off, column_table_off, global_table_off;
    uint32_t n_global, n_columns;
} footer;

static pn_status corrupt(const pn_container *c, pn_error *err, const char *what)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: %s", c->path, what);
}

/* Bytes [offset, offset + n) of the file. */
static bool range(const pn_container *c, uint64_t offset, uint64_t n, pn_slice *out)
{
    if (offset > c->mapping.n_bytes || n > c->mapping.n_bytes - offset)
        return false;
    *out = (pn_slice){c->mapping.data + offset, (size_t)n};
    return true;
}

static pn_status parse_footer(pn_container *c, footer *out, pn_error *err)
{
    if (c->mapping.n_bytes < PN_LANCE_FOOTER_BYTES)
        return corrupt(c, err, "too short for a Lance file");
    const uint8_t *at = c->mapping.data + c->mapping.n_bytes - PN_LANCE_FOOTER_BYTES;
    if (memcmp(at + 36, PN_LANCE_MAGIC, 4) != 0)
        return corrupt(c, err, "does not end in \"LANC\": not a Lance file, or cut short");
    *out = (footer){pn_load_le64(at), pn_load_le64(at + 8), pn_load_le64(at + 16),
                    pn_load_le32(at + 24), pn_load_le32(at + 28)};
    c->major = pn_load_le16(at + 32);
    c->minor = pn_load_le16(at + 34);
    if (c->major == 0 && c->minor == 3) { // as files of 2.0 call themselves
        c->major = 2;
        c->minor = 0;
    } else if (c->major != 2 || c->minor < 1 || c->minor > 3) {
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: Lance file version %u.%u; 2.0 to 2.3 are supported", c->path, c->major,
                       c->minor);
    }
    if (out->n_columns > PN_LANCE_MAX_COLUMNS)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %" PRIu32 " columns, the limit is %d", c->path,
                       out->n_columns, PN_LANCE_MAX_COLUMNS);
    return PN_OK;
}

/* The i-th (position, length) of a table in the file. */
static pn_status table_entry(const pn_container *c, uint64_t table_off, uint64_t i, pn_slice *out,
                             pn_error *err)
{
    pn_slice entry;
    if (i > UINT32_MAX || table_off > UINT64_MAX - i * 16 ||
        !range(c, table_off + i * 16, 16, &entry) ||
        !range(c, pn_load_le64(entry.data), pn_load_le64(entry.data + 8), out))
        return corrupt(c, err, "a table of the footer points outside of the file");
    if (out->n > PN_LANCE_MAX_METADATA_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: metadata of %zu bytes, the limit is %u", c->path,
                       out->n, PN_LANCE_MAX_METADATA_BYTES);
    return PN_OK;
}

/* Layouts and encodings may hold themselves. */
static pn_status check_depth(const pn_container *c, const ProtobufCMessageDescriptor *type,
                             const Pn__Lance__Any *any, pn_error *err)
{
    return pn_message_depth_is_fine(type, any->value.data, any->value.len)
               ? PN_OK
               : pn_fail(err, PN_ERR_LIMIT, "%s: an encoding nested over %d deep", c->path,
                         PN_MESSAGE_MAX_DEPTH);
}

static pn_status parse_layout(pn_container *c, const Pn__Lance__Page *page, pn_file_page *out,
                              pn_error *err)
{
    const Pn__Lance__DirectEncoding *direct = page->encoding ? page->encoding->direct : NULL;
    Pn__Lance__Any *any =
        direct ? pn__lance__any__unpack(NULL, direct->encoding.len, direct->encoding.data) : NULL;
    if (!any)
        return corrupt(c, err, "a page without a layout");
    pn_status status = check_depth(c,
                                   c->minor == 0 ? &pn__lance__array_encoding__descriptor
                                                 : &pn__lance__page_layout__descriptor,
                                   any, err);
    const char *url = c->minor == 0 ? PN_LANCE_ARRAY_URL : PN_LANCE_PAGE_LAYOUT_URL;
    if (status == PN_OK && (!any->type_url || strcmp(any->type_url, url) != 0))
        status = pn_fail(err, PN_ERR_UNSUPPORTED, "%s: page encoding \"%s\" is not supported",
                         c->path, any->type_url ? any->type_url : "");
    else if (status == PN_OK && c->minor == 0)
        out->array = pn__lance__array_encoding__unpack(NULL, any->value.len, any->value.data);
    else if (status == PN_OK)
        out->layout = pn__lance__page_layout__unpack(NULL, any->value.len, any->value.data);
    if (status == PN_OK && !out->array && !out->layout)
        status = corrupt(c, err, "a page layout is damaged");
    pn__lance__any__free_unpacked(any, NULL);
    return status;
}

static pn_status parse_page(pn_container *c, const Pn__Lance__Page *page, uint64_t first_row,
                            pn_file_page *out, pn_error *err)
{
    if (page->n_buffer_offsets != page->n_buffer_sizes)
        return corrupt(c, err, "a page has another number of buffer positions than sizes");
    out->first_row = first_row;
    out->n_rows = page->length;
    out->n_buffers = page->n_buffer_offsets;
    out->buffers = PN_ARENA_NEW(&c->arena, pn_slice, out->n_buffers + 1);
    if (!out->buffers)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < out->n_buffers; i++)
        if (!range(c, page->buffer_offsets[i], page->buffer_sizes[i], &out->buffers[i]))
            return corrupt(c, err, "a page's buffer lies outside of the file");
    return parse_layout(c, page, out, err);
}

/* Before 2.1 a column may have buffers of its own, and an encoding around its values. */
static pn_status parse_column_encoding(pn_container *c, pn_file_column *out, pn_error *err)
{
    const Pn__Lance__ColumnMetadata *m = out->metadata;
    if (m->n_buffer_offsets != m->n_buffer_sizes)
        return corrupt(c, err, "a column has another number of buffer positions than sizes");
    out->n_buffers = m->n_buffer_offsets;
    out->buffers = PN_ARENA_NEW(&c->arena, pn_slice, out->n_buffers + 1);
    if (!out->buffers)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < out->n_buffers; i++)
        if (!range(c, m->buffer_offsets[i], m->buffer_sizes[i], &out->buffers[i]))
            return corrupt(c, err, "a column's buffer lies outside of the file");
    const Pn__Lance__DirectEncoding *direct = m->encoding ? m->encoding->direct : NULL;
    if (!direct)
        return PN_OK;
    Pn__Lance__Any *any = pn__lance__any__unpack(NULL, direct->encoding.len, direct->encoding.data);
    pn_status status =
        any ? check_depth(c, &pn__lance__column_encoding__descriptor, any, err) : PN_OK;
    Pn__Lance__ColumnEncoding *how =
        any && status == PN_OK
            ? pn__lance__column_encoding__unpack(NULL, any->value.len, any->value.data)
            : NULL;
    if (any)
        pn__lance__any__free_unpacked(any, NULL);
    PN_TRY(status);
    if (!how)
        return corrupt(c, err, "a column's encoding is damaged");
    const Pn__Lance__ColumnEncoding *inner = how;
    while (inner && inner->kind_case == PN__LANCE__COLUMN_ENCODING__KIND_ZONE_INDEX)
        inner = inner->zone_index->inner; // helps to pass over pages, which we do not
    out->is_blob = inner && inner->kind_case == PN__LANCE__COLUMN_ENCODING__KIND_BLOB;
    pn__lance__column_encoding__free_unpacked(how, NULL);
    return PN_OK;
}

static pn_status parse_column(pn_container *c, pn_slice bytes, pn_file_column *out, pn_error *err)
{
    out->metadata = pn__lance__column_metadata__unpack(NULL, bytes.n, bytes.data);
    if (!out->metadata)
        return corrupt(c, err, "a column's metadata is damaged");
    size_t n = out->metadata->n_pages;
    if (n > PN_LANCE_MAX_PAGES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu pages in a column, the limit is %u", c->path, n,
                       PN_LANCE_MAX_PAGES);
    out->pages = PN_ARENA_NEW(&c->arena, pn_file_page, n + 1);
    if (!out->pages)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        out->n_pages = i + 1;
        PN_TRY(parse_page(c, out->metadata->pages[i], out->n_rows, &out->pages[i], err));
        if (!pn_u64_add(out->n_rows, out->pages[i].n_rows, &out->n_rows))
            return corrupt(c, err, "a column of impossible length");
    }
    return c->minor == 0 ? parse_column_encoding(c, out, err) : PN_OK;
}

pn_status pn_container_global(const pn_container *c, uint32_t i, pn_slice *out, pn_error *err)
{
    return table_entry(c, c->global_table_off, i, out, err);
}

static pn_status parse(pn_container *c, pn_error *err)
{
    footer f;
    pn_slice bytes;
    PN_TRY(parse_footer(c, &f, err));
    if (f.n_global == 0)
        return corrupt(c, err, "no schema");
    c->global_table_off = f.global_table_off;
    c->n_globals = f.n_global;
    PN_TRY(pn_container_global(c, 0, &bytes, err));
    c->descriptor = pn__lance__file_descriptor__unpack(NULL, bytes.n, bytes.data);
    if (!c->descriptor || !c->descriptor->schema)
        return corrupt(c, err, "the schema is damaged");
    c->n_rows = c->descriptor->length;
    c->columns = PN_ARENA_NEW(&c->arena, pn_file_column, (size_t)f.n_columns + 1);
    if (!c->columns)
        return pn_fail_nomem(err);
    size_t n_metadata = 0;
    for (uint32_t i = 0; i < f.n_columns; i++) {
        PN_TRY(table_entry(c, f.column_table_off, i, &bytes, err));
        n_metadata += bytes.n; // cannot overflow: so many columns of at most so many bytes
        if (n_metadata > c->mapping.n_bytes)
            return corrupt(c, err, "the metadata of all columns is larger than the file");
        c->n_columns = i + 1;
        PN_TRY(parse_column(c, bytes, &c->columns[i], err));
    }
    return PN_OK;
}

pn_status pn_container_open(pn_container *c, const char *path, pn_error *err)
{
    *c = (pn_container){0};
    pn_arena_init(&c->arena, 1u << 30);
    c->path = pn_strdup(path);
    if (!c->path)
        return pn_fail_nomem(err);
    PN_TRY(pn_mapping_open(path, &c->mapping, err));
    return parse(c, err);
}

static void free_page(pn_file_page *page)
{
    if (page->layout)
        pn__lance__page_layout__free_unpacked(page->layout, NULL);
    if (page->array)
        pn__lance__array_encoding__free_unpacked(page->array, NULL);
}

void pn_container_close(pn_container *c)
{
    for (size_t i = 0; i < c->n_columns; i++) {
        for (size_t p = 0; p < c->columns[i].n_pages; p++)
            free_page(&c->columns[i].pages[p]);
        if (c->columns[i].metadata)
            pn__lance__column_metadata__free_unpacked(c->columns[i].metadata, NULL);
    }
    if (c->descriptor)
        pn__lance__file_descriptor__free_unpacked(c->descriptor, NULL);
    pn_arena_reset(&c->arena);
    pn_mapping_close(&c->mapping);
    pn_free(c->path);
    *c = (pn_container){0};
}
