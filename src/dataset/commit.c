/*
 * commit.c - write, sync, link
 *
 *     1  the transaction file                       _transactions/<read version>-<uuid>.txn
 *     2  the manifest under a staging name          _versions/<name>.manifest#<uuid>
 *     3  sync both, the data and deletion files that were written before, and the folders of all of them
 *     4  link the manifest to its final name: EEXIST means that another writer was faster
 *     5  sync the _versions folder
 *     6  the hint file, which nobody depends on
 *
 * Waiting once, in 3, for what the disk has begun with meanwhile costs one commit of the file system's journal instead of one a file
 * (sync_list.h): a row alone is durable after two.
 *
 * Before 4 nothing has happened for any reader; after 5 the version lasts. A lost race reads what the others did, asks
 * whether our change can stand beside it, applies it again on top and tries the next number.
 *
 * Others may clean up without a pause. A version that came in between and is gone may have been anything. What only adds rows knows nothing
 * of the old version but its columns, so it is begun anew on the newest one; all else is decided again, or is a conflict. And the name
 * that 4 finds free may be one that was taken, followed and cleaned up: then readers have a later version, without us. The newest version
 * is never cleaned up, so as long as the one before ours is there its place was not passed by. That is looked at just before 4, when another
 * try is still possible, and just after it, when all that is left is to tell.
 * Source: the Lance table format's conflict rules.
 */
#include "dataset/commit.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "dataset/row_ids.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <string.h>

typedef struct attempt {
    const char *table;
    pn_manifest_scheme scheme;
    bool published;
    bool lost; /* somebody was faster */
    /* Of the version before the one it makes; NULL: that need not be there. */
    const Pn__Table__Manifest *base;
    pn_arena arena;
    pn_buffer manifest;    /* its bytes, as they were written */
    pn_sync_list unsynced; /* what this attempt wrote */
    pn_sync_list *before;  /* what was written before it; NULL: nothing */
} attempt;

/* Tables may be told to keep transactions in the manifests alone. */
static bool keeps_transactions(const Pn__Table__Manifest *m)
{
    return (m->writer_feature_flags & PN_FLAG_NO_TRANSACTION_FILES) == 0;
}

/* uuid, file name and its text into the transaction and the manifest. */
static pn_status name_transaction(attempt *a, uint64_t read_version, Pn__Table__Transaction *txn,
                                  Pn__Table__Manifest *next, pn_error *err)
{
    uint8_t uuid[16];
    char text[PN_UUID_TEXT_BYTES];
    pn_uuid_make(uuid);
    pn_uuid_text(uuid, text);
    txn->has_read_version = 1;
    txn->read_version = read_version;
    txn->uuid = pn_arena_strdup(&a->arena, text);
    next->transaction_file =
        keeps_transactions(next)
            ? pn_arena_printf(&a->arena, "%" PRIu64 "-%s.txn", read_version, text)
            : pn_arena_strdup(&a->arena, "");
    return txn->uuid && next->transaction_file ? PN_OK : pn_fail_nomem(err);
}

static pn_status stamp(attempt *a, Pn__Table__Manifest *next, uint64_t version, pn_error *err)
{
    static char library[] = "pennon", library_version[] = "0.1.0";
    int64_t now = pn_clock_wall_ns();
    next->timestamp = PN_ARENA_NEW(&a->arena, Pn__Table__Timestamp, 1);
    next->writer_version = PN_ARENA_NEW(&a->arena, Pn__Table__WriterVersion, 1);
    if (!next->timestamp || !next->writer_version)
        return pn_fail_nomem(err);
    pn__table__timestamp__init(next->timestamp);
    next->timestamp->has_seconds = next->timestamp->has_nanos = 1;
    next->timestamp->seconds = now / 1000000000;
    next->timestamp->nanos = (int32_t)(now % 1000000000);
    pn__table__writer_version__init(next->writer_version);
    next->writer_version->library = library;
    next->writer_version->version = library_version;
    next->has_version = 1;
    next->version = version;
    return PN_OK;
}

static pn_status write_transaction(attempt *a, const Pn__Table__Transaction *txn, const char *name,
                                   char **written, pn_error *err)
{
    char *folder = pn_path_join(&a->arena, a->table, "_transactions");
    char *path = folder ? pn_path_join(&a->arena, folder, name) : NULL;
    size_t n = pn__table__transaction__get_packed_size(txn);
    uint8_t *bytes = pn_arena_alloc(&a->arena, n + 1);
    if (!path || !bytes)
        return pn_fail_nomem(err);
    (void)pn__table__transaction__pack(txn, bytes); // n bytes
    PN_TRY(pn_dir_make(folder, err));
    *written = path;
    PN_TRY(pn_sync_list_write(&a->unsynced, path, bytes, n, err));
    return pn_sync_list_add_folder(&a->unsynced, folder, err);
}

/* Losing it costs readers a directory listing, so nobody waits until it is on the disk, and its errors are nobody's business. Written
 * over, because a file that comes and another that goes with every commit cost more than the rest of a small one on some systems. */
static void write_hint(attempt *a, uint64_t version)
{
    char *path = pn_path_join(&a->arena, a->table, "_versions/latest_version_hint.json");
    char *text = pn_arena_printf(&a->arena, "{\"version\":%" PRIu64 "}", version);
    pn_status status =
        path && text ? pn_file_overwrite(path, text, strlen(text), NULL) : PN_ERR_NOMEM;
    (void)status; // see above
}

/* A file that no version names only takes room: no error of its own. */
static void remove_leftover(const char *path)
{
    if (path)
        (void)(pn_path_remove(path, NULL) == PN_OK); // see above
}

/* All that the version refers to, directly or not. */
static pn_status settle(attempt *a, pn_error *err)
{
    if (a->before)
        PN_TRY(pn_sync_list_settle(a->before, err));
    return pn_sync_list_settle(&a->unsynced, err);
}

static void begin(attempt *a)
{
    pn_arena_init(&a->arena, SIZE_MAX);
    pn_buffer_init(&a->manifest, PN_MANIFEST_MAX_BYTES);
}

static void forget(attempt *a)
{
    pn_buffer_reset(&a->manifest);
    pn_sync_list_reset(&a->unsynced);
    pn_arena_reset(&a->arena);
}

static pn_status is_there(attempt *a, uint64_t version, bool *out, pn_error *err)
{
    char *path = pn_manifest_path(a->table, version, a->scheme, &a->arena);
    *out = path && pn_path_exists(path);
    return path ? PN_OK : pn_fail_nomem(err);
}

/* The newest version is never cleaned up. EXISTS: the one that this is to follow was, or, where it has a tag, the hint knows of a later one. */
static pn_status check_base(attempt *a, pn_error *err)
{
    bool there = true, passed = false;
    if (!a->base)
        return PN_OK;
    PN_TRY(is_there(a, a->base->version, &there, err));
    uint64_t hint = pn_manifest_hint(a->table);
    if (hint > a->base->version)
        PN_TRY(is_there(a, hint, &passed, err));
    return there && !passed
               ? PN_OK
               : pn_fail(err, PN_ERR_EXISTS, "%s: version %" PRIu64 " is not the newest any more",
                         a->table, a->base->version);
}

/* The data file that a version has and the one before it has not; NULL: that cannot be told by the last fragment. */
static const char *new_file(const Pn__Table__Manifest *next, const Pn__Table__Manifest *before)
{
    const Pn__Table__DataFragment *last =
        next->n_fragments > 0 ? next->fragments[next->n_fragments - 1] : NULL;
    for (size_t i = 0; last && i < before->n_fragments; i++)
        if (before->fragments[i]->id == last->id)
            return NULL;
    return last && last->n_files > 0 ? last->files[0]->path : NULL;
}

static bool has_file(const Pn__Table__Manifest *manifest, const char *path)
{
    for (size_t i = manifest->n_fragments; path && i > 0; i--)
        for (size_t k = 0; k < manifest->fragments[i - 1]->n_files; k++)
            if (strcmp(manifest->fragments[i - 1]->files[k]->path, path) == 0)
                return true;
    return false;
}

/* In the newest version: what was followed by others is there, or is the newest itself. */
static pn_status find_in_newest(attempt *a, const Pn__Table__Manifest *next, bool *found,
                                pn_error *err)
{
    enum { MAX_TRIES = 8 };
    const char *file = new_file(next, a->base);
    pn_status status = PN_ERR_NOT_FOUND;
    for (int i = 0; i < MAX_TRIES && status == PN_ERR_NOT_FOUND; i++) { // it is cleaned up, too
        pn_version_list list;
        pn_manifest newest = {0};
        PN_TRY(pn_manifest_list(a->table, &a->arena, &list, err));
        const uint64_t last = list.versions[list.n - 1];
        *found = last <= next->version;
        if (*found)
            return PN_OK;
        status = pn_manifest_read(a->table, last, a->scheme, &newest, err);
        *found = status == PN_OK && has_file(newest.message, file);
        pn_manifest_free(&newest);
    }
    return status;
}

/*
 * A name is free when nobody had it, and when who had it was followed by others and cleaned up: then those do not know of us. As long as
 * the version before ours is there that did not happen, since it would have gone first; and when there is none after ours, ours counts, or
 * when those after it have the rows.
 */
static pn_status check_seen(attempt *a, const Pn__Table__Manifest *next, pn_error *err)
{
    bool seen = true;
    if (a->base)
        PN_TRY(is_there(a, a->base->version, &seen, err));
    if (!seen)
        PN_TRY(find_in_newest(a, next, &seen, err));
    return seen ? PN_OK
                : pn_fail(err, PN_ERR_IO,
                          "others committed and cleaned up in the same moment and may not have "
                          "seen it: look whether the newest version has the change");
}

/* EXISTS: another writer has this version, or had it. */
static pn_status publish(attempt *a, Pn__Table__Manifest *next, const uint8_t *index_section,
                         size_t index_bytes, const Pn__Table__Transaction *txn, pn_error *err)
{
    char *folder = pn_path_join(&a->arena, a->table, "_versions");
    char *path = pn_manifest_path(a->table, next->version, a->scheme, &a->arena);
    char *staging = path ? pn_arena_printf(&a->arena, "%s#%s", path, txn->uuid) : NULL;
    char *txn_path = NULL;
    if (!folder || !staging)
        return pn_fail_nomem(err);
    a->lost = pn_path_exists(path);
    if (a->lost)
        return pn_fail(err, PN_ERR_EXISTS, "%s: version %" PRIu64 " is there", a->table,
                       next->version);
    PN_TRY(pn_dir_make(folder, err));
    pn_status status = PN_OK;
    if (keeps_transactions(next))
        status = write_transaction(a, txn, next->transaction_file, &txn_path, err);
    if (status == PN_OK)
        status = pn_manifest_encode(next, index_section, index_bytes, txn, &a->manifest, err);
    if (status == PN_OK)
        status =
            pn_sync_list_write(&a->unsynced, staging, a->manifest.data, a->manifest.n_bytes, err);
    if (status == PN_OK)
        status = settle(a, err);
    if (status == PN_OK)
        status = check_base(a, err);
    if (status == PN_OK)
        status = pn_path_rename_if_absent(staging, path, err);
    a->lost = status == PN_ERR_EXISTS;
    if (status != PN_OK) {
        remove_leftover(staging);
        remove_leftover(txn_path);
        return status;
    }
    a->published = true; // whatever fails from here on, readers have the version
    pn_error why = {0};
    status = check_seen(a, next, &why); // at once: with time it can tell less
    PN_TRY(pn_folder_sync(folder, err));
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    write_hint(a, next->version);
    return PN_OK;
}

/* One that others committed since. NOT_FOUND: it was cleaned up. */
static pn_status judge(const pn_dataset *read, uint64_t version, const pn_intent *intent,
                       bool *redo, pn_error *err)
{
    pn_manifest manifest;
    PN_TRY(pn_manifest_read(read->path, version, read->scheme, &manifest, err));
    pn_verdict verdict = pn_transaction_judge(intent, manifest.transaction);
    const char *name = pn_transaction_name(manifest.transaction);
    pn_manifest_free(&manifest);
    *redo = verdict == PN_VERDICT_REDO;
    if (verdict == PN_VERDICT_STANDS)
        return PN_OK;
    return pn_fail(err, PN_ERR_CONFLICT,
                   "%s: version %" PRIu64 " (%s) of another writer came in between", read->path,
                   version, name);
}

/* What is not known may be anything, also another table: so the change is made on what is there now, as if it began there. */
static pn_status begin_anew(const pn_dataset *read, const pn_dataset *newest, uint64_t unknown,
                            const pn_commit_plan *plan, bool *redo, pn_error *err)
{
    pn_error why = {0};
    pn_status status =
        plan->begin_anew ? plan->begin_anew(plan->context, newest, &why) : PN_ERR_CONFLICT;
    *redo = status == PN_ERR_CONFLICT;
    if (status == PN_OK)
        return PN_OK;
    return pn_fail(err, status,
                   "%s: version %" PRIu64 " came in between and was cleaned up since%s%s",
                   read->path, unknown, why.message[0] ? ": " : "", why.message);
}

/* What others committed between the version the change was decided on and the newest. */
static pn_status check_conflicts(pn_dataset *read, pn_dataset *newest, const pn_commit_plan *plan,
                                 pn_commit_end *end, pn_error *err)
{
    const pn_intent intent = {plan->operation, plan->touches, plan->context};
    uint64_t unknown = 0;
    if (!pn_dataset_is_kin(read, newest))
        return pn_fail(err, PN_ERR_CONFLICT,
                       "%s: it was removed and made anew since version %" PRIu64 " was read",
                       read->path, pn_dataset_version(read));
    for (uint64_t version = pn_dataset_version(read) + 1; version <= pn_dataset_version(newest);
         version++) {
        pn_error why = {0};
        pn_status status = judge(read, version, &intent, &end->redo, &why);
        if (status == PN_ERR_NOT_FOUND)
            unknown = version;
        else if (status != PN_OK)
            return pn_fail(err, status, "%s", why.message);
    }
    return unknown == 0 ? PN_OK : begin_anew(read, newest, unknown, plan, &end->redo, err);
}

static pn_status check_writable(const pn_dataset *dataset, pn_error *err)
{
    const Pn__Table__Manifest *m = dataset->manifest.message;
    uint64_t unknown = m->writer_feature_flags & ~(uint64_t)PN_WRITER_FLAGS_KNOWN;
    if (unknown != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: writing needs features that are not supported (writer flags %" PRIu64
                       ")",
                       dataset->path, unknown);
    return PN_OK;
}

/* The version made. When somebody else committed and cleaned it up before it was read back, it is as if that had come just after: who reads
 * it has what was written. */
static pn_status open_made(const attempt *a, uint64_t version, pn_file_cache *cache,
                           pn_dataset **out, pn_error *err)
{
    pn_error why = {0};
    pn_manifest made = {0};
    pn_status status = pn_manifest_read(a->table, version, a->scheme, &made, &why);
    if (status == PN_ERR_NOT_FOUND)
        status = pn_manifest_parse(a->manifest.data, a->manifest.n_bytes, "the version made", &made,
                                   &why);
    if (status == PN_OK)
        status = pn_dataset_from_manifest(a->table, &made, a->scheme, cache, out, &why);
    pn_manifest_free(&made);
    return status == PN_OK ? PN_OK : pn_fail(err, status, "%s", why.message);
}

/* Who tries again writes the rows twice. */
static pn_status tell_published(bool published, uint64_t version, pn_status status, pn_error *err)
{
    if (!published || status == PN_OK || status == PN_ERR_NOMEM)
        return status;
    return pn_fail_wrap(err, status, "version %" PRIu64 " is written, but: ", version);
}

static pn_status publish_and_open(attempt *a, const pn_draft *draft, pn_file_cache *cache,
                                  pn_dataset **out, pn_error *err)
{
    uint64_t version = draft->manifest->version;
    pn_status status = publish(a, draft->manifest, draft->index_section, draft->index_section_bytes,
                               draft->txn, err);
    if (status == PN_OK)
        status = open_made(a, version, cache, out, err);
    return tell_published(a->published, version, status, err);
}

/* What the next version is made of, and its number. */
typedef struct footing {
    pn_dataset *newest; /* referenced */
    uint64_t next;
} footing;

/* The newest version; `read` where that is damaged and the plan passes over it. */
static pn_status find_footing(pn_dataset *read, const pn_commit_plan *plan, footing *out,
                              pn_error *err)
{
    pn_error why = {0};
    pn_arena arena;
    pn_version_list list;
    pn_dataset *newest;
    pn_status status = pn_dataset_latest(read, &newest, &why);
    if (status == PN_OK) {
        *out = (footing){newest, pn_dataset_version(newest) + 1};
        return PN_OK;
    }
    if (!plan->passes_damage || !pn_is_damage(status))
        return pn_fail(err, status, "%s", why.message);
    pn_arena_init(&arena, SIZE_MAX);
    status = pn_manifest_list(read->path, &arena, &list, err);
    if (status == PN_OK)
        *out = (footing){pn_dataset_ref(read), list.versions[list.n - 1] + 1};
    pn_arena_reset(&arena);
    return status;
}

/* One try on this footing. *lost: somebody was faster. */
static pn_status try_commit(const footing *on, const pn_commit_plan *plan, pn_commit_end *end,
                            bool *lost, pn_dataset **out, pn_error *err)
{
    pn_dataset *newest = on->newest;
    attempt a = {.table = newest->path, .scheme = newest->scheme, .before = plan->unsynced};
    begin(&a);
    if (on->next == pn_dataset_version(newest) + 1)
        a.base = newest->manifest.message;
    Pn__Table__Manifest next = *newest->manifest.message; // shares what does not change
    Pn__Table__Transaction txn = PN__TABLE__TRANSACTION__INIT;
    pn_draft draft = {.arena = &a.arena,
                      .manifest = &next,
                      .txn = &txn,
                      .unsynced = &a.unsynced,
                      .index_section = newest->manifest.index_section,
                      .index_section_bytes = newest->manifest.index_section_bytes};
    pn_status status = check_writable(newest, err);
    if (status == PN_OK)
        status = name_transaction(&a, pn_dataset_version(newest), &txn, &next, err);
    if (status == PN_OK)
        status = stamp(&a, &next, on->next, err);
    if (status == PN_OK)
        status = plan->apply(plan->context, newest, &draft, err);
    if (status == PN_OK && draft.nothing)
        *out = pn_dataset_ref(newest);
    else if (status == PN_OK) {
        pn_draft_set_flags(&draft);
        status = publish_and_open(&a, &draft, newest->cache, out, err);
    }
    if (!a.published && plan->undo)
        plan->undo(plan->context);
    end->published = a.published;
    end->redo = draft.redo;
    *lost = a.lost;
    forget(&a);
    return status;
}

pn_status pn_commit_run(pn_dataset *read, const pn_commit_plan *plan, pn_commit_end *end,
                        pn_dataset **out, pn_error *err)
{
    *end = (pn_commit_end){0};
    pn_rng rng = pn_rng_seed((uint64_t)pn_clock_monotonic_ns());
    for (int i = 0; i < PN_COMMIT_MAX_ATTEMPTS; i++) {
        footing on;
        bool lost = false;
        PN_TRY(find_footing(read, plan, &on, err));
        pn_status status = check_conflicts(read, on.newest, plan, end, err);
        if (status == PN_OK)
            status = try_commit(&on, plan, end, &lost, out, err);
        pn_dataset_unref(on.newest);
        if (!lost)
            return status;
        pn_clock_sleep_ms((int64_t)pn_rng_below(&rng, (uint64_t)(4 << PN_MIN(i, 6)) +
                                                          1)); // so that two do not march in step
    }
    return pn_fail(err, PN_ERR_CONFLICT, "%s: other writers were faster %d times", read->path,
                   PN_COMMIT_MAX_ATTEMPTS);
}

pn_status pn_commit_decided(pn_dataset *dataset, pn_decide decide, void *context, pn_dataset **out,
                            pn_error *err)
{
    pn_status status = PN_ERR_CONFLICT;
    pn_commit_end end = {.redo = true};
    for (int i = 0; i < PN_COMMIT_MAX_ATTEMPTS && status == PN_ERR_CONFLICT && end.redo; i++) {
        pn_dataset *read;
        PN_TRY(pn_dataset_latest(dataset, &read, err));
        end = (pn_commit_end){0};
        status = decide(context, read, &end, out, err);
        pn_dataset_unref(read);
    }
    return status;
}

/* Opened by its number, which looks at the file of the manifest, too: a table that is made in the place of this one is told by that. */
static pn_status open_created(const attempt *a, pn_dataset **out, pn_error *err)
{
    pn_error why = {0};
    pn_file_cache *cache;
    pn_status status = pn_dataset_open(a->table, 1, out, &why);
    if (status != PN_ERR_NOT_FOUND)
        return status == PN_OK ? PN_OK : pn_fail(err, status, "%s", why.message);
    PN_TRY(pn_file_cache_create(&cache, err));
    status = open_made(a, 1, cache, out, err);
    pn_file_cache_unref(cache);
    return status;
}

pn_status pn_commit_create(const char *table, Pn__Table__Manifest *manifest,
                           Pn__Table__Transaction *txn, pn_sync_list *unsynced, pn_commit_end *end,
                           pn_dataset **out, pn_error *err)
{
    attempt a = {.table = table, .scheme = PN_MANIFEST_V2, .before = unsynced};
    begin(&a);
    pn_status status = name_transaction(&a, 0, txn, manifest, err);
    if (status == PN_OK)
        status = stamp(&a, manifest, 1, err);
    if (status == PN_OK)
        status = publish(&a, manifest, NULL, 0, txn, err);
    if (status == PN_OK)
        status = open_created(&a, out, err);
    *end = (pn_commit_end){.published = a.published};
    forget(&a);
    if (status == PN_ERR_EXISTS && !end->published)
        return pn_fail(err, status, "%s: there is a table already", table);
    return tell_published(end->published, 1, status, err);
}

/* ---- drafts ---- */

pn_status pn_draft_give_id(pn_draft *draft, Pn__Table__DataFragment *fragment, pn_error *err)
{
    Pn__Table__Manifest *m = draft->manifest;
    uint64_t id = m->has_max_fragment_id ? (uint64_t)m->max_fragment_id + 1 : 0;
    for (size_t i = 0; i < m->n_fragments; i++) // the field is younger than the format
        id = PN_MAX(id, m->fragments[i]->id + 1);
    if (id > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "the table has used up its fragment ids");
    fragment->has_id = id != 0;
    fragment->id = id;
    m->has_max_fragment_id = 1;
    m->max_fragment_id = (uint32_t)id;
    return PN_OK;
}

bool pn_has_row_ids(const Pn__Table__Manifest *manifest)
{
    return (manifest->writer_feature_flags & PN_FLAG_STABLE_ROW_IDS) != 0;
}

/* versions[i] where it is told, this version elsewhere. */
static pn_status encode_versions(pn_draft *draft, const uint64_t *versions, size_t n,
                                 ProtobufCBinaryData *out, pn_error *err)
{
    uint64_t *list = PN_ARENA_NEW(draft->arena, uint64_t, n + 1);
    if (!list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        list[i] = versions && versions[i] != 0 ? versions[i] : draft->manifest->version;
    return pn_row_versions_encode(list, n, draft->arena, out, err);
}

pn_status pn_draft_give_row_ids(pn_draft *draft, Pn__Table__DataFragment *fragment,
                                const pn_row_history *history, pn_error *err)
{
    static const pn_row_history all_new = {NULL, NULL, NULL};
    const pn_row_history *h = history ? history : &all_new;
    Pn__Table__Manifest *m = draft->manifest;
    size_t n = (size_t)fragment->physical_rows;
    if (!pn_has_row_ids(m))
        return PN_OK;
    uint64_t *ids = PN_ARENA_NEW(draft->arena, uint64_t, n + 1);
    if (!ids)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = h->ids && h->ids[i] != PN_ROW_ID_NEW ? h->ids[i] : m->next_row_id++;
    m->has_next_row_id = 1;
    fragment->has_inline_row_ids = fragment->has_inline_created_at = 1;
    fragment->has_inline_updated_at = 1;
    PN_TRY(pn_row_ids_encode(ids, n, draft->arena, &fragment->inline_row_ids, err));
    PN_TRY(encode_versions(draft, h->created, n, &fragment->inline_created_at, err));
    return encode_versions(draft, h->updated, n, &fragment->inline_updated_at, err);
}

void pn_draft_set_flags(pn_draft *draft)
{
    Pn__Table__Manifest *m = draft->manifest;
    bool deletions = false;
    for (size_t i = 0; i < m->n_fragments; i++)
        deletions = deletions || m->fragments[i]->deletion_file;
    uint64_t flag = deletions ? PN_FLAG_DELETIONS : 0;
    m->has_reader_feature_flags = m->has_writer_feature_flags = 1;
    m->reader_feature_flags = (m->reader_feature_flags & ~(uint64_t)PN_FLAG_DELETIONS) | flag;
    m->writer_feature_flags = (m->writer_feature_flags & ~(uint64_t)PN_FLAG_DELETIONS) | flag;
}
