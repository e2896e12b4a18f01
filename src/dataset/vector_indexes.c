/*
 * vector_indexes.c - the indexes of LanceDB that a version has of a column of vectors
 */
#include "dataset/vector_indexes.h"

#include "base/alloc.h"
#include "dataset/commit.h"
#include "dataset/deletion.h"
#include "dataset/index_section.h"
#include "os/clock.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <string.h>

/* As in index_section.c: bitmaps are opened as words of bits up to the highest id. */
static const uint64_t MAX_FRAGMENT_ID = (uint64_t)1 << 30;

static uint64_t highest_id(const pn_dataset *dataset)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < dataset->n_fragments; i++)
        highest = PN_MAX(highest, dataset->fragments[i].id);
    return highest;
}

static pn_status find_covered(const pn_dataset *dataset, const Pn__Table__IndexMetadata *index,
                              pn_arena *arena, pn_vector_index *out, pn_error *err)
{
    uint64_t *words, highest = highest_id(dataset);
    out->fragments = PN_ARENA_NEW(arena, size_t, dataset->n_fragments + 1);
    if (!out->fragments)
        return pn_fail_nomem(err);
    if (!index->has_fragment_bitmap)
        out->refused = "it does not say which fragments it covers";
    else if (highest > MAX_FRAGMENT_ID)
        out->refused = "the table's fragment ids are too large";
    else if (pn_has_row_ids(dataset->manifest.message))
        out->refused = "the table has stable row ids, which it holds instead of addresses";
    if (out->refused)
        return PN_OK;
    PN_TRY(pn_deletion_parse(index->fragment_bitmap.data, index->fragment_bitmap.len, out->name,
                             true, (uint32_t)highest + 1, &words, err));
    for (size_t i = 0; i < dataset->n_fragments; i++)
        if (pn_word_bit_get(words, dataset->fragments[i].id))
            out->fragments[out->n_fragments++] = i;
    pn_free(words);
    return PN_OK;
}

static pn_status describe(const pn_dataset *dataset, const Pn__Table__IndexMetadata *index,
                          pn_arena *arena, pn_vector_index *out, pn_error *err)
{
    char uuid[PN_UUID_TEXT_BYTES];
    pn_error why = {0};
    *out = (pn_vector_index){.table_version = index->dataset_version};
    memcpy(out->uuid, index->uuid->uuid.data, sizeof out->uuid);
    pn_uuid_text(out->uuid, uuid);
    out->name = pn_arena_strdup(arena, index->name ? index->name : uuid);
    out->folder = pn_arena_printf(arena, "%s/_indices/%s", dataset->path, uuid);
    if (!out->name || !out->folder)
        return pn_fail_nomem(err);
    pn_status status = find_covered(dataset, index, arena, out, &why);
    if (status == PN_ERR_NOMEM)
        return pn_fail_nomem(err);
    if (status != PN_OK)
        out->refused = pn_arena_strdup(arena, why.message);
    return status == PN_OK || out->refused ? PN_OK : pn_fail_nomem(err);
}

static pn_status list(const pn_dataset *dataset, const Pn__Table__IndexSection *section,
                      int32_t field_id, pn_arena *arena, pn_vector_index **out, size_t *n,
                      pn_error *err)
{
    pn_vector_index *found = PN_ARENA_NEW(arena, pn_vector_index, section->n_indices + 1);
    if (!found)
        return pn_fail_nomem(err);
    size_t n_found = 0;
    for (size_t i = 0; i < section->n_indices; i++)
        if (pn_index_is_of(section->indices[i], field_id))
            PN_TRY(describe(dataset, section->indices[i], arena, &found[n_found++], err));
    *out = found;
    *n = n_found;
    return PN_OK;
}

pn_status pn_dataset_vector_indexes(const pn_dataset *dataset, const char *column, pn_arena *arena,
                                    pn_vector_index **out, size_t *n, pn_error *err)
{
    const pn_manifest *m = &dataset->manifest;
    ptrdiff_t i = pn_schema_find(&dataset->schema, pn_str_of(column));
    *out = NULL;
    *n = 0;
    if (!m->index_section || i < 0)
        return PN_OK;
    Pn__Table__IndexSection *section =
        pn__table__index_section__unpack(NULL, m->index_section_bytes, m->index_section);
    if (!section)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the list of indexes is damaged", dataset->path);
    pn_status status = list(dataset, section, dataset->schema.fields[i].id, arena, out, n, err);
    pn__table__index_section__free_unpacked(section, NULL);
    return status;
}

/* ---- changes ---- */

typedef struct adding {
    pn_dataset *read;
    const pn_new_vector_index *index; /* NULL: none comes */
    const char *column;
    int32_t field_id;
    size_t n_removed;
    pn_commit_end end;
} adding;

static bool touches(const void *context, uint64_t fragment_id)
{
    const adding *a = context;
    for (size_t i = 0; a->index && i < a->index->n_fragments; i++)
        if (a->read->fragments[a->index->fragments[i]].id == fragment_id)
            return true;
    return false;
}

/* Is the fragment there with the same rows and vectors? */
static bool is_unchanged(const adding *a, const pn_dataset *newest, size_t fragment_i)
{
    const pn_fragment *old = &a->read->fragments[fragment_i];
    size_t at = pn_dataset_find_fragment(newest, old->id);
    return at != SIZE_MAX && newest->fragments[at].n_rows == old->n_rows &&
           strcmp(pn_dataset_column_file(newest, at, a->column),
                  pn_dataset_column_file(a->read, fragment_i, a->column)) == 0;
}

static pn_status make_bitmap(const adding *a, const pn_dataset *newest, pn_arena *arena,
                             ProtobufCBinaryData *out, pn_error *err)
{
    pn_buffer bytes;
    uint64_t count, highest = highest_id(a->read);
    if (highest > MAX_FRAGMENT_ID)
        return pn_fail(err, PN_ERR_LIMIT, "fragment id %" PRIu64 " in a table with indexes",
                       highest);
    uint64_t *words = PN_ARENA_NEW(arena, uint64_t, pn_words_for_bits(highest + 1) + 1);
    if (!words)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < a->index->n_fragments; i++)
        if (is_unchanged(a, newest, a->index->fragments[i]))
            pn_word_bit_set(words, a->read->fragments[a->index->fragments[i]].id);
    pn_buffer_init(&bytes, UINT32_MAX);
    pn_status status = pn_bitmap_write(words, (uint32_t)highest + 1, &bytes, &count, err);
    if (status == PN_OK && count == 0)
        status = pn_fail(err, PN_ERR_CONFLICT,
                         "%s: all that the new index covers was rewritten meanwhile", newest->path);
    void *copy = status == PN_OK ? pn_arena_alloc(arena, bytes.n_bytes + 1) : NULL;
    if (copy) {
        memcpy(copy, bytes.data, bytes.n_bytes);
        *out = (ProtobufCBinaryData){bytes.n_bytes, copy};
    } else if (status == PN_OK) {
        status = pn_fail_nomem(err);
    }
    pn_buffer_reset(&bytes);
    return status;
}

static pn_status add_details(const pn_new_vector_index *index, pn_arena *arena,
                             Pn__Table__IndexMetadata *to, pn_error *err)
{
    static char url[] = "/lance.index.pb.VectorIndexDetails";
    Pn__Table__PqDetails pq = PN__TABLE__PQ_DETAILS__INIT;
    Pn__Table__VectorIndexDetails details = PN__TABLE__VECTOR_INDEX_DETAILS__INIT;
    enum { COSINE = 1, BITS = 8 };
    pq.has_bits = pq.has_sub_vectors = details.has_metric = 1;
    pq.bits = BITS;
    pq.sub_vectors = (uint32_t)index->n_subs;
    details.metric = COSINE;
    details.pq = &pq;
    size_t n = pn__table__vector_index_details__get_packed_size(&details);
    Pn__Lance__Any *any = PN_ARENA_NEW(arena, Pn__Lance__Any, 1);
    uint8_t *bytes = pn_arena_alloc(arena, n + 1);
    if (!any || !bytes)
        return pn_fail_nomem(err);
    pn__lance__any__init(any);
    any->type_url = url;
    any->has_value = 1;
    any->value =
        (ProtobufCBinaryData){pn__table__vector_index_details__pack(&details, bytes), bytes};
    to->index_details = any;
    return PN_OK;
}

static pn_status add_files(const pn_new_vector_index *index, pn_arena *arena,
                           Pn__Table__IndexMetadata *to, pn_error *err)
{
    Pn__Table__IndexFile *files = PN_ARENA_NEW(arena, Pn__Table__IndexFile, index->n_files + 1);
    to->files = PN_ARENA_NEW(arena, Pn__Table__IndexFile *, index->n_files + 1);
    if (!files || !to->files)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < index->n_files; i++) {
        pn__table__index_file__init(&files[i]);
        files[i].path = pn_arena_strdup(arena, index->files[i].name);
        files[i].has_size = 1;
        files[i].size = index->files[i].bytes;
        if (!files[i].path)
            return pn_fail_nomem(err);
        to->files[to->n_files++] = &files[i];
    }
    return PN_OK;
}

static pn_status describe_new(adding *a, const pn_dataset *newest, pn_arena *arena,
                              Pn__Table__IndexMetadata **out, pn_error *err)
{
    Pn__Table__IndexMetadata *m = PN_ARENA_NEW(arena, Pn__Table__IndexMetadata, 1);
    Pn__Table__Uuid *uuid = PN_ARENA_NEW(arena, Pn__Table__Uuid, 1);
    uint8_t *bytes = pn_arena_alloc(arena, sizeof a->index->uuid);
    if (!m || !uuid || !bytes)
        return pn_fail_nomem(err);
    memcpy(bytes, a->index->uuid, sizeof a->index->uuid);
    pn__table__index_metadata__init(m);
    pn__table__uuid__init(uuid);
    uuid->has_uuid = 1;
    uuid->uuid = (ProtobufCBinaryData){sizeof a->index->uuid, bytes};
    m->uuid = uuid;
    m->fields = &a->field_id;
    m->n_fields = 1;
    m->name = pn_arena_strdup(arena, a->index->name);
    if (!m->name)
        return pn_fail_nomem(err);
    m->has_dataset_version = m->has_index_version = m->has_created_at_ms = 1;
    m->dataset_version = pn_dataset_version(a->read);
    m->index_version = 1;
    m->created_at_ms = (uint64_t)(pn_clock_wall_ns() / 1000000);
    m->has_fragment_bitmap = 1;
    PN_TRY(make_bitmap(a, newest, arena, &m->fragment_bitmap, err));
    PN_TRY(add_details(a->index, arena, m, err));
    PN_TRY(add_files(a->index, arena, m, err));
    *out = m;
    return PN_OK;
}

static pn_status apply(void *context, pn_dataset *newest, pn_draft *draft, pn_error *err)
{
    adding *a = context;
    Pn__Table__IndexMetadata *added = NULL;
    ptrdiff_t i = pn_schema_find(&newest->schema, pn_str_of(a->column));
    if (i < 0 || newest->schema.fields[i].id != a->field_id)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: column \"%s\" is gone", newest->path, a->column);
    if (a->index)
        PN_TRY(describe_new(a, newest, draft->arena, &added, err));
    PN_TRY(pn_indexes_replace(draft, a->field_id, added, &a->n_removed, err));
    draft->nothing = !added && a->n_removed == 0;
    return PN_OK;
}

static pn_status replace(pn_dataset *dataset, adding *a, pn_dataset **out, pn_error *err)
{
    ptrdiff_t i = pn_schema_find(&dataset->schema, pn_str_of(a->column));
    if (i < 0)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: no column \"%s\"", dataset->path, a->column);
    a->field_id = dataset->schema.fields[i].id;
    const pn_commit_plan plan = {
        .operation = PN_OPERATION_CREATE_INDEX, .touches = touches, .apply = apply, .context = a};
    return pn_commit_run(dataset, &plan, &a->end, out, err);
}

pn_status pn_dataset_add_vector_index(pn_dataset *dataset, const pn_new_vector_index *index,
                                      size_t *n_removed, bool *published, pn_dataset **out,
                                      pn_error *err)
{
    adding a = {.read = dataset, .index = index, .column = index->column};
    *published = false;
    if (pn_has_row_ids(dataset->manifest.message))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: an index of a table with stable row ids is not written", dataset->path);
    pn_status status = replace(dataset, &a, out, err);
    *published = a.end.published;
    if (status == PN_OK)
        *n_removed = a.n_removed;
    return status;
}

pn_status pn_dataset_drop_vector_indexes(pn_dataset *dataset, const char *column, size_t *n_dropped,
                                         pn_dataset **out, pn_error *err)
{
    adding a = {.read = dataset, .column = column};
    PN_TRY(replace(dataset, &a, out, err));
    *n_dropped = a.n_removed;
    return PN_OK;
}
