/*
 * sentencepiece_normalise.c - what a model does to a text before it looks for pieces
 *
 * At each place the first of: a user-defined symbol, which stays as it is; the longest of the model's rules; a character; a byte
 * that is none, which becomes U+FFFD. Blanks become U+2581, so that pieces can hold them. With remove_extra_whitespaces (the
 * usual) runs of blanks are one and there are none at the ends; with add_dummy_prefix (the usual) a blank is put in front.
 *
 * Two things follow the library to the letter, because ids depend on them: what comes out of a rule loses its leading blanks
 * behind a blank, but keeps those in its middle; and at the end every U+2581 goes, also one that stood in the text.
 * Source: the library's normalizer.cc.
 */
#include "clip/sentencepiece_model.h"

#include <utf8proc.h>

/* A valid character, or U+FFFD for one byte. */
static size_t plain_character(pn_str text, pn_str *becomes)
{
    utf8proc_int32_t c;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr,
                                          (utf8proc_ssize_t)PN_MIN(text.len, (size_t)4), &c);
    *becomes = n > 0 ? (pn_str){text.ptr, (size_t)n} : PN_STR_LITERAL("\xEF\xBF\xBD");
    return n > 0 ? (size_t)n : 1;
}

/* How many bytes of text are taken at once, and what they become. */
static size_t next_prefix(const pn_sentencepiece *model, pn_str text, pn_str *becomes)
{
    uint32_t id;
    size_t n = pn_piece_trie_longest(&model->user_defined, PN_PIECE_ROOT, text, &id);
    if (n > 0) {
        *becomes = (pn_str){text.ptr, n};
        return n;
    }
    n = pn_charsmap_match(&model->charsmap, text, becomes);
    return n > 0 ? n : plain_character(text, becomes);
}

static pn_str without(pn_str text, size_t n)
{
    return (pn_str){text.ptr + n, text.len - n};
}

static const char *space_of(const pn_sentencepiece *model)
{
    return model->escape_spaces ? PN_SENTENCEPIECE_SPACE : " ";
}

static pn_status append_spaced(const pn_sentencepiece *model, pn_str part, pn_buffer *out,
                               pn_error *err)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] == ' ')
            PN_TRY(pn_buffer_append_text(out, space_of(model), err));
        else
            PN_TRY(pn_buffer_append(out, part.ptr + i, 1, err));
    }
    return PN_OK;
}

static pn_str skip_spaces(const pn_sentencepiece *model, pn_str text)
{
    while (text.len > 0) {
        pn_str becomes;
        size_t n = next_prefix(model, text, &becomes);
        if (!pn_str_is(becomes, " "))
            break;
        text = without(text, n);
    }
    return text;
}

static void drop_spaces_at_end(const pn_sentencepiece *model, size_t start, pn_buffer *out)
{
    size_t n = strlen(space_of(model));
    while (out->n_bytes - start >= n &&
           memcmp(out->data + out->n_bytes - n, space_of(model), n) == 0)
        out->n_bytes -= n;
}

static pn_status append_all(const pn_sentencepiece *model, pn_str text, pn_buffer *out,
                            pn_error *err)
{
    bool after_space = model->remove_extra_spaces;
    while (text.len > 0) {
        pn_str becomes;
        text = without(text, next_prefix(model, text, &becomes));
        while (after_space && becomes.len > 0 && becomes.ptr[0] == ' ')
            becomes = without(becomes, 1);
        if (becomes.len == 0)
            continue;
        PN_TRY(append_spaced(model, becomes, out, err));
        after_space = model->remove_extra_spaces && becomes.ptr[becomes.len - 1] == ' ';
    }
    return PN_OK;
}

pn_status pn_sentencepiece_normalise(const pn_sentencepiece *model, pn_str text, pn_buffer *out,
                                     pn_error *err)
{
    size_t start = out->n_bytes;
    if (model->remove_extra_spaces)
        text = skip_spaces(model, text);
    if (text.len == 0)
        return PN_OK;
    if (model->add_dummy_prefix && !model->space_as_suffix)
        PN_TRY(pn_buffer_append_text(out, space_of(model), err));
    PN_TRY(append_all(model, text, out, err));
    if (model->remove_extra_spaces)
        drop_spaces_at_end(model, start, out);
    if (model->add_dummy_prefix && model->space_as_suffix)
        PN_TRY(pn_buffer_append_text(out, space_of(model), err));
    return PN_OK;
}
