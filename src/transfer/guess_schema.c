/*
 * guess_schema.c - the columns of a table that is to be made, from the first rows of what comes
 *
 * A tree of what was seen, one node a column, item or member, each a set of kinds; at the end each node becomes a field. The length of the
 * vectors is that of the majority (Boyer and Moore's vote: a candidate and a count), so that a bad vector among the first rows does not
 * decide.
 */
#include "transfer/guess_schema.h"

#include "base/limits.h"
#include "transfer/csv_rows.h"
#include "transfer/json_value.h"

#include <inttypes.h>
#include <string.h>

enum { SAW_BOOL = 1, SAW_INTEGER = 2, SAW_REAL = 4, SAW_TEXT = 8, SAW_LIST = 16, SAW_OBJECT = 32 };
enum { MAX_MEMBERS = PN_LANCE_MAX_COLUMNS };
enum { SAW_NUMBERS = SAW_INTEGER | SAW_REAL, SAW_PARTS = SAW_LIST | SAW_OBJECT };

typedef struct seen seen;
struct seen {
    const char *name;
    unsigned kinds;
    seen *item;           /* of lists */
    seen *members, *next; /* of objects: the first; of a member: its neighbour */
    size_t n_members;     /* past MAX_MEMBERS the last one stands for all others */
    size_t size, votes;   /* the length of most lists */
};

typedef struct guesser {
    pn_arena *arena;
    const char *vector_column;
    seen *columns;
    size_t n_columns;
    bool is_csv;
} guesser;

/* The node of that name in a list, made at its end when it is not there, and counted; NULL: no memory. */
static seen *find(guesser *g, seen **list, const char *name, size_t *n)
{
    while (*list && strcmp((*list)->name, name) != 0)
        list = &(*list)->next;
    if (!*list) {
        *list = PN_ARENA_NEW(g->arena, seen, 1);
        if (*list)
            (*list)->name = pn_arena_strdup(g->arena, name);
        if (*list && !(*list)->name)
            *list = NULL;
        ++*n;
    }
    return *list;
}

static pn_status too_many(pn_error *err)
{
    return pn_fail(err, PN_ERR_LIMIT, "a table has at most %d columns", PN_LANCE_MAX_COLUMNS);
}

static bool is_odd_number(pn_str text)
{
    return pn_str_is(text, "NaN") || pn_str_is(text, "Infinity") || pn_str_is(text, "-Infinity");
}

static pn_status look(guesser *g, seen *node, const json_t *value, unsigned depth, pn_error *err);

static pn_status look_into_list(guesser *g, seen *node, const json_t *value, unsigned depth,
                                pn_error *err)
{
    size_t n = json_array_size(value);
    node->kinds |= SAW_LIST;
    if (node->votes == 0)
        node->size = n;
    if (node->size == n)
        node->votes++;
    else
        node->votes--;
    if (!node->item)
        node->item = PN_ARENA_NEW(g->arena, seen, 1);
    if (!node->item)
        return pn_fail_nomem(err);
    node->item->name = "item";
    for (size_t i = 0; i < n; i++)
        PN_TRY(look(g, node->item, json_array_get(value, i), depth + 1, err));
    return PN_OK;
}

/* So many are no columns any more, but may be the keys of a map: then only their values count. */
static seen *find_member(guesser *g, seen *node, const char *key)
{
    if (node->n_members > MAX_MEMBERS)
        return node->members;
    seen *child = find(g, &node->members, key, &node->n_members);
    if (child && node->n_members > MAX_MEMBERS) {
        child->next = NULL;
        for (const seen *m = node->members; m != child; m = m->next)
            child->kinds |= m->kinds;
        node->members = child;
    }
    return child;
}

static pn_status look_into_object(guesser *g, seen *node, const json_t *value, unsigned depth,
                                  pn_error *err)
{
    const char *key;
    json_t *member;
    node->kinds |= SAW_OBJECT;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        seen *child = find_member(g, node, key);
        if (!child)
            return pn_fail_nomem(err);
        PN_TRY(look(g, child, member, depth + 1, err));
    }
    return PN_OK;
}

static pn_status look(guesser *g, seen *node, const json_t *value, unsigned depth, pn_error *err)
{
    if (depth > PN_SCHEMA_MAX_DEPTH)
        return pn_fail(err, PN_ERR_LIMIT, "values are nested over %d deep", PN_SCHEMA_MAX_DEPTH);
    switch (json_typeof(value)) {
    case JSON_TRUE:
    case JSON_FALSE:
        node->kinds |= SAW_BOOL;
        return PN_OK;
    case JSON_INTEGER:
        node->kinds |= SAW_INTEGER;
        return PN_OK;
    case JSON_REAL:
        node->kinds |= SAW_REAL;
        return PN_OK;
    case JSON_STRING:
        node->kinds |= is_odd_number(pn_str_of(json_string_value(value))) ? SAW_REAL : SAW_TEXT;
        return PN_OK;
    case JSON_ARRAY:
        return look_into_list(g, node, value, depth, err);
    case JSON_OBJECT:
        return look_into_object(g, node, value, depth, err);
    case JSON_NULL:
        break;
    }
    return PN_OK;
}

/* ---- rows ---- */

static pn_status look_at_line(guesser *g, pn_str line, pn_error *err)
{
    json_t *row;
    PN_TRY(pn_json_parse(line, &row, err));
    pn_status status = PN_OK;
    const char *key;
    json_t *value;
    if (!json_is_object(row))
        status = pn_fail(err, PN_ERR_INVALID, "a row is a JSON object, and here is something else");
    json_object_foreach(row, key, value)
    {
        seen *column = status == PN_OK ? find(g, &g->columns, key, &g->n_columns) : NULL;
        if (status == PN_OK && g->n_columns > PN_LANCE_MAX_COLUMNS)
            status = too_many(err);
        if (status == PN_OK)
            status = column ? look(g, column, value, 0, err) : pn_fail_nomem(err);
    }
    json_decref(row);
    return status;
}

static pn_status look_at_lines(guesser *g, pn_text_source *source, bool is_all, pn_error *err)
{
    for (;;) {
        pn_str line;
        bool is_end;
        if (!is_all &&
            !memchr(pn_text_source_peek(source).ptr, '\n', pn_text_source_peek(source).len))
            return PN_OK;
        PN_TRY(pn_text_source_line(source, &line, &is_end, err));
        if (is_end)
            return PN_OK;
        pn_status status = pn_str_trim(line).len > 0 ? look_at_line(g, line, err) : PN_OK;
        if (status != PN_OK)
            return pn_fail_wrap(err, status, "line %" PRIu64 ": ", source->line);
    }
}

static bool all_digits(pn_str text)
{
    for (size_t i = text.len > 0 && text.ptr[0] == '-'; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.len > 0;
}

static pn_status look_at_field(guesser *g, seen *column, pn_str text, pn_error *err)
{
    int64_t whole;
    double real;
    json_t *value = NULL;
    size_t sign = text.len > 0 && text.ptr[0] == '-';
    if (!text.ptr)
        return PN_OK;
    bool is_code = text.len > sign + 1 && text.ptr[sign] == '0' && text.ptr[sign + 1] != '.' &&
                   text.ptr[sign + 1] != 'e' && text.ptr[sign + 1] != 'E';
    if (text.len > 0 && (text.ptr[0] == '[' || text.ptr[0] == '{') &&
        pn_json_parse(text, &value, NULL) == PN_OK) {
        pn_status status = look(g, column, value, 0, err);
        json_decref(value);
        return status;
    }
    if (pn_str_is(text, "true") || pn_str_is(text, "false"))
        column->kinds |= SAW_BOOL;
    else if (!is_code && pn_str_to_i64(text, &whole))
        column->kinds |= SAW_INTEGER;
    else if (!is_code && !all_digits(text) &&
             (pn_str_to_double(text, &real) || is_odd_number(text)))
        column->kinds |= SAW_REAL;
    else
        column->kinds |= SAW_TEXT;
    return PN_OK;
}

static pn_status look_at_names(guesser *g, const pn_csv_row *names, pn_error *err)
{
    for (size_t i = 0; i < names->n; i++) {
        pn_str name = pn_csv_row_field(names, i);
        char *copy = pn_arena_strndup(g->arena, name.ptr ? name.ptr : "", name.len);
        if (!copy || !find(g, &g->columns, copy, &g->n_columns))
            return pn_fail_nomem(err);
        if (g->n_columns > PN_LANCE_MAX_COLUMNS)
            return too_many(err);
    }
    return PN_OK;
}

static pn_status look_at_csv(guesser *g, pn_text_source *source, bool is_all, pn_csv_row *row,
                             pn_error *err)
{
    for (bool is_first = true;; is_first = false) {
        bool is_end;
        pn_error why = {0};
        size_t left = pn_text_source_peek(source).len;
        pn_status status = pn_csv_row_read(source, row, &is_end, &why);
        /* The last row may be cut anywhere, also within quotes; nothing is left behind it. */
        if (!is_all && !is_first &&
            (status != PN_OK || (left > 0 && pn_text_source_peek(source).len == 0)))
            return PN_OK;
        if (status != PN_OK)
            return pn_fail(err, status, "%s", why.message);
        if (is_end)
            return PN_OK;
        if (is_first)
            PN_TRY(look_at_names(g, row, err));
        seen *column = g->columns;
        for (size_t i = 0; !is_first && i < row->n && column; i++, column = column->next)
            PN_TRY(look_at_field(g, column, pn_csv_row_field(row, i), err));
    }
}

/* ---- what it comes to ---- */

static pn_status to_field(const guesser *g, const seen *node, bool is_column, pn_field *out,
                          pn_error *err);

static pn_status to_list(const guesser *g, const seen *node, bool is_vector, pn_field *out,
                         pn_error *err)
{
    pn_field item;
    if (is_vector) {
        if (node->size == 0 || (node->item->kinds & ~(unsigned)SAW_NUMBERS) != 0 ||
            !pn_field_init_vector(out, node->name, (int32_t)node->size, g->arena))
            return pn_fail(err, PN_ERR_INVALID, "column \"%s\" holds no vectors of numbers",
                           node->name);
        out->nullable = true;
        return PN_OK;
    }
    PN_TRY(to_field(g, node->item, false, &item, err));
    return pn_field_init_list(out, node->name, &item, true, g->arena) ? PN_OK : pn_fail_nomem(err);
}

static pn_status to_object(const guesser *g, const seen *node, pn_field *out, pn_error *err)
{
    size_t n = 0;
    bool all_texts = true;
    for (const seen *m = node->members; m; m = m->next) {
        n++;
        all_texts = all_texts && (m->kinds & ~(unsigned)SAW_TEXT) == 0;
    }
    if (all_texts)
        return pn_field_init_string_map(out, node->name, true, g->arena) ? PN_OK
                                                                         : pn_fail_nomem(err);
    if (node->n_members > MAX_MEMBERS)
        return pn_fail(err, PN_ERR_LIMIT,
                       "column \"%s\" has over %d members, and not all of them are texts",
                       node->name, MAX_MEMBERS);
    pn_field_init(out, node->name, PN_TYPE_STRUCT, true);
    out->children = PN_ARENA_NEW(g->arena, pn_field, n + 1);
    if (!out->children)
        return pn_fail_nomem(err);
    for (const seen *m = node->members; m; m = m->next)
        PN_TRY(to_field(g, m, false, &out->children[out->n_children++], err));
    return PN_OK;
}

static pn_status to_field(const guesser *g, const seen *node, bool is_column, pn_field *out,
                          pn_error *err)
{
    bool is_vector = is_column && g->vector_column && strcmp(node->name, g->vector_column) == 0;
    unsigned kinds = node->kinds;
    if (g->is_csv && (kinds & SAW_PARTS) != 0 && (kinds & (kinds - 1)) != 0)
        kinds = SAW_TEXT; // fields are texts before they are anything else
    if (kinds == SAW_LIST)
        return to_list(g, node, is_vector, out, err);
    if (kinds == SAW_OBJECT)
        return to_object(g, node, out, err);
    if ((kinds & SAW_PARTS) != 0)
        return pn_fail(
            err, PN_ERR_INVALID,
            "column \"%s\" holds values of different kinds: say with a schema what it is",
            node->name);
    pn_type_id type = PN_TYPE_STRING;
    if (kinds == SAW_BOOL)
        type = PN_TYPE_BOOL;
    else if (kinds == SAW_INTEGER)
        type = PN_TYPE_INT64;
    else if (kinds != 0 && (kinds & ~(unsigned)SAW_NUMBERS) == 0)
        type = PN_TYPE_DOUBLE;
    pn_field_init(out, node->name, type, true);
    return PN_OK;
}

pn_status pn_schema_guess(pn_str text, bool is_all, bool is_csv, const char *vector_column,
                          pn_arena *arena, pn_schema *out, pn_error *err)
{
    guesser g = {.arena = arena, .vector_column = vector_column, .is_csv = is_csv};
    pn_text_source source;
    pn_csv_row row;
    pn_schema schema = {0};
    pn_text_source_init(&source, NULL, NULL);
    pn_csv_row_init(&row);
    pn_status status = pn_buffer_append(&source.bytes, text.ptr ? text.ptr : "", text.len, err);
    if (status == PN_OK)
        status = is_csv ? look_at_csv(&g, &source, is_all, &row, err)
                        : look_at_lines(&g, &source, is_all, err);
    pn_csv_row_reset(&row);
    pn_text_source_reset(&source);
    PN_TRY(status);
    size_t n = 0;
    for (const seen *c = g.columns; c; c = c->next)
        n++;
    schema.fields = PN_ARENA_NEW(arena, pn_field, n + 1);
    if (!schema.fields)
        return pn_fail_nomem(err);
    for (const seen *c = g.columns; c; c = c->next)
        PN_TRY(to_field(&g, c, true, &schema.fields[schema.n_fields++], err));
    *out = schema;
    return PN_OK;
}
