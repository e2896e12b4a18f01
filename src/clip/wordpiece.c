/*
 * wordpiece.c - longest match from the left
 *
 *     text -> words (bert_text.c) -> each: the longest piece it begins with, then the longest "##" piece, ... -> ids
 *
 *     iphone  ->  i  ##pho  ##ne          when iphone, iphon, ... are no pieces
 *
 * A word with a rest that no piece begins is [UNK] as a whole; so is one of more than 200 characters, as in Chinese-CLIP's own
 * tokenizer (Hugging Face's stops at 100). "[SEP]" in a text is three words like any other, as there; Hugging Face takes it
 * for the token. No backtracking: one walk through the trie finds the longest piece, from the root or from the node behind "##".
 * Source: Chinese-CLIP's bert_tokenizer.py; goldens in tests/clip.
 */
#include "clip/wordpiece.h"

#include "base/hash.h"
#include "base/limits.h"
#include "clip/text_chars.h"
#include "clip/vocabulary.h"
#include "os/fd.h"

#include <inttypes.h>

enum { MAX_WORD_CHARACTERS = 200 };

/* ---- the vocabulary ---- */

/* One line off *rest, without its end: a line feed, a carriage return, or both. */
static pn_str next_line(pn_str *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n' && rest->ptr[n] != '\r')
        n++;
    pn_str line = {rest->ptr, n};
    n += n + 1 < rest->len && rest->ptr[n] == '\r' && rest->ptr[n + 1] == '\n';
    n += n < rest->len;
    *rest = (pn_str){rest->ptr + n, rest->len - n};
    return line;
}

/* str.strip(): a vocabulary may have white space of any script as a piece, which is none then. */
static pn_str strip(pn_str line)
{
    size_t begins = line.len, ends = 0;
    for (size_t i = 0; i < line.len;) {
        uint32_t c;
        size_t n = pn_char_next(line, i, &c);
        if (!pn_char_is_space(c)) {
            begins = PN_MIN(begins, i);
            ends = i + n;
        }
        i += n;
    }
    return ends > 0 ? (pn_str){line.ptr + begins, ends - begins} : (pn_str){line.ptr, 0};
}

static pn_status add_lines(pn_wordpiece *w, const char *file, pn_str rest, pn_error *err)
{
    while (rest.len > 0) {
        uint32_t before;
        pn_str piece = strip(next_line(&rest));
        if (w->n_pieces == PN_VOCABULARY_MAX_TOKENS)
            return pn_fail(err, PN_ERR_LIMIT, "%s: more than %u lines", file,
                           PN_VOCABULARY_MAX_TOKENS);
        if (piece.len > 0) // a piece that is listed twice has its later id, as in a dictionary
            PN_TRY(pn_piece_trie_put(&w->pieces, piece, w->n_pieces, &before, err));
        w->n_pieces++;
    }
    return PN_OK;
}

static pn_status find_special(const pn_wordpiece *w, const char *file, const char *piece,
                              uint32_t *id, pn_error *err)
{
    *id = pn_piece_trie_find(&w->pieces, pn_str_of(piece));
    if (*id == PN_PIECE_NONE)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: no piece %s: not a WordPiece vocabulary", file,
                       piece);
    return PN_OK;
}

pn_status pn_wordpiece_parse(const char *file, pn_str bytes, pn_bert_case letters,
                             pn_wordpiece *out, pn_error *err)
{
    *out = (pn_wordpiece){.letters = letters};
    if (!pn_str_is_utf8(bytes))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not UTF-8", file);
    PN_TRY(add_lines(out, file, bytes, err));
    PN_TRY(find_special(out, file, "[UNK]", &out->unknown_id, err));
    PN_TRY(find_special(out, file, "[CLS]", &out->start_id, err));
    PN_TRY(find_special(out, file, "[SEP]", &out->end_id, err));
    PN_TRY(find_special(out, file, "[PAD]", &out->pad_id, err));
    out->inside = pn_piece_trie_walk(&out->pieces, PN_PIECE_ROOT, PN_STR_LITERAL("##"));
    out->fingerprint = pn_hash64(bytes.ptr, bytes.len) ^ (uint64_t)letters;
    return PN_OK;
}

pn_status pn_wordpiece_load(const char *path, pn_bert_case letters, pn_wordpiece *out,
                            pn_error *err)
{
    pn_buffer bytes;
    *out = (pn_wordpiece){0};
    pn_buffer_init(&bytes, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = pn_wordpiece_parse(path, (pn_str){(const char *)bytes.data, bytes.n_bytes},
                                    letters, out, err);
    pn_buffer_reset(&bytes);
    return status;
}

void pn_wordpiece_reset(pn_wordpiece *wordpiece)
{
    pn_piece_trie_free(&wordpiece->pieces);
    *wordpiece = (pn_wordpiece){0};
}

/* ---- words ---- */

static size_t count_characters(pn_str word)
{
    size_t n = 0;
    for (size_t i = 0; i < word.len; i++)
        n += ((uint8_t)word.ptr[i] & 0xC0) != 0x80;
    return n;
}

/* ids of one word into ids, which has room for one a character. */
static size_t encode_word(const pn_wordpiece *w, pn_str word, uint32_t *ids)
{
    size_t n = 0;
    if (count_characters(word) > MAX_WORD_CHARACTERS) {
        ids[0] = w->unknown_id;
        return 1;
    }
    for (size_t at = 0; at < word.len;) {
        uint32_t from = at == 0 ? PN_PIECE_ROOT : w->inside;
        pn_str rest = {word.ptr + at, word.len - at};
        size_t longest =
            from == PN_PIECE_NONE ? 0 : pn_piece_trie_longest(&w->pieces, from, rest, &ids[n]);
        if (longest == 0) {
            ids[0] = w->unknown_id;
            return 1;
        }
        at += longest;
        n++;
    }
    return n;
}

static size_t encode_words(const pn_wordpiece *w, pn_str words, size_t max_ids, uint32_t *ids)
{
    uint32_t of_word[MAX_WORD_CHARACTERS];
    size_t n = 0;
    ids[n++] = w->start_id;
    while (words.len > 0 && words.ptr && n < max_ids) {
        size_t n_word = encode_word(w, pn_str_split(&words, ' '), of_word);
        for (size_t i = 0; i < n_word && n < max_ids; i++)
            ids[n++] = of_word[i];
    }
    n = PN_MIN(n, max_ids - 1); // the end stands last, also in a text that was cut
    ids[n++] = w->end_id;
    return n;
}

pn_status pn_wordpiece_encode(const pn_wordpiece *w, pn_str text, size_t max_ids, uint32_t *ids,
                              size_t *n_ids, pn_error *err)
{
    pn_buffer words;
    pn_assert(max_ids >= 2);
    if (text.len > PN_TEXT_MAX_BYTES)
        return pn_fail(err, PN_ERR_LIMIT, "a text of %zu bytes, the limit is %d", text.len,
                       PN_TEXT_MAX_BYTES);
    pn_buffer_init(&words, (size_t)PN_TEXT_MAX_BYTES * 20);
    pn_status status = pn_bert_text(text, w->letters, &words, err);
    if (status == PN_OK)
        *n_ids = encode_words(w, (pn_str){(const char *)words.data, words.n_bytes}, max_ids, ids);
    pn_buffer_reset(&words);
    return status;
}
