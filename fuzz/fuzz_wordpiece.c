/*
 * fuzz_wordpiece.c - any bytes as a text, and as a vocabulary
 *
 * As a text: the words are valid UTF-8, cleaning them once more changes nothing (without case: it may reorder marks between which one was
 * dropped, as in the reference), ids begin with [CLS] and end with [SEP]. As a vocabulary: refused with a reason, or its own
 * text can be encoded with it.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "clip/wordpiece.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { CONTEXT = 52 };

static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##a\nb\n##b\nab\n##ab\n.\n\xE7\xBA\xA2\n";

static void check_words(pn_str text, pn_bert_case letters)
{
    pn_buffer once, twice;
    pn_error err = {0};
    pn_buffer_init(&once, (size_t)64 << 20);
    pn_buffer_init(&twice, (size_t)64 << 20);
    if (pn_bert_text(text, letters, &once, &err) != PN_OK)
        abort();
    pn_str words = {(const char *)once.data, once.n_bytes};
    if (!pn_str_is_utf8(words) || pn_bert_text(words, letters, &twice, &err) != PN_OK)
        abort();
    pn_str again = {(const char *)twice.data, twice.n_bytes};
    if (letters == PN_BERT_CASED ? !pn_str_equal(words, again) : words.len != again.len)
        abort();
    pn_buffer_reset(&once);
    pn_buffer_reset(&twice);
}

static void check_encode(const pn_wordpiece *w, pn_str text)
{
    uint32_t ids[CONTEXT];
    size_t n = 0;
    pn_error err = {0};
    pn_status status = pn_wordpiece_encode(w, text, CONTEXT, ids, &n, &err);
    if (text.len > PN_TEXT_MAX_BYTES ? status != PN_ERR_LIMIT : status != PN_OK)
        abort();
    if (status != PN_OK)
        return;
    if (n < 2 || n > CONTEXT || ids[0] != w->start_id || ids[n - 1] != w->end_id)
        abort();
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= w->n_pieces)
            abort();
}

static void try_vocabulary(pn_str bytes, pn_str text, pn_bert_case letters)
{
    pn_wordpiece w;
    pn_error err = {0};
    pn_status status = pn_wordpiece_parse("fuzz", bytes, letters, &w, &err);
    if (status == PN_OK)
        check_encode(&w, text);
    else if (err.message[0] == '\0' || status == PN_ERR_BUG)
        abort();
    pn_wordpiece_reset(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_str text = {(const char *)bytes, n};
    check_words(text, PN_BERT_UNCASED);
    check_words(text, PN_BERT_CASED);
    try_vocabulary(PN_STR_LITERAL(vocabulary), text, PN_BERT_UNCASED);
    try_vocabulary(text, text, PN_BERT_CASED);
    if (pn_alloc_live() != 0)
        abort();
    return 0;
}
