/*
 * upsert.c - matching by key, and one commit of what follows from it
 *
 *     begin, batch   the rows that come -> a data file that nobody sees; their keys -> a hash table (upsert_keys.c)
 *     commit         1 read the key columns of the newest version; look each row's key up: the matches
 *                    2 list what is to be written: (row that came, row that it replaces | none), in the order in which rows came
 *                    3 write those rows to a second data file, with the columns that did not come taken from the replaced rows
 *                    4 commit: replaced and missing rows are deleted, the file is a new fragment (change.c)
 *
 * Most upserts bring whole rows and want all of them: the list of step 2 then is all rows that came, each once, and the waiting file is
 * the fragment as it is. Step 3 writes only what is left of the rest.
 *
 * A version that came in between leaves the decision standing when none of the rows it added has a key that came. Otherwise, and when it
 * changed a row that was matched, all begins again at 1 with the version that won. Deleting what is missing always begins again
 * behind new rows: they may be missing, too.
 *
 * Rows keep their stable id and the version that made them, where the table has such.
 */
#include "dataset/upsert.h"

#include "base/alloc.h"
#include "column/rowset.h"
#include "dataset/change.h"
#include "dataset/data_file.h"
#include "dataset/row_ids.h"
#include "dataset/upsert_keys.h"
#include "lance/lance_schema.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 4096 };

struct pn_upsert {
    pn_dataset *dataset;
    pn_arena arena;
    pn_upsert_options options; /* in arena */
    pn_schema schema;          /* of what comes: fields of the table, in its order */
    size_t *key_columns;       /* [options.n_keys] in schema */
    pn_upsert_keys keys;
    pn_buffer scratch;
    pn_data_file source; /* the rows that came */
    pn_sync_list unsynced;
    uint64_t n_rows;
};

/* A row to write, and the row of the table in whose place it comes. */
#define NO_ADDR UINT64_MAX
typedef struct placed {
    pn_row_addr addr;     /* NO_ADDR: it is new */
    uint64_t id, created; /* of the replaced row, in a table with stable row ids */
    uint32_t row;         /* of those that came */
} placed;

/* One try, on one version. */
typedef struct merging {
    pn_upsert *upsert;
    pn_dataset *read;
    pn_arena arena;
    const pn_field **key_fields; /* of read */
    uint64_t *is_matched;        /* bits, of the rows that came */
    placed *placed;              /* owned */
    size_t n_placed, capacity;
    pn_rowset gone, where; /* rows to delete; those that may be deleted as missing */
    uint64_t n_missing;
    bool is_whole;       /* the source's file can be the fragment */
    pn_data_file merged; /* when it cannot */
    pn_sync_list unsynced;
    pn_change change;
} merging;

static bool is_cancelled(const pn_upsert *u)
{
    return u->options.cancel && atomic_load(u->options.cancel);
}

/* ---- the rows that come ---- */

static pn_status copy_options(pn_upsert *u, const pn_upsert_options *options, pn_error *err)
{
    const char **keys = PN_ARENA_NEW(&u->arena, const char *, options->n_keys + 1);
    u->options = *options;
    u->options.keys = keys;
    if (!keys)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < options->n_keys; i++)
        if (!(keys[i] = pn_arena_strdup(&u->arena, options->keys[i])))
            return pn_fail_nomem(err);
    if (options->delete_where)
        u->options.delete_where = pn_arena_strdup(&u->arena, options->delete_where);
    return !options->delete_where || u->options.delete_where ? PN_OK : pn_fail_nomem(err);
}

/* The fields of the table that come. */
static pn_status choose_schema(pn_upsert *u, const pn_schema *source, pn_error *err)
{
    const pn_schema *all = &u->dataset->schema;
    pn_schema some = {.fields = PN_ARENA_NEW(&u->arena, pn_field, all->n_fields + 1)};
    if (!some.fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < source->n_fields; i++)
        if (pn_schema_find(all, pn_str_of(source->fields[i].name)) < 0)
            return pn_fail(err, PN_ERR_INVALID, "the table has no column \"%s\"",
                           source->fields[i].name);
    for (size_t i = 0; i < all->n_fields; i++)
        if (pn_schema_find(source, pn_str_of(all->fields[i].name)) >= 0)
            some.fields[some.n_fields++] = all->fields[i];
    return pn_schema_copy(&some, &u->arena, &u->schema, err);
}

static pn_status find_keys(pn_upsert *u, pn_error *err)
{
    size_t n = u->options.n_keys;
    const pn_field **fields = PN_ARENA_NEW(&u->arena, const pn_field *, n + 1);
    u->key_columns = PN_ARENA_NEW(&u->arena, size_t, n + 1);
    if (!fields || !u->key_columns)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        pn_str name = pn_str_of(u->options.keys[i]);
        ptrdiff_t at = pn_schema_find(&u->schema, name);
        if (at < 0)
            return pn_fail(err, PN_ERR_INVALID, "the key column \"%s\" is not in the %s",
                           u->options.keys[i],
                           pn_schema_find(&u->dataset->schema, name) < 0 ? "table" : "rows");
        u->key_columns[i] = (size_t)at;
        fields[i] = &u->schema.fields[at];
    }
    return pn_upsert_keys_init(&u->keys, fields, n, err);
}

/* A filter that cannot be used is told before any row comes. */
static pn_status check_where(const pn_upsert *u, pn_error *err)
{
    const pn_scan_options options = {.filter = u->options.delete_where};
    pn_scan *scan;
    if (!u->options.delete_where)
        return PN_OK;
    PN_TRY(pn_scan_begin(u->dataset, &options, &scan, err));
    pn_scan_end(scan);
    return PN_OK;
}

pn_status pn_upsert_begin(pn_dataset *dataset, const pn_schema *source,
                          const pn_upsert_options *options, pn_upsert **out, pn_error *err)
{
    pn_status status = PN_OK;
    uint16_t minor;
    pn_upsert *u = pn_alloc_zero(sizeof *u);
    if (!u)
        return pn_fail_nomem(err);
    pn_arena_init(&u->arena, SIZE_MAX);
    pn_buffer_init(&u->scratch, PN_UPSERT_MAX_KEY_BYTES);
    u->dataset = pn_dataset_ref(dataset);
    PN_GOTO(done, copy_options(u, options, err));
    PN_GOTO(done, choose_schema(u, source, err));
    PN_GOTO(done, find_keys(u, err));
    PN_GOTO(done, check_where(u, err));
    PN_GOTO(done, pn_data_file_minor(dataset, &minor, err));
    PN_GOTO(done, pn_data_file_begin(dataset->path, &u->schema, minor, &u->arena, &u->source, err));
    *out = u;
    u = NULL;
done:
    pn_upsert_abort(u);
    return status;
}

void pn_upsert_abort(pn_upsert *upsert)
{
    if (!upsert)
        return;
    pn_data_file_discard(&upsert->source);
    pn_sync_list_reset(&upsert->unsynced);
    pn_upsert_keys_reset(&upsert->keys);
    pn_buffer_reset(&upsert->scratch);
    pn_dataset_unref(upsert->dataset);
    pn_arena_reset(&upsert->arena);
    pn_free(upsert);
}

static pn_status keep_keys(pn_upsert *u, const pn_array *columns, size_t n_rows, pn_arena *arena,
                           pn_error *err)
{
    pn_array *of_key = PN_ARENA_NEW(arena, pn_array, u->options.n_keys);
    if (!of_key)
        return pn_fail_nomem(err);
    if (u->n_rows + n_rows >= PN_UPSERT_NO_ROW)
        return pn_fail(err, PN_ERR_LIMIT, "an upsert takes fewer than %" PRIu32 " rows",
                       PN_UPSERT_NO_ROW);
    for (size_t k = 0; k < u->options.n_keys; k++)
        of_key[k] = columns[u->key_columns[k]];
    for (size_t i = 0; i < n_rows; i++) {
        pn_str key;
        bool is_null;
        PN_TRY(pn_upsert_key_at(&u->keys, of_key, i, &u->scratch, &key, &is_null, err));
        if (!is_null)
            PN_TRY(pn_upsert_keys_add(&u->keys, key, (uint32_t)(u->n_rows + i), err));
    }
    u->n_rows += n_rows;
    return PN_OK;
}

pn_status pn_upsert_batch(pn_upsert *upsert, const pn_batch *batch, pn_error *err)
{
    pn_arena arena;
    pn_array *columns;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_rows_in_order(&upsert->schema, batch, &arena, &columns, err);
    if (status == PN_OK)
        status = keep_keys(upsert, columns, batch->n_rows, &arena, err);
    if (status == PN_OK && batch->n_rows > 0)
        status = pn_data_file_write(&upsert->source, columns, batch->n_rows, err);
    pn_arena_reset(&arena);
    return status;
}

/* ---- reading keys of the table ---- */

/* Rows [first, first + n) of a fragment, and their keys' columns; a status ends the walk. */
typedef pn_status (*see_keys)(merging *m, pn_dataset *dataset, size_t fragment_i, uint32_t first,
                              size_t n, const pn_array *columns, pn_error *err);

static pn_status walk_fragment(merging *m, pn_dataset *dataset, size_t fragment_i, see_keys see,
                               pn_error *err)
{
    uint32_t n_rows = dataset->fragments[fragment_i].n_rows;
    size_t n_keys = m->upsert->options.n_keys;
    pn_arena arena;
    pn_lance_memo *memo;
    PN_TRY(pn_lance_memo_create(&memo, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (uint32_t first = 0; first < n_rows && status == PN_OK; first += BLOCK_ROWS) {
        size_t n = PN_MIN((size_t)BLOCK_ROWS, (size_t)(n_rows - first));
        pn_array *columns = PN_ARENA_NEW(&arena, pn_array, n_keys);
        if (!columns)
            status = pn_fail_nomem(err);
        else if (is_cancelled(m->upsert))
            status = pn_fail(err, PN_ERR_CANCELLED, "stopped: nothing was changed");
        for (size_t k = 0; k < n_keys && status == PN_OK; k++)
            status = pn_fragment_read(dataset, fragment_i, m->key_fields[k], first, n, memo, &arena,
                                      &columns[k], err);
        if (status == PN_OK)
            status = see(m, dataset, fragment_i, first, n, columns, err);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    return status;
}

/* The row that came with the key of row i; PN_UPSERT_NO_ROW: none. */
static pn_status look_up(merging *m, const pn_array *columns, size_t i, uint32_t *row,
                         pn_error *err)
{
    pn_str key;
    bool is_null;
    pn_upsert *u = m->upsert;
    PN_TRY(pn_upsert_key_at(&u->keys, columns, i, &u->scratch, &key, &is_null, err));
    *row = is_null ? PN_UPSERT_NO_ROW : pn_upsert_keys_find(&u->keys, key);
    return PN_OK;
}

static pn_status place_row(merging *m, uint32_t row, pn_row_addr addr, pn_error *err)
{
    if (m->n_placed == m->capacity) {
        size_t capacity = PN_MAX(m->capacity * 2, (size_t)BLOCK_ROWS);
        placed *more = pn_realloc(m->placed, capacity * sizeof *more);
        if (!more)
            return pn_fail_nomem(err);
        m->placed = more;
        m->capacity = capacity;
    }
    m->placed[m->n_placed++] = (placed){.addr = addr, .id = PN_ROW_ID_NEW, .row = row};
    return PN_OK;
}

/* A row of the table, and what came with its key. */
static pn_status match_row(merging *m, const pn_fragment *fragment, uint32_t offset, uint32_t row,
                           pn_rowset_part **part, pn_error *err)
{
    const pn_upsert_options *options = &m->upsert->options;
    pn_row_addr addr = pn_row_addr_make(fragment->id, offset);
    bool is_missing = row == PN_UPSERT_NO_ROW && options->delete_missing &&
                      (!options->delete_where || pn_rowset_has(&m->where, addr));
    if (row != PN_UPSERT_NO_ROW)
        pn_word_bit_set(m->is_matched, row);
    if (!is_missing && (row == PN_UPSERT_NO_ROW || options->leave_matched))
        return PN_OK;
    if (!*part)
        PN_TRY(pn_rowset_part_get(&m->gone, fragment->id, fragment->n_rows, part, err));
    pn_word_bit_set((*part)->words, offset);
    m->n_missing += is_missing;
    return is_missing ? PN_OK : place_row(m, row, addr, err);
}

static pn_status match_rows(merging *m, pn_dataset *dataset, size_t fragment_i, uint32_t first,
                            size_t n, const pn_array *columns, pn_error *err)
{
    const uint64_t *deleted;
    pn_rowset_part *part = NULL;
    PN_TRY(pn_dataset_deletions(dataset, fragment_i, &deleted, err));
    for (size_t i = 0; i < n; i++) {
        uint32_t row, offset = first + (uint32_t)i;
        if (deleted && pn_word_bit_get(deleted, offset))
            continue;
        PN_TRY(look_up(m, columns, i, &row, err));
        PN_TRY(match_row(m, &dataset->fragments[fragment_i], offset, row, &part, err));
    }
    return PN_OK;
}

/* Stable ids and versions of the fragment's rows that were placed, from the first-th on. */
static pn_status remember_ids(merging *m, size_t fragment_i, size_t first, pn_error *err)
{
    const pn_fragment *fragment = &m->read->fragments[fragment_i];
    uint64_t *ids, *created;
    pn_arena arena;
    if (first == m->n_placed || !pn_has_row_ids(m->read->manifest.message))
        return PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_row_ids_decode(fragment->message, fragment->n_rows, &arena, &ids, err);
    if (status == PN_OK)
        status = pn_row_created_decode(fragment->message, fragment->n_rows, &arena, &created, err);
    for (size_t i = first; status == PN_OK && i < m->n_placed; i++) {
        m->placed[i].id = ids[(uint32_t)m->placed[i].addr];
        m->placed[i].created = created[(uint32_t)m->placed[i].addr];
    }
    pn_arena_reset(&arena);
    return status;
}

/* ---- what is to be written ---- */

static int compare_placed(const void *left, const void *right)
{
    const placed *a = left, *b = right;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static pn_status find_matches(merging *m, pn_error *err)
{
    const pn_upsert_options *options = &m->upsert->options;
    if (options->delete_missing && options->delete_where)
        PN_TRY(pn_dataset_filter_rows(m->read, pn_str_of(options->delete_where), &m->where, err));
    for (size_t i = 0; i < m->read->n_fragments; i++) {
        size_t before = m->n_placed;
        PN_TRY(walk_fragment(m, m->read, i, match_rows, err));
        PN_TRY(remember_ids(m, i, before, err));
    }
    for (uint32_t row = 0; row < m->upsert->n_rows && !options->leave_unmatched; row++)
        if (!pn_word_bit_get(m->is_matched, row))
            PN_TRY(place_row(m, row, NO_ADDR, err));
    if (m->n_placed > 0)
        qsort(m->placed, m->n_placed, sizeof *m->placed, compare_placed);
    return PN_OK;
}

static uint64_t count_new(const merging *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->n_placed; i++)
        n += m->placed[i].addr == NO_ADDR;
    return n;
}

/* Is what is to be written all that came, in its order? */
static bool is_source(const merging *m)
{
    if (m->n_placed != m->upsert->n_rows || m->upsert->schema.n_fields != m->read->schema.n_fields)
        return false;
    for (size_t i = 0; i < m->n_placed; i++)
        if (m->placed[i].row != i)
            return false;
    return true;
}

static pn_status check_absent(const merging *m, pn_error *err)
{
    const pn_schema *all = &m->read->schema;
    for (size_t i = 0; i < all->n_fields && count_new(m) > 0; i++)
        if (!all->fields[i].nullable &&
            pn_schema_find(&m->upsert->schema, pn_str_of(all->fields[i].name)) < 0)
            return pn_fail(err, PN_ERR_INVALID,
                           "column \"%s\" cannot be null, and the rows to insert do not have it",
                           all->fields[i].name);
    return PN_OK;
}

/* Placed rows [first, first + n) of a column that came. */
static pn_status take_source(const merging *m, pn_lance_file *file, size_t column,
                             const uint64_t *rows, size_t n, pn_lance_memo *memo, pn_arena *arena,
                             pn_array *out, pn_error *err)
{
    const pn_schema *schema = &m->upsert->schema;
    size_t n_before = 0, n_leaves = pn_lance_count_leaves(&schema->fields[column]);
    int32_t *leaves = PN_ARENA_NEW(arena, int32_t, n_leaves);
    if (!leaves)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < column; i++)
        n_before += pn_lance_count_leaves(&schema->fields[i]);
    for (size_t i = 0; i < n_leaves; i++)
        leaves[i] = pn_lance_file_leaf_column(file, n_before + i);
    return pn_lance_file_take(file, &schema->fields[column], leaves, n_leaves, rows, n, memo, arena,
                              out, err);
}

/* The same of a column that did not come: what the replaced rows have there, null in new ones. */
static pn_status take_old(const merging *m, const pn_field *field, const placed *rows, size_t n,
                          pn_arena *arena, pn_array *out, pn_error *err)
{
    pn_row_addr *addrs = PN_ARENA_NEW(arena, pn_row_addr, n);
    uint32_t *from = PN_ARENA_NEW(arena, uint32_t, n);
    size_t n_old = 0;
    pn_batch old;
    pn_array null_row, all;
    if (!addrs || !from)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        if (rows[i].addr != NO_ADDR)
            addrs[n_old++] = rows[i].addr;
    if (n_old == 0)
        return pn_lance_absent(field, n, arena, out, err);
    PN_TRY(pn_dataset_take(m->read, addrs, n_old, &field->name, 1, arena, &old, err));
    if (n_old == n) {
        *out = old.columns[0];
        return PN_OK;
    }
    PN_TRY(pn_lance_absent(field, 1, arena, &null_row, err));
    const pn_array *both[] = {&old.columns[0], &null_row};
    PN_TRY(pn_array_concat(both, 2, arena, &all, err));
    for (size_t i = 0, at = 0; i < n; i++)
        from[i] = rows[i].addr != NO_ADDR ? (uint32_t)at++ : (uint32_t)n_old;
    return pn_array_gather(&all, from, n, arena, out, err);
}

static pn_status write_block(merging *m, pn_lance_file *file, const placed *block, size_t n,
                             pn_lance_memo *memo, pn_arena *arena, pn_error *err)
{
    const pn_schema *all = &m->read->schema;
    pn_array *columns = PN_ARENA_NEW(arena, pn_array, all->n_fields);
    uint64_t *rows = PN_ARENA_NEW(arena, uint64_t, n);
    if (!columns || !rows)
        return pn_fail_nomem(err);
    if (is_cancelled(m->upsert))
        return pn_fail(err, PN_ERR_CANCELLED, "stopped: nothing was changed");
    for (size_t i = 0; i < n; i++)
        rows[i] = block[i].row;
    for (size_t i = 0; i < all->n_fields; i++) {
        ptrdiff_t at = pn_schema_find(&m->upsert->schema, pn_str_of(all->fields[i].name));
        if (at >= 0)
            PN_TRY(take_source(m, file, (size_t)at, rows, n, memo, arena, &columns[i], err));
        else
            PN_TRY(take_old(m, &all->fields[i], block, n, arena, &columns[i], err));
    }
    return pn_data_file_write(&m->merged, columns, n, err);
}

static pn_status write_blocks(merging *m, pn_lance_file *file, pn_error *err)
{
    pn_arena arena;
    pn_lance_memo *memo;
    PN_TRY(pn_lance_memo_create(&memo, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (size_t at = 0; at < m->n_placed && status == PN_OK; at += BLOCK_ROWS) {
        status = write_block(m, file, m->placed + at, PN_MIN(m->n_placed - at, (size_t)BLOCK_ROWS),
                             memo, &arena, err);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    return status == PN_OK ? pn_data_file_finish(&m->merged, &m->unsynced, err) : status;
}

static pn_status write_merged(merging *m, pn_error *err)
{
    uint16_t minor;
    pn_lance_file *file;
    PN_TRY(check_absent(m, err));
    PN_TRY(pn_data_file_minor(m->read, &minor, err));
    PN_TRY(pn_data_file_begin(m->read->path, &m->read->schema, minor, &m->arena, &m->merged, err));
    PN_TRY(pn_lance_file_open(m->upsert->source.path, &file, err));
    pn_status status = write_blocks(m, file, err);
    pn_lance_file_close(file);
    return status;
}

static pn_status make_history(const merging *m, pn_row_history *out, pn_error *err)
{
    uint64_t *ids = PN_ARENA_NEW((pn_arena *)(uintptr_t)&m->arena, uint64_t, m->n_placed + 1);
    uint64_t *created = PN_ARENA_NEW((pn_arena *)(uintptr_t)&m->arena, uint64_t, m->n_placed + 1);
    if (!ids || !created)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < m->n_placed; i++) {
        ids[i] = m->placed[i].id;
        created[i] = m->placed[i].created;
    }
    *out = (pn_row_history){.ids = ids, .created = created};
    return PN_OK;
}

/* ---- committing it ---- */

static pn_status find_key(merging *m, pn_dataset *dataset, size_t fragment_i, uint32_t first,
                          size_t n, const pn_array *columns, pn_error *err)
{
    const uint64_t *deleted;
    PN_TRY(pn_dataset_deletions(dataset, fragment_i, &deleted, err));
    for (size_t i = 0; i < n; i++) {
        uint32_t row;
        if (deleted && pn_word_bit_get(deleted, first + i))
            continue;
        PN_TRY(look_up(m, columns, i, &row, err));
        if (row != PN_UPSERT_NO_ROW || m->upsert->options.delete_missing)
            return pn_fail(err, PN_ERR_CONFLICT, "%s: another writer added a row with the same key",
                           dataset->path);
    }
    return PN_OK;
}

static bool has_same_files(const Pn__Table__DataFragment *a, const Pn__Table__DataFragment *b)
{
    bool same = a->n_files == b->n_files;
    for (size_t i = 0; same && i < a->n_files; i++)
        same = strcmp(a->files[i]->path, b->files[i]->path) == 0;
    return same;
}

/* What came in between: rows in new fragments, or values in other files of old ones. */
static pn_status check_added(merging *m, pn_dataset *newest, pn_error *err)
{
    for (size_t i = 0; i < newest->n_fragments; i++) {
        size_t at = pn_dataset_find_fragment(m->read, newest->fragments[i].id);
        if (at == SIZE_MAX ||
            !has_same_files(m->read->fragments[at].message, newest->fragments[i].message))
            PN_TRY(walk_fragment(m, newest, i, find_key, err));
    }
    return PN_OK;
}

static pn_status apply(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    merging *m = context;
    pn_status status = PN_OK;
    if (pn_dataset_version(newest) != pn_dataset_version(m->read))
        status = check_added(m, newest, err);
    if (status == PN_OK)
        status = pn_change_apply(&m->change, newest, draft, err);
    draft->redo = status == PN_ERR_CONFLICT;
    return status;
}

static void undo(void *context)
{
    pn_change_undo(&((merging *)context)->change);
}

static bool touches(const void *context, uint64_t fragment_id)
{
    return pn_change_touches(&((const merging *)context)->change, fragment_id);
}

static pn_status commit(merging *m, pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    pn_data_file *file = m->is_whole ? &m->upsert->source : &m->merged;
    Pn__Table__DataFragment *fragment = NULL;
    pn_row_history history;
    const pn_commit_plan plan = {.operation = PN_OPERATION_UPDATE,
                                 .touches = touches,
                                 .apply = apply,
                                 .undo = undo,
                                 .context = m,
                                 .unsynced = m->is_whole ? &m->upsert->unsynced : &m->unsynced};
    if (m->n_placed > 0)
        PN_TRY(pn_data_file_fragment(file, &m->arena, &fragment, err));
    PN_TRY(make_history(m, &history, err));
    m->change = (pn_change){.read = m->read,
                            .rows = &m->gone,
                            .added = fragment,
                            .history = &history,
                            .predicate = m->upsert->options.delete_where,
                            .must_all_be_there = true};
    pn_status status = pn_commit_run(m->read, &plan, end, out, err);
    if (end->published && m->n_placed > 0)
        *file = (pn_data_file){0}; // the table's now
    return status;
}

/* The columns that came are to be what they were when they did. */
static pn_status check_schema(merging *m, pn_error *err)
{
    const pn_upsert *u = m->upsert;
    m->key_fields = PN_ARENA_NEW(&m->arena, const pn_field *, u->options.n_keys);
    if (!m->key_fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < u->schema.n_fields; i++) {
        const pn_field *then = &u->schema.fields[i];
        ptrdiff_t at = pn_schema_find(&m->read->schema, pn_str_of(then->name));
        const pn_field *now = at >= 0 ? &m->read->schema.fields[at] : NULL;
        if (!now || now->id != then->id || now->nullable != then->nullable ||
            !pn_same_type(now, then))
            return pn_fail(err, PN_ERR_CONFLICT,
                           "%s: another writer dropped or changed the column \"%s\"", m->read->path,
                           then->name);
        for (size_t k = 0; k < u->options.n_keys; k++)
            if (u->key_columns[k] == i)
                m->key_fields[k] = now;
    }
    return PN_OK;
}

static pn_status merge(merging *m, pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    PN_TRY(check_schema(m, err));
    m->is_matched =
        PN_ARENA_NEW(&m->arena, uint64_t, pn_words_for_bits((size_t)m->upsert->n_rows) + 1);
    if (!m->is_matched)
        return pn_fail_nomem(err);
    PN_TRY(find_matches(m, err));
    m->is_whole = is_source(m);
    if (m->n_placed > 0 && !m->is_whole)
        PN_TRY(write_merged(m, err));
    return commit(m, end, out, err);
}

typedef struct deciding {
    pn_upsert *upsert;
    pn_upsert_report report;
} deciding;

static pn_status decide(void *context, pn_dataset *read, pn_commit_end *end, pn_dataset **out,
                        pn_error *err)
{
    deciding *d = context;
    merging m = {.upsert = d->upsert, .read = read};
    pn_arena_init(&m.arena, SIZE_MAX);
    pn_rowset_init(&m.gone);
    pn_rowset_init(&m.where);
    pn_status status = merge(&m, end, out, err);
    uint64_t n_new = count_new(&m);
    d->report = (pn_upsert_report){n_new, m.n_placed - n_new, m.n_missing};
    pn_data_file_discard(&m.merged);
    pn_sync_list_reset(&m.unsynced);
    pn_rowset_reset(&m.gone);
    pn_rowset_reset(&m.where);
    pn_free(m.placed);
    pn_arena_reset(&m.arena);
    return status;
}

pn_status pn_upsert_commit(pn_upsert *upsert, pn_upsert_report *report, pn_dataset **out,
                           pn_error *err)
{
    deciding d = {.upsert = upsert};
    pn_status status = pn_data_file_finish(&upsert->source, &upsert->unsynced, err);
    if (status == PN_OK)
        status = pn_commit_decided(upsert->dataset, decide, &d, out, err);
    if (status == PN_OK)
        *report = d.report;
    pn_upsert_abort(upsert);
    return status;
}
