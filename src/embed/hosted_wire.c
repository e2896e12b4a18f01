/*
 * hosted_wire.c - JSON out, JSON in; nothing of what comes in is believed
 *
 * A server may be wrong, old, in between (a proxy's error page) or not the one that was meant. An answer is taken when all of it is
 * as it should be, and otherwise the message says what was not. What a server says about a refusal goes to people and logs, so it is
 * cleaned first, and the key, which some servers repeat, is taken out before the text is cut: half a key would be found by nobody.
 */
#include "embed/hosted_wire.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/limits.h"

#include <float.h>
#include <jansson.h>
#include <math.h>

/* ---- out */

pn_status pn_hosted_write_pictures(const char *version, const pn_embed_input *inputs, size_t n,
                                   pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append_format(out, err, "{\"clip_version_id\":\"%s\",\"image\":[", version));
    for (size_t i = 0; i < n; i++) {
        PN_TRY(pn_buffer_append_format(out, err, "%s{\"type\":\"base64\",\"value\":\"",
                                       i > 0 ? "," : ""));
        PN_TRY(pn_base64_append(inputs[i].data, inputs[i].n_bytes, out, err));
        PN_TRY(pn_buffer_append_text(out, "\"}", err));
    }
    return pn_buffer_append_text(out, "]}", err);
}

pn_status pn_hosted_write_texts(const char *version, const pn_str *texts, size_t n, pn_buffer *out,
                                pn_error *err)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < n; i++) {
        if (!pn_str_is_utf8(texts[i])) {
            json_decref(list);
            return pn_fail(err, PN_ERR_INVALID, "the text is not UTF-8");
        }
        ok = json_array_append_new(
                 list, json_stringn(texts[i].ptr ? texts[i].ptr : "", texts[i].len)) == 0;
    }
    json_t *all = ok ? json_pack("{s:s, s:O}", "clip_version_id", version, "text", list) : NULL;
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    json_decref(list);
    if (!text)
        return pn_fail_nomem(err);
    pn_status status = pn_buffer_append_text(out, text, err);
    pn_free_foreign(text);
    return status;
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

pn_status pn_hosted_write_escaped(const char *text, pn_buffer *out, pn_error *err)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (is_unreserved(*c))
            PN_TRY(pn_buffer_append(out, c, 1, err));
        else
            PN_TRY(pn_buffer_append_format(out, err, "%%%02X", *c));
    return PN_OK;
}

/* ---- in */

/* One vector, made a unit vector: in double, because a sum of squares of large floats is no float. */
static pn_status read_vector(const json_t *from, size_t i, size_t dim, float *out, pn_error *err)
{
    double sum = 0;
    if (json_array_size(from) != dim)
        return pn_fail(err, PN_ERR_IO, "embedding %zu has %zu numbers, not %zu", i + 1,
                       json_array_size(from), dim);
    for (size_t j = 0; j < dim; j++) {
        const json_t *number = json_array_get(from, j);
        double value = json_number_value(number);
        if (!json_is_number(number))
            return pn_fail(err, PN_ERR_IO, "embedding %zu: value %zu is no number", i + 1, j + 1);
        if (!(fabs(value) <= (double)FLT_MAX))
            return pn_fail(err, PN_ERR_IO, "embedding %zu: value %zu is too large", i + 1, j + 1);
        sum += value * value;
    }
    double scale = 1 / sqrt(sum);
    if (!(sum > 0) || !isfinite(scale))
        return pn_fail(err, PN_ERR_IO, "embedding %zu is a vector of zeros", i + 1);
    for (size_t j = 0; j < dim; j++)
        out[j] = (float)(json_number_value(json_array_get(from, j)) * scale);
    return PN_OK;
}

static pn_status read_vectors(const json_t *list, size_t n, uint32_t dim, float **out,
                              uint32_t *out_dim, pn_error *err)
{
    if (!json_is_array(list))
        return pn_fail(err, PN_ERR_IO, "an answer without \"embeddings\"");
    if (json_array_size(list) != n)
        return pn_fail(err, PN_ERR_IO, "%zu embeddings came for %zu inputs", json_array_size(list),
                       n);
    size_t size = dim > 0 ? dim : json_array_size(json_array_get(list, 0));
    if (size < 1 || size > PN_EMBEDDING_MAX_DIM)
        return pn_fail(err, PN_ERR_IO, "embedding 1 has %zu numbers; 1 to %d are possible", size,
                       PN_EMBEDDING_MAX_DIM);
    float *vectors = pn_alloc_array(n * size, sizeof *vectors);
    if (!vectors)
        return pn_fail_nomem(err);
    pn_status status = PN_OK;
    for (size_t i = 0; i < n && status == PN_OK; i++)
        status = read_vector(json_array_get(list, i), i, size, vectors + i * size, err);
    if (status != PN_OK) {
        pn_free(vectors);
        return status;
    }
    *out = vectors;
    *out_dim = (uint32_t)size;
    return PN_OK;
}

pn_status pn_hosted_read_answer(const void *bytes, size_t n_bytes, size_t n, uint32_t dim,
                                float **out, uint32_t *out_dim, pn_error *err)
{
    json_error_t fault;
    json_t *all = json_loadb(n_bytes > 0 ? bytes : "", n_bytes, 0, &fault);
    if (!all && json_error_code(&fault) == json_error_out_of_memory)
        return pn_fail_nomem(err);
    if (!all) // its text quotes the answer, which may be anything
        return pn_fail(err, PN_ERR_IO, "the answer is no JSON (at byte %d)", fault.position);
    pn_status status = read_vectors(json_object_get(all, "embeddings"), n, dim, out, out_dim, err);
    json_decref(all);
    return status;
}

/* ---- refusals */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The length of the secret at the start of text, in letters of any case, with any of it as %XX; 0: it is not there. */
static size_t match_secret(const char *text, const char *secret)
{
    const char *at = text;
    for (const char *s = secret; *s != '\0'; s++) {
        char escaped[3] = {at[0] == '%' ? at[1] : '\0', at[0] == '%' && at[1] ? at[2] : '\0', '\0'};
        static const char hex[] = "0123456789ABCDEF";
        unsigned char c = (unsigned char)*s;
        const char wanted[3] = {hex[c >> 4], hex[c & 15], '\0'};
        if (lower(*at) == lower(*s))
            at++;
        else if (pn_str_equal_ignore_case(pn_str_of(escaped), pn_str_of(wanted)))
            at += 3;
        else
            return 0;
    }
    return (size_t)(at - text);
}

void pn_hosted_hide(char *text, const char *secret)
{
    static const char stars[] = "***";
    if (!secret || secret[0] == '\0')
        return;
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        size_t n = match_secret(from, secret);
        if (n == 0) {
            *to++ = *from++;
            continue;
        }
        size_t n_stars = PN_MIN(n, sizeof stars - 1); // never longer than what it replaces
        memcpy(to, stars, n_stars);
        to += n_stars;
        from += n;
    }
    *to = '\0';
}

/* The sentence in a refusal's JSON: a text under one of the usual names, or the first object of a list under them. NULL: none. */
static const char *sentence_of(const json_t *all)
{
    static const char *const names[] = {"message", "detail", "error", "error_type", "msg"};
    for (size_t i = 0; i < PN_COUNT_OF(names); i++) {
        const json_t *value = json_object_get(all, names[i]);
        if (json_is_array(value)) // of pydantic: [{"loc": [...], "msg": "..."}]
            value = json_object_get(json_array_get(value, 0), "msg");
        if (json_is_object(value))
            value = json_object_get(value, "message");
        if (json_is_string(value))
            return json_string_value(value);
    }
    return NULL;
}

/* Controls, line ends among them, become blanks; so does what is not UTF-8. */
static void clean(char *text)
{
    bool is_utf8 = pn_str_is_utf8(pn_str_of(text));
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        bool is_c1 = c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0; // of two bytes
        if (*c < ' ' || *c == 0x7F || (*c >= 0x80 && !is_utf8))
            *c = ' ';
        else if (is_c1)
            c[0] = c[1] = ' ';
    }
}

void pn_hosted_read_refusal(const void *bytes, size_t n_bytes, const char *secret,
                            char out[PN_HOSTED_REFUSAL_BYTES])
{
    out[0] = '\0';
    json_error_t fault;
    json_t *all = json_loadb(n_bytes > 0 ? bytes : "", n_bytes, 0, &fault);
    const char *sentence = all ? sentence_of(all) : NULL;
    char *text = NULL;
    if (sentence)
        text = pn_strdup(sentence);
    else if (!all && n_bytes > 0 &&
             ((const char *)bytes)[0] != '<') // a page for people says nothing
        text = pn_strndup(bytes, n_bytes);
    json_decref(all);
    if (!text)
        return;
    pn_hosted_hide(text, secret);
    clean(text);
    pn_str trimmed = pn_str_trim(pn_str_of(text));
    size_t n = PN_MIN(trimmed.len, (size_t)PN_HOSTED_REFUSAL_BYTES - 1);
    memcpy(out, trimmed.ptr, n);
    out[n] = '\0';
    pn_text_trim_partial(out);
    pn_free(text);
}
