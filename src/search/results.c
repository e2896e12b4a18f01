/*
 * results.c - from k row addresses to k rows one can show
 *
 * Only the columns that are shown are read: never the thumbnails (a page asks for those one by one), and the vectors
 * only when asked for. Everything lives in one arena and goes with it; the snapshot is not needed any more.
 */
#include "search/results.h"

#include "base/limits.h"
#include "column/calendar.h"
#include "column/decimal.h"

#include <inttypes.h>

/* Has a hit a place of its own for the values? Not where another program gave them another type: an id may be a text. */
static bool has_a_place(const pn_field *field)
{
    static const char *const own[] = {PN_COLUMN_VECTOR, PN_COLUMN_IMAGE_PATH, PN_COLUMN_THUMBNAIL,
                                      PN_COLUMN_CONTENT_HASH};
    if (strcmp(field->name, PN_COLUMN_ID) == 0)
        return pn_type_is_integer(field->type);
    if (strcmp(field->name, PN_COLUMN_TIMESTAMP) == 0)
        return field->type == PN_TYPE_TIMESTAMP;
    for (size_t i = 0; i < PN_COUNT_OF(own); i++)
        if (strcmp(field->name, own[i]) == 0)
            return true;
    return false;
}

static bool is_shown_as_metadata(const pn_field *field)
{
    if (has_a_place(field))
        return false;
    return field->type == PN_TYPE_MAP || (field->n_children == 0 && field->type != PN_TYPE_NULL);
}

/* Names of the columns to read, in schema order. */
static const char **choose_columns(const pn_schema *schema, pn_search_vectors vectors,
                                   pn_arena *arena, size_t *n)
{
    const char **names = PN_ARENA_NEW(arena, const char *, schema->n_fields + 1);
    *n = 0;
    for (size_t i = 0; names && i < schema->n_fields; i++) {
        const pn_field *field = &schema->fields[i];
        bool wanted =
            is_shown_as_metadata(field) || strcmp(field->name, PN_COLUMN_ID) == 0 ||
            strcmp(field->name, PN_COLUMN_IMAGE_PATH) == 0 ||
            strcmp(field->name, PN_COLUMN_TIMESTAMP) == 0 ||
            (vectors == PN_SEARCH_WITH_VECTORS && strcmp(field->name, PN_COLUMN_VECTOR) == 0);
        if (wanted)
            names[(*n)++] = field->name;
    }
    return names;
}

static char *time_text(const pn_array *array, size_t i, pn_arena *arena)
{
    int64_t value = pn_array_i64(array, i);
    char text[PN_CALENDAR_TEXT_BYTES];
    const pn_field *field = array->field;
    switch ((int)field->type) {
    case PN_TYPE_DATE32:
        pn_calendar_format_date(value, text);
        break;
    case PN_TYPE_DATE64:
        pn_calendar_format_ms(value, text);
        break;
    default:
        pn_calendar_format_ms(pn_calendar_to_ms(value, field->unit), text);
        break;
    }
    return pn_arena_strdup(arena, text);
}

static char *number_text(const pn_array *array, size_t i, pn_arena *arena)
{
    char text[PN_NUMBER_TEXT_BYTES];
    if (array->field->type == PN_TYPE_FLOAT)
        pn_format_float((float)pn_array_double(array, i), text);
    else
        pn_format_double(pn_array_double(array, i), text);
    return pn_arena_strdup(arena, text);
}

static char *decimal_text(const pn_array *array, size_t i, pn_arena *arena)
{
    char text[PN_DECIMAL_TEXT_BYTES];
    size_t width = pn_type_width(array->field);
    const uint8_t *bytes = (const uint8_t *)array->values + i * width;
    bool ok = pn_decimal_to_text(bytes, width, array->field->scale, text);
    return pn_arena_strdup(arena, ok ? text : "");
}

char *pn_value_text(const pn_array *array, size_t i, pn_arena *arena)
{
    const pn_field *field = array->field;
    if (field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i))
        return pn_arena_strdup(arena, "");
    switch ((int)field->type) {
    case PN_TYPE_BOOL:
        return pn_arena_strdup(arena, pn_array_i64(array, i) ? "true" : "false");
    case PN_TYPE_UINT64:
        return pn_arena_printf(arena, "%" PRIu64, pn_array_u64(array, i));
    case PN_TYPE_HALF:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DOUBLE:
        return number_text(array, i, arena);
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING: {
        pn_str text = pn_array_bytes(array, i);
        return pn_arena_strndup(arena, text.ptr, text.len);
    }
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
        return pn_arena_printf(arena, "<%zu bytes>", pn_array_bytes(array, i).len);
    case PN_TYPE_FIXED_SIZE_BINARY:
        return pn_arena_printf(arena, "<%" PRId32 " bytes>", field->size);
    case PN_TYPE_DATE32:
    case PN_TYPE_DATE64:
    case PN_TYPE_TIMESTAMP:
        return time_text(array, i, arena);
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
        return decimal_text(array, i, arena);
    default:
        break;
    }
    if (pn_type_is_integer(field->type))
        return pn_arena_printf(arena, "%" PRId64, pn_array_i64(array, i));
    return pn_arena_strdup(arena, "");
}

static size_t map_length(const pn_array *map, size_t i)
{
    return pn_array_is_valid(map, i) ? (size_t)(map->offsets[i + 1] - map->offsets[i]) : 0;
}

static bool add_map_entries(const pn_array *map, size_t i, pn_arena *arena, pn_kv *pairs, size_t *n)
{
    const pn_array *entries = &map->children[0];
    for (size_t e = 0; e < map_length(map, i); e++) {
        size_t at = (size_t)map->offsets[i] + e;
        pairs[*n].key = pn_value_text(&entries->children[0], at, arena);
        pairs[*n].value = pn_value_text(&entries->children[1], at, arena);
        if (!pairs[*n].key || !pairs[*n].value)
            return false;
        ++*n;
    }
    return true;
}

static pn_status add_metadata(const pn_batch *batch, size_t i, pn_arena *arena, pn_hit *hit,
                              pn_error *err)
{
    size_t room = batch->schema->n_fields;
    for (size_t c = 0; c < batch->schema->n_fields; c++)
        if (batch->schema->fields[c].type == PN_TYPE_MAP)
            room += map_length(&batch->columns[c], i);
    pn_kv *pairs = PN_ARENA_NEW(arena, pn_kv, room);
    if (!pairs)
        return pn_fail_nomem(err);
    size_t n = 0;
    for (size_t c = 0; c < batch->schema->n_fields; c++) {
        const pn_array *column = &batch->columns[c];
        if (!is_shown_as_metadata(column->field))
            continue;
        if (column->field->type == PN_TYPE_MAP) {
            if (!add_map_entries(column, i, arena, pairs, &n))
                return pn_fail_nomem(err);
        } else if (pn_array_is_valid(column, i)) {
            pairs[n].key = column->field->name;
            pairs[n].value = pn_value_text(column, i, arena);
            if (!pairs[n++].value)
                return pn_fail_nomem(err);
        }
    }
    hit->metadata = pairs;
    hit->n_metadata = n;
    return PN_OK;
}

static pn_status fill_hit(const pn_batch *batch, size_t i, pn_hits *hits, pn_hit *hit,
                          pn_error *err)
{
    const pn_array *id = pn_batch_column(batch, PN_COLUMN_ID);
    const pn_array *path = pn_batch_column(batch, PN_COLUMN_IMAGE_PATH);
    const pn_array *time = pn_batch_column(batch, PN_COLUMN_TIMESTAMP);
    const pn_array *vector = pn_batch_column(batch, PN_COLUMN_VECTOR);
    hit->id = id && has_a_place(id->field) && pn_array_is_valid(id, i) ? pn_array_i64(id, i)
                                                                       : (int64_t)hit->addr;
    hit->path = path ? pn_value_text(path, i, &hits->arena) : "";
    if (!hit->path)
        return pn_fail_nomem(err);
    hit->timestamp_ms = PN_NO_TIMESTAMP;
    if (time && has_a_place(time->field) && pn_array_is_valid(time, i))
        hit->timestamp_ms = pn_calendar_to_ms(pn_array_i64(time, i), time->field->unit);
    if (vector && pn_array_is_valid(vector, i)) {
        float *copy = pn_arena_alloc(&hits->arena, hits->dim * sizeof *copy);
        if (!copy)
            return pn_fail_nomem(err);
        memcpy(copy, pn_array_floats(vector, i), hits->dim * sizeof *copy);
        hit->vector = copy;
    }
    return add_metadata(batch, i, &hits->arena, hit, err);
}

pn_status pn_hits_fetch(pn_engine *engine, pn_snapshot *snapshot, const pn_row_addr *addrs,
                        const float *distances, size_t n, pn_search_vectors vectors, pn_hits *hits,
                        pn_error *err)
{
    *hits = (pn_hits){0};
    pn_arena_init(&hits->arena, SIZE_MAX);
    pn_engine_info info;
    engine->info(engine->self, snapshot, &info);
    hits->dim = info.dim;
    hits->table_version = info.version;
    hits->table_has_thumbnails = pn_schema_find(info.schema, pn_str_of(PN_COLUMN_THUMBNAIL)) >= 0;
    hits->hits = PN_ARENA_NEW(&hits->arena, pn_hit, n);
    if (!hits->hits)
        return pn_fail_nomem(err);
    if (n == 0)
        return PN_OK;

    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    size_t n_columns;
    const char **columns = choose_columns(info.schema, vectors, &arena, &n_columns);
    pn_batch batch;
    pn_status status = PN_OK;
    if (!columns)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, engine->take(engine->self, snapshot, addrs, n, columns, n_columns, &arena, &batch,
                               err));
    for (size_t i = 0; i < n; i++) {
        hits->hits[i].addr = addrs[i];
        hits->hits[i].distance = distances ? distances[i] : 0;
        PN_GOTO(done, fill_hit(&batch, i, hits, &hits->hits[i], err));
    }
    hits->n = n;
done:
    pn_arena_reset(&arena);
    return status;
}

void pn_hits_free(pn_hits *hits)
{
    pn_arena_reset(&hits->arena);
    *hits = (pn_hits){0};
}
