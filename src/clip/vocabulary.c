/*
 * vocabulary.c - vocab.json + merges.txt, or tokenizer.json, or OpenAI's own list of merges
 *
 * All end in two hash tables: token text -> id, and pair of ids -> (rank, id of the merged token). Sizes come from the files. A
 * merge whose parts or result are not in the vocabulary is a damaged file, named with its line; so are two tokens of one id.
 *
 * OpenAI's list has no ids: they follow from the order 256 byte symbols, the same with </w>, one for each merge, start,
 * end. The published file goes on behind the 48,894 merges that belong to the model; those lines are ignored.
 */
#include "clip/vocabulary.h"

#include "base/alloc.h"
#include "base/bits.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/limits.h"
#include "clip/plain_tokens.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <jansson.h>
#include <utf8proc.h>

struct pn_vocabulary_slot {
    pn_str text; /* ptr NULL: free */
    uint32_t id;
};

struct pn_merge_slot {
    uint64_t pair; /* left << 32 | right */
    uint32_t rank, merged;
    bool used;
};

static size_t table_size(size_t n)
{
    size_t size = 64;
    while (size < n * 2)
        size *= 2;
    return size;
}

static pn_vocabulary_slot *token_slot(const pn_vocabulary *v, pn_str text)
{
    size_t i = (size_t)pn_hash64(text.ptr, text.len) & (v->n_token_slots - 1);
    while (v->tokens[i].text.ptr && !pn_str_equal(v->tokens[i].text, text))
        i = (i + 1) & (v->n_token_slots - 1);
    return &v->tokens[i];
}

static bool find_token(const pn_vocabulary *v, pn_str text, uint32_t *id)
{
    const pn_vocabulary_slot *slot = token_slot(v, text);
    *id = slot->id;
    return slot->text.ptr != NULL;
}

static pn_merge_slot *merge_slot(const pn_vocabulary *v, uint64_t pair)
{
    uint64_t hash = pair * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(hash >> 20) & (v->n_merge_slots - 1);
    while (v->merges[i].used && v->merges[i].pair != pair)
        i = (i + 1) & (v->n_merge_slots - 1);
    return &v->merges[i];
}

bool pn_vocabulary_merge(const pn_vocabulary *v, uint32_t left, uint32_t right, uint32_t *rank,
                         uint32_t *merged)
{
    const pn_merge_slot *slot = merge_slot(v, (uint64_t)left << 32 | right);
    *rank = slot->rank;
    *merged = slot->merged;
    return slot->used;
}

static pn_status put_token(pn_vocabulary *v, const char *file, pn_str text, uint32_t id,
                           pn_error *err)
{
    pn_vocabulary_slot *slot = token_slot(v, text);
    if (slot->text.ptr && slot->id != id)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: token \"" PN_STR_FORMAT "\" has two ids", file,
                       PN_STR_ARG(text));
    if (!slot->text.ptr) {
        slot->text.ptr = pn_arena_strndup(&v->arena, text.ptr, text.len);
        slot->text.len = text.len;
        if (!slot->text.ptr)
            return pn_fail_nomem(err);
    }
    slot->id = id;
    v->n_tokens = PN_MAX(v->n_tokens, id + 1);
    return PN_OK;
}

/* An id that a file gives. */
static pn_status add_token(pn_vocabulary *v, const char *file, pn_str text, int64_t id,
                           pn_error *err)
{
    if (id < 0 || id >= PN_VOCABULARY_MAX_TOKENS)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: token \"%.*s\" has no usable id", file,
                       (int)PN_MIN(text.len, (size_t)40), text.ptr);
    return put_token(v, file, text, (uint32_t)id, err);
}

static int64_t id_of(const json_t *value)
{
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Two texts of one id would make the vector of a text depend on which of them it holds. */
static pn_status check_ids(pn_vocabulary *v, const char *file, pn_error *err)
{
    pn_arena_mark mark = pn_arena_get_mark(&v->arena);
    pn_status status = PN_OK;
    uint8_t *seen = pn_arena_alloc_zero(&v->arena, pn_bytes_for_bits(v->n_tokens), 1);
    if (!seen)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < v->n_token_slots && status == PN_OK; i++) {
        const pn_vocabulary_slot *slot = &v->tokens[i];
        if (!slot->text.ptr)
            continue;
        if (pn_bit_get(seen, slot->id))
            status = pn_fail(err, PN_ERR_CORRUPT,
                             "%s: token \"" PN_STR_FORMAT "\" shares the id %" PRIu32
                             " with another one",
                             file, PN_STR_ARG(slot->text), slot->id);
        pn_bit_set(seen, slot->id);
    }
    pn_arena_rewind(&v->arena, mark);
    return status;
}

/* Bytes that are printable characters of Latin-1 stand for themselves in GPT-2's table. */
static bool is_plain_byte(unsigned b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
}

/* GPT-2's printable symbol of a byte. */
static pn_str byte_symbol(unsigned byte, char out[12])
{
    unsigned others = 0, code = byte;
    if (!is_plain_byte(byte)) {
        for (unsigned b = 0; b < byte; b++)
            others += !is_plain_byte(b);
        code = 256 + others;
    }
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)out);
    memcpy(out + n, "</w>", 4);
    return (pn_str){out, (size_t)n};
}

static pn_status find_special_tokens(pn_vocabulary *v, const char *file, pn_error *err)
{
    char text[12];
    PN_TRY(check_ids(v, file, err));
    for (unsigned b = 0; b < 256; b++) {
        pn_str symbol = byte_symbol(b, text), last = {text, symbol.len + 4};
        if (!find_token(v, symbol, &v->bytes[b]) || !find_token(v, last, &v->last_bytes[b]))
            return pn_fail(err, PN_ERR_CORRUPT,
                           "%s: no token for byte %u: not a byte-level BPE vocabulary", file, b);
    }
    if (!find_token(v, pn_str_of(PN_TOKEN_START), &v->start_id) ||
        !find_token(v, pn_str_of(PN_TOKEN_END), &v->end_id))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no token " PN_TOKEN_START " or " PN_TOKEN_END,
                       file);
    return PN_OK;
}

static pn_status make_tables(pn_vocabulary *v, size_t n_tokens, size_t n_merges, pn_error *err)
{
    v->n_token_slots = table_size(n_tokens);
    v->n_merge_slots = table_size(n_merges);
    v->tokens = PN_ARENA_NEW(&v->arena, pn_vocabulary_slot, v->n_token_slots);
    v->merges = PN_ARENA_NEW(&v->arena, pn_merge_slot, v->n_merge_slots);
    return v->tokens && v->merges ? PN_OK : pn_fail_nomem(err);
}

static pn_status add_merge(pn_vocabulary *v, const char *file, pn_str left, pn_str right,
                           uint32_t rank, pn_error *err)
{
    char joined[512];
    uint32_t left_id, right_id, merged;
    if (left.len + right.len > sizeof joined || left.len == 0 || right.len == 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: merge %" PRIu32 " is not two tokens", file, rank);
    memcpy(joined, left.ptr, left.len);
    memcpy(joined + left.len, right.ptr, right.len);
    if (!find_token(v, left, &left_id) || !find_token(v, right, &right_id) ||
        !find_token(v, (pn_str){joined, left.len + right.len}, &merged))
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: merge %" PRIu32 " (\"" PN_STR_FORMAT "\" \"" PN_STR_FORMAT
                       "\") is not in the vocabulary",
                       file, rank, PN_STR_ARG(left), PN_STR_ARG(right));
    /* A pair that is listed twice has its later rank, as in the reference's dictionary. */
    *merge_slot(v, (uint64_t)left_id << 32 | right_id) =
        (pn_merge_slot){(uint64_t)left_id << 32 | right_id, rank, merged, true};
    return PN_OK;
}

static pn_status add_vocabulary(pn_vocabulary *v, const char *file, json_t *tokens, pn_error *err)
{
    const char *text;
    json_t *id;
    json_object_foreach(tokens, text, id)
    {
        PN_TRY(add_token(v, file, pn_str_of(text), id_of(id), err));
    }
    return PN_OK;
}

/* ---- vocab.json + merges.txt ---- */

static pn_status parse_json(const char *path, const pn_buffer *bytes, json_t **out, pn_error *err)
{
    json_error_t fault;
    *out = json_loadb(bytes->data ? (char *)bytes->data : "", bytes->n_bytes,
                      JSON_REJECT_DUPLICATES, &fault);
    if (!*out)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: line %d: %s", path, fault.line, fault.text);
    return PN_OK;
}

static pn_status add_plain_tokens(pn_vocabulary *v, const char *path, const pn_plain_token *tokens,
                                  size_t n, pn_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (token_slot(v, tokens[i].text)->text.ptr)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: token \"" PN_STR_FORMAT "\" stands twice",
                           path, PN_STR_ARG(tokens[i].text));
        PN_TRY(add_token(v, path, tokens[i].text, tokens[i].id, err));
    }
    return PN_OK;
}

/* A file that is anything else than texts and numbers goes through the library, which says what is wrong with it. */
static pn_status add_parsed_tokens(pn_vocabulary *v, const char *path, const pn_buffer *bytes,
                                   size_t n_merges, pn_error *err)
{
    json_t *tokens;
    PN_TRY(parse_json(path, bytes, &tokens, err));
    pn_status status = PN_OK;
    if (!json_is_object(tokens))
        status = pn_fail(err, PN_ERR_CORRUPT, "%s: not an object of tokens", path);
    if (status == PN_OK)
        status = make_tables(v, json_object_size(tokens), n_merges, err);
    if (status == PN_OK)
        status = add_vocabulary(v, path, tokens, err);
    json_decref(tokens);
    return status;
}

static pn_status add_tokens(pn_vocabulary *v, const char *path, const pn_buffer *bytes,
                            size_t n_merges, pn_error *err)
{
    pn_arena arena;
    pn_plain_token *plain;
    size_t n;
    pn_status status;
    pn_arena_init(&arena, SIZE_MAX);
    pn_str json = {(const char *)bytes->data, bytes->n_bytes};
    if (pn_plain_tokens_read(json, &arena, &plain, &n)) {
        status = make_tables(v, n, n_merges, err);
        if (status == PN_OK)
            status = add_plain_tokens(v, path, plain, n, err);
    } else {
        status = add_parsed_tokens(v, path, bytes, n_merges, err);
    }
    pn_arena_reset(&arena);
    return status;
}

static size_t count_lines(pn_str text)
{
    return pn_str_count(text, '\n') + 1;
}

static pn_status add_merge_lines(pn_vocabulary *v, const char *path, pn_str text, pn_error *err)
{
    uint32_t rank = 0;
    bool first = true;
    while (text.ptr) {
        pn_str line = pn_str_trim(pn_str_split(&text, '\n'));
        bool heading = first && pn_str_starts_with(line, "#version");
        first = false;
        if (heading || line.len == 0)
            continue;
        pn_str rest = line, left = pn_str_split(&rest, ' ');
        PN_TRY(add_merge(v, path, left, rest, rank++, err));
    }
    return PN_OK;
}

static pn_status load_two_files(const char *vocab_path, const char *merges_path, pn_vocabulary *v,
                                pn_error *err)
{
    pn_buffer vocab, merges;
    pn_buffer_init(&vocab, PN_MODEL_MAX_JSON_BYTES);
    pn_buffer_init(&merges, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(vocab_path, &vocab, err);
    if (status == PN_OK)
        status = pn_file_read(merges_path, &merges, err);
    pn_str lines = {(const char *)merges.data, merges.n_bytes};
    if (status == PN_OK)
        status = add_tokens(v, vocab_path, &vocab, count_lines(lines), err);
    if (status == PN_OK)
        status = find_special_tokens(v, vocab_path, err);
    if (status == PN_OK)
        status = add_merge_lines(v, merges_path, lines, err);
    if (status == PN_OK)
        v->fingerprint =
            pn_hash64(vocab.data, vocab.n_bytes) ^ (pn_hash64(merges.data, merges.n_bytes) << 1);
    pn_buffer_reset(&vocab);
    pn_buffer_reset(&merges);
    return status;
}

/* ---- tokenizer.json ---- */

static pn_status add_json_merges(pn_vocabulary *v, const char *path, const json_t *merges,
                                 pn_error *err)
{
    size_t i;
    json_t *merge;
    json_array_foreach((json_t *)(uintptr_t)merges, i, merge)
    {
        const char *left = json_string_value(json_array_get(merge, 0)),
                   *right = json_string_value(json_array_get(merge, 1));
        pn_str rest = pn_str_of(json_string_value(merge));
        pn_str a = rest.ptr ? pn_str_split(&rest, ' ') : pn_str_of(left);
        pn_str b = json_is_string(merge) ? rest : pn_str_of(right);
        if (!a.ptr || !b.ptr)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: merge %zu is not two tokens", path, i);
        PN_TRY(add_merge(v, path, a, b, (uint32_t)i, err));
    }
    return PN_OK;
}

static pn_status add_special_tokens(pn_vocabulary *v, const char *path, const json_t *added,
                                    pn_error *err)
{
    size_t i;
    json_t *token;
    json_array_foreach((json_t *)(uintptr_t)added, i, token)
    {
        const char *text = json_string_value(json_object_get(token, "content"));
        if (!text)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: added token %zu has no content", path, i);
        PN_TRY(add_token(v, path, pn_str_of(text), id_of(json_object_get(token, "id")), err));
    }
    return PN_OK;
}

static pn_status load_one_file(const char *path, pn_vocabulary *v, pn_error *err)
{
    pn_buffer bytes;
    json_t *root = NULL;
    pn_buffer_init(&bytes, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = parse_json(path, &bytes, &root, err);
    json_t *model = json_object_get(root, "model"), *tokens = json_object_get(model, "vocab");
    json_t *merges = json_object_get(model, "merges"),
           *added = json_object_get(root, "added_tokens");
    if (status == PN_OK && (!json_is_object(tokens) || !json_is_array(merges)))
        status = pn_fail(err, PN_ERR_UNSUPPORTED,
                         "%s: not a BPE tokenizer (no model.vocab and model.merges)", path);
    if (status == PN_OK)
        status = make_tables(v, json_object_size(tokens) + json_array_size(added),
                             json_array_size(merges), err);
    if (status == PN_OK)
        status = add_vocabulary(v, path, tokens, err);
    if (status == PN_OK)
        status = add_special_tokens(v, path, added, err);
    if (status == PN_OK)
        status = find_special_tokens(v, path, err);
    if (status == PN_OK)
        status = add_json_merges(v, path, merges, err);
    if (status == PN_OK)
        v->fingerprint = pn_hash64(bytes.data, bytes.n_bytes);
    json_decref(root);
    pn_buffer_reset(&bytes);
    return status;
}

/* ---- OpenAI's merges ---- */

enum { OPENAI_MERGES = 49152 - 256 - 2 };

/* The lines behind the heading, as far as they count. */
static pn_str openai_lines(pn_str file)
{
    (void)pn_str_split(&file, '\n'); // the heading, whatever it says
    pn_str rest = file;
    for (size_t n = 0; n < OPENAI_MERGES && rest.ptr; n++)
        (void)pn_str_split(&rest, '\n'); // only where the last one ends matters
    return rest.ptr ? pn_str_make(file.ptr, (size_t)(rest.ptr - file.ptr)) : file;
}

/* The symbols of all bytes, plain ones first; with </w> when last. */
static pn_status add_byte_tokens(pn_vocabulary *v, const char *path, bool last, pn_error *err)
{
    char text[12];
    for (int plain = 1; plain >= 0; plain--) {
        for (unsigned b = 0; b < 256; b++) {
            if (is_plain_byte(b) != plain)
                continue;
            pn_str symbol = byte_symbol(b, text);
            symbol.len += last ? 4 : 0;
            PN_TRY(put_token(v, path, symbol, v->n_tokens, err));
        }
    }
    return PN_OK;
}

static pn_status add_openai_tokens(pn_vocabulary *v, const char *path, pn_str lines, pn_error *err)
{
    char joined[512];
    PN_TRY(add_byte_tokens(v, path, false, err));
    PN_TRY(add_byte_tokens(v, path, true, err));
    while (lines.ptr) {
        pn_str right = pn_str_trim(pn_str_split(&lines, '\n'));
        if (right.len == 0)
            continue;
        pn_str left = pn_str_split(&right, ' ');
        if (!right.ptr || left.len + right.len > sizeof joined)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: merge %" PRIu32 " is not two tokens", path,
                           v->n_tokens - 512);
        memcpy(joined, left.ptr, left.len);
        memcpy(joined + left.len, right.ptr, right.len);
        PN_TRY(put_token(v, path, pn_str_make(joined, left.len + right.len), v->n_tokens, err));
    }
    PN_TRY(put_token(v, path, pn_str_of(PN_TOKEN_START), v->n_tokens, err));
    return put_token(v, path, pn_str_of(PN_TOKEN_END), v->n_tokens, err);
}

static pn_status load_openai(const char *path, pn_vocabulary *v, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(path, &bytes, err);
    pn_str lines = openai_lines(pn_str_make((const char *)bytes.data, bytes.n_bytes));
    size_t n_merges = lines.ptr ? count_lines(lines) : 0;
    if (status == PN_OK)
        status = make_tables(v, 512 + n_merges + 2, n_merges, err);
    if (status == PN_OK)
        status = add_openai_tokens(v, path, lines, err);
    if (status == PN_OK)
        status = find_special_tokens(v, path, err);
    if (status == PN_OK)
        status = add_merge_lines(v, path, lines, err);
    if (status == PN_OK)
        v->fingerprint = pn_hash64(lines.ptr ? lines.ptr : "", lines.len);
    pn_buffer_reset(&bytes);
    return status;
}

pn_status pn_vocabulary_load(const char *dir, pn_vocabulary *out, pn_error *err)
{
    pn_arena paths;
    *out = (pn_vocabulary){0};
    pn_arena_init(&out->arena, 1u << 30);
    pn_arena_init(&paths, SIZE_MAX);
    char *vocab = pn_path_join(&paths, dir, "vocab.json"),
         *merges = pn_path_join(&paths, dir, "merges.txt");
    char *whole = pn_path_join(&paths, dir, "tokenizer.json"),
         *openai = pn_path_join(&paths, dir, "bpe_simple_vocab_16e6.txt");
    pn_status status;
    if (!vocab || !merges || !whole || !openai)
        status = pn_fail_nomem(err);
    else if (pn_path_exists(vocab) && pn_path_exists(merges))
        status = load_two_files(vocab, merges, out, err);
    else if (pn_path_exists(whole))
        status = load_one_file(whole, out, err);
    else if (pn_path_exists(openai))
        status = load_openai(openai, out, err);
    else
        status = pn_fail(err, PN_ERR_NOT_FOUND,
                         "%s: no tokenizer (vocab.json with merges.txt, or tokenizer.json, or "
                         "bpe_simple_vocab_16e6.txt, unpacked)",
                         dir);
    pn_arena_reset(&paths);
    return status;
}

void pn_vocabulary_free(pn_vocabulary *vocabulary)
{
    pn_arena_reset(&vocabulary->arena);
    *vocabulary = (pn_vocabulary){0};
}
