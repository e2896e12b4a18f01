/*
 * hub_pull.c - list, choose, download, check, name
 *
 *     /api/models/OWNER/NAME/revision/R?blobs=true --hub_repo--> commit, files with sizes and digests
 *     /OWNER/NAME/resolve/COMMIT/FILE --http_get--> part --size, digest--> its name
 *
 * Files are fetched by the commit, not by the branch, so that a push in the middle of a pull cannot mix two versions. The
 * reference is written last: until then the cache resolves to what it did before.
 *
 * In the cache a file is named by its digest, as the hub's own client does it, so the two share what either has fetched. In a plain
 * folder an old file of the same name is hashed to see whether it is the one wanted.
 */
#include "embed/hub_pull.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/str.h"
#include "clip/clip.h"
#include "embed/hub_repo.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/http_get.h"
#include "os/lockfile.h"

#include <inttypes.h>

enum { MAX_REVISION_BYTES = 256 };

typedef struct pull {
    const char *name, *base, *revision;
    const pn_hub_options *options;
    pn_arena *arena;
    char *store; /* where parts and whole files lie */
    char *dir;   /* what the caller opens */
    char *entry; /* the model's folder in the cache; NULL: plain folder */
    char *locks; /* folder of the lock */
    pn_hub_repo repo;
    pn_hub_progress progress;
    uint64_t before;   /* bytes of the files that are done */
    uint64_t file_was; /* of this file, before this call */
    uint64_t came;     /* by this call, of the files that are done */
    bool started;      /* the first bytes of this file were counted */
    int64_t start_ns;
} pull;

/* ---- places */

static bool is_revision(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    pn_str rest = pn_str_of(text);
    if (rest.len == 0 || rest.len > MAX_REVISION_BYTES || text[strspn(text, allowed)] != '\0')
        return false;
    while (rest.ptr) {
        pn_str part = pn_str_split(&rest, '/');
        if (part.len == 0 || part.ptr[0] == '.')
            return false;
    }
    return true;
}

static pn_status check_names(const pull *p, pn_error *err)
{
    if (!pn_clip_hub_entry(p->name, p->arena))
        return pn_fail(err, PN_ERR_INVALID, "\"%.100s\" is not of the form owner/model", p->name);
    if (!is_revision(p->revision))
        return pn_fail(err, PN_ERR_INVALID, "\"%.100s\" is no branch, tag or commit", p->revision);
    return PN_OK;
}

static pn_status find_places(pull *p, pn_error *err)
{
    const char *entry = pn_clip_hub_entry(p->name, p->arena);
    const char *cache = pn_clip_hub_folder(p->arena);
    if (p->options->directory) {
        p->store = p->dir = p->locks = pn_arena_strdup(p->arena, p->options->directory);
        return p->dir ? PN_OK : pn_fail_nomem(err);
    }
    if (!cache)
        return pn_fail(err, PN_ERR_NOT_FOUND,
                       "where to? Neither HF_HUB_CACHE, HF_HOME nor HOME is set; name a folder");
    p->entry = entry ? pn_path_join(p->arena, cache, entry) : NULL;
    p->store = p->entry ? pn_path_join(p->arena, p->entry, "blobs") : NULL;
    p->locks = entry ? pn_arena_printf(p->arena, "%s/.locks/%s", cache, entry) : NULL;
    return p->store && p->locks ? PN_OK : pn_fail_nomem(err);
}

/* ---- what there is */

/* '/' in a revision belongs to its name. */
static char *encoded_revision(const pull *p)
{
    size_t n = strlen(p->revision), at = 0;
    char *out = pn_arena_alloc(p->arena, 3 * n + 1);
    for (size_t i = 0; out && i < n; i++) {
        if (p->revision[i] == '/') {
            memcpy(out + at, "%2F", 3);
            at += 3;
        } else {
            out[at++] = p->revision[i];
        }
    }
    if (out)
        out[at] = '\0';
    return out;
}

static bool is_cancelled(void *context)
{
    const pull *p = context;
    return p->options->cancelled && p->options->cancelled(p->options->context);
}

static pn_status list_files(pull *p, pn_error *err)
{
    const pn_http_options http = {.token = p->options->token,
                                  .pause_ms = p->options->pause_ms,
                                  .cancelled = is_cancelled,
                                  .context = p};
    const char *revision = encoded_revision(p);
    const char *url = revision
                          ? pn_arena_printf(p->arena, "%s/api/models/%s/revision/%s?blobs=true",
                                            p->base, p->name, revision)
                          : NULL;
    if (!url)
        return pn_fail_nomem(err);
    pn_buffer answer;
    pn_buffer_init(&answer, PN_HUB_MAX_LIST_BYTES);
    pn_status status = pn_http_get(url, &http, &answer, err);
    if (status == PN_OK)
        status = pn_hub_repo_parse((const char *)answer.data, answer.n_bytes, p->name, p->arena,
                                   &p->repo, err);
    pn_buffer_reset(&answer);
    for (size_t i = 0; status == PN_OK && i < p->repo.n; i++)
        if (!pn_u64_add(p->progress.total_bytes, p->repo.files[i].n_bytes,
                        &p->progress.total_bytes))
            status = pn_fail(err, PN_ERR_LIMIT, "%s: the sizes do not add up", p->name);
    return status;
}

/* ---- one file */

static void tell(pull *p, uint64_t file_done)
{
    if (!p->options->progress)
        return;
    p->progress.file_done_bytes = file_done;
    p->progress.done_bytes = p->before + file_done;
    p->progress.came_bytes = p->came + (file_done > p->file_was ? file_done - p->file_was : 0);
    p->progress.seconds = (double)(pn_clock_monotonic_ns() - p->start_ns) / 1e9;
    p->options->progress(p->options->context, &p->progress);
}

static void on_bytes(void *context, uint64_t done, uint64_t total)
{
    pull *p = context;
    (void)total;     // the list said so
    if (!p->started) // where the server really goes on
        p->file_was = PN_MIN(done, p->file_was);
    p->started = true;
    tell(p, done);
}

static pn_status check_file(const pn_hub_file *file, const char *path, pn_error *err)
{
    char digest[PN_DIGEST_TEXT_BYTES];
    pn_file_info info;
    PN_TRY(pn_path_info(path, &info, err));
    if (info.size_bytes != file->n_bytes)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %" PRIu64 " bytes, the hub says %" PRIu64,
                       file->name, info.size_bytes, file->n_bytes);
    PN_TRY(pn_digest_file(path, file->kind, digest, err));
    if (strcmp(digest, file->digest) != 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not what the hub says: its %s is %s instead of %s",
                       file->name, file->kind == PN_DIGEST_SHA256 ? "SHA-256" : "git SHA-1", digest,
                       file->digest);
    return PN_OK;
}

/* What cannot be removed is found and told by the next pull. */
static void remove_part(const char *part, const char *etag)
{
    pn_status part_status = pn_path_remove(part, NULL);
    pn_status etag_status = pn_path_remove(etag, NULL);
    (void)part_status, (void)etag_status;
}

static pn_status download(pull *p, const pn_hub_file *file, const char *path, pn_error *err)
{
    const pn_http_options http = {.token = p->options->token,
                                  .pause_ms = p->options->pause_ms,
                                  .max_bytes = file->n_bytes,
                                  .progress = on_bytes,
                                  .cancelled = is_cancelled,
                                  .context = p};
    const char *url = pn_arena_printf(p->arena, "%s/%s/resolve/%s/%s", p->base, p->name,
                                      p->repo.commit, file->name);
    const char *part = pn_arena_printf(p->arena, "%s.incomplete", path);
    const char *etag = pn_arena_printf(p->arena, "%s.incomplete.etag", path);
    if (!url || !part || !etag)
        return pn_fail_nomem(err);
    pn_file_info info = {0};
    p->file_was = pn_path_info(part, &info, NULL) == PN_OK ? info.size_bytes : 0;
    p->started = false;
    pn_status status = pn_http_download(url, part, &http, err);
    if (status == PN_OK)
        status = check_file(file, part, err);
    if (status == PN_ERR_CORRUPT || status == PN_ERR_LIMIT)
        remove_part(part, etag); // to go on with it would end here again
    PN_TRY(status);
    PN_TRY(pn_path_rename(part, path, err));
    remove_part(part, etag); // the ETag alone is left, and of no meaning
    PN_TRY(pn_folder_sync(p->store, err));
    tell(p, file->n_bytes);
    p->came += file->n_bytes > p->file_was ? file->n_bytes - p->file_was : 0;
    return PN_OK;
}

/* A name in the cache says what is in it; in a plain folder the content has to. */
static bool is_there(const pull *p, const pn_hub_file *file, const char *path)
{
    pn_file_info info;
    if (pn_path_info(path, &info, NULL) != PN_OK || info.size_bytes != file->n_bytes)
        return false;
    return p->entry || check_file(file, path, NULL) == PN_OK;
}

static pn_status link_snapshot(const pull *p, const pn_hub_file *file, pn_error *err)
{
    const char *target = pn_arena_printf(p->arena, "../../blobs/%s", file->digest);
    const char *path = pn_path_join(p->arena, p->dir, file->name);
    if (!target || !path)
        return pn_fail_nomem(err);
    return pn_path_link(target, path, err);
}

static pn_status pull_file(pull *p, size_t i, pn_error *err)
{
    const pn_hub_file *file = &p->repo.files[i];
    const char *path = pn_path_join(p->arena, p->store, p->entry ? file->digest : file->name);
    if (!path)
        return pn_fail_nomem(err);
    p->progress.file = file->name;
    p->progress.file_i = i;
    p->progress.n_files = p->repo.n;
    p->progress.file_bytes = file->n_bytes;
    p->file_was = file->n_bytes;
    if (is_there(p, file, path))
        tell(p, file->n_bytes);
    else
        PN_TRY(download(p, file, path, err));
    p->before += file->n_bytes;
    return p->entry ? link_snapshot(p, file, err) : PN_OK;
}

/* ---- the whole */

static pn_status write_reference(const pull *p, pn_error *err)
{
    if (strcmp(p->revision, p->repo.commit) == 0)
        return PN_OK;
    const char *path = pn_arena_printf(p->arena, "%s/refs/%s", p->entry, p->revision);
    if (!path)
        return pn_fail_nomem(err);
    char *folder = pn_arena_strndup(p->arena, path, (size_t)(strrchr(path, '/') - path));
    if (!folder)
        return pn_fail_nomem(err);
    PN_TRY(pn_dir_make(folder, err));
    return pn_file_write_atomic(path, p->repo.commit, strlen(p->repo.commit), err);
}

static pn_status pull_all(pull *p, pn_error *err)
{
    if (p->entry) {
        p->dir = pn_arena_printf(p->arena, "%s/snapshots/%s", p->entry, p->repo.commit);
        if (!p->dir)
            return pn_fail_nomem(err);
        PN_TRY(pn_dir_make(p->dir, err));
    }
    for (size_t i = 0; i < p->repo.n; i++) {
        if (is_cancelled(p))
            return pn_fail(err, PN_ERR_CANCELLED, "%s: stopped", p->name);
        PN_TRY(pull_file(p, i, err));
    }
    PN_TRY(pn_folder_sync(p->dir, err));
    return p->entry ? write_reference(p, err) : PN_OK;
}

static pn_status run(pull *p, pn_error *err)
{
    PN_TRY(check_names(p, err));
    PN_TRY(find_places(p, err));
    PN_TRY(list_files(p, err));
    PN_TRY(pn_dir_make(p->store, err));
    PN_TRY(pn_dir_make(p->locks, err));
    const char *path = pn_path_join(p->arena, p->locks, ".pull.lock");
    pn_lockfile *lock = NULL;
    if (!path)
        return pn_fail_nomem(err);
    PN_TRY(pn_lockfile_take(path, &lock, err));
    pn_status status = pull_all(p, err);
    pn_lockfile_release(lock);
    return status;
}

static char *without_slash(pn_arena *arena, const char *base)
{
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    return pn_arena_strndup(arena, base, n);
}

pn_status pn_hub_pull(const char *name, const pn_hub_options *options, pn_arena *arena, char **dir,
                      pn_error *err)
{
    static const pn_hub_options usual = {0};
    const pn_hub_options *o = options ? options : &usual;
    pull p = {.name = name,
              .base = without_slash(arena, o->base ? o->base : PN_HUB_BASE_DEFAULT),
              .revision = o->revision ? o->revision : "main",
              .options = o,
              .arena = arena,
              .start_ns = pn_clock_monotonic_ns()};
    if (!p.base)
        return pn_fail_nomem(err);
    PN_TRY(run(&p, err));
    *dir = p.dir;
    return PN_OK;
}
