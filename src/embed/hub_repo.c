/*
 * hub_repo.c - a list of files, read with suspicion
 *
 *     {"sha": "<commit>", "siblings": [{"rfilename": "config.json", "size": 4186, "blobId": "<git's SHA-1>"},
 *                                      {"rfilename": "model.safetensors", "size": 605247071,
 *                                       "lfs": {"sha256": "...", "size": 605247071}}, ...]}
 *
 * A repository holds much that is of no use here: pickles, weights for other frameworks, pictures. Chosen by name are the files that
 * room clip reads, and the first kind of weights in the order in which it looks for them. Everything chosen
 * lies at the top of the repository and has a plain name, so a list cannot make us write elsewhere; one that tries to is refused as a
 * whole, because a hub that says such things is not to be trusted with the rest.
 */
#include "embed/hub_repo.h"

#include "base/str.h"

#include <jansson.h>

static const char *const small_files[] = {
    "config.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "tokenizer_config.json",

    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "bpe_simple_vocab_16e6.txt",
    "tokenizer.model",
    "pennon-golden.json",
};

/* As pn_safetensors_open_directory() looks for them; an index has shards "<stem>-00001-of-00002.safetensors". */
static const struct {
    const char *name, *shards;
} weights[] = {{"model.safetensors.index.json", "model-"},
               {"model.safetensors", NULL},
               {"open_clip_model.safetensors.index.json", "open_clip_model-"},
               {"open_clip_model.safetensors", NULL},
               {"open_clip_pytorch_model.safetensors", NULL}};

static bool is_hex(const char *text, size_t n)
{
    return text && strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

/* Would a file of this name stay below the folder that it is put into? */
static bool stays_inside(const char *name)
{
    pn_str rest = pn_str_of(name);
    while (rest.ptr) {
        pn_str part = pn_str_split(&rest, '/');
        if (part.len == 0 || pn_str_is(part, ".") || pn_str_is(part, ".."))
            return false;
    }
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F || *c == '\\')
            return false;
    return true;
}

/* Letters, digits and "-_." alone: what is chosen by its ending. */
static bool is_plain(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return name[strspn(name, allowed)] == '\0';
}

static const json_t *find_file(const json_t *siblings, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach(siblings, i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "rfilename")), name) == 0)
            return entry;
    }
    return NULL;
}

static pn_status add_file(const json_t *entry, const char *repo, pn_arena *arena, pn_hub_repo *out,
                          pn_error *err)
{
    const char *name = json_string_value(json_object_get(entry, "rfilename"));
    const json_t *lfs = json_object_get(entry, "lfs");
    const json_t *size = json_object_get(json_is_object(lfs) ? lfs : entry, "size");
    const char *sha256 = json_string_value(json_object_get(lfs, "sha256"));
    const char *digest = sha256 ? sha256 : json_string_value(json_object_get(lfs, "oid"));
    pn_digest_kind kind = PN_DIGEST_SHA256;
    if (!json_is_object(lfs)) {
        digest = json_string_value(json_object_get(entry, "blobId"));
        kind = PN_DIGEST_GIT_BLOB;
    }
    if (!json_is_integer(size) || json_integer_value(size) < 0 ||
        !is_hex(digest, kind == PN_DIGEST_SHA256 ? 64 : 40))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: the hub gives no size or no digest of %s to check it by", repo, name);
    pn_hub_file *file = &out->files[out->n];
    file->name = pn_arena_strdup(arena, name);
    file->digest = pn_arena_strdup(arena, digest);
    file->kind = kind;
    file->n_bytes = (uint64_t)json_integer_value(size);
    if (!file->name || !file->digest)
        return pn_fail_nomem(err);
    out->n++;
    return PN_OK;
}

static pn_status add_shards(const json_t *siblings, const char *prefix, const char *repo,
                            pn_arena *arena, pn_hub_repo *out, pn_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(siblings, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "rfilename"));
        pn_str text = pn_str_of(name);
        if (pn_str_starts_with(text, prefix) && pn_str_ends_with(text, ".safetensors") &&
            is_plain(name))
            PN_TRY(add_file(entry, repo, arena, out, err));
    }
    return PN_OK;
}

static pn_status fail_without_weights(const json_t *siblings, const char *repo, pn_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(siblings, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "rfilename"));
        pn_str text = pn_str_of(name);
        if (pn_str_ends_with(text, ".bin") || pn_str_ends_with(text, ".pt"))
            return pn_fail(
                err, PN_ERR_NOT_FOUND,
                "%s has no safetensors, only %s, a pickle, which is a program: it has to "
                "be converted",
                repo, name);
    }
    return pn_fail(err, PN_ERR_NOT_FOUND, "%s has no weights in safetensors", repo);
}

static pn_status choose(const json_t *siblings, const char *repo, pn_arena *arena, pn_hub_repo *out,
                        pn_error *err)
{
    out->files = PN_ARENA_NEW(arena, pn_hub_file, json_array_size(siblings) + 1);
    if (!out->files)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < PN_COUNT_OF(small_files); i++) {
        const json_t *entry = find_file(siblings, small_files[i]);
        if (entry)
            PN_TRY(add_file(entry, repo, arena, out, err));
    }
    for (size_t i = 0; i < PN_COUNT_OF(weights); i++) {
        const json_t *entry = find_file(siblings, weights[i].name);
        if (!entry)
            continue;
        PN_TRY(add_file(entry, repo, arena, out, err));
        return weights[i].shards ? add_shards(siblings, weights[i].shards, repo, arena, out, err)
                                 : PN_OK;
    }
    return fail_without_weights(siblings, repo, err);
}

static pn_status check_names(const json_t *siblings, const char *repo, pn_error *err)
{
    size_t i;
    json_t *entry;
    json_array_foreach(siblings, i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "rfilename"));
        if (!name)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: the hub lists a file without a name", repo);
        if (!stays_inside(name))
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: the hub lists a file \"%.100s\", which would leave its folder",
                           repo, name);
    }
    return PN_OK;
}

static pn_status read_list(const json_t *root, const char *repo, pn_arena *arena, pn_hub_repo *out,
                           pn_error *err)
{
    const json_t *siblings = json_object_get(root, "siblings");
    const char *commit = json_string_value(json_object_get(root, "sha"));
    if (!json_is_array(siblings) || !commit || !is_plain(commit) || commit[0] == '\0' ||
        commit[0] == '.')
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: the answer has no \"sha\" and \"siblings\": is it a hub?", repo);
    if (json_array_size(siblings) > PN_HUB_MAX_FILES)
        return pn_fail(err, PN_ERR_LIMIT, "%s: %zu files, the limit is %d", repo,
                       json_array_size(siblings), PN_HUB_MAX_FILES);
    PN_TRY(check_names(siblings, repo, err));
    out->commit = pn_arena_strdup(arena, commit);
    if (!out->commit)
        return pn_fail_nomem(err);
    return choose(siblings, repo, arena, out, err);
}

pn_status pn_hub_repo_parse(const char *json, size_t n_bytes, const char *name, pn_arena *arena,
                            pn_hub_repo *out, pn_error *err)
{
    json_error_t fault;
    pn_hub_repo repo = {0};
    json_t *root = json_loadb(json, n_bytes, 0, &fault);
    if (!root)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the answer is not JSON: %s", name, fault.text);
    pn_status status = read_list(root, name, arena, &repo, err);
    json_decref(root);
    if (status == PN_OK)
        *out = repo;
    return status;
}
