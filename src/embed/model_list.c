/*
 * model_list.c - the models on this machine
 *
 * A cache holds whatever its owner has ever downloaded. What is not a CLIP is listed all the same, with the reason, so that nobody
 * wonders where it went; a folder of folders is searched one level deep, and only what has weights counts.
 */
#include "embed/model_list.h"

#include "base/alloc.h"
#include "base/str.h"
#include "clip/clip.h"
#include "clip/clip_config.h"
#include "os/dir.h"
#include "os/fd.h"

#include <stdio.h>

enum { MAX_ENTRIES = 10000 };

typedef struct listing {
    pn_arena *arena;
    pn_model_entry *entries; /* [MAX_ENTRIES] */
    size_t n;
} listing;

static bool is_folder(const char *path)
{
    pn_file_info info;
    return pn_path_info(path, &info, NULL) == PN_OK && info.is_folder;
}

static pn_status read_headers(const char *dir, pn_model_entry *entry, pn_error *err)
{
    pn_safetensors *tensors = NULL;
    pn_clip_naming naming;
    pn_clip_config config = {0};
    PN_TRY(pn_safetensors_open_directory(dir, &tensors, err));
    entry->weights_bytes = pn_safetensors_bytes(tensors);
    pn_status status = pn_clip_naming_detect(tensors, &naming, err);
    if (status == PN_OK)
        status = pn_clip_config_load(dir, tensors, &naming, &config, err);
    pn_safetensors_close(tensors);
    PN_TRY(status);
    entry->family = pn_clip_family_name(config.family);
    entry->layout = pn_clip_layout_name(config.layout);
    entry->dim = config.dim;
    return PN_OK;
}

/* status NOT_FOUND of a folder without weights is handed on; everything else becomes an entry. */
static pn_status add_model(listing *l, const char *spec, const char *dir, const char *where,
                           pn_error *err)
{
    pn_error why = {0};
    pn_model_entry entry = {.where = where, .family = "", .layout = "", .problem = ""};
    pn_status status = read_headers(dir, &entry, &why);
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    if (status == PN_ERR_NOT_FOUND && strcmp(where, "folder") == 0)
        return status;
    if (l->n == MAX_ENTRIES)
        return pn_fail(err, PN_ERR_LIMIT, "more than %d models", MAX_ENTRIES);
    entry.spec = pn_arena_strdup(l->arena, spec);
    entry.directory = pn_arena_strdup(l->arena, dir);
    if (status != PN_OK)
        entry.problem = pn_arena_strdup(l->arena, why.message);
    if (!entry.spec || !entry.directory || !entry.problem)
        return pn_fail_nomem(err);
    l->entries[l->n++] = entry;
    return PN_OK;
}

/* "models--owner--model" -> "owner/model"; NULL: something else, or no memory. */
static char *spec_of_entry(pn_arena *arena, const char *name)
{
    static const char prefix[] = "models--";
    if (!pn_str_starts_with(pn_str_of(name), prefix))
        return NULL;
    const char *owner = name + sizeof prefix - 1, *dashes = strstr(owner, "--");
    if (!dashes)
        return NULL;
    return pn_arena_printf(arena, "%.*s/%s", (int)(dashes - owner), owner, dashes + 2);
}

static pn_status add_cached(listing *l, const char *spec, pn_error *err)
{
    char *dir;
    pn_error why = {0};
    if (pn_clip_locate(spec, l->arena, &dir, &why) == PN_OK)
        return add_model(l, spec, dir, "cache", err);
    if (l->n == MAX_ENTRIES)
        return pn_fail(err, PN_ERR_LIMIT, "more than %d models", MAX_ENTRIES);
    pn_model_entry *entry = &l->entries[l->n];
    *entry = (pn_model_entry){.where = "cache", .family = "", .layout = "", .directory = ""};
    entry->spec = spec;
    entry->problem = pn_arena_strdup(l->arena, why.message);
    if (!entry->problem)
        return pn_fail_nomem(err);
    l->n++;
    return PN_OK;
}

static pn_status list_cache(listing *l, pn_error *err)
{
    const char *cache = pn_clip_hub_folder(l->arena);
    char **names;
    size_t n;
    if (!cache || !is_folder(cache))
        return PN_OK;
    PN_TRY(pn_dir_list(cache, l->arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        char *spec = spec_of_entry(l->arena, names[i]);
        if (spec)
            PN_TRY(add_cached(l, spec, err));
    }
    return PN_OK;
}

static pn_status list_folder(listing *l, const char *folder, pn_error *err)
{
    char **names;
    size_t n;
    pn_status status = add_model(l, folder, folder, "folder", err);
    if (status != PN_ERR_NOT_FOUND)
        return status;
    PN_TRY(pn_dir_list(folder, l->arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = pn_path_join(l->arena, folder, names[i]);
        if (!path)
            return pn_fail_nomem(err);
        if (!is_folder(path))
            continue;
        status = add_model(l, path, path, "folder", err);
        if (status != PN_OK && status != PN_ERR_NOT_FOUND)
            return status;
    }
    return PN_OK;
}

pn_status pn_model_list(const char *const *folders, size_t n_folders, pn_arena *arena,
                        pn_model_entry **out, size_t *n, pn_error *err)
{
    listing l = {.arena = arena};
    l.entries = PN_ARENA_NEW(arena, pn_model_entry, MAX_ENTRIES);
    if (!l.entries)
        return pn_fail_nomem(err);
    PN_TRY(list_cache(&l, err));
    for (size_t i = 0; i < n_folders; i++)
        PN_TRY(list_folder(&l, folders[i], err));
    *out = l.entries;
    *n = l.n;
    return PN_OK;
}
