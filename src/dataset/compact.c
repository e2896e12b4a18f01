/*
 * compact.c - rewriting fragments, and telling where their rows went
 *
 *     plan on the newest version (compact_plan.c)
 *     for each group: read its fragments block by block, leave deleted rows out, write one data file
 *     commit: the new fragments stand behind all others, having the highest ids; indexes cover neither (index_section.c)
 *     and again, until the plan is empty
 *
 * A commit takes groups of 256 MiB together: a conflict then costs little, and what was done before it stays done.
 * The report keeps for each old fragment its deleted rows and where its first row went; the new place of a row is that plus the
 * number of rows before it that were not deleted.
 */
#include "dataset/compact.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "dataset/compact_plan.h"
#include "dataset/data_file.h"
#include "dataset/index_section.h"
#include "dataset/row_ids.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS = 8192, WORDS_A_SUM = 16 };

/* ---- the report ---- */

typedef struct moved {
    uint32_t old_id, n_rows;
    uint32_t first_row; /* of its rows in the new fragment */
    uint64_t *deleted;  /* words; NULL: none */
    uint32_t *sums;     /* [n_words / WORDS_A_SUM + 1]: deleted rows before; NULL: none */
} moved;

typedef struct folded {
    uint32_t new_id, n_rows;
    moved *moves;
    uint32_t *old_ids;
    size_t n_moves;
} folded;

/* Where an old fragment is told of: groups[group].moves[place]. Sorted by id. */
typedef struct old_place {
    uint32_t old_id, group, place;
} old_place;

struct pn_compaction {
    pn_arena arena;
    folded *list;
    size_t n, capacity;
    old_place *places;
    size_t n_places, places_capacity;
};

static int compare_places(const void *left, const void *right)
{
    const old_place *a = left, *b = right;
    return a->old_id < b->old_id ? -1 : a->old_id > b->old_id;
}

static const old_place *find_place(const old_place *places, size_t n, uint64_t old_id)
{
    old_place key = {.old_id = (uint32_t)old_id};
    if (n == 0 || old_id > UINT32_MAX)
        return NULL;
    return bsearch(&key, places, n, sizeof *places, compare_places);
}

size_t pn_compaction_count(const pn_compaction *compaction)
{
    return compaction->n;
}

void pn_compaction_get(const pn_compaction *compaction, size_t i, pn_compacted *out)
{
    const folded *f = &compaction->list[i];
    *out = (pn_compacted){f->new_id, f->n_rows, f->old_ids, f->n_moves};
}

static uint32_t count_deleted_before(const moved *m, uint32_t row)
{
    size_t word = row / 64, at = word / WORDS_A_SUM * WORDS_A_SUM;
    uint32_t n = m->sums[word / WORDS_A_SUM];
    for (; at < word; at++)
        n += pn_popcount64(m->deleted[at]);
    return row % 64 == 0 ? n : n + pn_popcount64(m->deleted[word] << (64 - row % 64));
}

static bool map_row(const folded *f, const moved *m, uint32_t row, pn_row_addr *out)
{
    if (m->deleted && pn_word_bit_get(m->deleted, row))
        return false;
    uint32_t before = m->deleted ? count_deleted_before(m, row) : 0;
    *out = pn_row_addr_make(f->new_id, m->first_row + row - before);
    return true;
}

bool pn_compaction_map(const pn_compaction *compaction, pn_row_addr addr, pn_row_addr *out)
{
    const old_place *at;
    /* A later commit may move what an earlier one made. Ids are given once, so this ends. */
    while ((at = find_place(compaction->places, compaction->n_places, addr >> 32))) {
        const folded *f = &compaction->list[at->group];
        const moved *m = &f->moves[at->place];
        if ((uint32_t)addr >= m->n_rows || !map_row(f, m, (uint32_t)addr, &addr))
            return false;
    }
    *out = addr;
    return true;
}

void pn_compaction_free(pn_compaction *compaction)
{
    if (!compaction)
        return;
    pn_free(compaction->list);
    pn_free(compaction->places);
    pn_arena_reset(&compaction->arena);
    pn_free(compaction);
}

static pn_status make_room(pn_compaction *c, size_t n_groups, size_t n_places, pn_error *err)
{
    size_t groups = PN_MAX(c->n + n_groups, c->capacity * 2);
    size_t places = PN_MAX(c->n_places + n_places, c->places_capacity * 2);
    if (c->n + n_groups > c->capacity) {
        folded *list = pn_realloc(c->list, groups * sizeof *list);
        if (!list)
            return pn_fail_nomem(err);
        c->list = list;
        c->capacity = groups;
    }
    if (c->n_places + n_places > c->places_capacity) {
        old_place *list = pn_realloc(c->places, places * sizeof *list);
        if (!list)
            return pn_fail_nomem(err);
        c->places = list;
        c->places_capacity = places;
    }
    return PN_OK;
}

/* There is room. Places are sorted in the end. */
static void report_group(pn_compaction *c, const folded *f)
{
    for (size_t i = 0; i < f->n_moves; i++)
        c->places[c->n_places++] = (old_place){f->old_ids[i], (uint32_t)c->n, (uint32_t)i};
    c->list[c->n++] = *f;
}

/* ---- writing one group ---- */

typedef struct group {
    const pn_compact_group *plan;
    pn_data_file file;
    Pn__Table__DataFragment *fragment;
    pn_row_history history; /* in a table with stable row ids */
    bool unmoved;           /* there, no row was ever changed */
    folded folded;
} group;

typedef struct compacting {
    const pn_compact_options *options;
    pn_dataset *read;
    pn_arena arena; /* of one commit */
    pn_sync_list unsynced;
    group *groups;
    size_t n_groups;
    old_place *places; /* of this commit */
    size_t n_places;
    uint64_t n_written; /* rows, for the progress */
    pn_compaction *report;
} compacting;

static bool is_cancelled(const compacting *c)
{
    const pn_compact_options *o = c->options;
    return (o->cancel && atomic_load(o->cancel)) || (o->is_stopped && o->is_stopped(o->context)) ||
           (o->progress && !o->progress(o->progress_context, c->n_written));
}

/* The rows of [first, first + n) that are not deleted; rows are of the fragment. */
static size_t live_rows(const uint64_t *deleted, uint32_t first, size_t n, uint64_t *rows)
{
    size_t n_live = 0;
    for (size_t i = 0; i < n; i++)
        if (!deleted || !pn_word_bit_get(deleted, first + i))
            rows[n_live++] = first + i;
    return n_live;
}

static pn_status copy_block(const compacting *c, group *g, size_t fragment_i, uint32_t first,
                            size_t n, pn_lance_memo *memo, pn_arena *arena, pn_error *err)
{
    const pn_schema *schema = &c->read->schema;
    const uint64_t *deleted;
    pn_array *columns = PN_ARENA_NEW(arena, pn_array, schema->n_fields);
    uint64_t *rows = PN_ARENA_NEW(arena, uint64_t, n + 1);
    if (!columns || !rows)
        return pn_fail_nomem(err);
    PN_TRY(pn_dataset_deletions(c->read, fragment_i, &deleted, err));
    size_t n_live = live_rows(deleted, first, n, rows);
    for (size_t i = 0; i < schema->n_fields && n_live > 0; i++) {
        if (n_live == n)
            PN_TRY(pn_fragment_read(c->read, fragment_i, &schema->fields[i], first, n, memo, arena,
                                    &columns[i], err));
        else
            PN_TRY(pn_fragment_take(c->read, fragment_i, &schema->fields[i], rows, n_live, memo,
                                    arena, &columns[i], err));
    }
    return n_live > 0 ? pn_data_file_write(&g->file, columns, n_live, err) : PN_OK;
}

static pn_status copy_fragment(compacting *c, group *g, size_t fragment_i, pn_error *err)
{
    pn_arena arena;
    pn_lance_memo *memo;
    uint32_t n_rows = c->read->fragments[fragment_i].n_rows;
    PN_TRY(pn_lance_memo_create(&memo, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (uint32_t first = 0; first < n_rows && status == PN_OK;) {
        size_t n = PN_MIN((size_t)BLOCK_ROWS, (size_t)(n_rows - first));
        status = is_cancelled(c) ? pn_fail(err, PN_ERR_CANCELLED, "stopped")
                                 : copy_block(c, g, fragment_i, first, n, memo, &arena, err);
        first += (uint32_t)n;
        c->n_written += n;
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    return status;
}

/* Deleted rows and sums, so that rows can be mapped; in the report's arena. */
static pn_status describe_move(const compacting *c, size_t fragment_i, uint32_t first_row,
                               moved *out, pn_error *err)
{
    const pn_fragment *fragment = &c->read->fragments[fragment_i];
    size_t n_words = pn_words_for_bits(fragment->n_rows);
    const uint64_t *deleted;
    *out = (moved){.old_id = fragment->id, .n_rows = fragment->n_rows, .first_row = first_row};
    PN_TRY(pn_dataset_deletions(c->read, fragment_i, &deleted, err));
    if (!deleted)
        return PN_OK;
    out->deleted = PN_ARENA_NEW(&c->report->arena, uint64_t, n_words + 1);
    out->sums = PN_ARENA_NEW(&c->report->arena, uint32_t, n_words / WORDS_A_SUM + 1);
    if (!out->deleted || !out->sums)
        return pn_fail_nomem(err);
    memcpy(out->deleted, deleted, n_words * sizeof *deleted);
    uint32_t sum = 0;
    for (size_t i = 0; i < n_words; i++) {
        if (i % WORDS_A_SUM == 0)
            out->sums[i / WORDS_A_SUM] = sum;
        sum += pn_popcount64(deleted[i]);
    }
    return PN_OK;
}

static pn_status describe_group(compacting *c, group *g, pn_error *err)
{
    pn_arena *arena = &c->report->arena;
    uint32_t first_row = 0;
    g->folded = (folded){.moves = PN_ARENA_NEW(arena, moved, g->plan->n),
                         .old_ids = PN_ARENA_NEW(arena, uint32_t, g->plan->n),
                         .n_moves = g->plan->n};
    if (!g->folded.moves || !g->folded.old_ids)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < g->plan->n; i++) {
        const pn_fragment *fragment = &c->read->fragments[g->plan->first + i];
        PN_TRY(describe_move(c, g->plan->first + i, first_row, &g->folded.moves[i], err));
        g->folded.old_ids[i] = fragment->id;
        first_row += fragment->n_rows - fragment->n_deleted;
    }
    g->folded.n_rows = first_row;
    return PN_OK;
}

/* ---- stable row ids ----
 *
 * Indexes hold ids there, so they could go on covering rows that move. But a row that was ever changed may be in an index twice,
 * with its old values and its new ones: LanceDB tells them apart by the fragments that each index covers, and its own
 * optimize loses a neighbour for each such row. Only rows that were never changed stay covered. */

/* What one fragment knows of its rows, without the deleted ones, behind what is there. */
static pn_status append_history(compacting *c, size_t fragment_i, uint64_t *lists[3], size_t *at,
                                pn_error *err)
{
    const pn_fragment *fragment = &c->read->fragments[fragment_i];
    const uint64_t *deleted;
    uint64_t *from[3];
    PN_TRY(pn_row_ids_decode(fragment->message, fragment->n_rows, &c->arena, &from[0], err));
    PN_TRY(pn_row_created_decode(fragment->message, fragment->n_rows, &c->arena, &from[1], err));
    PN_TRY(pn_row_updated_decode(fragment->message, fragment->n_rows, &c->arena, &from[2], err));
    PN_TRY(pn_dataset_deletions(c->read, fragment_i, &deleted, err));
    for (size_t row = 0; row < fragment->n_rows; row++) {
        if (deleted && pn_word_bit_get(deleted, row))
            continue;
        for (int k = 0; k < 3; k++)
            lists[k][*at] = from[k][row];
        ++*at;
    }
    return PN_OK;
}

static pn_status collect_history(compacting *c, group *g, pn_error *err)
{
    uint64_t *lists[3];
    size_t at = 0;
    if (!pn_has_row_ids(c->read->manifest.message))
        return PN_OK;
    g->unmoved = true;
    for (int k = 0; k < 3; k++) {
        lists[k] = PN_ARENA_NEW(&c->arena, uint64_t, (size_t)g->folded.n_rows + 1);
        if (!lists[k])
            return pn_fail_nomem(err);
    }
    for (size_t i = 0; i < g->plan->n; i++) {
        const Pn__Table__DataFragment *m = c->read->fragments[g->plan->first + i].message;
        PN_TRY(append_history(c, g->plan->first + i, lists, &at, err));
        g->unmoved = g->unmoved && m->has_inline_created_at && m->has_inline_updated_at;
    }
    for (size_t i = 0; i < at; i++)
        g->unmoved = g->unmoved && lists[1][i] == lists[2][i];
    g->history = (pn_row_history){lists[0], lists[1], lists[2]};
    return PN_OK;
}

static pn_status write_group(compacting *c, group *g, pn_error *err)
{
    uint16_t minor;
    PN_TRY(pn_data_file_minor(c->read, &minor, err));
    PN_TRY(pn_data_file_begin(c->read->path, &c->read->schema, minor, &c->arena, &g->file, err));
    for (size_t i = 0; i < g->plan->n; i++)
        PN_TRY(copy_fragment(c, g, g->plan->first + i, err));
    PN_TRY(describe_group(c, g, err));
    PN_TRY(collect_history(c, g, err));
    PN_TRY(pn_data_file_finish(&g->file, &c->unsynced, err));
    pn_assert(g->file.n_rows == g->folded.n_rows);
    return pn_data_file_fragment(&g->file, &c->arena, &g->fragment, err);
}

/* ---- committing ---- */

static bool touches(const void *context, uint64_t fragment_id)
{
    const compacting *c = context;
    return find_place(c->places, c->n_places, fragment_id) != NULL;
}

static pn_status sort_places(compacting *c, pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_groups; i++)
        n += c->groups[i].folded.n_moves;
    c->places = PN_ARENA_NEW(&c->arena, old_place, n + 1);
    c->n_places = 0;
    if (!c->places)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->n_groups; i++)
        for (size_t k = 0; k < c->groups[i].folded.n_moves; k++)
            c->places[c->n_places++] =
                (old_place){c->groups[i].folded.old_ids[k], (uint32_t)i, (uint32_t)k};
    qsort(c->places, n, sizeof *c->places, compare_places);
    return PN_OK;
}

/* One group of the transaction; its old fragments are filled in as they are met in the manifest. */
static pn_status make_group(const folded *f, Pn__Table__DataFragment *made, pn_draft *draft,
                            Pn__Table__RewriteGroup **out, pn_error *err)
{
    Pn__Table__RewriteGroup *to = PN_ARENA_NEW(draft->arena, Pn__Table__RewriteGroup, 1);
    Pn__Table__DataFragment **lists =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment *, f->n_moves + 1);
    if (!to || !lists)
        return pn_fail_nomem(err);
    pn__table__rewrite_group__init(to);
    lists[0] = made;
    to->new_fragments = lists;
    to->n_new_fragments = 1;
    to->old_fragments = lists + 1;
    to->n_old_fragments = f->n_moves;
    *out = to;
    return PN_OK;
}

static int compare_fragments(const void *left, const void *right)
{
    const Pn__Table__DataFragment *const *a = left, *const *b = right;
    return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

/* The new fragments instead of their old ones, in the manifest; all of them in the transaction. Fragments are sorted by id, as Lance
 * has them: its own compaction ends in a panic where they are not. */
static pn_status replace_fragments(compacting *c, pn_draft *draft, Pn__Table__DataFragment *made,
                                   pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    size_t n = 0, n_replaced = 0;
    Pn__Table__Rewrite *rewrite = PN_ARENA_NEW(draft->arena, Pn__Table__Rewrite, 1);
    Pn__Table__RewriteGroup **groups =
        PN_ARENA_NEW(draft->arena, Pn__Table__RewriteGroup *, c->n_groups);
    Pn__Table__DataFragment **list =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment *, m->n_fragments + 1);
    if (!rewrite || !groups || !list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->n_groups; i++)
        PN_TRY(make_group(&c->groups[i].folded, &made[i], draft, &groups[i], err));
    for (size_t i = 0; i < m->n_fragments; i++) {
        const old_place *at = find_place(c->places, c->n_places, m->fragments[i]->id);
        if (at) {
            groups[at->group]->old_fragments[at->place] = m->fragments[i];
            n_replaced++;
        }
        if (!at || at->place == 0)
            list[n++] = at ? &made[at->group] : m->fragments[i];
    }
    qsort(list, n, sizeof(Pn__Table__DataFragment *), compare_fragments);
    pn_assert(n_replaced == c->n_places); // the rules have seen to that they are all there
    m->fragments = list;
    m->n_fragments = n;
    pn__table__rewrite__init(rewrite);
    rewrite->groups = groups;
    rewrite->n_groups = c->n_groups;
    draft->txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_REWRITE;
    draft->txn->rewrite = rewrite;
    return PN_OK;
}

static pn_status move_indexes(compacting *c, pn_draft *draft, pn_error *err)
{
    pn_index_move *moves = PN_ARENA_NEW(draft->arena, pn_index_move, c->n_groups);
    if (!moves)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->n_groups; i++) {
        const folded *f = &c->groups[i].folded;
        uint64_t *ids = PN_ARENA_NEW(draft->arena, uint64_t, f->n_moves);
        if (!ids)
            return pn_fail_nomem(err);
        for (size_t k = 0; k < f->n_moves; k++)
            ids[k] = f->old_ids[k];
        moves[i] = (pn_index_move){ids, f->n_moves, f->new_id, c->groups[i].unmoved};
    }
    return pn_indexes_move(draft, moves, c->n_groups, err);
}

static pn_status apply_rewrite(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    compacting *c = context;
    (void)newest; // the draft has its fragments
    Pn__Table__DataFragment *made =
        PN_ARENA_NEW(draft->arena, Pn__Table__DataFragment, c->n_groups);
    if (!made)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->n_groups; i++) {
        group *g = &c->groups[i];
        made[i] = *g->fragment;
        PN_TRY(pn_draft_give_id(draft, &made[i], err));
        PN_TRY(pn_draft_give_row_ids(draft, &made[i], &g->history, err));
        g->folded.new_id = (uint32_t)made[i].id;
    }
    PN_TRY(replace_fragments(c, draft, made, err));
    return move_indexes(c, draft, err);
}

static pn_status commit_groups(compacting *c, pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    const pn_commit_plan plan = {.operation = PN_OPERATION_REWRITE,
                                 .touches = touches,
                                 .apply = apply_rewrite,
                                 .context = c,
                                 .unsynced = &c->unsynced};
    PN_TRY(sort_places(c, err));
    PN_TRY(make_room(c->report, c->n_groups, c->n_places, err));
    pn_status status = pn_commit_run(c->read, &plan, end, out, err);
    for (size_t i = 0; i < c->n_groups && end->published; i++) {
        report_group(c->report, &c->groups[i].folded);
        c->groups[i].file = (pn_data_file){0}; // the table's now
    }
    return status;
}

/* ---- rounds ---- */

/* How many of the groups go into one commit. */
static size_t choose(const pn_compact_item *items, const pn_compact_group *plan, size_t n)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < plan[i].n; k++)
            bytes += items[plan[i].first + k].n_bytes;
        if (bytes >= PN_COMPACT_COMMIT_BYTES)
            return i + 1;
    }
    return n;
}

static pn_status tell_folding(compacting *c, pn_error *err)
{
    pn_compact_fold *folds = PN_ARENA_NEW(&c->arena, pn_compact_fold, c->n_groups);
    if (!c->options->folding)
        return PN_OK;
    if (!folds)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->n_groups; i++) {
        const group *g = &c->groups[i];
        folds[i] = (pn_compact_fold){.file = g->fragment->files[0]->path,
                                     .first = g->plan->first,
                                     .n = g->plan->n,
                                     .n_rows = g->folded.n_rows};
    }
    return c->options->folding(c->options->context, c->read, folds, c->n_groups, err);
}

/* *out NULL: there is nothing to do. */
static pn_status run_round(compacting *c, pn_commit_end *end, pn_dataset **out, pn_error *err)
{
    pn_compact_item *items;
    pn_compact_group *plan;
    size_t n;
    *out = NULL;
    PN_TRY(pn_compact_measure(c->read, c->options, &c->arena, &items, err));
    PN_TRY(pn_compact_plan(items, c->read->n_fragments, c->options, &c->arena, &plan, &n, err));
    if (n == 0)
        return PN_OK;
    n = choose(items, plan, n);
    c->groups = PN_ARENA_NEW(&c->arena, group, n);
    if (!c->groups)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        c->groups[i].plan = &plan[i];
        c->n_groups = i + 1;
        PN_TRY(write_group(c, &c->groups[i], err));
    }
    PN_TRY(tell_folding(c, err));
    return commit_groups(c, end, out, err);
}

static pn_status run_rounds(compacting *c, pn_dataset *dataset, pn_dataset **out, pn_error *err)
{
    int n_lost = 0;
    PN_TRY(pn_dataset_latest(dataset, &c->read, err));
    for (;;) {
        pn_commit_end end = {0};
        pn_dataset *next = NULL;
        pn_arena_init(&c->arena, SIZE_MAX);
        pn_status status = run_round(c, &end, &next, err);
        for (size_t i = 0; i < c->n_groups; i++)
            pn_data_file_discard(&c->groups[i].file);
        c->n_groups = 0;
        pn_sync_list_reset(&c->unsynced);
        pn_arena_reset(&c->arena);
        if (status == PN_ERR_CONFLICT && end.redo && ++n_lost < PN_COMMIT_MAX_ATTEMPTS)
            status = pn_dataset_latest(c->read, &next, err);
        PN_TRY(status);
        if (!next) {
            *out = pn_dataset_ref(c->read);
            return PN_OK;
        }
        pn_dataset_unref(c->read);
        c->read = next;
    }
}

pn_status pn_compact_complete(pn_compact_options *o, pn_error *err)
{
    o->target_rows = o->target_rows ? o->target_rows : PN_COMPACT_ROWS_DEFAULT;
    o->target_bytes = o->target_bytes ? o->target_bytes : PN_COMPACT_BYTES_DEFAULT;
    o->deleted_percent =
        o->deleted_percent ? o->deleted_percent : PN_COMPACT_DELETED_PERCENT_DEFAULT;
    o->fanout = o->fanout ? o->fanout : PN_COMPACT_FANOUT_DEFAULT;
    if (o->target_rows > UINT32_MAX || o->deleted_percent > 100 || o->fanout < 2)
        return pn_fail(err, PN_ERR_INVALID,
                       "a fragment has up to %" PRIu32 " rows, of which 100 %% can be deleted; the "
                       "fanout is at least 2",
                       UINT32_MAX);
    return PN_OK;
}

pn_status pn_dataset_compact(pn_dataset *dataset, const pn_compact_options *options,
                             pn_compaction **report, pn_dataset **out, pn_error *err)
{
    pn_compact_options complete = *options;
    compacting c = {.options = &complete};
    PN_TRY(pn_compact_complete(&complete, err));
    c.report = pn_alloc_zero(sizeof *c.report);
    if (!c.report)
        return pn_fail_nomem(err);
    pn_arena_init(&c.report->arena, SIZE_MAX);
    pn_status status = run_rounds(&c, dataset, out, err);
    pn_dataset_unref(c.read);
    if (c.report->n_places > 0)
        qsort(c.report->places, c.report->n_places, sizeof *c.report->places, compare_places);
    if (report)
        *report = c.report;
    else
        pn_compaction_free(c.report);
    return status;
}
