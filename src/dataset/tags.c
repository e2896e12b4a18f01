/*
 * tags.c - names for versions
 *
 *     _refs/tags/<name>.json    {"branch": null, "version": 3, "createdAt": ..., "updatedAt": ..., "manifestSize": ..., "metadata": {}}
 *
 * A tag keeps its version from clean-up. The files are LanceDB's; of what they say we need the version, and keep the rest when a
 * tag is moved. A tag of a branch names a version of that branch, which is none of ours: it is left alone and not listed.
 *
 * A tag is made with a name that nobody has, in one step, so that of two that make the same tag one is told EXISTS.
 */
#include "dataset/tags.h"

#include "base/limits.h"
#include "column/calendar.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

enum { MAX_TAG_BYTES = 1 << 16, MAX_NAME_BYTES = 200 };
#define TAG_FOLDER "_refs/tags"

/* ---- the little JSON that tags need ---- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && strchr(" \t\r\n", *c->at))
        c->at++;
}

static bool skip_text(cursor *c)
{
    for (c->at++; c->at < c->end && *c->at != '"'; c->at++)
        if (*c->at == '\\')
            c->at++;
    return c->at++ < c->end;
}

/* Anything up to the comma or bracket that ends it: strings may hold either, brackets nest. */
static bool skip_value(cursor *c)
{
    int depth = 0;
    while (c->at < c->end) {
        if (depth == 0 && (*c->at == ',' || *c->at == '}'))
            return true;
        if (*c->at == '"') {
            if (!skip_text(c))
                return false;
            continue;
        }
        depth += *c->at == '{' || *c->at == '[';
        depth -= *c->at == '}' || *c->at == ']';
        c->at++;
    }
    return false;
}

/* The value of a member of the object that text is, as it is written. False: not there, or no object. */
static bool member(pn_str text, const char *key, pn_str *out)
{
    cursor c = {text.ptr, text.ptr + text.len};
    bool found = false;
    skip_blanks(&c);
    if (c.at == c.end || *c.at++ != '{')
        return false;
    for (;;) {
        skip_blanks(&c);
        if (c.at == c.end || *c.at != '"')
            return found && c.at < c.end && *c.at == '}';
        const char *name = c.at + 1;
        if (!skip_text(&c))
            return false;
        pn_str this_key = pn_str_make(name, (size_t)(c.at - name) - 1);
        skip_blanks(&c);
        if (c.at == c.end || *c.at++ != ':')
            return false;
        const char *value = c.at;
        if (!skip_value(&c))
            return false;
        if (pn_str_is(this_key, key)) {
            *out = pn_str_trim(pn_str_make(value, (size_t)(c.at - value)));
            found = true;
        }
        if (*c.at == '}')
            return found;
        c.at++;
    }
}

/* ---- names and files ---- */

static bool is_name(const char *name)
{
    pn_str text = pn_str_of(name);
    if (text.len == 0 || text.len > MAX_NAME_BYTES || name[0] == '.' || name[text.len - 1] == '.' ||
        pn_str_ends_with(text, ".lock") || strstr(name, ".."))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return true;
}

static pn_status tag_path(const char *table, const char *name, pn_arena *arena, char **out,
                          pn_error *err)
{
    if (!name || !is_name(name))
        return pn_fail(
            err, PN_ERR_INVALID,
            "\"%s\" cannot be a tag: letters, digits, '.', '-' and '_', no dot at either "
            "end, no \"..\", not ending in \".lock\"",
            name ? name : "");
    *out = pn_arena_printf(arena, "%s/%s/%s.json", table, TAG_FOLDER, name);
    return *out ? PN_OK : pn_fail_nomem(err);
}

/* The file's text, and the version it tells; *foreign: of a branch. */
static pn_status read_tag(const char *path, pn_arena *arena, pn_str *text, uint64_t *version,
                          bool *foreign, pn_error *err)
{
    pn_buffer bytes;
    pn_str value;
    pn_buffer_init(&bytes, MAX_TAG_BYTES);
    pn_status status = pn_file_read(path, &bytes, err);
    char *copy = NULL;
    if (status == PN_OK) {
        copy = pn_arena_strndup(arena, bytes.data ? (char *)bytes.data : "", bytes.n_bytes);
        status = copy ? PN_OK : pn_fail_nomem(err);
    }
    pn_buffer_reset(&bytes);
    PN_TRY(status);
    *text = pn_str_of(copy);
    if (!member(*text, "version", &value) || !pn_str_to_u64(value, version))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: tells no version", path);
    *foreign = member(*text, "branch", &value) && !pn_str_is(value, "null");
    if (*foreign && !pn_str_starts_with(value, "\""))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: its branch is neither a name nor null", path);
    return PN_OK;
}

static pn_status of_a_branch(const char *table, const char *name, pn_error *err)
{
    return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: the tag \"%s\" is of a branch", table, name);
}

/* ---- the public functions ---- */

/* In arena; *names is without the folder. A table that never had a tag has no folder for them. */
static pn_status list_files(const char *table, pn_arena *arena, char **folder, char ***names,
                            size_t *n, pn_error *err)
{
    *folder = pn_path_join(arena, table, TAG_FOLDER);
    if (!*folder)
        return pn_fail_nomem(err);
    pn_error why = {0};
    pn_status status = pn_dir_list(*folder, arena, names, n, &why);
    if (status == PN_ERR_NOT_FOUND)
        *n = 0;
    else if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    return PN_OK;
}

/* *is_tag false: the file is something else, a tag of a branch, or deleted meanwhile. */
static pn_status load_tag(const char *folder, const char *name, pn_arena *arena, pn_tag *out,
                          bool *is_tag, pn_error *err)
{
    pn_str text, stem = pn_str_of(name);
    pn_error why = {0};
    bool foreign;
    *is_tag = false;
    if (!pn_str_ends_with(stem, ".json"))
        return PN_OK;
    char *path = pn_path_join(arena, folder, name);
    out->name = pn_arena_strndup(arena, stem.ptr, stem.len - strlen(".json"));
    if (!path || !out->name)
        return pn_fail_nomem(err);
    pn_status status = read_tag(path, arena, &text, &out->version, &foreign, &why);
    if (status == PN_ERR_NOT_FOUND)
        return PN_OK;
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    if (!member(text, "manifestSize", &text) || !pn_str_to_u64(text, &out->manifest_bytes))
        out->manifest_bytes = 0;
    *is_tag = !foreign;
    return PN_OK;
}

pn_status pn_dataset_tags(const char *table, pn_arena *arena, pn_tag **out, size_t *n,
                          pn_error *err)
{
    char **names, *folder;
    size_t n_names, n_tags = 0;
    PN_TRY(list_files(table, arena, &folder, &names, &n_names, err));
    pn_tag *tags = PN_ARENA_NEW(arena, pn_tag, n_names + 1);
    if (!tags)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_names; i++) {
        bool is_tag;
        PN_TRY(load_tag(folder, names[i], arena, &tags[n_tags], &is_tag, err));
        n_tags += is_tag;
    }
    *out = tags;
    *n = n_tags;
    return PN_OK;
}

pn_status pn_dataset_tag_check(const char *table, pn_manifest_scheme scheme, const pn_tag *tag,
                               pn_arena *scratch, pn_error *err)
{
    pn_file_info info;
    pn_error why = {0};
    char *path = pn_manifest_path(table, tag->version, scheme, scratch);
    if (!path)
        return pn_fail_nomem(err);
    pn_status status = pn_path_info(path, &info, &why);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: the tag \"%s\" names version %" PRIu64 ", which is not there: move the "
                       "tag, or delete it",
                       table, tag->name, tag->version);
    if (status != PN_OK)
        return pn_fail(err, status, "%s", why.message);
    if (tag->manifest_bytes > 0 && info.size_bytes != tag->manifest_bytes)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: the tag \"%s\" was made of a version with a manifest of %" PRIu64
                       " bytes; that of version %" PRIu64 " has %" PRIu64
                       ": one of them is damaged; move the tag, or delete it",
                       table, tag->name, tag->manifest_bytes, tag->version, info.size_bytes);
    return PN_OK;
}

pn_status pn_dataset_tags_check(const char *table, pn_manifest_scheme scheme, pn_tag_judge judge,
                                void *context, pn_error *err)
{
    pn_arena arena;
    char **names, *folder;
    size_t n;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = list_files(table, &arena, &folder, &names, &n, err);
    for (size_t i = 0; status == PN_OK && i < n; i++) {
        pn_error why = {0};
        pn_tag tag;
        bool is_tag;
        status = load_tag(folder, names[i], &arena, &tag, &is_tag, &why);
        if (status == PN_OK && is_tag)
            status = pn_dataset_tag_check(table, scheme, &tag, &arena, &why);
        const char *file = pn_arena_printf(&arena, "%s/%s", TAG_FOLDER, names[i]);
        status = file ? judge(context, file, status, &why, err) : pn_fail_nomem(err);
    }
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_tag_version(const char *table, const char *name, uint64_t *version,
                                 pn_error *err)
{
    pn_arena arena;
    pn_str text;
    bool foreign;
    char *path;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = tag_path(table, name, &arena, &path, err);
    if (status == PN_OK)
        status = read_tag(path, &arena, &text, version, &foreign, err);
    if (status == PN_ERR_NOT_FOUND)
        status = pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no tag \"%s\"", table, name);
    else if (status == PN_OK && foreign)
        status = of_a_branch(table, name, err);
    pn_arena_reset(&arena);
    return status;
}

/* old: the text of the tag as it is; ptr NULL: there is none. */
static pn_status tag_text(const char *table, uint64_t version, pn_str old, pn_arena *arena,
                          char **out, pn_error *err)
{
    char now[PN_CALENDAR_TEXT_BYTES];
    pn_version_list list;
    pn_file_info info;
    pn_str created, metadata = PN_STR_LITERAL("{}"), kept;
    PN_TRY(pn_manifest_list(table, arena, &list, err));
    char *manifest = pn_manifest_path(table, version, list.scheme, arena);
    if (!manifest)
        return pn_fail_nomem(err);
    pn_status status = pn_path_info(manifest, &info, err);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no version %" PRIu64, table, version);
    PN_TRY(status);
    pn_calendar_format_ms(pn_clock_wall_ns() / 1000000, now);
    created = pn_str_of(pn_arena_printf(arena, "\"%s\"", now));
    if (!created.ptr)
        return pn_fail_nomem(err);
    pn_str updated = created;
    if (old.ptr && member(old, "createdAt", &kept))
        created = kept;
    if (old.ptr && member(old, "metadata", &kept))
        metadata = kept;
    *out = pn_arena_printf(
        arena,
        "{\n  \"branch\": null,\n  \"version\": %" PRIu64 ",\n  \"createdAt\": " PN_STR_FORMAT
        ",\n  \"updatedAt\": " PN_STR_FORMAT ",\n  \"manifestSize\": %" PRIu64
        ",\n  \"metadata\": " PN_STR_FORMAT "\n}",
        version, PN_STR_ARG(created), PN_STR_ARG(updated), info.size_bytes, PN_STR_ARG(metadata));
    return *out ? PN_OK : pn_fail_nomem(err);
}

static pn_status write_new(const char *path, const char *text, pn_arena *arena, pn_error *err)
{
    uint8_t uuid[16];
    char uuid_text[PN_UUID_TEXT_BYTES];
    pn_uuid_make(uuid);
    pn_uuid_text(uuid, uuid_text);
    char *staging = pn_arena_printf(arena, "%s#%s", path, uuid_text);
    if (!staging)
        return pn_fail_nomem(err);
    PN_TRY(pn_file_write_atomic(staging, text, strlen(text), err));
    pn_status status = pn_path_rename_if_absent(staging, path, err);
    if (status != PN_OK)
        (void)(pn_path_remove(staging, NULL) ==
               PN_OK); // its name ends in no ".json": nobody reads it
    return status;
}

static pn_status set_tag(const char *table, const char *name, uint64_t version, bool create,
                         pn_arena *arena, pn_error *err)
{
    char *path, *text, *folder = pn_path_join(arena, table, TAG_FOLDER);
    pn_str old = {NULL, 0};
    uint64_t old_version;
    bool foreign;
    if (!folder)
        return pn_fail_nomem(err);
    PN_TRY(tag_path(table, name, arena, &path, err));
    if (!create) {
        pn_status status = read_tag(path, arena, &old, &old_version, &foreign, err);
        if (status == PN_ERR_NOT_FOUND)
            return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no tag \"%s\"", table, name);
        PN_TRY(status);
        if (foreign) // it would name a version of ours, and keep none of the branch's
            return of_a_branch(table, name, err);
    }
    PN_TRY(tag_text(table, version, old, arena, &text, err));
    PN_TRY(pn_dir_make(folder, err));
    if (!create)
        return pn_file_write_atomic(path, text, strlen(text), err);
    pn_status status = write_new(path, text, arena, err);
    if (status == PN_ERR_EXISTS)
        return pn_fail(err, PN_ERR_EXISTS, "%s: there is a tag \"%s\" already", table, name);
    PN_TRY(status);
    return pn_folder_sync(folder, err);
}

pn_status pn_dataset_tag_create(const char *table, const char *name, uint64_t version,
                                pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = set_tag(table, name, version, true, &arena, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_tag_move(const char *table, const char *name, uint64_t version, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = set_tag(table, name, version, false, &arena, err);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_dataset_tag_delete(const char *table, const char *name, pn_error *err)
{
    pn_arena arena;
    char *path;
    pn_arena_init(&arena, SIZE_MAX);
    char *folder = pn_path_join(&arena, table, TAG_FOLDER);
    pn_status status = folder ? tag_path(table, name, &arena, &path, err) : pn_fail_nomem(err);
    if (status == PN_OK && !pn_path_exists(path))
        status = pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no tag \"%s\"", table, name);
    if (status == PN_OK)
        status = pn_path_remove(path, err);
    if (status == PN_OK)
        status = pn_folder_sync(folder, err);
    pn_arena_reset(&arena);
    return status;
}
