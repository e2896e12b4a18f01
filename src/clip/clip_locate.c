/*
 * clip_locate.c - a directory, or a name in the local hub cache
 *
 *     $HF_HUB_CACHE | $HF_HOME/hub | ~/.cache/huggingface/hub      the first that is set
 *       models--openai--clip-vit-base-patch32/
 *         refs/main                     one line: a commit
 *         snapshots/<commit>/           config.json, model.safetensors, ...
 *
 * The cache is only read; nothing is downloaded. A name is "owner/model" of the characters the hub allows, so it cannot
 * climb out of the cache. When refs/main is missing (a download by commit), the only snapshot is taken; with several
 * there is no telling.
 */
#include "clip/clip.h"

#include "base/alloc.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"

#include <stdio.h>

enum { MAX_NAME_BYTES = 256, MAX_COMMIT_BYTES = 128 };

static bool is_folder(const char *path)
{
    pn_file_info info;
    pn_error ignored = {0};
    return pn_path_info(path, &info, &ignored) == PN_OK && info.is_folder;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* Letters, digits, "-_." and not only dots. */
static bool is_plain(pn_str part)
{
    bool more_than_dots = false;
    for (size_t i = 0; i < part.len; i++) {
        if (!is_name_character(part.ptr[i]))
            return false;
        more_than_dots |= part.ptr[i] != '.';
    }
    return more_than_dots;
}

const char *pn_clip_hub_entry(const char *name, pn_arena *arena)
{
    pn_str model = pn_str_of(name);
    if (model.len > MAX_NAME_BYTES)
        return NULL;
    pn_str owner = pn_str_split(&model, '/');
    if (!model.ptr || !is_plain(owner) || !is_plain(model))
        return NULL;
    return pn_arena_printf(arena, "models--" PN_STR_FORMAT "--" PN_STR_FORMAT, PN_STR_ARG(owner),
                           PN_STR_ARG(model));
}

const char *pn_clip_hub_folder(pn_arena *arena)
{
    const char *cache = pn_environment("HF_HUB_CACHE");
    const char *home = pn_environment("HF_HOME");
    const char *user = pn_environment("HOME");
    if (cache)
        return pn_arena_strdup(arena, cache);
    if (home)
        return pn_path_join(arena, home, "hub");
    return user ? pn_path_join(arena, user, ".cache/huggingface/hub") : NULL;
}

/* The commit in refs/main, or NULL. */
static const char *main_commit(const char *model, pn_arena *arena)
{
    const char *path = pn_path_join(arena, model, "refs/main");
    pn_buffer text;
    pn_error ignored = {0};
    pn_buffer_init(&text, MAX_COMMIT_BYTES);
    const char *commit = NULL;
    if (path && pn_file_read(path, &text, &ignored) == PN_OK) {
        pn_str line = pn_str_trim(pn_str_make((const char *)text.data, text.n_bytes));
        if (is_plain(line))
            commit = pn_arena_strndup(arena, line.ptr, line.len);
    }
    pn_buffer_reset(&text);
    return commit;
}

/* The snapshot to use, or NULL with *why. */
static char *find_snapshot(const char *model, pn_arena *arena, const char **why)
{
    const char *snapshots = pn_path_join(arena, model, "snapshots");
    const char *commit = main_commit(model, arena);
    if (snapshots && commit) {
        char *path = pn_path_join(arena, snapshots, commit);
        if (path && is_folder(path))
            return path;
        *why = "refs/main names a snapshot that is not there";
        return NULL;
    }
    char **names = NULL;
    size_t n = 0;
    pn_error ignored = {0};
    *why = "no snapshots";
    if (!snapshots || pn_dir_list(snapshots, arena, &names, &n, &ignored) != PN_OK || n == 0)
        return NULL;
    *why = "several snapshots and no refs/main";
    return n == 1 ? pn_path_join(arena, snapshots, names[0]) : NULL;
}

pn_status pn_clip_locate(const char *spec, pn_arena *arena, char **dir, pn_error *err)
{
    if (is_folder(spec)) {
        char *copy = pn_arena_strdup(arena, spec);
        if (!copy)
            return pn_fail_nomem(err);
        *dir = copy;
        return PN_OK;
    }
    const char *name = pn_clip_hub_entry(spec, arena);
    if (!name)
        return pn_fail(err, PN_ERR_NOT_FOUND,
                       "model %s: no such folder, and no name of the form owner/model", spec);
    const char *cache = pn_clip_hub_folder(arena);
    const char *model = cache ? pn_path_join(arena, cache, name) : NULL;
    if (!model)
        return pn_fail(
            err, PN_ERR_NOT_FOUND,
            "model %s: no such folder, and neither HF_HUB_CACHE, HF_HOME nor HOME is set", spec);
    const char *why = "no such folder";
    char *found = is_folder(model) ? find_snapshot(model, arena, &why) : NULL;
    if (!found)
        return pn_fail(err, PN_ERR_NOT_FOUND,
                       "model %s: no such folder, and not in the hub cache: %s: %s", spec, model,
                       why);
    *dir = found;
    return PN_OK;
}
