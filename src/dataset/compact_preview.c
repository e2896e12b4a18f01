/*
 * compact_preview.c - the plan of a compaction, counted
 *
 * The plan is made of what the manifest says, so looking costs nothing, however large the table.
 */
#include "dataset/compact_preview.h"

#include "dataset/compact_plan.h"
#include "dataset/index_section.h"

static bool is_barred(const pn_compact_options *o, const pn_fragment *fragment)
{
    return fragment->id < o->first_id || (o->last_id > 0 && fragment->id > o->last_id) ||
           (o->below_rows > 0 && fragment->n_rows >= o->below_rows);
}

pn_status pn_compact_measure(pn_dataset *d, const pn_compact_options *options, pn_arena *arena,
                             pn_compact_item **out, pn_error *err)
{
    uint64_t *classes;
    pn_compact_item *items = PN_ARENA_NEW(arena, pn_compact_item, d->n_fragments + 1);
    if (!items)
        return pn_fail_nomem(err);
    PN_TRY(pn_indexes_classes(d, arena, &classes, err));
    for (size_t i = 0; i < d->n_fragments; i++) {
        const pn_fragment *fragment = &d->fragments[i];
        items[i] = (pn_compact_item){.n_live = fragment->n_rows - fragment->n_deleted,
                                     .n_deleted = fragment->n_deleted,
                                     .class = classes[i],
                                     .is_barred = is_barred(options, fragment)};
        if (options->class_of)
            items[i].class ^= options->class_of(options->context, fragment->id);
        for (size_t f = 0; f < fragment->message->n_files; f++)
            items[i].n_bytes += fragment->message->files[f]->size;
    }
    *out = items;
    return PN_OK;
}

static void count(const pn_compact_item *items, const pn_compact_group *groups, size_t n,
                  pn_compact_preview *out)
{
    *out = (pn_compact_preview){.n_new = n};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++) {
            const pn_compact_item *item = &items[groups[i].first + k];
            out->n_old++;
            out->n_rows += item->n_live;
            out->n_gone += item->n_deleted;
            out->n_bytes += item->n_bytes;
        }
}

pn_status pn_dataset_compact_preview(pn_dataset *dataset, const pn_compact_options *options,
                                     pn_compact_preview *out, pn_error *err)
{
    pn_compact_options complete = *options;
    pn_compact_item *items;
    pn_compact_group *groups;
    size_t n;
    pn_arena arena;
    PN_TRY(pn_compact_complete(&complete, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_compact_measure(dataset, &complete, &arena, &items, err);
    if (status == PN_OK)
        status = pn_compact_plan(items, dataset->n_fragments, &complete, &arena, &groups, &n, err);
    if (status == PN_OK)
        count(items, groups, n, out);
    pn_arena_reset(&arena);
    return status;
}
