/*
 * text_chars.c - white space and lower case, as Python's str has them
 *
 * utf8proc knows the simple mappings; what str.lower() does beyond them are two things: the dotted capital I becomes two
 * characters, and a capital sigma at the end of a word becomes the final form. "End of a word" is Unicode's Final_Sigma:
 * a cased letter before, none behind, whatever is case-ignorable in between.
 */
#include "clip/text_chars.h"

#include <utf8proc.h>

size_t pn_char_next(pn_str text, size_t at, uint32_t *c)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + at,
                                          (utf8proc_ssize_t)(text.len - at), &code);
    *c = n > 0 ? (uint32_t)code : 0xFFFD;
    return n > 0 ? (size_t)n : 1;
}

pn_status pn_char_append(uint32_t c, pn_buffer *out, pn_error *err)
{
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    return pn_buffer_append(out, bytes, (size_t)n, err);
}

bool pn_char_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Unicode's Cased, but for characters that are ignorable below: letters with case, the two ordinals, and numbers and
 * signs made of letters. */
static bool is_cased(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT || c == 0xAA || c == 0xBA ||
           (c >= 0x2160 && c <= 0x217F) || (c >= 0x24B6 && c <= 0x24E9) ||
           (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189);
}

/* Unicode's Case_Ignorable: marks, modifiers, formats, and punctuation that stands inside words. */
static bool is_ignorable(uint32_t c)
{
    static const uint32_t inside[] = {'\'',   '.',    ':',    0xB7,   0x387,  0x55F,
                                      0x5F4,  0x2018, 0x2019, 0x2024, 0x2027, 0xFE13,
                                      0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);
    for (size_t i = 0; i < PN_COUNT_OF(inside); i++)
        if (inside[i] == c)
            return true;
    return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME ||
           category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_LM ||
           category == UTF8PROC_CATEGORY_SK;
}

/* Does the word go on at this place? */
static bool letter_follows(pn_str text, size_t at)
{
    uint32_t c = 0;
    while (at < text.len) {
        at += pn_char_next(text, at, &c);
        if (!is_ignorable(c))
            return is_cased(c);
    }
    return false;
}

pn_status pn_char_append_lower(uint32_t c, pn_buffer *out, pn_error *err)
{
    if (c == 0x130) { // dotted capital I: i and a combining dot
        PN_TRY(pn_char_append('i', out, err));
        return pn_char_append(0x307, out, err);
    }
    return pn_char_append((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out, err);
}

/* Lower case of one character, the text behind it begins at `behind`; a sigma at the end of a word has a form of its own. */
static pn_status append_lower(pn_str text, size_t behind, uint32_t c, bool after_letter,
                              pn_buffer *out, pn_error *err)
{
    if (c == 0x3A3 && after_letter && !letter_follows(text, behind))
        return pn_char_append(0x3C2, out, err);
    return pn_char_append_lower(c, out, err);
}

pn_status pn_text_collapse(pn_str text, pn_buffer *out, pn_error *err)
{
    bool blank = false;
    size_t start = out->n_bytes;
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        i += pn_char_next(text, i, &c);
        if (pn_char_is_space(c)) {
            blank = out->n_bytes > start;
            continue;
        }
        if (blank)
            PN_TRY(pn_buffer_append(out, " ", 1, err));
        PN_TRY(pn_char_append(c, out, err));
        blank = false;
    }
    return PN_OK;
}

pn_status pn_text_fold(pn_str text, pn_buffer *out, pn_error *err)
{
    bool blank = false, after_letter = false;
    size_t start = out->n_bytes;
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        size_t n = pn_char_next(text, i, &c);
        if (pn_char_is_space(c)) {
            blank = out->n_bytes > start;
            after_letter = false;
        } else {
            if (blank)
                PN_TRY(pn_buffer_append(out, " ", 1, err));
            PN_TRY(append_lower(text, i + n, c, after_letter, out, err));
            blank = false;
            after_letter = is_ignorable(c) ? after_letter : is_cased(c);
        }
        i += n;
    }
    return PN_OK;
}
