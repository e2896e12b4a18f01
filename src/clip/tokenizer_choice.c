/*
 * tokenizer_choice.c - files present, and what they say
 *
 *     tokenizer_config.json   "tokenizer_class"         `classes`: the kind, and how texts are treated
 *     config.json             "model_type"              `families`: the kind, when the class says nothing
 *     open_clip_config.json   "text_cfg"                the cleaning, when the tokenizer is of another library
 *     the folder              vocab.json, ...           `files`: the first that fits the kind, or the first at all
 *
 * A published folder often holds more than one vocabulary (spiece.model beside tokenizer.json); the class says which is meant. The
 * sentencepiece file itself goes first: tokenizer.json was made from it (sentencepiece_json.c), and says less about it.
 */
#include "clip/tokenizer_choice.h"

#include "clip/internal.h"
#include "os/dir.h"
#include "os/fd.h"

#include <string.h>

typedef struct class_row {
    const char *name; /* a beginning: "...Fast" is the same tokenizer */
    pn_tokenizer_kind kind;
    pn_siglip_style style;
    pn_siglip_case letters; /* unless do_lower_case says otherwise */
    const char *pad;        /* unless pad_token says otherwise */
} class_row;

static const class_row classes[] = {
    {"CLIPTokenizer", PN_TOKENIZER_BYTE_BPE, 0, 0, NULL},
    {"BertTokenizer", PN_TOKENIZER_WORDPIECE, 0, 0, NULL},
    {"SiglipTokenizer", PN_TOKENIZER_SENTENCEPIECE, PN_SIGLIP_CANONICAL, PN_SIGLIP_LOWER_CASE,
     "</s>"},
    {"T5Tokenizer", PN_TOKENIZER_SENTENCEPIECE, PN_SIGLIP_PLAIN, PN_SIGLIP_KEEP_CASE, "<pad>"},
    /* SigLIP 2 was trained on lower case; its tokenizer does not say so */
    {"GemmaTokenizer", PN_TOKENIZER_SENTENCEPIECE, PN_SIGLIP_PLAIN, PN_SIGLIP_LOWER_CASE, "<pad>"},
    {"Siglip2Tokenizer", PN_TOKENIZER_SENTENCEPIECE, PN_SIGLIP_PLAIN, PN_SIGLIP_LOWER_CASE,
     "<pad>"},
};

static const struct {
    const char *model_type;
    pn_tokenizer_kind kind;
} families[] = {
    {"clip", PN_TOKENIZER_BYTE_BPE},
    {"chinese_clip", PN_TOKENIZER_WORDPIECE},
    {"siglip", PN_TOKENIZER_SENTENCEPIECE},
    {"siglip2", PN_TOKENIZER_SENTENCEPIECE},
};

static const struct {
    const char *name;
    pn_tokenizer_kind kind;
} files[] = {
    {"vocab.json", PN_TOKENIZER_BYTE_BPE},
    {"vocab.txt", PN_TOKENIZER_WORDPIECE},
    {"spiece.model", PN_TOKENIZER_SENTENCEPIECE},
    {"tokenizer.model", PN_TOKENIZER_SENTENCEPIECE},
    {"tokenizer.json", PN_TOKENIZER_BYTE_BPE},
    {"tokenizer.json", PN_TOKENIZER_SENTENCEPIECE}, // when that is expected
    {"bpe_simple_vocab_16e6.txt", PN_TOKENIZER_BYTE_BPE},
};

static const struct {
    const char *name;
    pn_siglip_clean clean;
} cleanings[] = {
    {"whitespace", PN_SIGLIP_CLEAN_WHITESPACE},
    {"lower", PN_SIGLIP_CLEAN_LOWER},
    {"canonicalize", PN_SIGLIP_CLEAN_CANONICALIZE},
};

/* The three configurations; NULL: not there. */
typedef struct settings_files {
    json_t *tokenizer, *model, *open_clip;
} settings_files;

static const class_row *find_class(const char *name)
{
    for (size_t i = 0; name && i < PN_COUNT_OF(classes); i++)
        if (strncmp(name, classes[i].name, strlen(classes[i].name)) == 0)
            return &classes[i];
    return NULL;
}

static const char *class_name(const settings_files *f)
{
    return json_string_value(json_object_get(f->tokenizer, "tokenizer_class"));
}

static const json_t *open_clip_text(const settings_files *f)
{
    return json_object_get(json_object_get(f->open_clip, "model_cfg"), "text_cfg");
}

static pn_tokenizer_kind expected_kind(const settings_files *f)
{
    const class_row *row = find_class(class_name(f));
    const char *type = json_string_value(json_object_get(f->model, "model_type"));
    if (row)
        return row->kind;
    for (size_t i = 0; type && i < PN_COUNT_OF(families); i++)
        if (strcmp(type, families[i].model_type) == 0)
            return families[i].kind;
    return PN_TOKENIZER_ANY;
}

/* The first file of the expected kind; of any kind when none is expected. */
static pn_status find_file(const char *dir, pn_tokenizer_kind expected, pn_arena *arena,
                           pn_tokenizer_choice *out, pn_error *err)
{
    for (size_t i = 0; i < PN_COUNT_OF(files); i++) {
        if (expected != PN_TOKENIZER_ANY && expected != files[i].kind)
            continue;
        char *path = pn_path_join(arena, dir, files[i].name);
        if (!path)
            return pn_fail_nomem(err);
        if (pn_path_exists(path)) {
            out->kind = files[i].kind;
            out->path = path;
            return PN_OK;
        }
    }
    return PN_OK;
}

static pn_status refuse_missing(const char *dir, pn_tokenizer_kind expected, pn_error *err)
{
    return pn_fail(err, PN_ERR_NOT_FOUND, "%s: no tokenizer: no %s", dir,
                   expected == PN_TOKENIZER_WORDPIECE
                       ? "vocab.txt"
                       : "spiece.model, tokenizer.model or tokenizer.json");
}

/* A special token is a text, or an object with one. */
static const char *token_text(const json_t *config, const char *key, pn_arena *arena)
{
    const json_t *token = json_object_get(config, key);
    const char *text =
        json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    return text ? pn_arena_strdup(arena, text) : NULL;
}

static pn_status read_clean(const settings_files *f, pn_siglip_clean *out, pn_error *err)
{
    const json_t *text = open_clip_text(f);
    const json_t *clean = json_object_get(json_object_get(text, "tokenizer_kwargs"), "clean");
    *out = PN_SIGLIP_CLEAN_NONE;
    if (!text)
        return PN_OK;
    *out = PN_SIGLIP_CLEAN_WHITESPACE; // open_clip's own, for tokenizers of other libraries
    if (pn_json_is_off(clean))
        return PN_OK;
    for (size_t i = 0; i < PN_COUNT_OF(cleanings); i++)
        if (json_is_string(clean) && strcmp(json_string_value(clean), cleanings[i].name) == 0) {
            *out = cleanings[i].clean;
            return PN_OK;
        }
    return pn_fail(err, PN_ERR_UNSUPPORTED,
                   "open_clip_config.json: tokenizer_kwargs.clean is \"%s\"",
                   json_is_string(clean) ? json_string_value(clean) : "not a text");
}

static pn_status check_ends(const settings_files *f, pn_error *err)
{
    if (json_is_true(json_object_get(f->tokenizer, "add_bos_token")))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "tokenizer_config.json: add_bos_token: a start token is not supported");
    if (json_is_false(json_object_get(f->tokenizer, "add_eos_token")))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "tokenizer_config.json: add_eos_token: a text without its end is not "
                       "supported");
    return PN_OK;
}

/* Without a tokenizer_config.json: open_clip's runs the bare model; else the file has the name that its class gives it, unless it
 * is tokenizer.json, which any class has. */
static const class_row *usual_class(const settings_files *f, const char *path)
{
    if (pn_str_ends_with(pn_str_of(path), ".json"))
        return NULL;
    if (open_clip_text(f))
        return find_class("T5Tokenizer");
    return find_class(pn_str_ends_with(pn_str_of(path), "tokenizer.model") ? "GemmaTokenizer"
                                                                           : "SiglipTokenizer");
}

static pn_status read_siglip(const settings_files *f, const pn_tokenizer_options *options,
                             pn_arena *arena, pn_tokenizer_choice *choice, pn_error *err)
{
    pn_siglip_settings *out = &choice->siglip;
    const char *name = class_name(f);
    const class_row *row = name ? find_class(name) : usual_class(f, choice->path);
    if (!row && !name)
        return pn_fail(err, PN_ERR_NOT_FOUND,
                       "%s: no tokenizer_config.json beside it to say which tokenizer it is",
                       choice->path);
    if (!row || row->kind != PN_TOKENIZER_SENTENCEPIECE)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "tokenizer_config.json: a %s with a sentencepiece model is not supported",
                       name);
    PN_TRY(check_ends(f, err));
    PN_TRY(read_clean(f, &out->clean, err));
    const json_t *lower = json_object_get(f->tokenizer, "do_lower_case");
    out->style = row->style;
    out->letters = !json_is_boolean(lower) ? row->letters
                   : json_is_true(lower)   ? PN_SIGLIP_LOWER_CASE
                                           : PN_SIGLIP_KEEP_CASE;
    out->end = token_text(f->tokenizer, "eos_token", arena);
    out->unknown = token_text(f->tokenizer, "unk_token", arena);
    out->pad = token_text(f->tokenizer, "pad_token", arena);
    if (!out->pad && name)
        out->pad = row->pad;
    if (options->pad)
        out->pad = options->pad;
    if (options->letters != PN_TOKENIZER_CASE_AS_FOUND)
        out->letters = options->letters == PN_TOKENIZER_CASE_LOWER ? PN_SIGLIP_LOWER_CASE
                                                                   : PN_SIGLIP_KEEP_CASE;
    if (options->clean != PN_TOKENIZER_CLEAN_AS_FOUND)
        out->clean = options->clean == PN_TOKENIZER_CLEAN_NONE ? PN_SIGLIP_CLEAN_NONE
                                                               : PN_SIGLIP_CLEAN_CANONICALIZE;
    return PN_OK;
}

static pn_bert_case read_bert_case(const settings_files *f, const pn_tokenizer_options *options)
{
    if (options->letters != PN_TOKENIZER_CASE_AS_FOUND)
        return options->letters == PN_TOKENIZER_CASE_KEEP ? PN_BERT_CASED : PN_BERT_UNCASED;
    return json_is_false(json_object_get(f->tokenizer, "do_lower_case")) ? PN_BERT_CASED
                                                                         : PN_BERT_UNCASED;
}

static pn_status choose(const char *dir, const settings_files *f,
                        const pn_tokenizer_options *options, pn_arena *arena,
                        pn_tokenizer_choice *out, pn_error *err)
{
    pn_tokenizer_kind expected = expected_kind(f);
    PN_TRY(find_file(dir, expected, arena, out, err));
    if (out->kind == PN_TOKENIZER_ANY &&
        (expected == PN_TOKENIZER_ANY || expected == PN_TOKENIZER_BYTE_BPE))
        out->kind = PN_TOKENIZER_BYTE_BPE; // which says what it looked for
    if (out->kind == PN_TOKENIZER_ANY)
        return refuse_missing(dir, expected, err);
    if (out->kind == PN_TOKENIZER_WORDPIECE)
        out->bert_case = read_bert_case(f, options);
    if (out->kind == PN_TOKENIZER_SENTENCEPIECE)
        return read_siglip(f, options, arena, out, err);
    return PN_OK;
}

pn_status pn_tokenizer_choose(const char *dir, const pn_tokenizer_options *options, pn_arena *arena,
                              pn_tokenizer_choice *out, pn_error *err)
{
    static const pn_tokenizer_options as_found = {0};
    settings_files f = {0};
    pn_tokenizer_choice choice = {0};
    pn_status status = PN_OK;
    PN_GOTO(done, pn_json_load(dir, "tokenizer_config.json", &f.tokenizer, err));
    PN_GOTO(done, pn_json_load(dir, "config.json", &f.model, err));
    PN_GOTO(done, pn_json_load(dir, "open_clip_config.json", &f.open_clip, err));
    PN_GOTO(done, choose(dir, &f, options ? options : &as_found, arena, &choice, err));
    *out = choice;
done:
    json_decref(f.tokenizer);
    json_decref(f.model);
    json_decref(f.open_clip);
    return status;
}
