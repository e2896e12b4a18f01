/*
 * json_out.c - JSON on standard output, whatever the texts in it hold
 *
 * jansson refuses texts that are not UTF-8 and prints DEL and the controls of Latin-1 as they are, which is valid JSON but may be
 * a command to the terminal it is shown on. So texts are mended on the way in, and those characters, which can only stand inside of
 * strings, are escaped on the way out.
 */
#include "cli/json_out.h"

#include "base/buffer.h"
#include "base/str.h"
#include "cli/cli.h"

#include <string.h>

static size_t utf8_length(const char *text, size_t left)
{
    for (size_t n = 1; n <= left && n <= 4; n++)
        if (pn_str_is_utf8((pn_str){text, n}))
            return n;
    return 0;
}

json_t *pn_cli_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    pn_error err;
    pn_buffer mended;
    pn_buffer_init(&mended, SIZE_MAX / 2);
    size_t left = strlen(text);
    pn_status status = PN_OK;
    while (left > 0 && status == PN_OK) {
        size_t n = utf8_length(text, left);
        status = n > 0 ? pn_buffer_append(&mended, text, n, &err)
                       : pn_buffer_append(&mended, "\xEF\xBF\xBD", 3, &err);
        n = n > 0 ? n : 1;
        text += n;
        left -= n;
    }
    if (status == PN_OK)
        value = json_stringn(mended.data ? (const char *)mended.data : "", mended.n_bytes);
    pn_buffer_reset(&mended);
    return value;
}

static int take_piece(const char *piece, size_t n, void *context)
{
    return pn_buffer_append(context, piece, n, NULL) == PN_OK ? 0 : -1;
}

/* DEL is one byte; U+0080 to U+009F are C2 and another. Whether all was written is asked of stdout at the end. */
static void print_escaped(const unsigned char *text, size_t n)
{
    size_t run = 0;
    for (size_t i = 0; i < n; i++) {
        bool two = text[i] == 0xC2 && i + 1 < n && text[i + 1] < 0xA0;
        if (text[i] != 0x7F && !two)
            continue;
        (void)fwrite(text + run, 1, i - run, stdout);
        printf("\\u%04x", two ? text[i + 1] : text[i]);
        i += two;
        run = i + 1;
    }
    (void)fwrite(text + run, 1, n - run, stdout);
}

bool pn_cli_print_json(json_t *value, size_t flags)
{
    pn_buffer text;
    pn_buffer_init(&text, SIZE_MAX / 2);
    bool ok = value && json_dump_callback(value, take_piece, &text, flags | JSON_ENCODE_ANY) == 0;
    if (ok)
        print_escaped(text.data, text.n_bytes);
    else
        pn_cli_complain("out of memory");
    pn_buffer_reset(&text);
    json_decref(value);
    return ok;
}

uint64_t pn_cli_json_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

const char *pn_cli_json_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}
