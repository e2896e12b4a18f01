/*
 * facets.c - counting the values of the metadata
 *
 *     counts: {"category": {"rows": 320, "min": .., "max": .., "numbers": 0, "values": {"footwear": 63, ...}}, ...}
 *
 * jansson's objects are hash tables, so they count too. A key with very many values (a title, a SKU) would fill the
 * memory without ever being a filter: from the 5,000th on, new values of a key are only numbered, not kept.
 */
#include "api/facets.h"

#include "base/alloc.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_KEPT_VALUES = 5000, MAX_KEYS = 256 };

typedef struct facet {
    char *key;
    uint64_t n_rows, n_numbers, n_values;
    double min, max;
    json_t *values; /* value -> count */
} facet;

typedef struct counting {
    json_t *index; /* key -> position in facets */
    facet facets[MAX_KEYS];
    size_t n;
} counting;

pn_status pn_json_detach(json_t *value, char **out, pn_error *err)
{
    /* 15 digits: 244.9 stays 244.9, and not 244.90000000000001. */
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15);
    size_t n = value ? json_dumpb(value, NULL, 0, flags) : 0;
    char *text = n > 0 ? pn_alloc(n + 1) : NULL;
    if (text) {
        (void)json_dumpb(value, text, n, flags); // the same n as just now
        text[n] = '\0';
    }
    json_decref(value);
    if (!text)
        return pn_fail_nomem(err);
    *out = text;
    return PN_OK;
}

/* The facet of a key; NULL when there are too many keys, or no memory. */
static facet *find_facet(counting *c, pn_str key)
{
    char *name = pn_strndup(key.ptr ? key.ptr : "", key.len);
    if (!name)
        return NULL;
    json_t *at = json_object_get(c->index, name);
    if (at || c->n == MAX_KEYS) {
        pn_free(name);
        return at ? &c->facets[json_integer_value(at)] : NULL;
    }
    facet *f = &c->facets[c->n];
    *f = (facet){
        .key = name, .values = json_object(), .min = (double)INFINITY, .max = -(double)INFINITY};
    if (!f->values || json_object_set_new(c->index, name, json_integer((json_int_t)c->n)) != 0) {
        json_decref(f->values);
        pn_free(name);
        return NULL;
    }
    c->n++;
    return f;
}

static void count_value(facet *f, pn_str value)
{
    double number;
    f->n_rows++;
    if (pn_str_to_double(value, &number)) {
        f->n_numbers++;
        f->min = fmin(f->min, number);
        f->max = fmax(f->max, number);
    }
    char *text = pn_strndup(value.ptr ? value.ptr : "", value.len);
    if (!text)
        return;
    json_t *count = json_object_get(f->values, text);
    if (count) {
        (void)json_integer_set(count, json_integer_value(count) + 1); // it is an integer
    } else {
        f->n_values++;
        if (json_object_size(f->values) < MAX_KEPT_VALUES)
            (void)json_object_set_new(f->values, text,
                                      json_integer(1)); // not UTF-8: not offered as a filter
    }
    pn_free(text);
}

static pn_status count_batch(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                             pn_error *err)
{
    counting *c = context;
    (void)addrs;
    (void)err;
    const pn_array *map = &batch->columns[0];
    const pn_array *keys = &map->children[0].children[0], *values = &map->children[0].children[1];
    for (size_t i = 0; i < batch->n_rows; i++) {
        if (!pn_array_is_valid(map, i))
            continue;
        for (int64_t e = map->offsets[i]; e < map->offsets[i + 1]; e++) {
            facet *f = pn_array_is_valid(values, (size_t)e)
                           ? find_facet(c, pn_array_bytes(keys, (size_t)e))
                           : NULL;
            if (f)
                count_value(f, pn_array_bytes(values, (size_t)e));
        }
    }
    return PN_OK;
}

typedef struct counted {
    const char *value;
    json_int_t count;
} counted;

static int by_count(const void *left, const void *right)
{
    const counted *a = left, *b = right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->value, b->value);
}

static json_t *most_frequent(const facet *f, size_t max_values)
{
    size_t n = 0;
    const char *value;
    json_t *count;
    counted *all = pn_alloc_array(json_object_size(f->values) + 1, sizeof *all);
    json_t *out = all ? json_array() : NULL;
    if (!out) {
        pn_free(all);
        return NULL;
    }
    json_object_foreach(f->values, value, count)
    {
        all[n++] = (counted){value, json_integer_value(count)};
    }
    qsort(all, n, sizeof *all, by_count);
    for (size_t i = 0; i < n && i < max_values; i++)
        (void)json_array_append_new(out, json_pack("{s:s, s:I}", "value", all[i].value,
                                                   "count",        // checked at
                                                   all[i].count)); // the end
    pn_free(all);
    return out;
}

static json_t *facet_to_json(const facet *f, size_t max_values)
{
    if (f->n_numbers == f->n_rows)
        return json_pack("{s:s, s:s, s:I, s:f, s:f}", "key", f->key, "kind", "number", "rows",
                         (json_int_t)f->n_rows, "min", f->min, "max", f->max);
    return json_pack("{s:s, s:s, s:I, s:I, s:o}", "key", f->key, "kind", "text", "rows",
                     (json_int_t)f->n_rows, "n_values", (json_int_t)f->n_values, "values",
                     most_frequent(f, max_values));
}

static int by_rows(const void *left, const void *right)
{
    const facet *a = left, *b = right;
    if (a->n_rows != b->n_rows)
        return a->n_rows > b->n_rows ? -1 : 1;
    return strcmp(a->key, b->key);
}

static json_t *to_json(counting *c, size_t max_values)
{
    json_t *all = json_array();
    qsort(c->facets, c->n, sizeof c->facets[0], by_rows);
    for (size_t i = 0; all && i < c->n; i++) {
        if (json_array_append_new(all, facet_to_json(&c->facets[i], max_values)) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static bool has_string_map(const pn_schema *schema)
{
    ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_METADATA));
    return at >= 0 && schema->fields[at].type == PN_TYPE_MAP &&
           pn_type_is_variable(schema->fields[at].children[0].children[0].type) &&
           pn_type_is_variable(schema->fields[at].children[0].children[1].type);
}

pn_status pn_facets_compute(pn_engine *engine, pn_snapshot *snapshot, size_t max_values, char **out,
                            pn_error *err)
{
    static const char *const columns[] = {PN_COLUMN_METADATA};
    pn_engine_info info;
    engine->info(engine->self, snapshot, &info);
    counting *c = pn_alloc_zero(sizeof *c);
    if (!c)
        return pn_fail_nomem(err);
    c->index = json_object();
    pn_status status = c->index ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK && has_string_map(info.schema))
        status = engine->scan(engine->self, snapshot, columns, 1, NULL, count_batch, c, err);
    if (status == PN_OK)
        status = pn_json_detach(to_json(c, max_values), out, err);
    for (size_t i = 0; i < c->n; i++) {
        json_decref(c->facets[i].values);
        pn_free(c->facets[i].key);
    }
    json_decref(c->index);
    pn_free(c);
    return status;
}
