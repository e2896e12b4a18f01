/*
 * summary.c - what one version of a table says of itself, in numbers
 */
#include "dataset/summary.h"

#include "dataset/internal.h"
#include "os/dir.h"
#include "os/fd.h"

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

void pn_dataset_summarize(const pn_dataset *dataset, pn_dataset_summary *out)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    *out = (pn_dataset_summary){
        .n_rows = dataset->n_rows,
        .n_fragments = dataset->n_fragments,
        .data_bytes = pn_dataset_data_bytes(dataset),
        .reader_flags = m->reader_feature_flags,
        .writer_flags = m->writer_feature_flags,
        .operation = pn_transaction_name(dataset->manifest.transaction),
        .data_format = m->data_format ? or_empty(m->data_format->version) : "",
        .writer = m->writer_version ? or_empty(m->writer_version->library) : "",
        .writer_version = m->writer_version ? or_empty(m->writer_version->version) : ""};
    for (size_t i = 0; i < dataset->n_fragments; i++) {
        out->n_deleted += dataset->fragments[i].n_deleted;
        out->n_data_files += dataset->fragments[i].message->n_files;
        out->n_deletion_files += dataset->fragments[i].message->deletion_file != NULL;
    }
}

pn_status pn_dataset_column_bytes(pn_dataset *dataset, size_t column, uint64_t *out, pn_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < dataset->n_fragments; i++) {
        pn_arena arena;
        pn_placement at;
        pn_arena_init(&arena, SIZE_MAX);
        pn_status status =
            pn_fragment_place(dataset, i, &dataset->schema.fields[column], &arena, &at, err);
        for (size_t k = 0; status == PN_OK && at.file && k < at.n_leaves; k++)
            total += pn_lance_file_column_bytes(at.file, at.leaf_columns[k]);
        pn_arena_reset(&arena);
        PN_TRY(status);
    }
    *out = total;
    return PN_OK;
}

pn_status pn_dataset_survey_versions(const char *path, pn_arena *arena, pn_version_survey **out,
                                     size_t *n, pn_error *err)
{
    pn_version_list list;
    PN_TRY(pn_manifest_list(path, arena, &list, err));
    pn_version_survey *all = PN_ARENA_NEW(arena, pn_version_survey, list.n);
    if (!all)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < list.n; i++) {
        pn_manifest manifest = {0};
        pn_error why = {0};
        all[i].version = list.versions[i];
        if (pn_manifest_read(path, list.versions[i], list.scheme, &manifest, &why) != PN_OK) {
            all[i].problem = pn_arena_strdup(arena, why.message);
            if (!all[i].problem)
                return pn_fail_nomem(err);
            continue;
        }
        all[i].timestamp_ms = pn_manifest_time_ms(manifest.message);
        all[i].operation = pn_transaction_name(manifest.transaction);
        all[i].n_rows = pn_manifest_rows(manifest.message);
        pn_manifest_free(&manifest);
    }
    *out = all;
    *n = list.n;
    return PN_OK;
}

typedef struct disk_walk {
    size_t root_bytes; /* of the folder's own path */
    pn_disk_bytes sums;
} disk_walk;

static pn_status add_file(void *context, const char *path, pn_error *err)
{
    disk_walk *walk = context;
    pn_file_info info;
    pn_disk_bytes *sums = &walk->sums;
    const struct {
        const char *folder;
        uint64_t *sum;
    } places[] = {{"data/", &sums->data},
                  {"_deletions/", &sums->deletions},
                  {"_versions/", &sums->versions},
                  {"_transactions/", &sums->transactions},
                  {"_indices/", &sums->indices}};
    uint64_t *sum = &sums->other;
    const char *name = path + walk->root_bytes;
    name += strspn(name, "/");
    pn_status status = pn_path_info(path, &info, err);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK; // a writer's staging file, gone meanwhile
    PN_TRY(status);
    for (size_t i = 0; i < PN_COUNT_OF(places); i++)
        if (pn_str_starts_with(pn_str_of(name), places[i].folder))
            sum = places[i].sum;
    *sum += info.size_bytes;
    return PN_OK;
}

pn_status pn_dataset_disk_bytes(const char *path, pn_disk_bytes *out, pn_error *err)
{
    disk_walk walk = {.root_bytes = strlen(path)};
    PN_TRY(pn_dir_walk(path, add_file, &walk, err));
    *out = walk.sums;
    return PN_OK;
}
