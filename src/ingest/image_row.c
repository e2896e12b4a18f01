/*
 * image_row.c - one builder a column
 *
 * The table decides which columns there are: one that LanceDB made with (vector, image_path, category) gets exactly those.
 * A plain column whose name is a metadata key takes that value (text columns only); the map column, where there is one,
 * takes all pairs. What is left is null, and a table that does not allow that is refused before any work is done.
 */
#include "ingest/image_row.h"

#include "base/alloc.h"

enum { MAX_COLUMN_BYTES = 1 << 30 };

struct pn_row_batch {
    pn_schema schema; /* the columns we fill: a subset of the table's */
    pn_arena arena;
    pn_builder **builders; /* [schema.n_fields] */
    pn_array *arrays;      /* the view */
};

static bool is_own(const pn_field *field, const char *name)
{
    return strcmp(field->name, name) == 0;
}

static bool is_plain_text(const pn_field *field)
{
    return field->type == PN_TYPE_STRING || field->type == PN_TYPE_LARGE_STRING;
}

static bool is_string_map(const pn_field *field)
{
    return field->type == PN_TYPE_MAP && is_plain_text(&field->children[0].children[0]) &&
           is_plain_text(&field->children[0].children[1]);
}

/* Can we give this column values (also null ones)? */
static bool can_fill(const pn_field *field)
{
    if (is_own(field, PN_COLUMN_ID))
        return pn_type_is_integer(field->type);
    if (is_own(field, PN_COLUMN_VECTOR))
        return field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].type == PN_TYPE_FLOAT;
    if (is_own(field, PN_COLUMN_METADATA))
        return is_string_map(field);
    if (is_own(field, PN_COLUMN_TIMESTAMP))
        return field->type == PN_TYPE_TIMESTAMP && field->unit != PN_UNIT_NANO;
    if (is_own(field, PN_COLUMN_THUMBNAIL))
        return field->type == PN_TYPE_BINARY || field->type == PN_TYPE_LARGE_BINARY;
    return is_plain_text(field);
}

static pn_status choose_fields(pn_row_batch *rows, const pn_schema *schema, pn_row_ids ids,
                               pn_error *err)
{
    rows->schema.fields = PN_ARENA_NEW(&rows->arena, pn_field, schema->n_fields);
    if (!rows->schema.fields)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const pn_field *field = &schema->fields[i];
        if (is_own(field, PN_COLUMN_ID) && ids == PN_ROWS_WITHOUT_IDS)
            continue;
        if (can_fill(field))
            rows->schema.fields[rows->schema.n_fields++] = *field;
        else if (!field->nullable)
            return pn_fail(
                err, PN_ERR_INVALID,
                "column \"%s\" of the table cannot be null, and pictures have nothing to put there",
                field->name);
    }
    return PN_OK;
}

pn_status pn_row_batch_create(const pn_schema *schema, pn_row_ids ids, pn_row_batch **out,
                              pn_error *err)
{
    pn_status status = PN_OK;
    pn_row_batch *rows = pn_alloc_zero(sizeof *rows);
    if (!rows)
        return pn_fail_nomem(err);
    pn_arena_init(&rows->arena, SIZE_MAX);
    PN_GOTO(done, choose_fields(rows, schema, ids, err));
    rows->builders = PN_ARENA_NEW(&rows->arena, pn_builder *, rows->schema.n_fields);
    rows->arrays = PN_ARENA_NEW(&rows->arena, pn_array, rows->schema.n_fields);
    if (!rows->builders || !rows->arrays)
        PN_GOTO(done, pn_fail_nomem(err));
    for (size_t i = 0; i < rows->schema.n_fields; i++)
        PN_GOTO(done, pn_builder_create(&rows->schema.fields[i], MAX_COLUMN_BYTES,
                                        &rows->builders[i], err));
    *out = rows;
    rows = NULL;
done:
    pn_row_batch_free(rows);
    return status;
}

void pn_row_batch_free(pn_row_batch *rows)
{
    if (!rows)
        return;
    for (size_t i = 0; rows->builders && i < rows->schema.n_fields; i++)
        pn_builder_free(rows->builders[i]);
    pn_arena_reset(&rows->arena);
    pn_free(rows);
}

static pn_status add_map(pn_builder *map, const pn_ingest_item *item, pn_error *err)
{
    pn_builder *entries = pn_builder_child(map, 0);
    for (size_t i = 0; i < item->n_metadata; i++) {
        const pn_kv *pair = &item->metadata[i];
        PN_TRY(pn_builder_append_bytes(pn_builder_child(entries, 0), pair->key, strlen(pair->key),
                                       err));
        PN_TRY(pn_builder_append_bytes(pn_builder_child(entries, 1), pair->value,
                                       strlen(pair->value), err));
        PN_TRY(pn_builder_close_row(entries, err));
    }
    return pn_builder_close_row(map, err);
}

/* What a text column shows of the item; NULL: nothing. */
static const char *text_for(const pn_field *field, const pn_ingest_item *item)
{
    if (is_own(field, PN_COLUMN_IMAGE_PATH))
        return item->path;
    if (is_own(field, PN_COLUMN_CONTENT_HASH))
        return item->content_hash;
    for (size_t i = 0; i < item->n_metadata; i++)
        if (strcmp(item->metadata[i].key, field->name) == 0)
            return item->metadata[i].value;
    return NULL;
}

/* Checked before the first column of a row is touched: a half-added row would shift all later ones. */
static pn_status check_required(const pn_row_batch *rows, const pn_ingest_item *item, pn_error *err)
{
    for (size_t i = 0; i < rows->schema.n_fields; i++) {
        const pn_field *field = &rows->schema.fields[i];
        if (is_plain_text(field) && !field->nullable && !text_for(field, item))
            return pn_fail(
                err, PN_ERR_INVALID,
                "column \"%s\" of the table cannot be null, and there is no value for it",
                field->name);
    }
    return PN_OK;
}

static pn_status add_text(pn_builder *builder, const pn_field *field, const pn_ingest_item *item,
                          pn_error *err)
{
    const char *text = text_for(field, item);
    return text ? pn_builder_append_bytes(builder, text, strlen(text), err)
                : pn_builder_append_null(builder, err);
}

static int64_t in_unit(int64_t ms, pn_time_unit unit)
{
    if (unit == PN_UNIT_SECOND)
        return ms / 1000 - (ms % 1000 < 0);
    return unit == PN_UNIT_MICRO ? ms * 1000 : ms;
}

static pn_status add_value(pn_builder *builder, const pn_field *field, const pn_ingest_item *item,
                           int64_t id, int64_t now_ms, pn_error *err)
{
    if (is_own(field, PN_COLUMN_ID))
        return pn_builder_append_i64(builder, id, err);
    if (is_own(field, PN_COLUMN_VECTOR))
        return pn_builder_append_floats(builder, item->vector, (size_t)field->size, err);
    if (is_own(field, PN_COLUMN_METADATA))
        return add_map(builder, item, err);
    if (is_own(field, PN_COLUMN_TIMESTAMP))
        return pn_builder_append_i64(
            builder,
            in_unit(item->timestamp_ms == PN_INGEST_NO_TIME ? now_ms : item->timestamp_ms,
                    field->unit),
            err);
    if (is_own(field, PN_COLUMN_THUMBNAIL)) {
        if (item->thumbnail.n_bytes == 0 && field->nullable)
            return pn_builder_append_null(builder, err);
        return pn_builder_append_bytes(builder, item->thumbnail.data, item->thumbnail.n_bytes, err);
    }
    return add_text(builder, field, item, err);
}

pn_status pn_row_batch_add(pn_row_batch *rows, const pn_ingest_item *item, int64_t id,
                           int64_t now_ms, pn_error *err)
{
    PN_TRY(check_required(rows, item, err));
    for (size_t i = 0; i < rows->schema.n_fields; i++)
        PN_TRY(add_value(rows->builders[i], &rows->schema.fields[i], item, id, now_ms, err));
    return PN_OK;
}

size_t pn_row_batch_length(const pn_row_batch *rows)
{
    return pn_builder_length(rows->builders[0]);
}

pn_status pn_row_batch_view(pn_row_batch *rows, pn_batch *out, pn_error *err)
{
    for (size_t i = 0; i < rows->schema.n_fields; i++)
        PN_TRY(pn_builder_view(rows->builders[i], &rows->arrays[i], err));
    *out = (pn_batch){
        .schema = &rows->schema, .columns = rows->arrays, .n_rows = pn_row_batch_length(rows)};
    return PN_OK;
}

void pn_row_batch_clear(pn_row_batch *rows)
{
    for (size_t i = 0; i < rows->schema.n_fields; i++)
        pn_builder_clear(rows->builders[i]);
}
