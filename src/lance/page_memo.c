/*
 * page_memo.c - the page in hand, decoded, for a reader that goes through a file in windows
 *
 *     window 0  rows 0..8191      decode the page, keep it, copy 8192 rows
 *     window 1  rows 8192..16383  copy 8192 rows
 *     ...
 *
 * Some pages give no way to a row but through all rows before it: lists in mini-blocks, nullable vectors, dictionaries. Without a
 * memory, a scan of a page of n rows in windows of w decodes it n / w times: on 25,000 rows of maps in windows of 100, 250 times.
 * One page a column is enough, because windows go forward.
 */
#include "lance/page_memo.h"

#include "base/alloc.h"

typedef struct slot {
    const pn_file_column *column;
    pn_leaf_path path;        /* as which field's leaf it was read */
    const pn_file_page *page; /* NULL: empty */
    pn_stream stream;         /* all rows of the page */
    pn_arena arena;           /* of starts */
    pn_row_starts starts;     /* with lists; without them row, entry and value are one number */
    struct slot *next;
} slot;

struct pn_lance_memo {
    slot *first;
    uint64_t n_decoded;
};

pn_status pn_lance_memo_create(pn_lance_memo **out, pn_error *err)
{
    pn_lance_memo *memo = pn_alloc_zero(sizeof *memo);
    if (!memo)
        return pn_fail_nomem(err);
    *out = memo;
    return PN_OK;
}

static void empty_slot(slot *s)
{
    pn_stream_reset(&s->stream);
    pn_arena_reset(&s->arena);
    s->page = NULL;
}

void pn_lance_memo_clear(pn_lance_memo *memo)
{
    while (memo->first) {
        slot *s = memo->first;
        memo->first = s->next;
        empty_slot(s);
        pn_free(s);
    }
}

void pn_lance_memo_free(pn_lance_memo *memo)
{
    if (!memo)
        return;
    pn_lance_memo_clear(memo);
    pn_free(memo);
}

uint64_t pn_lance_memo_decoded(const pn_lance_memo *memo)
{
    return memo->n_decoded;
}

static bool decodes_alike(const pn_field *a, const pn_field *b)
{
    while (a->type == b->type && a->size == b->size) {
        if (a->type != PN_TYPE_FIXED_SIZE_LIST)
            return true;
        a = a->children;
        b = b->children;
    }
    return false;
}

/* A damaged manifest may give one column to two fields, as which it decodes differently. But a filter and the columns asked for
 * have a pn_field each of what is one column, and must share its page. */
static bool same_path(const pn_leaf_path *a, const pn_leaf_path *b)
{
    for (unsigned i = 0; i < a->n && i < b->n; i++)
        if (!decodes_alike(a->nodes[i], b->nodes[i]))
            return false;
    return a->n == b->n;
}

static pn_status find_slot(pn_lance_memo *memo, const pn_file_column *column,
                           const pn_leaf_path *path, slot **out, pn_error *err)
{
    slot *s = memo->first;
    while (s && !(s->column == column && same_path(&s->path, path)))
        s = s->next;
    if (!s) {
        s = pn_alloc_zero(sizeof *s);
        if (!s)
            return pn_fail_nomem(err);
        s->column = column;
        s->path = *path;
        s->next = memo->first;
        memo->first = s;
    }
    *out = s;
    return PN_OK;
}

static pn_status fill_slot(pn_decoder *d, const pn_page *page, const pn_leaf_path *path, slot *s)
{
    pn_row_range all = {0, page->n_rows};
    pn_stream_init(&s->stream, d->max_bytes);
    pn_arena_init(&s->arena, SIZE_MAX);
    PN_TRY(pn_stream_expect(&s->stream, path->nodes[path->n - 1], d->err));
    PN_TRY(pn_page_read(d, page, path, &all, 1, &s->stream));
    pn_piece piece = pn_stream_piece(&s->stream);
    if (path->n_lists > 0) {
        pn_decoder keep = *d;
        keep.arena = &s->arena;
        return pn_page_find_rows(&keep, path, &piece, page->n_rows, &s->starts);
    }
    if (piece.n_entries != page->n_rows || piece.values.n != page->n_rows)
        return pn_fail(d->err, PN_ERR_CORRUPT, "%s: a page has another number of values than rows",
                       d->where);
    return PN_OK;
}

pn_status pn_memo_page_read(pn_lance_memo *memo, pn_decoder *d, const pn_file_column *column,
                            const pn_file_page *from, const pn_page *page, const pn_leaf_path *path,
                            const pn_row_range *ranges, size_t n_ranges, pn_stream *stream)
{
    slot *s;
    PN_TRY(find_slot(memo, column, path, &s, d->err));
    if (s->page != from) {
        empty_slot(s);
        pn_status status = fill_slot(d, page, path, s);
        if (status != PN_OK) {
            empty_slot(s);
            return status;
        }
        s->page = from;
        memo->n_decoded++;
    }
    pn_piece piece = pn_stream_piece(&s->stream);
    for (size_t i = 0; i < n_ranges; i++) {
        size_t row = (size_t)ranges[i].first, end = row + (size_t)ranges[i].n, value = row;
        if (path->n_lists > 0) {
            value = s->starts.value[row];
            end = s->starts.entry[end];
            row = s->starts.entry[row];
        }
        PN_TRY(pn_stream_append(stream, path, &piece, row, end - row, value, d->err));
    }
    return PN_OK;
}
