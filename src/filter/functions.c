/*
 * functions.c - one table, one small function each
 *
 * Scalar functions see one row at a time: a call through a pointer is cheap beside what they do with text, and the
 * vec around them is handled in one place (eval.c). Functions of maps and lists work on whole vecs, because their results are
 * places in an array, not values. A new function is a row of the table, a C function, cases in tests/filter/ and a
 * line in docs/FILTER.md.
 */
#define _GNU_SOURCE // memmem
#include "filter/functions.h"

#include "filter/like.h"

#include <math.h>

const char pn_function_no_memory[] = "no memory";

static void set_text(pn_value *out, const char *ptr, size_t len)
{
    *out = (pn_value){.kind = PN_KIND_TEXT, .text = {ptr, len}};
}

static void set_int(pn_value *out, int64_t value)
{
    *out = (pn_value){.kind = PN_KIND_INT, .i = value};
}

static void set_bool(pn_value *out, bool value)
{
    *out = (pn_value){.kind = PN_KIND_BOOL, .b = value};
}

/* ---- text */

static const char *change_case(pn_arena *arena, const pn_value *in, pn_letters letters,
                               pn_value *out)
{
    pn_str text;
    if (!pn_change_case(in->text, letters, arena, &text))
        return pn_function_no_memory;
    set_text(out, text.ptr, text.len);
    return NULL;
}

static const char *row_lower(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)n;
    return change_case(arena, args, PN_LETTERS_LOWER, out);
}

static const char *row_upper(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)n;
    return change_case(arena, args, PN_LETTERS_UPPER, out);
}

static int64_t count_characters(pn_str text)
{
    int64_t n = 0;
    while (text.len > 0) {
        size_t bytes = pn_character_bytes(text);
        text = pn_str_make(text.ptr + bytes, text.len - bytes);
        n++;
    }
    return n;
}

static const char *row_length(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    set_int(out, count_characters(args[0].text));
    return NULL;
}

static const char *row_octet_length(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    set_int(out, (int64_t)args[0].text.len);
    return NULL;
}

static const char *row_starts_with(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = args[0].text, part = args[1].text;
    set_bool(out,
             part.len == 0 || (text.len >= part.len && memcmp(text.ptr, part.ptr, part.len) == 0));
    return NULL;
}

static const char *row_ends_with(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = args[0].text, part = args[1].text;
    set_bool(out, part.len == 0 || (text.len >= part.len && memcmp(text.ptr + (text.len - part.len),
                                                                   part.ptr, part.len) == 0));
    return NULL;
}

static const char *row_contains(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = args[0].text, part = args[1].text;
    set_bool(out, part.len == 0 ||
                      (text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL));
    return NULL;
}

static const char *row_trim(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = pn_str_trim(args[0].text);
    set_text(out, text.ptr, text.len);
    return NULL;
}

static const char *row_ltrim(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = args[0].text, trimmed = pn_str_trim(text);
    size_t start = trimmed.len > 0 ? (size_t)(trimmed.ptr - text.ptr) : text.len;
    set_text(out, text.len > 0 ? text.ptr + start : "", text.len - start);
    return NULL;
}

static const char *row_rtrim(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    pn_str text = args[0].text, trimmed = pn_str_trim(text);
    size_t length = trimmed.len > 0 ? (size_t)(trimmed.ptr - text.ptr) + trimmed.len : 0;
    set_text(out, text.ptr, length);
    return NULL;
}

/* Characters [start, start + count) counted from 1; what lies outside of the text is not there. */
static const char *row_substr(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena;
    pn_str text = args[0].text;
    int64_t start = args[1].i, end = INT64_MAX;
    if (n > 2 && args[2].i < 0)
        return "substr() takes no negative length";
    if (n > 2 && (start <= 0 || args[2].i <= INT64_MAX - start))
        end = start + args[2].i;
    size_t from = text.len, to = text.len, at = 0;
    for (int64_t character = 1; at < text.len; character++) {
        if (character >= start && from == text.len && character < end)
            from = at;
        if (character >= end) {
            to = at;
            break;
        }
        at += pn_character_bytes(pn_str_make(text.ptr + at, text.len - at));
    }
    if (from > to)
        from = to;
    set_text(out, text.len > 0 ? text.ptr + from : "", to - from);
    return NULL;
}

/* NULLs count as nothing. */
static const char *row_concat(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        if (args[i].kind == PN_KIND_TEXT && !pn_size_add(bytes, args[i].text.len, &bytes))
            return pn_function_no_memory;
    char *to = pn_arena_alloc(arena, bytes);
    if (!to)
        return pn_function_no_memory;
    bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (args[i].kind != PN_KIND_TEXT || args[i].text.len == 0)
            continue;
        memcpy(to + bytes, args[i].text.ptr, args[i].text.len);
        bytes += args[i].text.len;
    }
    set_text(out, to, bytes);
    return NULL;
}

/* ---- any kind */

static const char *row_coalesce(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena;
    for (size_t i = 0; i < n && out->kind == PN_KIND_NULL; i++)
        *out = args[i];
    return NULL;
}

static const char *row_nullif(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    bool equal = args[0].kind != PN_KIND_NULL && args[1].kind != PN_KIND_NULL &&
                 pn_value_compare(&args[0], &args[1]) == 0;
    if (!equal)
        *out = args[0];
    return NULL;
}

/* ---- numbers */

static const char *row_abs(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    *out = args[0];
    if (out->kind == PN_KIND_DOUBLE)
        out->f = fabs(out->f);
    else if (out->i == INT64_MIN)
        return "abs() of the least 64-bit number does not fit";
    else
        out->i = out->i < 0 ? -out->i : out->i;
    return NULL;
}

static const char *row_floor(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    *out = args[0];
    if (out->kind == PN_KIND_DOUBLE)
        out->f = floor(out->f);
    return NULL;
}

static const char *row_ceil(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    *out = args[0];
    if (out->kind == PN_KIND_DOUBLE)
        out->f = ceil(out->f);
    return NULL;
}

/* Half away from zero. */
static double round_double(double value, int64_t digits)
{
    if (digits > 15 || !isfinite(value)) // a double has no more
        return value;
    if (digits < -308)
        return 0;
    double scale = pow(10, (double)(digits < 0 ? -digits : digits));
    double rounded = digits < 0 ? round(value / scale) * scale : round(value * scale) / scale;
    return isfinite(rounded) ? rounded : value;
}

static const char *row_round(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena;
    int64_t digits = n > 1 ? args[1].i : 0;
    *out = args[0];
    if (out->kind == PN_KIND_DOUBLE) {
        out->f = round_double(out->f, digits);
        return NULL;
    }
    if (digits >= 0)
        return NULL;
    int64_t scale = 1;
    for (; digits < 0; digits++) {
        if (scale > INT64_MAX / 10) { // 10^19 is nearer than 0 from its half on, and does not fit
            const int64_t half = 5000000000000000000;
            bool fits = digits < -1 || (out->i < half && out->i > -half);
            out->i = 0;
            return fits ? NULL : "round() does not fit";
        }
        scale *= 10;
    }
    int64_t rest = out->i % scale, down = out->i - rest;
    if (rest >= scale - scale / 2)
        return pn_i64_add(down, scale, &out->i) ? NULL : "round() does not fit";
    if (rest <= scale / 2 - scale)
        return pn_i64_subtract(down, scale, &out->i) ? NULL : "round() does not fit";
    out->i = down;
    return NULL;
}

/* ---- times */

static const char *row_time(pn_arena *arena, const pn_value *args, size_t n, pn_value *out)
{
    (void)arena, (void)n;
    *out = (pn_value){.kind = PN_KIND_TIME, .i = args[0].i}; // its unit is the vec's
    return NULL;
}

/* ---- lists and maps */

/* Keys or values of every map as a list: the offsets of the map, over one child of its entries. */
static void list_entries(const pn_vec *map, const pn_rows *rows, size_t child, pn_vec *out)
{
    const pn_array *array = map->array;
    out->array = &array->children[0].children[child];
    for (size_t i = 0; i < rows->n; i++) {
        int64_t row = map->starts[map->is_const ? 0 : i];
        if (row < 0)
            continue;
        pn_word_bit_set(out->valid, i);
        out->starts[i] = array->offsets[row];
        out->lens[i] = array->offsets[row + 1] - array->offsets[row];
    }
}

static pn_status whole_map_keys(const pn_vec *args, const pn_rows *rows, pn_vec *out, pn_error *err)
{
    (void)err;
    list_entries(&args[0], rows, 0, out);
    return PN_OK;
}

static pn_status whole_map_values(const pn_vec *args, const pn_rows *rows, pn_vec *out,
                                  pn_error *err)
{
    (void)err;
    list_entries(&args[0], rows, 1, out);
    return PN_OK;
}

/* A list of the one value of the key, or an empty one. */
static pn_status whole_map_extract(const pn_vec *args, const pn_rows *rows, pn_vec *out,
                                   pn_error *err)
{
    (void)err;
    out->array = &args[0].array->children[0].children[1];
    for (size_t i = 0; i < rows->n; i++) {
        int64_t row = args[0].starts[args[0].is_const ? 0 : i];
        pn_value key;
        pn_vec_get(&args[1], i, &key);
        if (row < 0 || key.kind == PN_KIND_NULL)
            continue;
        int64_t entry = pn_map_find(args[0].array, row, key.text);
        pn_word_bit_set(out->valid, i);
        out->starts[i] = entry < 0 ? 0 : entry;
        out->lens[i] = entry >= 0;
    }
    return PN_OK;
}

static pn_status whole_cardinality(const pn_vec *args, const pn_rows *rows, pn_vec *out,
                                   pn_error *err)
{
    (void)err;
    const pn_vec *in = &args[0];
    for (size_t i = 0; i < rows->n; i++) {
        size_t at = in->is_const ? 0 : i;
        int64_t start = in->starts[at];
        if (start < 0)
            continue;
        int64_t n = in->kind == PN_KIND_LIST
                        ? in->lens[at]
                        : in->array->offsets[start + 1] - in->array->offsets[start];
        pn_vec_set(out, i, &(pn_value){.kind = PN_KIND_INT, .i = n});
    }
    return PN_OK;
}

static pn_status list_has(const pn_vec *list, size_t at, const pn_value *wanted, bool *out,
                          pn_error *err)
{
    *out = false;
    for (int64_t j = list->starts[at]; j < list->starts[at] + list->lens[at] && !*out; j++) {
        pn_value item;
        PN_TRY(pn_array_value(list->array, (size_t)j, &item, err));
        *out = item.kind != PN_KIND_NULL && pn_value_compare(&item, wanted) == 0;
    }
    return PN_OK;
}

static pn_status whole_array_has(const pn_vec *args, const pn_rows *rows, pn_vec *out,
                                 pn_error *err)
{
    for (size_t i = 0; i < rows->n; i++) {
        size_t at = args[0].is_const ? 0 : i;
        pn_value wanted;
        bool has;
        pn_vec_get(&args[1], i, &wanted);
        if (args[0].starts[at] < 0 || wanted.kind == PN_KIND_NULL ||
            !pn_word_bit_get(rows->active, i))
            continue;
        PN_TRY(list_has(&args[0], at, &wanted, &has, err));
        pn_word_bit_set(has ? out->yes : out->no, i);
    }
    return PN_OK;
}

/* ---- the table */

static const pn_function functions[] = {
    {"lower", "t", PN_RESULT_TEXT, row_lower, NULL, false},
    {"upper", "t", PN_RESULT_TEXT, row_upper, NULL, false},
    {"length", "t", PN_RESULT_INT, row_length, NULL, false},
    {"char_length", "t", PN_RESULT_INT, row_length, NULL, false},
    {"character_length", "t", PN_RESULT_INT, row_length, NULL, false},
    {"octet_length", "t", PN_RESULT_INT, row_octet_length, NULL, false},
    {"starts_with", "tt", PN_RESULT_BOOL, row_starts_with, NULL, false},
    {"ends_with", "tt", PN_RESULT_BOOL, row_ends_with, NULL, false},
    {"contains", "tt", PN_RESULT_BOOL, row_contains, NULL, false},
    {"trim", "t", PN_RESULT_TEXT, row_trim, NULL, false},
    {"btrim", "t", PN_RESULT_TEXT, row_trim, NULL, false},
    {"ltrim", "t", PN_RESULT_TEXT, row_ltrim, NULL, false},
    {"rtrim", "t", PN_RESULT_TEXT, row_rtrim, NULL, false},
    {"substr", "ti?i", PN_RESULT_TEXT, row_substr, NULL, false},
    {"substring", "ti?i", PN_RESULT_TEXT, row_substr, NULL, false},
    {"concat", "s*", PN_RESULT_TEXT, row_concat, NULL, true},
    {"coalesce", "a*", PN_RESULT_COMMON, row_coalesce, NULL, true},
    {"ifnull", "aa", PN_RESULT_COMMON, row_coalesce, NULL, true},
    {"nvl", "aa", PN_RESULT_COMMON, row_coalesce, NULL, true},
    {"nullif", "aa", PN_RESULT_COMMON, row_nullif, NULL, true},
    {"abs", "n", PN_RESULT_SAME, row_abs, NULL, false},
    {"round", "n?i", PN_RESULT_SAME, row_round, NULL, false},
    {"floor", "n", PN_RESULT_SAME, row_floor, NULL, false},
    {"ceil", "n", PN_RESULT_SAME, row_ceil, NULL, false},
    {"ceiling", "n", PN_RESULT_SAME, row_ceil, NULL, false},
    {"timestamp_ms", "i", PN_RESULT_MILLISECONDS, row_time, NULL, false},
    {"to_timestamp", "a", PN_RESULT_PARSED_TIME, NULL, NULL, false},
    {"to_timestamp_seconds", "i", PN_RESULT_SECONDS, row_time, NULL, false},
    {"to_timestamp_millis", "i", PN_RESULT_MILLISECONDS, row_time, NULL, false},
    {"to_timestamp_micros", "i", PN_RESULT_MICROSECONDS, row_time, NULL, false},
    {"to_timestamp_nanos", "i", PN_RESULT_NANOSECONDS, row_time, NULL, false},
    {"now", "", PN_RESULT_NOW, NULL, NULL, false},
    {"current_timestamp", "", PN_RESULT_NOW, NULL, NULL, false},
    {"regexp_match", "ta?a", PN_RESULT_REGEXP, NULL, NULL, false},
    {"regexp_like", "ta?a", PN_RESULT_REGEXP, NULL, NULL, false},
    {"map_keys", "m", PN_RESULT_KEYS, NULL, whole_map_keys, false},
    {"map_values", "m", PN_RESULT_VALUES, NULL, whole_map_values, false},
    {"map_extract", "mt", PN_RESULT_VALUES, NULL, whole_map_extract, false},
    {"element_at", "mt", PN_RESULT_VALUES, NULL, whole_map_extract, false},
    {"cardinality", "c", PN_RESULT_INT, NULL, whole_cardinality, false},
    {"array_length", "c", PN_RESULT_INT, NULL, whole_cardinality, false},
    {"array_has", "la", PN_RESULT_BOOL, NULL, whole_array_has, false},
    {"array_contains", "la", PN_RESULT_BOOL, NULL, whole_array_has, false},
    {"list_has", "la", PN_RESULT_BOOL, NULL, whole_array_has, false},
    {"list_contains", "la", PN_RESULT_BOOL, NULL, whole_array_has, false},
};

static const char *const names[] = {
    "lower",        "upper",        "length",      "char_length",  "character_length",
    "octet_length", "starts_with",  "ends_with",   "contains",     "trim",
    "ltrim",        "rtrim",        "substr",      "concat",       "coalesce",
    "nullif",       "abs",          "round",       "floor",        "ceil",
    "timestamp_ms", "to_timestamp", "now",         "regexp_match", "regexp_like",
    "map_keys",     "map_values",   "map_extract", "element_at",   "cardinality",
    "array_has",    "array_length", "cast",        "try_cast",     "array_contains",
};

const pn_function *pn_function_find(pn_str name)
{
    for (size_t i = 0; i < PN_COUNT_OF(functions); i++)
        if (pn_str_equal_ignore_case(name, pn_str_of(functions[i].name)))
            return &functions[i];
    return NULL;
}

const char *const *pn_function_names(size_t *n)
{
    *n = PN_COUNT_OF(names);
    return names;
}
