/*
 * image_schema.c - making the image table's schema, and looking for what a search needs in somebody else's
 */
#include "collection/image_schema.h"

#include "base/limits.h"

#include <inttypes.h>

pn_status pn_image_schema_make(uint32_t dim, const char *embedder_identity, const char *model,
                               const char *preprocess, pn_arena *arena, pn_schema *out,
                               pn_error *err)
{
    enum { N_FIELDS = 7, N_PAIRS = 4 };
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, N_FIELDS);
    pn_kv *pairs = PN_ARENA_NEW(arena, pn_kv, N_PAIRS);
    if (dim == 0 || dim > PN_EMBEDDING_MAX_DIM)
        return pn_fail(err, PN_ERR_LIMIT, "vectors of %" PRIu32 " floats, the limit is %d", dim,
                       PN_EMBEDDING_MAX_DIM);
    if (!fields || !pairs ||
        !pn_field_init_vector(&fields[1], PN_COLUMN_VECTOR, (int32_t)dim, arena) ||
        !pn_field_init_string_map(&fields[3], PN_COLUMN_METADATA, false, arena))
        return pn_fail_nomem(err);
    pn_field_init(&fields[0], PN_COLUMN_ID, PN_TYPE_INT64, false);
    pn_field_init(&fields[2], PN_COLUMN_IMAGE_PATH, PN_TYPE_STRING, false);
    pn_field_init(&fields[4], PN_COLUMN_TIMESTAMP, PN_TYPE_TIMESTAMP, false);
    pn_field_init(&fields[5], PN_COLUMN_THUMBNAIL, PN_TYPE_BINARY, true);
    pn_field_init(&fields[6], PN_COLUMN_CONTENT_HASH, PN_TYPE_STRING, true);
    pairs[0] = (pn_kv){PN_META_FORMAT, "1"};
    pairs[1] = (pn_kv){PN_META_EMBEDDER, embedder_identity};
    pairs[2] = (pn_kv){PN_META_MODEL, model};
    pairs[3] = (pn_kv){PN_META_PREPROCESS, preprocess};
    *out = (pn_schema){
        .fields = fields, .n_fields = N_FIELDS, .metadata = pairs, .n_metadata = N_PAIRS};
    return PN_OK;
}

static pn_status fail_type(const pn_field *field, const char *table, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *type = pn_type_text(field, &arena);
    pn_status status = pn_fail(err, PN_ERR_INVALID,
                               "%s: column \"%s\": its type is %s; searching needs a fixed-size "
                               "list of 1 to %d float (32 bits)",
                               table, field->name, type ? type : "another", PN_EMBEDDING_MAX_DIM);
    pn_arena_reset(&arena);
    return status;
}

pn_status pn_image_schema_check(const pn_schema *schema, const char *table, uint32_t *dim,
                                pn_error *err)
{
    ptrdiff_t at = pn_schema_find(schema, pn_str_of(PN_COLUMN_VECTOR));
    if (at < 0)
        return pn_fail(err, PN_ERR_INVALID, "%s: the table has no column \"" PN_COLUMN_VECTOR "\"",
                       table);
    const pn_field *field = &schema->fields[at];
    if (field->type != PN_TYPE_FIXED_SIZE_LIST || field->children[0].type != PN_TYPE_FLOAT ||
        field->size < 1 || field->size > PN_EMBEDDING_MAX_DIM)
        return fail_type(field, table, err);
    *dim = (uint32_t)field->size;
    return PN_OK;
}
