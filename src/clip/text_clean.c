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
#include "clip/text_chars.h"

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
        PN_TRY(pn_char_append((uint32_t)plain[i], out, err));
    return n > 0 ? PN_OK : pn_char_append(c, out, err);
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
        size_t n = pn_char_next(text, i, &c);
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
            PN_TRY(pn_char_append(c, out, err));
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

static pn_str view(const pn_buffer *buffer)
{
    return (pn_str){(const char *)buffer->data, buffer->n_bytes};
}

/* The reference's basic_clean(); the result is in *out. a is scratch. */
static pn_status repair(pn_str text, pn_buffer *a, pn_buffer *out, pn_error *err)
{
    bool has_tags = text.len > 0 && memchr(text.ptr, '<', text.len) != NULL;
    if (has_tags)
        PN_TRY(pn_buffer_append(a, text.ptr, text.len, err));
    else
        PN_TRY(pn_html_unescape(text, a, err));
    PN_TRY(clean_characters(view(a), out, err));
    PN_TRY(compose(out, err));
    for (int i = 0; i < 2; i++) {
        pn_buffer_clear(a);
        PN_TRY(pn_html_unescape(view(out), a, err));
        pn_buffer swap = *a;
        *a = *out;
        *out = swap;
    }
    return PN_OK;
}

typedef pn_status (*finish_fn)(pn_str text, pn_buffer *out, pn_error *err);

static pn_status clean(pn_str text, finish_fn finish, pn_buffer *out, pn_error *err)
{
    size_t most =
        text.len > (SIZE_MAX >> 6) ? SIZE_MAX : text.len * 18 + 1024; // NFKD's worst, bounded
    pn_buffer a, b;
    pn_buffer_init(&a, most);
    pn_buffer_init(&b, most);
    pn_status status = repair(text, &a, &b, err);
    if (status == PN_OK)
        status = finish(view(&b), out, err);
    pn_buffer_reset(&a);
    pn_buffer_reset(&b);
    return status;
}

pn_status pn_text_repair(pn_str text, pn_buffer *out, pn_error *err)
{
    return clean(text, pn_text_collapse, out, err);
}

pn_status pn_text_clean(pn_str text, pn_buffer *out, pn_error *err)
{
    return clean(text, pn_text_fold, out, err);
}
