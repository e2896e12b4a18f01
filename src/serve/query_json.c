/*
 * query_json.c - the article's names (query, filters, top_k), ours (text, where, k), and the full form (terms)
 *
 * Short forms become terms: "query" and "text" a text, "like" a row, "vector" a vector, "image" a picture, "not" a text of
 * weight -0.5. text_weight and image_weight are those of the short forms. A field that is not known is an error: a misspelt
 * "filter" that is silently ignored would give the wrong products.
 */
#include "serve/query_json.h"

#include "base/alloc.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"

#include <inttypes.h>

static pn_query_term *add(pn_asked *asked, pn_term_kind kind, double weight, pn_error *err)
{
    if (asked->n_terms == PN_ASKED_MAX_TERMS) {
        (void)pn_fail(err, PN_ERR_LIMIT, "more than %d terms",
                      PN_ASKED_MAX_TERMS); // told by the NULL
        return NULL;
    }
    pn_query_term *term = &asked->terms[asked->n_terms++];
    *term = (pn_query_term)PN_QUERY_TERM_INIT;
    term->kind = kind;
    term->weight = weight;
    return term;
}

void pn_asked_begin(pn_asked *asked)
{
    *asked = (pn_asked){.query = PN_QUERY_INIT};
}

static pn_status add_text(pn_asked *asked, const char *text, double weight, pn_arena *arena,
                          pn_error *err)
{
    if (pn_str_trim(pn_str_of(text)).len == 0)
        return PN_OK; // an empty search box
    pn_query_term *term = add(asked, PN_TERM_TEXT, weight, err);
    if (!term)
        return PN_ERR_LIMIT;
    term->text = pn_arena_strdup(arena, text);
    return term->text ? PN_OK : pn_fail_nomem(err);
}

pn_status pn_asked_picture(pn_asked *asked, const void *bytes, size_t n, const char *name,
                           pn_error *err)
{
    pn_query_term *term = add(asked, PN_TERM_IMAGE, 1, err);
    if (!term)
        return PN_ERR_LIMIT;
    term->image = bytes;
    term->image_bytes = n;
    term->image_name = name;
    asked->has_picture = true;
    return PN_OK;
}

static pn_status add_base64(pn_asked *asked, const char *text, double weight, pn_arena *arena,
                            pn_error *err)
{
    uint8_t *bytes;
    size_t n;
    pn_str rest = pn_str_of(text);
    const char *comma = strstr(text, ";base64,"); // a data: address
    if (comma && pn_str_starts_with(rest, "data:"))
        rest = pn_str_of(comma + 8);
    PN_TRY(pn_base64_decode(rest, arena, &bytes, &n, err));
    PN_TRY(pn_asked_picture(asked, bytes, n, "image", err));
    asked->terms[asked->n_terms - 1].weight = weight;
    return PN_OK;
}

static pn_status add_vector(pn_asked *asked, const json_t *values, double weight, pn_arena *arena,
                            pn_error *err)
{
    size_t n = json_array_size(values);
    float *vector = PN_ARENA_NEW(arena, float, n + 1);
    pn_query_term *term = add(asked, PN_TERM_VECTOR, weight, err);
    if (!term)
        return PN_ERR_LIMIT;
    if (!vector)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (!json_is_number(json_array_get(values, i)))
            return pn_fail(err, PN_ERR_INVALID, "vector: an array of numbers is needed");
        vector[i] = (float)json_number_value(json_array_get(values, i));
    }
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID, "vector: an array of numbers is needed");
    term->vector = vector;
    term->vector_dim = n;
    return PN_OK;
}

/* ---- filters ---- */

static pn_status append_quoted(pn_buffer *out, const char *text, pn_error *err)
{
    PN_TRY(pn_buffer_append(out, "'", 1, err));
    for (; *text; text++)
        PN_TRY(pn_buffer_append(out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1, err));
    return pn_buffer_append(out, "'", 1, err);
}

static pn_status append_literal(pn_buffer *out, const char *key, const json_t *value, pn_error *err)
{
    char number[PN_NUMBER_TEXT_BYTES];
    if (json_is_string(value))
        return append_quoted(out, json_string_value(value), err);
    if (json_is_integer(value))
        return pn_buffer_append_format(out, err, "%" JSON_INTEGER_FORMAT,
                                       json_integer_value(value));
    if (json_is_real(value)) {
        pn_format_double(json_real_value(value), number);
        return pn_buffer_append_text(out, number, err);
    }
    if (json_is_boolean(value))
        return pn_buffer_append_text(out, json_is_true(value) ? "'true'" : "'false'", err);
    return pn_fail(
        err, PN_ERR_INVALID,
        "filters: \"%.60s\": a text, a number, a list of those, or {\"gte\": ...} is needed", key);
}

static pn_status append_column(pn_buffer *out, const char *key, pn_error *err)
{
    PN_TRY(pn_buffer_append_text(out, "metadata[", err));
    PN_TRY(append_quoted(out, key, err));
    return pn_buffer_append(out, "]", 1, err);
}

static pn_status append_range(pn_buffer *out, const char *key, const json_t *range, pn_error *err)
{
    static const struct {
        const char *name, *op;
    } ops[] = {{"eq", "="}, {"ne", "<>"}, {"lt", "<"}, {"lte", "<="}, {"gt", ">"}, {"gte", ">="}};
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)range, name, value)
    {
        size_t i = 0;
        while (i < PN_COUNT_OF(ops) && strcmp(ops[i].name, name) != 0)
            i++;
        if (i == PN_COUNT_OF(ops))
            return pn_fail(err, PN_ERR_INVALID,
                           "filters: \"%.60s\": \"%.20s\" is none of eq, ne, lt, lte, gt, gte", key,
                           name);
        if (n++ > 0)
            PN_TRY(pn_buffer_append_text(out, " AND ", err));
        PN_TRY(append_column(out, key, err));
        PN_TRY(pn_buffer_append_format(out, err, " %s ", ops[i].op));
        PN_TRY(append_literal(out, key, value, err));
    }
    return n > 0 ? PN_OK : pn_fail(err, PN_ERR_INVALID, "filters: \"%.60s\": an empty range", key);
}

static pn_status append_condition(pn_buffer *out, const char *key, const json_t *value,
                                  pn_error *err)
{
    if (json_is_object(value))
        return append_range(out, key, value, err);
    PN_TRY(append_column(out, key, err));
    if (json_is_null(value))
        return pn_buffer_append_text(out, " IS NULL", err);
    if (!json_is_array(value)) {
        PN_TRY(pn_buffer_append_text(out, " = ", err));
        return append_literal(out, key, value, err);
    }
    if (json_array_size(value) == 0)
        return pn_fail(err, PN_ERR_INVALID, "filters: \"%.60s\": an empty list", key);
    PN_TRY(pn_buffer_append_text(out, " IN (", err));
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i > 0)
            PN_TRY(pn_buffer_append_text(out, ", ", err));
        PN_TRY(append_literal(out, key, json_array_get(value, i), err));
    }
    return pn_buffer_append(out, ")", 1, err);
}

static pn_status append_conditions(pn_buffer *out, const json_t *filters, pn_error *err)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)filters, key, value)
    {
        PN_TRY(pn_buffer_append_text(out, n++ > 0 ? " AND (" : "(", err));
        PN_TRY(append_condition(out, key, value, err));
        PN_TRY(pn_buffer_append(out, ")", 1, err));
    }
    return PN_OK;
}

pn_status pn_filter_from_json(const json_t *filters, pn_arena *arena, char **out, pn_error *err)
{
    pn_buffer text;
    pn_buffer_init(&text, 1u << 20);
    pn_status status = append_conditions(&text, filters, err);
    if (status == PN_OK) {
        *out = pn_arena_strndup(arena, text.data ? (char *)text.data : "", text.n_bytes);
        status = *out ? PN_OK : pn_fail_nomem(err);
    }
    pn_buffer_reset(&text);
    return status;
}

/* Both "filters" and "where" may be given: both must hold. */
static pn_status add_where(pn_asked *asked, const char *text, pn_arena *arena, pn_error *err)
{
    if (pn_str_trim(pn_str_of(text)).len == 0)
        return PN_OK;
    char *both = asked->query.where
                     ? pn_arena_printf(arena, "(%s) AND (%s)", asked->query.where, text)
                     : pn_arena_strdup(arena, text);
    asked->query.where = both;
    return both ? PN_OK : pn_fail_nomem(err);
}

static pn_status add_filters(pn_asked *asked, const json_t *filters, pn_arena *arena, pn_error *err)
{
    char *text;
    if (json_is_string(filters))
        return add_where(asked, json_string_value(filters), arena, err);
    if (!json_is_object(filters))
        return pn_fail(err, PN_ERR_INVALID,
                       "filters: a text in the filter language, or an object, is needed");
    PN_TRY(pn_filter_from_json(filters, arena, &text, err));
    return add_where(asked, text, arena, err);
}

/* ---- terms ---- */

static pn_status add_term(pn_asked *asked, const json_t *term, pn_arena *arena, pn_error *err)
{
    const json_t *text = json_object_get(term, "text"), *image = json_object_get(term, "image");
    const json_t *id = json_object_get(term, "id"), *vector = json_object_get(term, "vector");
    const json_t *weight = json_object_get(term, "weight");
    double w = json_is_number(weight) ? json_number_value(weight) : 1;
    if (!json_is_object(term) || (weight && !json_is_number(weight)) ||
        (text != NULL) + (image != NULL) + (id != NULL) + (vector != NULL) != 1 ||
        json_object_size(term) != (weight ? 2u : 1u))
        return pn_fail(err, PN_ERR_INVALID,
                       "terms: each is one of text, image, id, vector, and perhaps a weight");
    if (json_is_string(text))
        return add_text(asked, json_string_value(text), w, arena, err);
    if (json_is_string(image))
        return add_base64(asked, json_string_value(image), w, arena, err);
    if (json_is_array(vector))
        return add_vector(asked, vector, w, arena, err);
    if (!json_is_integer(id))
        return pn_fail(err, PN_ERR_INVALID,
                       "terms: text and image are texts, id is a whole number, vector is an array");
    pn_query_term *added = add(asked, PN_TERM_ID, w, err);
    if (!added)
        return PN_ERR_LIMIT;
    added->id = json_integer_value(id);
    return PN_OK;
}

static pn_status add_like(pn_asked *asked, int64_t id, pn_error *err)
{
    pn_query_term *term = add(asked, PN_TERM_ID, 1, err);
    if (!term)
        return PN_ERR_LIMIT;
    term->id = id;
    return PN_OK;
}

static pn_status set_k(pn_asked *asked, int64_t k, pn_error *err)
{
    if (k < 1 || k > 10000)
        return pn_fail(err, PN_ERR_INVALID, "top_k: 1 to 10000");
    asked->query.k = (uint32_t)k;
    return PN_OK;
}

static pn_status set_weight(pn_asked *asked, pn_term_kind kind, double weight)
{
    for (size_t i = 0; i < asked->n_terms; i++)
        if (asked->terms[i].kind == kind && asked->terms[i].weight > 0)
            asked->terms[i].weight = weight;
    return PN_OK;
}

static pn_status add_not(pn_asked *asked, const json_t *value, pn_arena *arena, pn_error *err)
{
    if (json_is_string(value))
        return add_text(asked, json_string_value(value), -0.5, arena, err);
    if (!json_is_array(value))
        return pn_fail(err, PN_ERR_INVALID, "not: a text or a list of texts is needed");
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return pn_fail(err, PN_ERR_INVALID, "not: a text or a list of texts is needed");
        PN_TRY(add_text(asked, json_string_value(json_array_get(value, i)), -0.5, arena, err));
    }
    return PN_OK;
}

/* Our name, and the one that LanceDB's users know. */
static bool is_effort(const char *name)
{
    return strcmp(name, "effort") == 0 || strcmp(name, "nprobes") == 0;
}

static pn_status set_effort(pn_asked *asked, int64_t effort, pn_error *err)
{
    enum { MOST = 1 << 20 };
    if (effort < 1 || effort > MOST)
        return pn_fail(err, PN_ERR_INVALID, "effort %" PRId64 ": 1 to %d partitions", effort,
                       (int)MOST);
    asked->query.effort = (uint32_t)effort;
    return PN_OK;
}

static bool is_refine(const char *name)
{
    return strcmp(name, "refine") == 0 || strcmp(name, "refine_factor") == 0;
}

static pn_status set_refine(pn_asked *asked, int64_t refine, pn_error *err)
{
    if (refine < 1 || refine > PN_SEARCH_REFINE_MAX)
        return pn_fail(err, PN_ERR_INVALID, "refine %" PRId64 ": 1 to %d times as many rows",
                       refine, PN_SEARCH_REFINE_MAX);
    asked->query.refine = (uint32_t)refine;
    return PN_OK;
}

static pn_status set_min_recall(pn_asked *asked, double recall, pn_error *err)
{
    if (!(recall >= (double)PN_SEARCH_RECALL_MIN && recall <= 1))
        return pn_fail(err, PN_ERR_INVALID, "min_recall %g: %g to 1", recall,
                       (double)PN_SEARCH_RECALL_MIN);
    asked->query.min_recall = recall;
    return PN_OK;
}

static pn_status take(pn_asked *asked, const char *name, const json_t *value, pn_arena *arena,
                      pn_error *err)
{
    if (strcmp(name, "query") == 0 || strcmp(name, "text") == 0)
        return json_is_string(value) ? add_text(asked, json_string_value(value), 1, arena, err)
                                     : pn_fail(err, PN_ERR_INVALID, "%s: a text is needed", name);
    if (strcmp(name, "not") == 0)
        return add_not(asked, value, arena, err);
    if (strcmp(name, "image") == 0 && json_is_string(value))
        return add_base64(asked, json_string_value(value), 1, arena, err);
    if (strcmp(name, "vector") == 0 && json_is_array(value))
        return add_vector(asked, value, 1, arena, err);
    if (strcmp(name, "like") == 0 && json_is_integer(value))
        return add_like(asked, json_integer_value(value), err);
    if (strcmp(name, "filters") == 0)
        return add_filters(asked, value, arena, err);
    if (strcmp(name, "where") == 0 && json_is_string(value))
        return add_where(asked, json_string_value(value), arena, err);
    if ((strcmp(name, "top_k") == 0 || strcmp(name, "k") == 0) && json_is_integer(value))
        return set_k(asked, json_integer_value(value), err);
    if (strcmp(name, "include_vectors") == 0 && json_is_boolean(value)) {
        asked->query.include_vectors = json_is_true(value);
        return PN_OK;
    }
    if (strcmp(name, "exact") == 0 && json_is_boolean(value)) {
        asked->query.exact = json_is_true(value);
        return PN_OK;
    }
    if (strcmp(name, "min_recall") == 0 && json_is_number(value))
        return set_min_recall(asked, json_number_value(value), err);
    if (is_effort(name) && json_is_integer(value))
        return set_effort(asked, json_integer_value(value), err);
    if (is_refine(name) && json_is_integer(value))
        return set_refine(asked, json_integer_value(value), err);
    if (strcmp(name, "terms") == 0 && json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            PN_TRY(add_term(asked, json_array_get(value, i), arena, err));
        return PN_OK;
    }
    if (strcmp(name, "text_weight") == 0 || strcmp(name, "image_weight") == 0)
        return json_is_number(value) ? PN_OK
                                     : pn_fail(err, PN_ERR_INVALID, "%s: a number is needed", name);
    return pn_fail(err, PN_ERR_INVALID,
                   "\"%.60s\": not a field of a search, or its value has the wrong type", name);
}

static pn_status take_all(pn_asked *asked, json_t *root, pn_arena *arena, pn_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (!json_is_null(value))
            PN_TRY(take(asked, name, value, arena, err));
    }
    const json_t *text = json_object_get(root, "text_weight"),
                 *image = json_object_get(root, "image_weight");
    if (json_is_number(text) && !json_object_get(root, "terms"))
        PN_TRY(set_weight(asked, PN_TERM_TEXT, json_number_value(text)));
    if (json_is_number(image) && !json_object_get(root, "terms"))
        PN_TRY(set_weight(asked, PN_TERM_IMAGE, json_number_value(image)));
    return pn_asked_finish(asked, err);
}

pn_status pn_asked_from_json(const char *bytes, size_t n, pn_arena *arena, pn_asked *out,
                             pn_error *err)
{
    json_error_t fault;
    json_t *root = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &fault);
    pn_asked_begin(out);
    if (!json_is_object(root)) {
        pn_status status = pn_fail(err, PN_ERR_INVALID, "the body is not a JSON object: %s",
                                   root ? "something else" : fault.text);
        json_decref(root);
        return status;
    }
    pn_status status = take_all(out, root, arena, err);
    json_decref(root);
    return status;
}

pn_status pn_asked_field(pn_asked *asked, const char *name, const char *value, pn_arena *arena,
                         pn_error *err)
{
    int64_t number;
    double weight;
    if (strcmp(name, "q") == 0 || strcmp(name, "query") == 0 || strcmp(name, "text") == 0)
        return add_text(asked, value, 1, arena, err);
    if (strcmp(name, "not") == 0)
        return add_text(asked, value, -0.5, arena, err);
    if (strcmp(name, "where") == 0)
        return add_where(asked, value, arena, err);
    if (strcmp(name, "filters") == 0) {
        json_t *object = json_loads(value, 0, NULL);
        pn_status status = json_is_object(object) ? add_filters(asked, object, arena, err)
                                                  : add_where(asked, value, arena, err);
        json_decref(object);
        return status;
    }
    if (strcmp(name, "k") == 0 || strcmp(name, "top_k") == 0)
        return pn_str_to_i64(pn_str_of(value), &number)
                   ? set_k(asked, number, err)
                   : pn_fail(err, PN_ERR_INVALID, "%s: a whole number is needed", name);
    if (strcmp(name, "like") == 0)
        return pn_str_to_i64(pn_str_of(value), &number)
                   ? add_like(asked, number, err)
                   : pn_fail(err, PN_ERR_INVALID, "like: the id of a row is needed");
    if (strcmp(name, "exact") == 0) {
        asked->query.exact = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        return PN_OK;
    }
    if (strcmp(name, "min_recall") == 0)
        return pn_str_to_double(pn_str_of(value), &weight)
                   ? set_min_recall(asked, weight, err)
                   : pn_fail(err, PN_ERR_INVALID, "min_recall: a number is needed");
    if (is_effort(name))
        return pn_str_to_i64(pn_str_of(value), &number)
                   ? set_effort(asked, number, err)
                   : pn_fail(err, PN_ERR_INVALID, "%s: a whole number is needed", name);
    if (is_refine(name))
        return pn_str_to_i64(pn_str_of(value), &number)
                   ? set_refine(asked, number, err)
                   : pn_fail(err, PN_ERR_INVALID, "%s: a whole number is needed", name);
    if (strcmp(name, "include_vectors") == 0) {
        asked->query.include_vectors = strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
        return PN_OK;
    }
    if (strcmp(name, "text_weight") == 0 || strcmp(name, "image_weight") == 0) {
        if (!pn_str_to_double(pn_str_of(value), &weight))
            return pn_fail(err, PN_ERR_INVALID, "%s: a number is needed", name);
        return set_weight(asked, name[0] == 't' ? PN_TERM_TEXT : PN_TERM_IMAGE, weight);
    }
    return PN_ERR_NOT_FOUND;
}

pn_status pn_asked_finish(pn_asked *asked, pn_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < asked->n_terms;
         i++) // a weight of 0 takes a term out: the slider at its end
        if (asked->terms[i].weight != 0)
            asked->terms[n++] = asked->terms[i];
    asked->n_terms = n;
    asked->query.terms = asked->terms;
    asked->query.n_terms = n;
    if (n == 0)
        return pn_fail(err, PN_ERR_INVALID,
                       "nothing to search for: give query, image, like, vector or terms");
    return PN_OK;
}
