/*
 * moved_rows.c - where the rows of a file are after it was folded
 *
 *     old file    0 1 2 3 4 5 6 7          a fold left out 2 and 5, and put the rest behind 40 rows of others
 *     runs        0-1 -> 40   3-4 -> 42   6-7 -> 44
 *
 * A fold moves rows and never changes their order, so a file's rows are ascending runs, cut where deleted rows went away.
 */
#include "collection/moved_rows.h"

#include "base/bits.h"

pn_status pn_moved_rows_begin(const char *file, uint32_t n_rows, pn_arena *arena,
                              pn_moved_rows *out, pn_error *err)
{
    pn_moved_run *runs = PN_ARENA_NEW(arena, pn_moved_run, 1);
    if (!runs)
        return pn_fail_nomem(err);
    runs[0] = (pn_moved_run){0, n_rows, 0};
    *out = (pn_moved_rows){.file = file, .runs = runs, .n_runs = 1, .n_old = n_rows};
    return PN_OK;
}

uint64_t pn_moved_rows_count(const pn_moved_rows *rows)
{
    uint64_t n = 0;
    for (size_t i = 0; i < rows->n_runs; i++)
        n += rows->runs[i].n_rows;
    return n;
}

static pn_moved_run *push(pn_moved_run *out, pn_moved_run run, uint32_t from, uint32_t end,
                          uint32_t new_at)
{
    if (from < end)
        *out++ = (pn_moved_run){run.first_row + (from - run.at), end - from, new_at};
    return out;
}

/* One run through one fold; behind out. */
static pn_moved_run *cut(const pn_fold_part *part, pn_moved_run run, pn_moved_run *out)
{
    uint32_t gone = 0, at = run.at, end = run.at + run.n_rows;
    for (size_t g = 0; g < part->n_gaps && part->gaps[g].first < end; g++) {
        uint32_t first = part->gaps[g].first, behind = first + part->gaps[g].n;
        out = push(out, run, at, PN_MAX(first, at), part->first_row + at - gone);
        at = PN_MAX(at, PN_MIN(behind, end));
        gone += part->gaps[g].n;
    }
    return push(out, run, at, end, part->first_row + at - gone);
}

pn_status pn_moved_rows_follow(const pn_fold_part *part, pn_arena *arena, const pn_moved_rows *rows,
                               pn_moved_rows *out, bool *moved, pn_error *err)
{
    *moved = false;
    for (size_t i = 0; i < rows->n_runs; i++)
        if (rows->runs[i].at + (uint64_t)rows->runs[i].n_rows > part->n_rows)
            return PN_OK;
    size_t most = rows->n_runs + part->n_gaps;
    pn_moved_run *runs = PN_ARENA_NEW(arena, pn_moved_run, most + 1), *end = runs;
    if (!runs)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < rows->n_runs; i++)
        end = cut(part, rows->runs[i], end);
    *out = (pn_moved_rows){
        .file = part->new_file, .runs = runs, .n_runs = (size_t)(end - runs), .n_old = rows->n_old};
    *moved = true;
    return PN_OK;
}

/* ---- as runs of vectors ---- */

typedef struct source {
    const pn_vector_run *runs;
    size_t n_runs;
    pn_flat_run pattern; /* what all have in common */
} source;

/* Rows that are gone: never looked at, because they are deleted. */
static pn_status add_gap(const source *s, uint32_t first, uint32_t end, pn_run_list *list,
                         pn_error *err)
{
    pn_flat_run run = s->pattern;
    run.first_row = first;
    run.n_rows = end - first;
    return first < end ? pn_run_list_push(list, &run, err) : PN_OK;
}

/* The pieces of a run, one for each run of the fragment's vectors that it lies in. Where those leave something out there are nulls alone: as
 * good as gone. */
static pn_status add_pieces(const source *s, const pn_moved_run *moved, size_t dim,
                            pn_run_list *list, pn_error *err)
{
    uint32_t next = moved->first_row;
    for (size_t i = 0; i < s->n_runs; i++) {
        const pn_vector_run *from = &s->runs[i];
        uint32_t first = PN_MAX(moved->at, from->first_row);
        uint32_t end = PN_MIN(moved->at + moved->n_rows, from->first_row + from->n_rows);
        if (first >= end)
            continue;
        pn_flat_run run = s->pattern;
        run.vectors = from->vectors + (size_t)(first - from->first_row) * dim;
        run.first_row = moved->first_row + (first - moved->at);
        run.n_rows = end - first;
        run.shift = first - run.first_row;
        PN_TRY(add_gap(s, next, run.first_row, list, err));
        PN_TRY(pn_run_list_push(list, &run, err));
        next = run.first_row + run.n_rows;
    }
    return add_gap(s, next, moved->first_row + moved->n_rows, list, err);
}

static pn_status add_all(const pn_moved_rows *rows, const source *s, size_t dim, pn_run_list *list,
                         pn_error *err)
{
    uint32_t next = 0;
    for (size_t i = 0; i < rows->n_runs; i++) {
        PN_TRY(add_gap(s, next, rows->runs[i].first_row, list, err));
        PN_TRY(add_pieces(s, &rows->runs[i], dim, list, err));
        next = rows->runs[i].first_row + rows->runs[i].n_rows;
    }
    return add_gap(s, next, rows->n_old, list, err);
}

void pn_moved_words(const pn_flat_run *runs, size_t n_runs, const uint64_t *fragment_words,
                    uint64_t *out)
{
    for (size_t i = 0; i < n_runs; i++)
        for (uint32_t k = 0; runs[i].vectors && k < runs[i].n_rows; k++) {
            uint32_t row = runs[i].first_row + k;
            if (pn_word_bit_get(fragment_words, row + runs[i].shift))
                pn_word_bit_set(out, row);
        }
}

/* Deleted are those that are gone, and those that the fragment says. */
static void mark_deleted(const pn_flat_run *runs, size_t n_runs, const uint64_t *fragment_words,
                         uint64_t *out)
{
    if (fragment_words)
        pn_moved_words(runs, n_runs, fragment_words, out);
    for (size_t i = 0; i < n_runs; i++)
        for (uint32_t k = 0; !runs[i].vectors && k < runs[i].n_rows; k++)
            pn_word_bit_set(out, runs[i].first_row + k);
}

pn_status pn_moved_rows_add(const pn_moved_rows *rows, pn_dataset *dataset, size_t fragment_i,
                            const char *column, bool any_length, pn_arena *arena, pn_run_list *list,
                            pn_error *err)
{
    pn_fragment_info info;
    const uint64_t *deleted;
    source s = {.n_runs = 0};
    size_t first = list->n;
    ptrdiff_t at = pn_schema_find(pn_dataset_schema(dataset), pn_str_of(column));
    pn_assert(at >= 0);
    size_t dim = (size_t)pn_dataset_schema(dataset)->fields[at].size;
    pn_dataset_fragment(dataset, fragment_i, &info);
    s.pattern = (pn_flat_run){.fragment_id = info.id, .any_length = any_length};
    PN_TRY(pn_dataset_vectors(dataset, fragment_i, column, &s.runs, &s.n_runs, err));
    PN_TRY(pn_dataset_deletions(dataset, fragment_i, &deleted, err));
    PN_TRY(add_all(rows, &s, dim, list, err));
    bool is_whole = true;
    for (size_t i = first; i < list->n; i++)
        is_whole &= list->runs[i].vectors != NULL;
    if (!deleted && is_whole)
        return PN_OK;
    uint64_t *words = PN_ARENA_NEW(arena, uint64_t, pn_words_for_bits(rows->n_old) + 1);
    if (!words)
        return pn_fail_nomem(err);
    mark_deleted(list->runs + first, list->n - first, deleted, words);
    for (size_t i = first; i < list->n; i++)
        list->runs[i].deleted = words;
    return PN_OK;
}

pn_status pn_whole_rows_add(pn_dataset *dataset, size_t fragment_i, const char *column,
                            bool any_length, pn_arena *arena, pn_run_list *list, pn_error *err)
{
    pn_fragment_info info;
    pn_moved_rows rows;
    size_t first = list->n;
    uint64_t n = 0;
    pn_dataset_fragment(dataset, fragment_i, &info);
    PN_TRY(pn_run_list_add(list, dataset, fragment_i, column, any_length, NULL, err));
    for (size_t i = first; i < list->n; i++)
        n += list->runs[i].n_rows;
    if (n == info.physical_rows)
        return PN_OK;
    list->n = first;
    PN_TRY(pn_moved_rows_begin("", info.physical_rows, arena, &rows, err));
    return pn_moved_rows_add(&rows, dataset, fragment_i, column, any_length, arena, list, err);
}
