/*
 * bert_text.c - the BasicTokenizer of BERT
 *
 *     invalid bytes, NUL, U+FFFD, control and format characters go; white space becomes a blank
 *     -> blanks around each Chinese character
 *     -> lower case, white space collapsed
 *     -> decomposed (NFD), nonspacing marks go
 *     -> each punctuation character a word of its own
 *
 * A cased vocabulary leaves out lower case and marks. "Chinese" are the CJK ideographs; kana and hangul are letters of words like any
 * others. Punctuation is Unicode's, and all of ASCII that is neither letter, digit nor blank.
 *
 * NFD also sorts the marks behind a letter. Since nearly all that is sorted is dropped, we sort only what stays: the few
 * spacing marks with a combining class, such as those of musical notation, within the run they stand in.
 * Source: Devlin et al. 2018, tokenization.py, as Chinese-CLIP's bert_tokenizer.py has it.
 */
#include "clip/bert_text.h"

#include "base/alloc.h"
#include "clip/text_chars.h"

#include <utf8proc.h>

static utf8proc_category_t category_of(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

static bool is_blank(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' ||
           category_of(c) == UTF8PROC_CATEGORY_ZS;
}

static bool is_dropped(uint32_t c)
{
    utf8proc_category_t category = category_of(c);
    return c == 0 || c == 0xFFFD || category == UTF8PROC_CATEGORY_CC ||
           category == UTF8PROC_CATEGORY_CF;
}

static bool is_chinese(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                         {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
                                         {0x2B820, 0x2CEAF}, {0x2F800, 0x2FA1F}};
    for (size_t i = 0; i < PN_COUNT_OF(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

static bool is_punctuation(uint32_t c)
{
    utf8proc_category_t category = category_of(c);
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126) ||
           (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO);
}

static pn_status append_alone(uint32_t c, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append(out, " ", 1, err));
    PN_TRY(pn_char_append(c, out, err));
    return pn_buffer_append(out, " ", 1, err);
}

static pn_status clean(pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += pn_char_next(text, i, &c);
        if (is_blank(c))
            PN_TRY(pn_buffer_append(out, " ", 1, err));
        else if (is_chinese(c))
            PN_TRY(append_alone(c, out, err));
        else if (!is_dropped(c))
            PN_TRY(pn_char_append(c, out, err));
    }
    return PN_OK;
}

/* Spacing marks of one run, unsorted. */
typedef struct run {
    uint32_t *marks;
    uint8_t *classes;
    size_t n;
} run;

/* The marks of a run, class by class, each in the order of the text; there are a handful of classes at most. */
static pn_status flush(run *r, pn_buffer *out, pn_error *err)
{
    for (unsigned done = 0, least; r->n > 0; done = least) {
        least = UINT8_MAX + 1;
        for (size_t i = 0; i < r->n; i++)
            if (r->classes[i] > done)
                least = PN_MIN(least, (unsigned)r->classes[i]);
        if (least > UINT8_MAX)
            break;
        for (size_t i = 0; i < r->n; i++)
            if (r->classes[i] == least)
                PN_TRY(pn_char_append(r->marks[i], out, err));
    }
    r->n = 0;
    return PN_OK;
}

/* One character of the decomposed text. */
static pn_status append_unmarked(uint32_t c, run *r, pn_buffer *out, pn_error *err)
{
    const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)c);
    if (property->combining_class == 0)
        PN_TRY(flush(r, out, err));
    if (property->category == UTF8PROC_CATEGORY_MN)
        return PN_OK;
    if (property->combining_class == 0)
        return pn_char_append(c, out, err);
    r->marks[r->n] = c;
    r->classes[r->n++] = (uint8_t)property->combining_class;
    return PN_OK;
}

/* NFD without nonspacing marks. r has room for every character of the decomposed text. */
static pn_status strip_accents(pn_str text, run *r, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        utf8proc_int32_t parts[8];
        int boundary = 0;
        i += pn_char_next(text, i, &c);
        utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, parts,
                                                     (utf8proc_ssize_t)PN_COUNT_OF(parts),
                                                     UTF8PROC_DECOMPOSE, &boundary);
        pn_assert(n >= 0); // canonical: four at most
        pn_assert(n <= (utf8proc_ssize_t)PN_COUNT_OF(parts));
        for (utf8proc_ssize_t k = 0; k < n; k++)
            PN_TRY(append_unmarked((uint32_t)parts[k], r, out, err));
    }
    return flush(r, out, err);
}

static pn_status split_punctuation(pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += pn_char_next(text, i, &c);
        PN_TRY(is_punctuation(c) ? append_alone(c, out, err) : pn_char_append(c, out, err));
    }
    return PN_OK;
}

static pn_str view(const pn_buffer *buffer)
{
    return (pn_str){(const char *)buffer->data, buffer->n_bytes};
}

static pn_status uncase(pn_buffer *a, pn_buffer *b, pn_error *err)
{
    run r = {0};
    pn_status status = PN_OK;
    PN_GOTO(done, pn_text_fold(view(a), b, err));
    pn_buffer_clear(a);
    r.marks = pn_alloc_array(b->n_bytes + 1, sizeof *r.marks);
    r.classes = pn_alloc_array(b->n_bytes + 1, sizeof *r.classes);
    if (!r.marks || !r.classes)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, strip_accents(view(b), &r, a, err));
    pn_buffer_clear(b);
done:
    pn_free(r.marks);
    pn_free(r.classes);
    return status;
}

static pn_status words_of(pn_str text, pn_bert_case letters, pn_buffer *a, pn_buffer *b,
                          pn_buffer *out, pn_error *err)
{
    PN_TRY(clean(text, a, err));
    if (letters == PN_BERT_UNCASED)
        PN_TRY(uncase(a, b, err));
    PN_TRY(split_punctuation(view(a), b, err));
    return pn_text_collapse(view(b), out, err);
}

pn_status pn_bert_text(pn_str text, pn_bert_case letters, pn_buffer *out, pn_error *err)
{
    /* blanks around every character, and what decomposing adds: seven times the bytes at most, of both */
    size_t most = text.len > (SIZE_MAX >> 6) ? SIZE_MAX : text.len * 16 + 1024;
    pn_buffer a, b;
    pn_buffer_init(&a, most);
    pn_buffer_init(&b, most);
    pn_status status = words_of(text, letters, &a, &b, out, err);
    pn_buffer_reset(&a);
    pn_buffer_reset(&b);
    return status;
}
