/*
 * pn_model_files.c - section 2 of pennon.h: models as files; listed, downloaded, described, verified
 */
#include "api/internal.h"

#include "base/alloc.h"
#include "embed/hub_pull.h"
#include "embed/model_list.h"
#include "embed/selftest.h"
#include "os/dir.h"
#include "os/fd.h"

#include <jansson.h>

/* value as text for pn_memory_free(); value is released. NULL means that there was no memory to make it. */
static pn_status give_json(json_t *value, char **out, pn_error *err)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    char *copy = text ? pn_strdup(text) : NULL;
    json_decref(value);
    if (text)
        pn_free_foreign(text);
    if (!copy)
        return pn_fail_nomem(err);
    *out = copy;
    return PN_OK;
}

/* Names of files need not be UTF-8. */
static json_t *text_of(const char *text)
{
    json_t *value = json_string(text);
    return value ? value : json_string("?");
}

/* ---- describe */

static json_t *encoder_json(uint32_t width, uint32_t layers, uint32_t heads)
{
    return json_pack("{s:I, s:I, s:I}", "width", (json_int_t)width, "layers", (json_int_t)layers,
                     "heads", (json_int_t)heads);
}

/* Regular files right in the folder. */
static json_t *files_json(const char *dir)
{
    pn_arena arena;
    char **names = NULL;
    size_t n = 0;
    json_t *all = json_array();
    pn_arena_init(&arena, SIZE_MAX);
    if (pn_dir_list(dir, &arena, &names, &n, NULL) != PN_OK)
        n = 0; // it is open, so it was there
    for (size_t i = 0; i < n; i++) {
        pn_file_info info;
        const char *path = pn_path_join(&arena, dir, names[i]);
        if (path && pn_path_info(path, &info, NULL) == PN_OK && info.is_regular)
            json_array_append_new(all, json_pack("{s:o, s:I}", "name", text_of(names[i]), "bytes",
                                                 (json_int_t)info.size_bytes));
    }
    pn_arena_reset(&arena);
    return all;
}

pn_status pn_model_describe_json(const pn_model *model, char **out, pn_error *err)
{
    PN_TRY(pn_model_check_local(model, err));
    const pn_clip *clip = pn_local_embedder_clip(model->embedder);
    const pn_clip_info *info = pn_clip_get_info(clip);
    char preprocess[PN_PREPROCESS_TEXT_BYTES];
    pn_preprocess_text(pn_local_embedder_preprocess(model->embedder), preprocess);
    json_t *all = json_pack(
        "{s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:o, s:o, s:s, s:s, "
        "s:{s:s, s:I, s:I}, s:s, s:s, s:o}",
        "name", text_of(model->name), "directory", text_of(model->directory), "family",
        info->family, "layout", info->layout, "weights_type", info->weights_type, "precision",
        pn_clip_precision_name(info->precision), "parameters", (json_int_t)info->n_parameters,
        "weights_bytes", (json_int_t)info->weights_bytes, "dim", (json_int_t)info->dim, "image",
        "width", (json_int_t)info->image_width, "height", (json_int_t)info->image_height, "patch",
        (json_int_t)info->patch_px, "vision",
        encoder_json(info->vision_width, info->vision_layers, info->vision_heads), "text",
        encoder_json(info->text_width, info->text_layers, info->text_heads), "activation",
        info->activation, "preprocess", preprocess, "tokenizer", "kind",
        pn_tokenizer_kind_name(pn_clip_tokenizer(clip)), "vocabulary",
        (json_int_t)pn_tokenizer_vocabulary(pn_clip_tokenizer(clip)), "context",
        (json_int_t)info->context, "fingerprint", info->fingerprint, "identity",
        model->embedder->identity, "files", files_json(model->directory));
    return give_json(all, out, err);
}

/* ---- list */

static json_t *entry_json(const pn_model_entry *e)
{
    return json_pack("{s:o, s:o, s:s, s:s, s:s, s:I, s:I, s:o}", "spec", text_of(e->spec),
                     "directory", text_of(e->directory), "where", e->where, "family", e->family,
                     "layout", e->layout, "dim", (json_int_t)e->dim, "weights_bytes",
                     (json_int_t)e->weights_bytes, "problem", text_of(e->problem));
}

pn_status pn_models_list_json(const char *const *folders, size_t n_folders, char **out,
                              pn_error *err)
{
    pn_arena arena;
    pn_model_entry *entries = NULL;
    size_t n = 0;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_model_list(folders, n_folders, &arena, &entries, &n, err);
    if (status == PN_OK) {
        json_t *all = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(all, entry_json(&entries[i]));
        status = give_json(all, out, err);
    }
    pn_arena_reset(&arena);
    return status;
}

/* ---- pull */

static void forward_pull(void *context, const pn_hub_progress *p)
{
    const pn_model_pull_options *options = context;
    const pn_model_pull_progress progress = {.file = p->file,
                                             .file_i = p->file_i,
                                             .n_files = p->n_files,
                                             .done_bytes = p->done_bytes,
                                             .total_bytes = p->total_bytes,
                                             .came_bytes = p->came_bytes,
                                             .seconds = p->seconds};
    options->progress(options->context, &progress);
}

static bool is_pull_cancelled(void *context)
{
    const pn_model_pull_options *options = context;
    return options->cancelled(options->context) != 0;
}

pn_status pn_model_pull(const char *name, const pn_model_pull_options *options, char **directory,
                        pn_error *err)
{
    pn_model_pull_options own = PN_MODEL_PULL_OPTIONS_INIT;
    PN_TAKE_OPTIONS(own, options, err);
    if (!name || name[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no model was named");
    const pn_hub_options hub = {.base = own.base,
                                .revision = own.revision,
                                .directory = own.directory,
                                .token = own.token,
                                .progress = own.progress ? forward_pull : NULL,
                                .cancelled = own.cancelled ? is_pull_cancelled : NULL,
                                .context = &own};
    pn_arena arena;
    char *dir = NULL;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_hub_pull(name, &hub, &arena, &dir, err);
    if (status == PN_OK) {
        char *copy = pn_strdup(dir);
        if (copy)
            *directory = copy;
        else
            status = pn_fail_nomem(err);
    }
    pn_arena_reset(&arena);
    return status;
}

/* ---- verify */

static void forward_verify(void *context, pn_clip_precision precision)
{
    const pn_model_verify_options *options = context;
    options->progress(options->context, pn_clip_precision_name(precision));
}

static bool is_verify_cancelled(void *context)
{
    const pn_model_verify_options *options = context;
    return options->cancelled(options->context) != 0;
}

static json_t *line_json(const pn_selftest_line *line, uint32_t n_pictures)
{
    double rate = line->seconds > 0 ? n_pictures / line->seconds : 0;
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "precision",
                     pn_clip_precision_name(line->precision), "image_cosine", line->image_cosine,
                     "text_cosine", line->text_cosine, "recall_at_10", line->recall, "needs_cosine",
                     line->needs_cosine, "needs_recall", line->needs_recall, "images_per_second",
                     rate, "passed", (int)line->passed);
}

static json_t *report_json(const pn_selftest_report *r)
{
    json_t *lines = json_array(), *golden = json_null();
    for (size_t i = 0; i < r->n_lines; i++)
        json_array_append_new(lines, line_json(&r->lines[i], r->n_pictures));
    if (r->has_golden)
        golden = json_pack(
            "{s:I, s:I, s:f, s:f, s:b, s:s}", "pictures", (json_int_t)r->n_golden_pictures, "texts",
            (json_int_t)r->n_golden_texts, "image_cosine", r->golden.image_cosine, "text_cosine",
            r->golden.text_cosine, "passed", (int)r->golden.passed, "problem", r->golden.problem);
    return json_pack("{s:b, s:o, s:I, s:I, s:o, s:o}", "passed", (int)r->passed, "problem",
                     text_of(r->problem), "pictures", (json_int_t)r->n_pictures, "texts",
                     (json_int_t)r->n_texts, "arithmetic", lines, "golden", golden);
}

pn_status pn_model_verify(pn_library *library, const char *spec,
                          const pn_model_verify_options *options, char **report, pn_error *err)
{
    pn_model_verify_options own = PN_MODEL_VERIFY_OPTIONS_INIT;
    PN_TAKE_OPTIONS(own, options, err);
    if (report)
        *report = NULL;
    if (!spec || spec[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "no model was named");
    if (pn_hosted_is_name(spec))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s is computed by a server: there is no arithmetic of ours to verify",
                       spec);
    pn_selftest_options test = {.model = spec,
                                .pool = library->pool,
                                .cache = own.cache,
                                .one_precision = own.precision != NULL,
                                .n_pictures = own.n_pictures,
                                .golden = own.golden,
                                .folder = own.pictures,
                                .progress = own.progress ? forward_verify : NULL,
                                .cancelled = own.cancelled ? is_verify_cancelled : NULL,
                                .context = &own};
    if (own.precision && !pn_clip_precision_parse(pn_str_of(own.precision), &test.precision))
        return pn_fail(err, PN_ERR_INVALID,
                       "precision \"%s\": there are exact, f32, f16, bf16 and int8", own.precision);
    pn_selftest_report result;
    PN_TRY(pn_selftest_run(&test, &result, err));
    if (report)
        PN_TRY(give_json(report_json(&result), report, err));
    if (!result.passed)
        return pn_fail(err, PN_ERR_CORRUPT, "%s", result.problem);
    return PN_OK;
}
