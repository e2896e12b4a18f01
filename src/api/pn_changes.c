/*
 * pn_changes.c - section 10 of pennon.h: changes of any Lance table, by its folder
 *
 * Opening reads the newest manifest, so a change is decided on what is newest when it begins. What the dataset does not know is which
 * columns a search of pennon needs: that is asked here, before any of them is dropped or renamed.
 */
#include "api/internal.h"

#include "api/facets.h"
#include "collection/fold_log.h"
#include "collection/image_schema.h"
#include "column/builder.h"
#include "dataset/cleanup.h"
#include "dataset/compact_preview.h"
#include "dataset/index_section.h"
#include "dataset/tags.h"
#include "os/dir.h"
#include "transfer/json_value.h"
#include "transfer/schema_json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static pn_status open_newest(const char *path, pn_dataset **out, pn_error *err)
{
    PN_TRY(pn_check_path(path, err));
    return pn_dataset_open(path, 0, out, err);
}

/* Ends the old version and tells the new one's number, once it is there. */
static pn_status finish(pn_status status, pn_dataset *dataset, pn_dataset *made, uint64_t *version)
{
    if (status == PN_OK && version)
        *version = pn_dataset_version(made);
    if (status == PN_OK)
        pn_dataset_unref(made);
    pn_dataset_unref(dataset);
    return status;
}

/* A folder without a table has no tags either. Whatever became of its newest version, tags lead to others. */
static pn_status check_table(const char *path, pn_error *err)
{
    pn_arena arena;
    pn_version_list list;
    PN_TRY(pn_check_path(path, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_manifest_list(path, &arena, &list, err);
    pn_arena_reset(&arena);
    return status;
}

/* ---- versions and tags ---- */

pn_status pn_lance_find_version(const char *path, const char *name, uint64_t *version,
                                pn_error *err)
{
    uint64_t number;
    PN_TRY(pn_check_path(path, err));
    if (!name || name[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no version was named");
    if (!pn_str_to_u64(pn_str_of(name), &number)) {
        static const char prefix[] = "tag:";
        size_t skipped = pn_str_starts_with(pn_str_of(name), prefix) ? strlen(prefix) : 0;
        PN_TRY(check_table(path, err));
        return pn_dataset_tag_version(path, name + skipped, version, err);
    }
    if (number == 0 || number > INT64_MAX)
        return pn_fail(err, PN_ERR_INVALID, "versions are counted from 1, not \"%s\"", name);
    *version = number;
    return PN_OK;
}

pn_status pn_lance_restore(const char *path, uint64_t old_version, uint64_t *version, pn_error *err)
{
    pn_dataset *dataset, *made = NULL;
    pn_error why = {0};
    pn_status status = open_newest(path, &dataset, &why);
    if (pn_is_damage(status)) // what one goes back from
        status = pn_dataset_open(path, old_version, &dataset, &why);
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    status = pn_dataset_restore(dataset, old_version, &made, err);
    return finish(status, dataset, made, version);
}

pn_status pn_lance_tags_json(const char *path, char **out, pn_error *err)
{
    pn_arena arena;
    pn_tag *tags;
    size_t n = 0;
    PN_TRY(check_table(path, err));
    json_t *all = json_array();
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_tags(path, &arena, &tags, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++)
        if (json_array_append_new(all, json_pack("{s:s, s:I}", "name", tags[i].name, "version",
                                                 (json_int_t)tags[i].version)) != 0)
            status = pn_fail_nomem(err);
    if (status == PN_OK)
        status = pn_json_detach(all, out, err);
    else
        json_decref(all);
    pn_arena_reset(&arena);
    return status;
}

static pn_status check_tag(const char *path, const char *name, uint64_t *version, pn_error *err)
{
    pn_dataset *dataset;
    if (!name)
        return pn_fail(err, PN_ERR_INVALID, "no tag was named");
    if (*version != 0)
        return check_table(path, err);
    PN_TRY(open_newest(path, &dataset, err));
    *version = pn_dataset_version(dataset);
    pn_dataset_unref(dataset);
    return PN_OK;
}

pn_status pn_lance_tag_create(const char *path, const char *name, uint64_t version, pn_error *err)
{
    if (name && name[0] != '\0' && name[strspn(name, "0123456789")] == '\0')
        return pn_fail(err, PN_ERR_INVALID,
                       "\"%s\" cannot be a tag: it would be taken for the number of a version",
                       name);
    PN_TRY(check_tag(path, name, &version, err));
    return pn_dataset_tag_create(path, name, version, err);
}

pn_status pn_lance_tag_update(const char *path, const char *name, uint64_t version, pn_error *err)
{
    PN_TRY(check_tag(path, name, &version, err));
    return pn_dataset_tag_move(path, name, version, err);
}

pn_status pn_lance_tag_delete(const char *path, const char *name, pn_error *err)
{
    uint64_t ignored = 1;
    PN_TRY(check_tag(path, name, &ignored, err));
    return pn_dataset_tag_delete(path, name, err);
}

/* ---- columns ---- */

static pn_status read_column(const char *column_json, pn_arena *arena, pn_schema *out,
                             pn_error *err)
{
    json_t *one;
    pn_status status = pn_json_parse(pn_str_of(column_json), &one, err);
    if (status != PN_OK)
        return pn_fail_wrap(err, status, "the column: ");
    json_t *all = json_pack("[O]", one);
    status = all ? pn_schema_from_json(all, arena, out, err) : pn_fail_nomem(err);
    json_decref(all);
    json_decref(one);
    return status;
}

static pn_status add_constant(pn_dataset *dataset, const pn_field *field, const char *value_json,
                              pn_dataset **out, pn_error *err)
{
    json_t *value;
    pn_builder *builder;
    pn_array array;
    pn_status status = pn_json_parse(pn_str_of(value_json), &value, err);
    if (status != PN_OK)
        return pn_fail_wrap(err, status, "the value: ");
    status = pn_builder_create(field, PTRDIFF_MAX, &builder, err);
    if (status == PN_OK) {
        status = pn_value_from_json(builder, field, value, err);
        if (status == PN_OK)
            status = pn_builder_view(builder, &array, err);
        if (status == PN_OK)
            status = pn_dataset_add_constant(dataset, &array, out, err);
        pn_builder_free(builder);
    }
    json_decref(value);
    return status;
}

pn_status pn_lance_add_column(const char *path, const char *column_json, const char *value_json,
                              uint64_t *version, pn_error *err)
{
    pn_dataset *dataset, *made = NULL;
    pn_arena arena;
    pn_schema schema;
    if (!column_json)
        return pn_fail(err, PN_ERR_INVALID, "no column to add was named");
    PN_TRY(open_newest(path, &dataset, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = read_column(column_json, &arena, &schema, err);
    if (status == PN_OK && value_json)
        status = add_constant(dataset, &schema.fields[0], value_json, &made, err);
    else if (status == PN_OK)
        status = pn_dataset_add_column(dataset, &schema.fields[0], NULL, &made, err);
    pn_arena_reset(&arena);
    return finish(status, dataset, made, version);
}

/* A table of pictures is found by its columns' names. */
static bool search_needs(const pn_dataset *dataset, const char *name)
{
    static const char *const needed[] = {PN_COLUMN_ID, PN_COLUMN_VECTOR, PN_COLUMN_IMAGE_PATH};
    bool is_ours = pn_schema_metadata(pn_dataset_schema(dataset), PN_META_EMBEDDER) != NULL;
    for (size_t i = 0; i < PN_COUNT_OF(needed) && is_ours; i++)
        if (strcmp(needed[i], name) == 0)
            return true;
    return false;
}

static pn_status check_unneeded(const pn_dataset *dataset, const char *name, bool drops,
                                pn_error *err)
{
    pn_arena arena;
    const char *index = NULL;
    ptrdiff_t at = pn_schema_find(pn_dataset_schema(dataset), pn_str_of(name));
    if (at < 0)
        return PN_OK; // which is told when it is looked for
    if (search_needs(dataset, name))
        return pn_fail(err, PN_ERR_INVALID,
                       "column \"%s\" is what pennon searches this table of pictures by: without "
                       "it there is no search",
                       name);
    if (!drops)
        return PN_OK; // indexes know columns by number
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status =
        pn_indexes_find(dataset, &pn_dataset_schema(dataset)->fields[at], &arena, &index, err);
    if (status == PN_OK && index)
        status = pn_fail(err, PN_ERR_INVALID,
                         "column \"%s\" has the index \"%s\", which would go with it", name, index);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_lance_drop_columns(const char *path, const char *const *names, size_t n, int force,
                                uint64_t *version, pn_error *err)
{
    pn_dataset *dataset, *made = NULL;
    if (!names && n > 0)
        return pn_fail(err, PN_ERR_INVALID, "no column to drop was named");
    PN_TRY(open_newest(path, &dataset, err));
    pn_status status = PN_OK;
    for (size_t i = 0; i < n && !force && status == PN_OK; i++)
        status = check_unneeded(dataset, names[i], true, err);
    if (status == PN_OK)
        status = pn_dataset_drop_columns(dataset, names, n, &made, err);
    return finish(status, dataset, made, version);
}

pn_status pn_lance_rename_column(const char *path, const char *from, const char *to, int force,
                                 uint64_t *version, pn_error *err)
{
    pn_dataset *dataset, *made = NULL;
    if (!from || !to)
        return pn_fail(err, PN_ERR_INVALID, "a column's old name and its new one are needed");
    PN_TRY(open_newest(path, &dataset, err));
    pn_status status = force ? PN_OK : check_unneeded(dataset, from, false, err);
    if (status == PN_OK)
        status = pn_dataset_rename_column(dataset, from, to, &made, err);
    return finish(status, dataset, made, version);
}

/* ---- compaction ---- */

typedef struct watching {
    const pn_compact_table_options *options;
    uint64_t n_all;
} watching;

static bool on_rows(void *context, uint64_t n_rows)
{
    const watching *w = context;
    const pn_compact_table_options *o = w->options;
    if (o->progress)
        o->progress(o->context, n_rows, w->n_all);
    return !o->cancelled || !o->cancelled(o->context);
}

static void count(const pn_compaction *compaction, pn_compact_table_report *done)
{
    for (size_t i = 0; i < pn_compaction_count(compaction); i++) {
        pn_compacted one;
        pn_compaction_get(compaction, i, &one);
        done->n_new_fragments++;
        done->n_old_fragments += one.n_old;
        done->n_rows += one.n_rows;
    }
}

/* Indexes go on covering what is folded, where all of it was covered by one. */
static pn_status tell_folds(void *context, pn_dataset *read, const pn_compact_fold *folds, size_t n,
                            pn_error *err)
{
    pn_arena arena;
    (void)context;
    pn_arena_init(&arena, SIZE_MAX);
    const char *folder = pn_path_join(&arena, pn_dataset_path(read), "_pennon/index");
    pn_status status = folder ? pn_fold_log_write(folder, PN_COLUMN_VECTOR, read, folds, n, err)
                              : pn_fail_nomem(err);
    pn_arena_reset(&arena);
    return status;
}

/* Or only look at what there would be to do. */
static pn_status compact(pn_dataset *dataset, const pn_compact_table_options *ours,
                         pn_compact_table_report *done, pn_error *err)
{
    watching w = {.options = ours};
    pn_compaction *compaction = NULL;
    pn_dataset *made = NULL;
    pn_compact_preview preview;
    const pn_compact_options options = {.mode = ours->if_due ? PN_COMPACT_TIERED : PN_COMPACT_FULL,
                                        .target_rows = ours->target_rows,
                                        .target_bytes = ours->target_bytes,
                                        .deleted_percent = ours->deleted_percent,
                                        .progress = on_rows,
                                        .progress_context = &w,
                                        .folding = tell_folds};
    PN_TRY(pn_dataset_compact_preview(dataset, &options, &preview, err));
    w.n_all = preview.n_rows + preview.n_gone;
    done->version = pn_dataset_version(dataset);
    if (ours->dry_run) {
        done->n_old_fragments = preview.n_old;
        done->n_new_fragments = preview.n_new;
        done->n_rows = preview.n_rows;
        return PN_OK;
    }
    pn_status status = pn_dataset_compact(dataset, &options, &compaction, &made, err);
    if (compaction)
        count(compaction, done);
    if (status == PN_OK) {
        done->version = pn_dataset_version(made);
        pn_dataset_unref(made);
    }
    pn_compaction_free(compaction);
    return status;
}

pn_status pn_lance_compact(const char *path, const pn_compact_table_options *options,
                           pn_compact_table_report *report, pn_error *err)
{
    pn_compact_table_options ours = PN_COMPACT_TABLE_OPTIONS_INIT;
    pn_compact_table_report done = PN_COMPACT_TABLE_REPORT_INIT;
    pn_dataset *dataset;
    PN_TAKE_OPTIONS(ours, options, err);
    PN_TRY(open_newest(path, &dataset, err));
    pn_status status = compact(dataset, &ours, &done, err);
    pn_dataset_unref(dataset);
    PN_TRY(status);
    return report ? pn_give_struct(&done, sizeof done, report, err) : PN_OK;
}

/* ---- clean-up ---- */

static pn_status to_ms(double seconds, int64_t *out, pn_error *err)
{
    static const double most = 1e12; // 30,000 years, in which a table may be cleaned up
    if (isnan(seconds) || seconds > most)
        return pn_fail(err, PN_ERR_INVALID, "an age of %g seconds", seconds);
    *out = seconds < 0 ? -1 : (int64_t)(seconds * 1000);
    return PN_OK;
}

pn_status pn_lance_cleanup(const char *path, const pn_cleanup_table_options *options,
                           pn_cleanup_table_report *report, pn_error *err)
{
    pn_cleanup_table_options ours = PN_CLEANUP_TABLE_OPTIONS_INIT;
    pn_cleanup_options plan = PN_CLEANUP_OPTIONS_INIT;
    pn_cleanup_report counts;
    PN_TRY(pn_check_path(path, err));
    PN_TAKE_OPTIONS(ours, options, err);
    PN_TRY(to_ms(ours.older_than_seconds, &plan.older_than_ms, err));
    PN_TRY(to_ms(ours.orphans_seconds, &plan.orphan_ms, err));
    plan.keep_newest = ours.keep_newest;
    plan.damaged_too = ours.damaged_too != 0;
    plan.mode = ours.dry_run ? PN_CLEANUP_REPORT : PN_CLEANUP_REMOVE;
    PN_TRY(pn_dataset_cleanup(path, &plan, &counts, err));
    const pn_cleanup_table_report done = {.struct_bytes = sizeof done,
                                          .n_versions = counts.n_versions,
                                          .n_kept = counts.n_kept,
                                          .n_files = counts.n_files,
                                          .n_orphans = counts.n_orphans,
                                          .n_bytes = counts.n_bytes};
    return report ? pn_give_struct(&done, sizeof done, report, err) : PN_OK;
}
