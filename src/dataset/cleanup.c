/*
 * cleanup.c - which files does nobody need?
 *
 *     1  read all versions: those that stay say which files are needed, those that go which were. One that stays must be whole
 *        (kept_version.h), or nothing goes: what a damaged name meant would be taken for a file that nobody needs
 *     2  remove the manifests that go, oldest first, and sync: nobody can restore them any more
 *     3  read the versions that came meanwhile: what they name is needed, too
 *     4  look through the folders: a file that is needed stays, one that a removed version named goes, any other one goes when it
 *        is old: until then it may be a commit in the making
 *
 * A version that cannot be read, or is not whole, ends it at step 1: what it needs cannot be known. Unless it is to go for that: then
 * what it alone named are files without a version, which go when they are old.
 *
 * Others may commit and clean up at the same time. A version that is gone after it was listed is left out; only the newest has to be
 * there, so that when that one is gone the versions are listed anew.
 *
 * The table is read without an index that is not there, and versions without their transactions: then what lies in these folders
 * unnamed stays there.
 */
#include "dataset/cleanup.h"

#include "base/alloc.h"
#include "base/keyset.h"
#include "dataset/internal.h"
#include "dataset/kept_version.h"
#include "dataset/tags.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_TRIES = 8 }; /* beside others who commit and clean up */

typedef struct cleaning {
    const char *table;
    const pn_cleanup_options *options;
    int64_t now_ms;
    int64_t oldest_ms; /* when the file of the oldest version was last changed */
    pn_arena arena;
    pn_arena scratch; /* of one version, or one file */
    pn_version_list versions;
    pn_tag *tags;
    size_t n_tags;
    bool *goes;        /* [versions.n] */
    pn_keyset *needed; /* "folder/name" that a version that stays names */
    pn_keyset *known;  /* the same of versions that go */
    pn_checksums *sums;
    pn_kept_check check;
    bool lacks_index, lacks_transaction; /* of versions that stay, one that is named */
    bool is_overtaken; /* the newest that was listed is gone: there is a newer one */
    pn_cleanup_report report;
} cleaning;

/* ---- what versions name ---- */

static pn_status add_key(pn_keyset *set, const char *key, pn_error *err)
{
    bool is_new;
    return key ? pn_keyset_add(set, pn_str_of(key), &is_new, err) : pn_fail_nomem(err);
}

/* *lacks is set when a version that stays names it and it is not there. */
static pn_status add_name(cleaning *c, pn_keyset *set, const char *key, bool *lacks, pn_error *err)
{
    char *path = key ? pn_path_join(&c->scratch, c->table, key) : NULL;
    if (!path)
        return pn_fail_nomem(err);
    *lacks = *lacks || (set == c->needed && !pn_path_exists(path));
    return add_key(set, key, err);
}

static pn_status add_fragment(cleaning *c, pn_keyset *set, const Pn__Table__DataFragment *fragment,
                              pn_error *err)
{
    for (size_t i = 0; i < fragment->n_files; i++)
        PN_TRY(add_key(set, pn_kept_file_name(fragment->files[i], &c->scratch), err));
    return fragment->deletion_file ? add_key(set, pn_kept_deletion_name(fragment, &c->scratch), err)
                                   : PN_OK;
}

/* Some of LanceDB's own have no folder. */
static bool has_folder(const Pn__Table__IndexMetadata *index)
{
    return index->uuid && index->uuid->uuid.len == 16 &&
           !(index->name && pn_str_starts_with(pn_str_of(index->name), "__lance_"));
}

static pn_status add_index(cleaning *c, pn_keyset *set, const Pn__Table__IndexMetadata *index,
                           pn_error *err)
{
    char text[PN_UUID_TEXT_BYTES];
    bool ignored = false;
    if (!index->uuid || index->uuid->uuid.len != 16)
        return PN_OK;
    pn_uuid_text(index->uuid->uuid.data, text);
    return add_name(c, set, pn_arena_printf(&c->scratch, "_indices/%s", text),
                    has_folder(index) ? &c->lacks_index : &ignored, err);
}

static pn_status add_indexes(cleaning *c, pn_keyset *set, const pn_manifest *manifest,
                             pn_error *err)
{
    if (!manifest->index_section)
        return PN_OK;
    Pn__Table__IndexSection *section = pn__table__index_section__unpack(
        NULL, manifest->index_section_bytes, manifest->index_section);
    if (!section)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: version %" PRIu64 ": the list of indexes is damaged", c->table,
                       manifest->message->version);
    pn_status status = PN_OK;
    for (size_t i = 0; i < section->n_indices && status == PN_OK; i++)
        status = add_index(c, set, section->indices[i], err);
    pn__table__index_section__free_unpacked(section, NULL);
    return status;
}

static pn_status add_version(cleaning *c, pn_keyset *set, const pn_manifest *manifest,
                             pn_error *err)
{
    const Pn__Table__Manifest *m = manifest->message;
    pn_status status = PN_OK;
    for (size_t i = 0; i < m->n_fragments && status == PN_OK; i++)
        status = add_fragment(c, set, m->fragments[i], err);
    if (status == PN_OK && m->transaction_file && m->transaction_file[0] != '\0')
        status =
            add_name(c, set, pn_arena_printf(&c->scratch, "_transactions/%s", m->transaction_file),
                     &c->lacks_transaction, err);
    if (status == PN_OK)
        status = add_indexes(c, set, manifest, err);
    pn_arena_reset(&c->scratch);
    return status;
}

/* ---- which versions go ---- */

static bool is_tagged(const cleaning *c, uint64_t version)
{
    for (size_t i = 0; i < c->n_tags; i++)
        if (c->tags[i].version == version)
            return true;
    return false;
}

static bool is_held(const cleaning *c, uint64_t version)
{
    for (size_t i = 0; i < c->options->n_held; i++)
        if (c->options->held[i] == version)
            return true;
    return false;
}

static bool is_old(const cleaning *c, size_t i, int64_t made_ms)
{
    uint64_t keep = PN_MAX(c->options->keep_newest, (uint64_t)1);
    return c->options->older_than_ms >= 0 && c->versions.n - i > keep &&
           made_ms < c->now_ms - c->options->older_than_ms;
}

/* Did another version follow in the same minute, or long ago in the same hour? */
static bool is_crowded(const cleaning *c, int64_t made_ms, int64_t next_ms)
{
    static const int64_t minute = 60000, hour = 3600000;
    int64_t age = c->now_ms - made_ms, span = age < hour ? minute : hour;
    return c->options->crowd > 0 && c->versions.n > c->options->crowd &&
           age > c->options->crowd_ms && made_ms / span == next_ms / span;
}

/* Versions around one, for its time. */
typedef struct neighbours {
    const pn_manifest *before, *after; /* NULL: none */
} neighbours;

/* When a version was committed: versions come in order, so one that says it was before the one before it is damaged there, unless that
 * one is. Of the oldest the file knows when it came here, which is no earlier. */
static int64_t time_of(const cleaning *c, const pn_manifest *manifest, const neighbours *n)
{
    int64_t made_ms = pn_manifest_time_ms(manifest->message);
    if (!n->before)
        return PN_MAX(made_ms, c->oldest_ms);
    int64_t before_ms = pn_manifest_time_ms(n->before->message);
    int64_t after_ms = n->after ? pn_manifest_time_ms(n->after->message) : INT64_MAX;
    return made_ms < before_ms && before_ms <= after_ms ? before_ms : made_ms;
}

/* No version after it: it is the newest. */
static bool may_go(const cleaning *c, size_t i, const pn_manifest *manifest, const neighbours *n)
{
    uint64_t version = c->versions.versions[i];
    int64_t made_ms = time_of(c, manifest, n);
    if (!n->after || is_tagged(c, version) || is_held(c, version))
        return false;
    return is_old(c, i, made_ms) || is_crowded(c, made_ms, pn_manifest_time_ms(n->after->message));
}

/* Did somebody else clean it up since it was listed? Then its files are theirs to remove. */
static bool is_gone(cleaning *c, uint64_t version)
{
    char *path = pn_manifest_path(c->table, version, c->versions.scheme, &c->scratch);
    return path && !pn_path_exists(path);
}

/* Of a version that is to stay: is it whole? What it lacks may be what it is losing now; then it is gone first. */
static pn_status check_kept(cleaning *c, uint64_t version, const pn_manifest *manifest, bool *gone,
                            pn_error *err)
{
    pn_error why = {0};
    pn_status status = pn_kept_version_check(&c->check, manifest, &why);
    *gone = (status == PN_ERR_NOT_FOUND || pn_is_damage(status)) && is_gone(c, version);
    pn_arena_reset(&c->scratch);
    return status == PN_OK || *gone ? PN_OK : pn_fail(err, status, "%s", why.message);
}

static pn_status leave_out(cleaning *c, size_t i, pn_error *err)
{
    uint64_t version = c->versions.versions[i];
    c->is_overtaken = i + 1 == c->versions.n;
    if (!c->is_overtaken && !is_tagged(c, version))
        return PN_OK;
    return pn_fail(err, PN_ERR_CONFLICT,
                   "%s: version %" PRIu64 " %s, and another writer removed it meanwhile", c->table,
                   version, c->is_overtaken ? "was the newest" : "has a tag");
}

static pn_status judge_version(cleaning *c, size_t i, const pn_manifest *manifest,
                               const neighbours *n, pn_error *err)
{
    bool goes = may_go(c, i, manifest, n), gone = false;
    if (!goes)
        PN_TRY(check_kept(c, c->versions.versions[i], manifest, &gone, err));
    if (gone)
        return leave_out(c, i, err);
    c->goes[i] = goes;
    c->report.n_versions += goes;
    c->report.n_kept += !goes;
    return add_version(c, goes ? c->known : c->needed, manifest, err);
}

/* Of one that is to go when it is damaged, all is looked at before. */
static pn_status read_whole(cleaning *c, size_t i, pn_manifest *out, pn_error *err)
{
    uint64_t version = c->versions.versions[i];
    PN_TRY(pn_manifest_read(c->table, version, c->versions.scheme, out, err));
    pn_status status = c->options->damaged_too ? pn_kept_version_check(&c->check, out, err) : PN_OK;
    pn_arena_reset(&c->scratch);
    if (pn_is_damage(status))
        pn_manifest_free(out);
    return pn_is_damage(status) ? status : PN_OK; // all else is told when it stays
}

/* *goes: it is damaged, and goes for that, or it is gone: somebody else cleans up at this moment, and its files are theirs to remove. */
static pn_status read_version(cleaning *c, size_t i, pn_manifest *out, bool *goes, pn_error *err)
{
    pn_error why = {0};
    uint64_t version = c->versions.versions[i];
    pn_status status = read_whole(c, i, out, &why);
    bool is_newest = i + 1 == c->versions.n;
    *goes = status == PN_ERR_NOT_FOUND || (pn_is_damage(status) && is_gone(c, version));
    pn_arena_reset(&c->scratch);
    if (*goes)
        return leave_out(c, i, err);
    *goes = c->options->damaged_too && pn_is_damage(status) && !is_newest &&
            !is_tagged(c, version) && !is_held(c, version);
    if (status != PN_OK && !*goes && c->options->damaged_too && pn_is_damage(status))
        return pn_fail(err, status, "%s; it stays: %s", why.message,
                       is_newest ? "restore one before it that is whole, then it may go"
                       : is_tagged(c, version) ? "it has a tag"
                                               : "somebody reads it");
    if (status != PN_OK && !*goes)
        return pn_fail(err, status, "%s", why.message);
    c->goes[i] = *goes;
    c->report.n_versions += *goes;
    return PN_OK;
}

/* Each is judged when the next one is read, and forgotten when that one is. */
static pn_status read_versions(cleaning *c, pn_error *err)
{
    pn_manifest before = {0}, manifest = {0}, next = {0};
    pn_status status = PN_OK;
    size_t last = SIZE_MAX; // that was read
    c->goes = PN_ARENA_NEW(&c->arena, bool, c->versions.n);
    if (!c->goes)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < c->versions.n; i++) {
        bool goes;
        PN_GOTO(done, read_version(c, i, &next, &goes, err));
        if (goes)
            continue;
        const neighbours around = {before.message ? &before : NULL, &next};
        if (last != SIZE_MAX)
            PN_GOTO(done, judge_version(c, last, &manifest, &around, err));
        pn_manifest_free(&before);
        before = manifest;
        manifest = next;
        next = (pn_manifest){0};
        last = i;
    }
    const neighbours at_end = {before.message ? &before : NULL, NULL};
    if (last != SIZE_MAX)
        status = judge_version(c, last, &manifest, &at_end, err);
done:
    pn_manifest_free(&before);
    pn_manifest_free(&manifest);
    pn_manifest_free(&next);
    return status;
}

static pn_status remove_versions(cleaning *c, pn_error *err)
{
    char *folder = pn_path_join(&c->arena, c->table, "_versions");
    if (!folder)
        return pn_fail_nomem(err);
    if (c->options->mode == PN_CLEANUP_REPORT || c->report.n_versions == 0)
        return PN_OK;
    for (size_t i = 0; i < c->versions.n; i++) {
        char *path = c->goes[i] ? pn_manifest_path(c->table, c->versions.versions[i],
                                                   c->versions.scheme, &c->scratch)
                                : NULL;
        if (c->goes[i] && !path)
            return pn_fail_nomem(err);
        pn_status status = path ? pn_path_remove(path, err) : PN_OK;
        pn_arena_reset(&c->scratch);
        PN_TRY(status);
    }
    return pn_folder_sync(folder, err);
}

static pn_status read_newer_version(cleaning *c, uint64_t version, bool *gone, pn_error *err)
{
    pn_error why = {0};
    pn_manifest manifest;
    pn_status status = pn_manifest_read(c->table, version, c->versions.scheme, &manifest, &why);
    *gone = status == PN_ERR_NOT_FOUND;
    if (status != PN_OK)
        return *gone ? PN_OK : pn_fail(err, status, "%s", why.message);
    status = check_kept(c, version, &manifest, gone, err);
    if (status == PN_OK && !*gone)
        status = add_version(c, c->needed, &manifest, err);
    pn_manifest_free(&manifest);
    return status;
}

/* Versions that others committed while we were at it, as far as these stay: they may be cleaned up at this moment, too. When the newest of
 * them is gone there is a newer one. */
static pn_status read_newer_versions(cleaning *c, pn_error *err)
{
    uint64_t newest = c->versions.versions[c->versions.n - 1], n_kept = 0;
    bool gone = true;
    for (int i = 0; i < MAX_TRIES && gone; i++) {
        pn_version_list list;
        PN_TRY(pn_manifest_list(c->table, &c->arena, &list, err));
        n_kept = 0;
        gone = false;
        for (size_t k = 0; k < list.n; k++) {
            if (list.versions[k] <= newest)
                continue;
            PN_TRY(read_newer_version(c, list.versions[k], &gone, err));
            n_kept += !gone;
        }
    }
    c->report.n_kept += n_kept;
    return gone ? pn_fail(err, PN_ERR_CONFLICT,
                          "%s: other writers were faster %d times: no file was removed", c->table,
                          MAX_TRIES)
                : PN_OK;
}

/* ---- which files go ---- */

typedef struct place {
    const char *folder;
    const char *const *endings; /* NULL: folders, of indexes */
    bool keeps_unnamed;
} place;

static bool has_ending(const place *p, const char *name)
{
    for (size_t i = 0; p->endings && p->endings[i]; i++) {
        const char *staging = strchr(name, '#'); // "<name>#<number>": never finished
        pn_str stem = pn_str_make(name, staging ? (size_t)(staging - name) : strlen(name));
        if (pn_str_ends_with(stem, p->endings[i]))
            return true;
    }
    return !p->endings;
}

/* Were they listed before? Each name is asked for once, so adding it does no harm. */
static pn_status look_up(pn_keyset *set, const char *key, bool *listed, pn_error *err)
{
    bool is_new;
    PN_TRY(pn_keyset_add(set, pn_str_of(key), &is_new, err));
    *listed = !is_new;
    return PN_OK;
}

static pn_status add_size(void *context, const char *path, pn_error *err)
{
    pn_file_info *sum = context, info;
    PN_TRY(pn_path_info(path, &info, err));
    sum->size_bytes += info.size_bytes;
    sum->modified_ns = PN_MAX(sum->modified_ns, info.modified_ns);
    return PN_OK;
}

/* Of a file, or of all files in an index's folder: their size, and when the last was changed. */
static pn_status measure(const char *path, pn_file_info *out, pn_error *err)
{
    PN_TRY(pn_path_info(path, out, err));
    if (!out->is_folder)
        return PN_OK;
    out->size_bytes = 0;
    return pn_dir_walk(path, add_size, out, err);
}

static pn_status look_at(cleaning *c, const place *p, const char *name, pn_error *err)
{
    pn_file_info info;
    bool needed, known;
    int64_t age_ms =
        c->options->orphan_ms < 0 ? PN_CLEANUP_ORPHAN_MS_DEFAULT : c->options->orphan_ms;
    char *key = pn_arena_printf(&c->scratch, "%s/%s", p->folder, name);
    char *path = key ? pn_path_join(&c->scratch, c->table, key) : NULL;
    if (!path)
        return pn_fail_nomem(err);
    PN_TRY(look_up(c->needed, key, &needed, err));
    PN_TRY(look_up(c->known, key, &known, err));
    if (needed)
        return PN_OK;
    pn_status status = measure(path, &info, err);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK; // another clean-up was faster
    PN_TRY(status);
    if (!known && p->keeps_unnamed)
        return PN_OK;
    if (!known && info.modified_ns / 1000000 > c->now_ms - age_ms)
        return PN_OK;
    c->report.n_files++;
    c->report.n_orphans += !known;
    c->report.n_bytes += info.size_bytes;
    if (c->options->mode == PN_CLEANUP_REPORT)
        return PN_OK;
    return info.is_folder ? pn_dir_remove_all(path, err) : pn_path_remove(path, err);
}

static pn_status look_through(cleaning *c, const place *p, pn_error *err)
{
    char **names, *folder = pn_path_join(&c->arena, c->table, p->folder);
    size_t n;
    if (!folder)
        return pn_fail_nomem(err);
    pn_status status = pn_dir_list(folder, &c->arena, &names, &n, err);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK;
    PN_TRY(status);
    for (size_t i = 0; i < n; i++) {
        if (!has_ending(p, names[i]))
            continue;
        status = look_at(c, p, names[i], err);
        pn_arena_reset(&c->scratch);
        PN_TRY(status);
    }
    return PN_OK;
}

/* Manifests themselves are not looked through, only what became of commits that did not come to their end. */
static pn_status look_through_all(cleaning *c, pn_error *err)
{
    static const char *const data[] = {".lance", NULL}, *const deletions[] = {".bin", ".arrow",
                                                                              NULL};
    static const char *const transactions[] = {".txn", NULL};
    const place places[] = {{"data", data, false},
                            {"_deletions", deletions, false},
                            {"_transactions", transactions, c->lacks_transaction},
                            {"_indices", NULL, false}};
    for (size_t i = 0; i < PN_COUNT_OF(places) - c->lacks_index; i++)
        PN_TRY(look_through(c, &places[i], err));
    return PN_OK;
}

/* "<name>#<number>" of a version or a tag, "<name>.<number>.tmp" of a file that was to take another's place (os/fd), and
 * "<name>.<number>.part" of an index. */
static bool is_unfinished(const char *name)
{
    return strstr(name, ".manifest#") || strstr(name, ".json#") ||
           pn_str_ends_with(pn_str_of(name), ".tmp") || pn_str_ends_with(pn_str_of(name), ".part");
}

static pn_status look_through_unfinished(cleaning *c, const char *name, pn_error *err)
{
    const place p = {name, NULL, false};
    char **names, *folder = pn_path_join(&c->arena, c->table, name);
    size_t n;
    if (!folder)
        return pn_fail_nomem(err);
    pn_status status = pn_dir_list(folder, &c->arena, &names, &n, err);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK;
    PN_TRY(status);
    for (size_t i = 0; i < n; i++) {
        if (!is_unfinished(names[i]))
            continue;
        status = look_at(c, &p, names[i], err);
        pn_arena_reset(&c->scratch);
        PN_TRY(status);
    }
    return PN_OK;
}

static pn_status look_through_staging(cleaning *c, pn_error *err)
{
    static const char *const folders[] = {"_versions", "_refs/tags", "_pennon", "_pennon/index"};
    for (size_t i = 0; i < PN_COUNT_OF(folders); i++)
        PN_TRY(look_through_unfinished(c, folders[i], err));
    return PN_OK;
}

/* Branches have their tags in one folder and their versions in another. */
static pn_status check_branches(cleaning *c, const char *name, pn_error *err)
{
    char **names, *folder = pn_path_join(&c->arena, c->table, name);
    size_t n;
    if (!folder)
        return pn_fail_nomem(err);
    pn_status status = pn_dir_list(folder, &c->arena, &names, &n, err);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK;
    PN_TRY(status);
    if (n > 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: has branches, which share its files: it is not cleaned up", c->table);
    return PN_OK;
}

/* A tag that was damaged keeps another version than it should. */
static pn_status check_tags(cleaning *c, pn_error *err)
{
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < c->n_tags; i++)
        status = pn_dataset_tag_check(c->table, c->versions.scheme, &c->tags[i], &c->scratch, err);
    pn_arena_reset(&c->scratch);
    return status;
}

/* Damaged checksums say nothing of the table; the check tells of them. */
static pn_status begin(cleaning *c, pn_error *err)
{
    pn_error why = {0};
    c->check =
        (pn_kept_check){.table = c->table, .scheme = c->versions.scheme, .scratch = &c->scratch};
    PN_TRY(pn_keyset_create(&c->check.there, err));
    char *oldest =
        pn_manifest_path(c->table, c->versions.versions[0], c->versions.scheme, &c->arena);
    pn_file_info info;
    if (!oldest)
        return pn_fail_nomem(err);
    pn_status status = pn_path_info(oldest, &info, &why);
    if (status != PN_OK && status != PN_ERR_NOT_FOUND)
        return pn_fail(err, status, "%s", why.message);
    /* Gone meanwhile: of the one that is the oldest now it is not known. */
    c->oldest_ms = status == PN_OK ? info.modified_ns / 1000000 : c->now_ms;
    status = pn_checksums_load(c->table, &c->sums, &why);
    if (status != PN_OK && !pn_is_damage(status))
        return pn_fail(err, status, "%s", why.message);
    c->check.sums = c->sums;
    return PN_OK;
}

static pn_status clean(cleaning *c, pn_error *err)
{
    uint64_t hint = c->options->damaged_too ? 0 : pn_manifest_hint(c->table); // before the list
    PN_TRY(check_branches(c, "_refs/branches", err));
    PN_TRY(check_branches(c, "tree", err));
    PN_TRY(pn_manifest_list(c->table, &c->arena, &c->versions, err));
    PN_TRY(pn_kept_versions_are_all(c->table, hint, &c->versions, &c->arena, err));
    PN_TRY(pn_dataset_tags(c->table, &c->arena, &c->tags, &c->n_tags, err));
    PN_TRY(check_tags(c, err));
    PN_TRY(begin(c, err));
    PN_TRY(pn_keyset_create(&c->needed, err));
    PN_TRY(pn_keyset_create(&c->known, err));
    PN_TRY(read_versions(c, err));
    PN_TRY(remove_versions(c, err));
    PN_TRY(read_newer_versions(c, err));
    PN_TRY(look_through_all(c, err));
    return look_through_staging(c, err);
}

static pn_status clean_listed(const char *table, const pn_cleanup_options *options,
                              pn_cleanup_report *out, bool *is_overtaken, pn_error *err)
{
    cleaning c = {.table = table, .options = options, .now_ms = pn_clock_wall_ns() / 1000000};
    pn_arena_init(&c.arena, SIZE_MAX);
    pn_arena_init(&c.scratch, SIZE_MAX);
    pn_status status = clean(&c, err);
    pn_keyset_free(c.needed);
    pn_keyset_free(c.known);
    pn_keyset_free(c.check.there);
    pn_checksums_free(c.sums);
    pn_arena_reset(&c.arena);
    pn_arena_reset(&c.scratch);
    *is_overtaken = c.is_overtaken;
    if (status == PN_OK)
        *out = c.report;
    return status;
}

pn_status pn_dataset_cleanup(const char *table, const pn_cleanup_options *options,
                             pn_cleanup_report *out, pn_error *err)
{
    bool again = true; // nothing was removed yet
    pn_status status = PN_ERR_CONFLICT;
    for (int i = 0; i < MAX_TRIES && again; i++)
        status = clean_listed(table, options, out, &again, err);
    return status;
}
