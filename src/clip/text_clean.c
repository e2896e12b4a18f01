/*
 * text_clean.c - the reference's cleaning, step by step
 *
 *     valid UTF-8 -> unescape -> terminal escapes -> characters, one by one -> NFC -> unescape twice -> white space, lower case
 *
 * The one-by-one step is a table: ligatures, width forms (by compatibility decomposition, and only for the half- and full-width
 * block), quotes, line separators, and what ftfy calls control characters. ftfy resolves entities by itself when there
 * is no '<' in the text; the reference resolves them twice more.
 */
#include "clip/text_clean.h"

#include "base/alloc.h"

#include <utf8proc.h>

static const struct {
    uint32_t c;
    const char *text;
} replacements[] = {
    {0x0132, "IJ"},        {0x0133, "ij"},        {0x0149, "'n"},  {0x01C4, "D\xC5\xBD"},
    {0x01C5, "D\xC5\xBE"}, {0x01C6, "d\xC5\xBE"}, {0x01C7, "LJ"},  {0x01C8, "Lj"},
    {0x01C9, "lj"},        {0x01CA, "NJ"},        {0x01CB, "Nj"},  {0x01CC, "nj"},
    {0x01F1, "DZ"},        {0x01F2, "Dz"},        {0x01F3, "dz"},  {0x02BC, "'"},
    {0x2018, "'"},         {0x2019, "'"},         {0x201A, "'"},   {0x201B, "'"},
    {0x201C, "\""},        {0x201D, "\""},        {0x201E, "\""},  {0x201F, "\""},
    {0x2028, "\n"},        {0x2029, "\n"},        {0x3000, " "},   {0xFB00, "ff"},
    {0xFB01, "fi"},        {0xFB02, "fl"},        {0xFB03, "ffi"}, {0xFB04, "ffl"},
    {0xFB05, "\xC5\xBFt"}, {0xFB06, "st"},
};

static const char *replacement_of(uint32_t c)
{
    for (size_t i = 0; i < PN_COUNT_OF(replacements); i++)
        if (replacements[i].c == c)
            return replacements[i].text;
    return NULL;
}

/* What ftfy removes: control characters other than tab and line ends, and invisible format marks of no meaning. */
static bool is_removed(uint32_t c)
{
    return c <= 0x08 || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
           (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

static pn_status append_code_point(uint32_t c, pn_buffer *out, pn_error *err)
{
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    return pn_buffer_append(out, bytes, (size_t)n, err);
}

/* The next character; an invalid byte is U+FFFD. */
static size_t next(pn_str text, size_t at, uint32_t *c)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + at,
                                          (utf8proc_ssize_t)(text.len - at), &code);
    *c = n > 0 ? (uint32_t)code : 0xFFFD;
    return n > 0 ? (size_t)n : 1;
}

/* ESC [ digits and semicolons, one letter: nothing to see. */
static size_t terminal_escape(pn_str text, size_t at)
{
    size_t i = at + 2;
    if (text.len - at < 3 || text.ptr[at] != '\x1B' || text.ptr[at + 1] != '[')
        return 0;
    while (i < text.len && ((text.ptr[i] >= '0' && text.ptr[i] <= '9') || text.ptr[i] == ';'))
        i++;
    bool letter = i < text.len && ((text.ptr[i] >= 'a' && text.ptr[i] <= 'z') ||
                                   (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z'));
    return letter ? i + 1 - at : 0;
}

/* Half- and full-width forms: their compatibility decomposition. */
static pn_status append_width_form(uint32_t c, pn_buffer *out, pn_error *err)
{
    utf8proc_int32_t plain[8];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)c, plain, (utf8proc_ssize_t)PN_COUNT_OF(plain),
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &boundary);
    for (utf8proc_ssize_t i = 0; i < n && i < (utf8proc_ssize_t)PN_COUNT_OF(plain); i++)
        PN_TRY(append_code_point((uint32_t)plain[i], out, err));
    return n > 0 ? PN_OK : append_code_point(c, out, err);
}

static pn_status clean_characters(pn_str text, pn_buffer *out, pn_error *err)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        size_t escape = terminal_escape(text, i);
        if (escape > 0) {
            i += escape;
            continue;
        }
        size_t n = next(text, i, &c);
        i += n;
        if (c == '\r') { // CR and CRLF are line ends
            i += i < text.len && text.ptr[i] == '\n';
            c = '\n';
        }
        if (c >= 0x80 &&
            c <= 0x9F) // a control character there is Windows-1252 that was read as Latin-1
            c = pn_windows_1252(c);
        const char *plain = replacement_of(c);
        if (plain)
            PN_TRY(pn_buffer_append_text(out, plain, err));
        else if (c >= 0xFF01 && c <= 0xFFEF)
            PN_TRY(append_width_form(c, out, err));
        else if (!is_removed(c))
            PN_TRY(append_code_point(c, out, err));
    }
    return PN_OK;
}

/* NFC, in place of the buffer's content. */
static pn_status compose(pn_buffer *text, pn_error *err)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n = utf8proc_map(text->data ? text->data : (const utf8proc_uint8_t *)"",
                                      (utf8proc_ssize_t)text->n_bytes, &composed,
                                      (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (n < 0)
        return pn_fail(err, n == UTF8PROC_ERROR_NOMEM ? PN_ERR_NOMEM : PN_ERR_BUG,
                       "text cannot be composed: %s", utf8proc_errmsg(n));
    pn_buffer_clear(text);
    pn_status status = pn_buffer_append(text, composed, (size_t)n, err);
    pn_free_foreign(composed);
    return status;
}

static bool is_space(uint32_t c)
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
        at += next(text, at, &c);
        if (!is_ignorable(c))
            return is_cased(c);
    }
    return false;
}

/* Lower case of one character, the text behind it begins at `behind`; a sigma at the end of a word has a form of its own. */
static pn_status append_lower(pn_str text, size_t behind, uint32_t c, bool after_letter,
                              pn_buffer *out, pn_error *err)
{
    if (c == 0x130) { // dotted capital I: i and a combining dot
        PN_TRY(append_code_point('i', out, err));
        return append_code_point(0x307, out, err);
    }
    if (c == 0x3A3) {
        bool last = after_letter && !letter_follows(text, behind);
        return append_code_point(last ? 0x3C2 : 0x3C3, out, err);
    }
    return append_code_point((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), out, err);
}

static pn_status fold(pn_str text, pn_buffer *out, pn_error *err)
{
    bool blank = false, after_letter = false;
    size_t start = out->n_bytes;
    for (size_t i = 0; i < text.len;) {
        uint32_t c;
        size_t n = next(text, i, &c);
        if (is_space(c)) {
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

static pn_str view(const pn_buffer *buffer)
{
    return (pn_str){(const char *)buffer->data, buffer->n_bytes};
}

static pn_status run(pn_str text, pn_buffer *a, pn_buffer *b, pn_buffer *out, pn_error *err)
{
    bool has_tags = text.len > 0 && memchr(text.ptr, '<', text.len) != NULL;
    if (has_tags)
        PN_TRY(pn_buffer_append(a, text.ptr, text.len, err));
    else
        PN_TRY(pn_html_unescape(text, a, err));
    PN_TRY(clean_characters(view(a), b, err));
    PN_TRY(compose(b, err));
    for (int i = 0; i < 2; i++) {
        pn_buffer_clear(a);
        PN_TRY(pn_html_unescape(view(b), a, err));
        pn_buffer swap = *a;
        *a = *b;
        *b = swap;
    }
    return fold(view(b), out, err);
}

pn_status pn_text_clean(pn_str text, pn_buffer *out, pn_error *err)
{
    size_t most =
        text.len > (SIZE_MAX >> 6) ? SIZE_MAX : text.len * 18 + 1024; // NFKD's worst, bounded
    pn_buffer a, b;
    pn_buffer_init(&a, most);
    pn_buffer_init(&b, most);
    pn_status status = run(text, &a, &b, out, err);
    pn_buffer_reset(&a);
    pn_buffer_reset(&b);
    return status;
}
