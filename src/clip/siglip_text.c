/*
 * siglip_text.c - SigLIP's texts: canonical form, end, padding
 *
 *     text -> open_clip's cleaning, if it is an open_clip model
 *          -> SiglipTokenizer's steps, if it is that; or lower case, if the model wants it
 *          -> sentencepiece -> ids | end | pad pad pad ...         always the whole context: the model looks at all positions
 *
 * One model family, three tokenizers in the wild, by the folder's files (tokenizer_choice.c):
 *
 *     SiglipTokenizer   SigLIP at Hugging Face       lower case, punctuation removed, white space collapsed
 *     T5Tokenizer       SigLIP at open_clip, Marqo   what open_clip's "clean" says, then the bare model
 *     GemmaTokenizer    SigLIP 2                     lower case, then the bare model
 *
 * SiglipTokenizer puts U+2581 in front of the text and loads the model without a blank of its own; to keep the model from dropping
 * the blank, it encodes "<unk>" + text and cuts off the pieces that "<unk>" alone gives. "</s>" and "<unk>" written in a text
 * are the tokens themselves. All of that decides ids, so all of that is here. Its lower case is of single characters.
 * Source: transformers' tokenization_siglip.py, open_clip's tokenizer.py; goldens in tests/clip.
 */
#include "clip/siglip_text.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/limits.h"
#include "clip/text_chars.h"
#include "clip/text_clean.h"

#include <stdio.h>

#define SPACE "\xE2\x96\x81" /* U+2581: what a blank is inside a model */

enum { N_SPECIALS = 3, MAX_SPECIAL_BYTES = 64 };

typedef struct special {
    char text[MAX_SPECIAL_BYTES];
    size_t n_bytes;
    uint32_t id;
} special;

struct pn_siglip_text {
    pn_sentencepiece *model;
    pn_siglip_clean clean;
    pn_siglip_style style;
    pn_siglip_case letters;
    special specials[N_SPECIALS]; /* of SiglipTokenizer: end, unknown, pad */
    uint32_t end_id, pad_id;
    uint32_t space_id; /* of U+2581 alone; UINT32_MAX: no such piece */
    size_t n_unknown;  /* pieces of "<unk>" written out */
    uint64_t fingerprint;
};

static pn_str view(const pn_buffer *buffer)
{
    return (pn_str){(const char *)buffer->data, buffer->n_bytes};
}

/* string.punctuation */
static bool is_punctuation(char c)
{
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
}

static pn_status remove_punctuation(pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_punctuation(text.ptr[i]))
            PN_TRY(pn_buffer_append(out, text.ptr + i, 1, err));
    return PN_OK;
}

/* ---- open_clip ---- */

static pn_status open_clip_canonicalize(pn_str text, pn_buffer *scratch, pn_buffer *out,
                                        pn_error *err)
{
    pn_buffer_clear(scratch);
    PN_TRY(pn_text_repair(text, scratch, err));
    for (size_t i = 0; i < scratch->n_bytes; i++)
        if (scratch->data[i] == '_')
            scratch->data[i] = ' ';
    size_t kept = 0;
    for (size_t i = 0; i < scratch->n_bytes; i++)
        if (!is_punctuation((char)scratch->data[i]))
            scratch->data[kept++] = scratch->data[i];
    scratch->n_bytes = kept;
    return pn_text_fold(view(scratch), out, err);
}

static pn_status clean(const pn_siglip_text *me, pn_str text, pn_buffer *scratch, pn_buffer *out,
                       pn_error *err)
{
    switch (me->clean) {
    case PN_SIGLIP_CLEAN_NONE:
        return pn_buffer_append(out, text.ptr, text.len, err);
    case PN_SIGLIP_CLEAN_WHITESPACE:
        return pn_text_repair(text, out, err);
    case PN_SIGLIP_CLEAN_LOWER:
        return pn_text_clean(text, out, err);
    case PN_SIGLIP_CLEAN_CANONICALIZE:
        return open_clip_canonicalize(text, scratch, out, err);
    }
    return pn_fail(err, PN_ERR_BUG, "no such cleaning: %d", (int)me->clean);
}

/* ---- SiglipTokenizer ---- */

/* The longest special token at the beginning of text, or NULL. */
static const special *special_at(const pn_siglip_text *me, pn_str text)
{
    const special *best = NULL;
    for (size_t i = 0; i < N_SPECIALS; i++) {
        const special *s = &me->specials[i];
        if (s->n_bytes > 0 && text.len >= s->n_bytes &&
            memcmp(text.ptr, s->text, s->n_bytes) == 0 && (!best || s->n_bytes > best->n_bytes))
            best = s;
    }
    return best;
}

/* Lower case, character by character; special tokens stay, when me has them. */
static pn_status lower(const pn_siglip_text *me, pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        const special *s = special_at(me, (pn_str){text.ptr + i, text.len - i});
        if (s) {
            PN_TRY(pn_buffer_append(out, s->text, s->n_bytes, err));
            i += s->n_bytes;
            continue;
        }
        i += pn_char_next(text, i, &c);
        PN_TRY(me->letters == PN_SIGLIP_LOWER_CASE ? pn_char_append_lower(c, out, err)
                                                   : pn_char_append(c, out, err));
    }
    return PN_OK;
}

/* U+2581 in front, none in the text, lower case. */
static pn_status prepare(const pn_siglip_text *me, pn_str text, pn_buffer *scratch, pn_buffer *out,
                         pn_error *err)
{
    pn_buffer_clear(scratch);
    PN_TRY(pn_buffer_append_text(scratch, SPACE, err));
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += pn_char_next(text, i, &c);
        PN_TRY(pn_char_append(c == 0x2581 ? ' ' : c, scratch, err));
    }
    return lower(me, view(scratch), out, err);
}

/* What one call works with. */
typedef struct work {
    pn_buffer a, b, c;
    pn_arena arena;
    uint32_t *ids; /* [room] */
    size_t n, room;
} work;

/* The ids of text between special tokens, behind those that are there. */
static pn_status encode_segment(const pn_siglip_text *me, pn_str text, work *w, pn_error *err)
{
    size_t n, room = w->room - w->n + me->n_unknown;
    uint32_t *ids = PN_ARENA_NEW(&w->arena, uint32_t, room);
    if (!ids)
        return pn_fail_nomem(err);
    pn_buffer_clear(&w->a);
    pn_buffer_clear(&w->b);
    PN_TRY(remove_punctuation(text, &w->a, err));
    PN_TRY(pn_buffer_append(&w->b, me->specials[1].text, me->specials[1].n_bytes, err));
    PN_TRY(pn_text_collapse(view(&w->a), &w->b, err));
    PN_TRY(pn_sentencepiece_encode(me->model, view(&w->b), ids, room, &n, err));
    size_t skipped = n >= me->n_unknown ? me->n_unknown : 0;
    for (size_t i = skipped; i < n && w->n < w->room; i++)
        w->ids[w->n++] = ids[i];
    return PN_OK;
}

/* Bytes before the next special token, which is *next, or NULL at the end of the text. */
static size_t segment_bytes(const pn_siglip_text *me, pn_str text, const special **next)
{
    size_t n = 0;
    *next = NULL;
    while (n < text.len && !(*next = special_at(me, (pn_str){text.ptr + n, text.len - n})))
        n++;
    return n;
}

static pn_status encode_canonical(const pn_siglip_text *me, pn_str text, work *w, pn_error *err)
{
    pn_buffer_clear(&w->b);
    PN_TRY(prepare(me, text, &w->a, &w->c, err));
    pn_str rest = view(&w->c);
    while (rest.len > 0 && w->n < w->room) {
        const special *next;
        size_t n = segment_bytes(me, rest, &next);
        if (n > 0)
            PN_TRY(encode_segment(me, (pn_str){rest.ptr, n}, w, err));
        n += next ? next->n_bytes : 0;
        rest = (pn_str){rest.ptr + n, rest.len - n};
        if (!next)
            continue;
        if (w->n == 1 && w->ids[0] == me->space_id) // a blank alone before a special token is none
            w->n = 0;
        if (w->n < w->room)
            w->ids[w->n++] = next->id;
    }
    return PN_OK;
}

/* ---- the door ---- */

static pn_status encode_plain(const pn_siglip_text *me, pn_str text, work *w, pn_error *err)
{
    if (me->letters == PN_SIGLIP_KEEP_CASE)
        return pn_sentencepiece_encode(me->model, text, w->ids, w->room, &w->n, err);
    PN_TRY(lower(me, text, &w->c, err));
    return pn_sentencepiece_encode(me->model, view(&w->c), w->ids, w->room, &w->n, err);
}

static pn_status encode(const pn_siglip_text *me, pn_str text, work *w, pn_error *err)
{
    pn_buffer cleaned;
    pn_buffer_init(&cleaned, PN_SENTENCEPIECE_MAX_TEXT_BYTES);
    pn_status status = clean(me, text, &w->a, &cleaned, err);
    if (status == PN_OK)
        status = me->style == PN_SIGLIP_CANONICAL ? encode_canonical(me, view(&cleaned), w, err)
                                                  : encode_plain(me, view(&cleaned), w, err);
    pn_buffer_reset(&cleaned);
    return status;
}

pn_status pn_siglip_text_encode(const pn_siglip_text *me, pn_str text, size_t max_ids,
                                uint32_t *ids, pn_error *err)
{
    /* one more than can stay, so that the rule about the blank sees what is behind it */
    work w = {.room = max_ids + 1};
    pn_assert(max_ids >= 2);
    if (text.len > PN_TEXT_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a text of %zu bytes, the limit is %d", text.len,
                       PN_TEXT_MAX_BYTES);
    pn_buffer_init(&w.a, PN_SENTENCEPIECE_MAX_TEXT_BYTES);
    pn_buffer_init(&w.b, PN_SENTENCEPIECE_MAX_TEXT_BYTES);
    pn_buffer_init(&w.c, PN_SENTENCEPIECE_MAX_TEXT_BYTES);
    pn_arena_init(&w.arena, SIZE_MAX);
    w.ids = PN_ARENA_NEW(&w.arena, uint32_t, w.room);
    pn_status status = w.ids ? encode(me, text, &w, err) : pn_fail_nomem(err);
    if (status == PN_OK) {
        size_t n = PN_MIN(w.n, max_ids - 1);
        memcpy(ids, w.ids, n * sizeof *ids);
        /* SiglipTokenizer adds no second end behind one that the text ends with */
        if (me->style == PN_SIGLIP_PLAIN || n == 0 || ids[n - 1] != me->end_id)
            ids[n++] = me->end_id;
        while (n < max_ids)
            ids[n++] = me->pad_id;
    }
    pn_buffer_reset(&w.a);
    pn_buffer_reset(&w.b);
    pn_buffer_reset(&w.c);
    pn_arena_reset(&w.arena);
    return status;
}

/* ---- loading ---- */

static pn_status find_special(const pn_siglip_text *me, const char *path, const char *text,
                              uint32_t *id, pn_error *err)
{
    if (!pn_sentencepiece_find(me->model, pn_str_of(text), id))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no piece %s, which the tokenizer's settings name",
                       path, text);
    return PN_OK;
}

/* The end and pad ids: as named, else as trained. SigLIP's own models are trained with a pad that is not used: the end is. */
static pn_status find_ends(pn_siglip_text *me, const char *path, const pn_siglip_settings *s,
                           pn_error *err)
{
    const pn_sentencepiece_traits *traits = pn_sentencepiece_get_traits(me->model);
    if (s->end)
        PN_TRY(find_special(me, path, s->end, &me->end_id, err));
    else if (traits->end_id >= 0)
        me->end_id = (uint32_t)traits->end_id;
    else
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the model has no end token", path);
    if (s->pad)
        return find_special(me, path, s->pad, &me->pad_id, err);
    me->pad_id = traits->is_bpe && traits->pad_id >= 0 ? (uint32_t)traits->pad_id : me->end_id;
    return PN_OK;
}

static pn_status add_special(pn_siglip_text *me, size_t i, const char *path, const char *text,
                             pn_error *err)
{
    special *s = &me->specials[i];
    s->n_bytes = strlen(text);
    if (s->n_bytes == 0 || s->n_bytes >= sizeof s->text)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: a special token of %zu bytes", path, s->n_bytes);
    memcpy(s->text, text, s->n_bytes);
    return find_special(me, path, text, &s->id, err);
}

/* What only SiglipTokenizer needs. */
static pn_status add_specials(pn_siglip_text *me, const char *path, const pn_siglip_settings *s,
                              pn_error *err)
{
    uint32_t ids[MAX_SPECIAL_BYTES];
    const char *end = s->end ? s->end : "</s>";
    PN_TRY(add_special(me, 0, path, end, err));
    PN_TRY(add_special(me, 1, path, s->unknown ? s->unknown : "<unk>", err));
    PN_TRY(add_special(me, 2, path, s->pad ? s->pad : end, err));
    pn_str unknown = {me->specials[1].text, me->specials[1].n_bytes};
    return pn_sentencepiece_encode(me->model, unknown, ids, MAX_SPECIAL_BYTES, &me->n_unknown, err);
}

static pn_status make_fingerprint(pn_siglip_text *me, pn_error *err)
{
    char all[512];
    int n = snprintf(all, sizeof all, "siglip %016llx; %d %d %d; %u %u; %s %s %s",
                     (unsigned long long)pn_sentencepiece_get_traits(me->model)->fingerprint,
                     (int)me->clean, (int)me->style, (int)me->letters, me->end_id, me->pad_id,
                     me->specials[0].text, me->specials[1].text, me->specials[2].text);
    if (n < 0 || (size_t)n >= sizeof all)
        return pn_fail(err, PN_ERR_BUG, "the description of a tokenizer does not fit");
    me->fingerprint = pn_hash64(all, (size_t)n);
    return PN_OK;
}

static pn_status load(pn_siglip_text *me, const char *path, const pn_siglip_settings *s,
                      pn_error *err)
{
    bool bare = s->style == PN_SIGLIP_CANONICAL;
    PN_TRY(pn_sentencepiece_load(path, bare ? PN_SENTENCEPIECE_BARE : PN_SENTENCEPIECE_AS_TRAINED,
                                 &me->model, err));
    PN_TRY(find_ends(me, path, s, err));
    if (!pn_sentencepiece_find(me->model, PN_STR_LITERAL(SPACE), &me->space_id))
        me->space_id = UINT32_MAX;
    if (s->style == PN_SIGLIP_CANONICAL)
        PN_TRY(add_specials(me, path, s, err));
    return make_fingerprint(me, err);
}

pn_status pn_siglip_text_load(const char *path, const pn_siglip_settings *settings,
                              pn_siglip_text **out, pn_error *err)
{
    pn_siglip_text *me = pn_alloc_zero(sizeof *me);
    if (!me)
        return pn_fail_nomem(err);
    me->clean = settings->clean;
    me->style = settings->style;
    me->letters = settings->letters;
    pn_status status = load(me, path, settings, err);
    if (status != PN_OK) {
        pn_siglip_text_free(me);
        return status;
    }
    *out = me;
    return PN_OK;
}

void pn_siglip_text_free(pn_siglip_text *text)
{
    if (!text)
        return;
    pn_sentencepiece_free(text->model);
    pn_free(text);
}

uint32_t pn_siglip_text_vocabulary(const pn_siglip_text *me)
{
    return pn_sentencepiece_get_traits(me->model)->n_pieces;
}

uint32_t pn_siglip_text_end_id(const pn_siglip_text *me)
{
    return me->end_id;
}

uint32_t pn_siglip_text_pad_id(const pn_siglip_text *me)
{
    return me->pad_id;
}

uint64_t pn_siglip_text_fingerprint(const pn_siglip_text *me)
{
    return me->fingerprint;
}
