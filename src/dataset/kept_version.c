/*
 * kept_version.c - what would make a clean-up remove the wrong files
 *
 *     a name that was damaged        the file that it names is not there
 *     a field's number damaged       a field that we do not know, in the place of one that names files
 *     a program to come              the same, and feature flags
 *     a fragment without a file      its file is named by nobody
 *     any of these, unseen           the manifest is not the one whose checksum was recorded, if there is one
 *
 * Fields of the manifest that are not known to the messages but to the format, and that name no file, are let pass.
 */
#include "dataset/kept_version.h"

#include "dataset/internal.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <string.h>

char *pn_kept_file_name(const Pn__Table__DataFile *file, pn_arena *arena)
{
    return pn_arena_printf(arena, "data/%s", file->path ? file->path : "");
}

char *pn_kept_deletion_name(const Pn__Table__DataFragment *fragment, pn_arena *arena)
{
    const Pn__Table__DeletionFile *d = fragment->deletion_file;
    return pn_arena_printf(arena, "_deletions/%" PRIu64 "-%" PRIu64 "-%" PRIu64 ".%s", fragment->id,
                           d->read_version, d->id, d->file_type == 1 ? "bin" : "arrow");
}

/* ---- is all of it known? ---- */

static bool has_unknown(const ProtobufCMessage *message)
{
    return message->n_unknown_fields > 0;
}

static bool fragment_is_known(const Pn__Table__DataFragment *f)
{
    if (has_unknown(&f->base) || f->has_external_row_ids || f->has_external_updated_at ||
        f->has_external_created_at)
        return false;
    for (size_t i = 0; i < f->n_files; i++)
        if (has_unknown(&f->files[i]->base) || f->files[i]->has_base_id)
            return false;
    return !f->deletion_file ||
           (!has_unknown(&f->deletion_file->base) && !f->deletion_file->has_base_id);
}

/* version_aux_data, tag, config, blob_dataset_version, table_metadata */
static bool names_no_file(uint32_t field)
{
    return field == 4 || field == 8 || field == 16 || field == 17 || field == 19;
}

static bool is_known(const Pn__Table__Manifest *m)
{
    for (size_t i = 0; i < m->base.n_unknown_fields; i++)
        if (!names_no_file(m->base.unknown_fields[i].tag))
            return false;
    for (size_t i = 0; i < m->n_fragments; i++)
        if (!fragment_is_known(m->fragments[i]))
            return false;
    return (m->writer_feature_flags & ~(uint64_t)PN_WRITER_FLAGS_KNOWN) == 0 &&
           (m->reader_feature_flags & ~(uint64_t)PN_READER_FLAGS_KNOWN) == 0;
}

/* ---- is it whole? ---- */

static pn_status check_file(const pn_kept_check *c, uint64_t version, const char *name,
                            pn_error *err)
{
    bool is_new;
    if (!name)
        return pn_fail_nomem(err);
    if (pn_keyset_has(c->there, pn_str_of(name)))
        return PN_OK;
    pn_file_info info;
    pn_error why = {0};
    char *path = pn_path_join(c->scratch, c->table, name);
    if (!path)
        return pn_fail_nomem(err);
    pn_status status = pn_path_info(path, &info, &why);
    if (status == PN_ERR_NOT_FOUND || (status == PN_OK && !info.is_regular))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: version %" PRIu64 " names a file that is not there: %s", c->table,
                       version, name);
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    return pn_keyset_add(c->there, pn_str_of(name), &is_new, err);
}

static pn_status check_fragment(const pn_kept_check *c, uint64_t version,
                                const Pn__Table__DataFragment *f, pn_error *err)
{
    if (f->n_files == 0)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: version %" PRIu64 " has a fragment without files: %" PRIu64, c->table,
                       version, f->id);
    for (size_t i = 0; i < f->n_files; i++)
        PN_TRY(check_file(c, version, pn_kept_file_name(f->files[i], c->scratch), err));
    if (!f->deletion_file)
        return PN_OK;
    return check_file(c, version, pn_kept_deletion_name(f, c->scratch), err);
}

static pn_status check_sum(const pn_kept_check *c, uint64_t version, pn_error *err)
{
    pn_checksum now;
    char *path = pn_manifest_path(c->table, version, c->scheme, c->scratch);
    if (!path)
        return pn_fail_nomem(err);
    const pn_checksum *then =
        c->sums ? pn_checksums_find(c->sums, path + strlen(c->table) + 1) : NULL;
    if (!then)
        return PN_OK;
    PN_TRY(pn_checksum_file(path, &now, err));
    return strcmp(now.hash, then->hash) == 0
               ? PN_OK
               : pn_fail(err, PN_ERR_CORRUPT, "%s: is not what its checksum was recorded of", path);
}

pn_status pn_kept_version_check(const pn_kept_check *c, const pn_manifest *manifest, pn_error *err)
{
    const Pn__Table__Manifest *m = manifest->message;
    PN_TRY(check_sum(c, m->version, err));
    for (size_t i = 0; i < m->n_fragments; i++)
        PN_TRY(check_fragment(c, m->version, m->fragments[i], err));
    if (!is_known(m))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: version %" PRIu64 " has fields that are not known, of a program to "
                       "come or of damage: which files it needs is not known either",
                       c->table, m->version);
    return PN_OK;
}

/* ---- are these all? ---- */

pn_status pn_kept_versions_are_all(const char *table, uint64_t hint, const pn_version_list *list,
                                   pn_arena *scratch, pn_error *err)
{
    char **names, *folder = pn_path_join(scratch, table, "_versions");
    size_t n;
    if (!folder)
        return pn_fail_nomem(err);
    PN_TRY(pn_dir_list(folder, scratch, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool is_manifest = pn_str_ends_with(pn_str_of(names[i]), ".manifest");
        if (is_manifest && (names[i][0] < '0' || names[i][0] > '9'))
            return pn_fail(err, PN_ERR_UNSUPPORTED,
                           "%s/%s: is a version beside the others, which has files of its own",
                           folder, names[i]);
    }
    if (hint > list->versions[list->n - 1])
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: version %" PRIu64 " is named by _versions/latest_version_hint.json and "
                       "is not there; if it was given up, let damaged versions go",
                       table, hint);
    return PN_OK;
}
