/*
 * index_section.c - which indexes a version has, and of which fragments
 *
 * Each index lists the fragments that it covers, as a bitmap of their ids; rows of other fragments are searched one by one. So an
 * index is never wrong when it covers less, and it is wrong when it covers a fragment whose rows have other addresses now. A
 * table with stable row ids has ids in its indexes instead of addresses, and they go where the rows go.
 * Entries and fields that we do not know are written back as they were.
 */
#include "dataset/index_section.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "dataset/deletion.h"

#include <inttypes.h>

/* Bitmaps are opened as words of bits up to the highest id. */
static const uint64_t MAX_FRAGMENT_ID = (uint64_t)1 << 30;

static pn_status unpack(const uint8_t *bytes, size_t n, Pn__Table__IndexSection **out,
                        pn_error *err)
{
    *out = pn__table__index_section__unpack(NULL, n, bytes);
    return *out ? PN_OK : pn_fail(err, PN_ERR_CORRUPT, "the list of indexes is damaged");
}

static pn_status pack(const Pn__Table__IndexSection *section, pn_draft *draft, pn_error *err)
{
    size_t n = pn__table__index_section__get_packed_size(section);
    uint8_t *bytes = pn_arena_alloc(draft->arena, n + 1);
    if (!bytes)
        return pn_fail_nomem(err);
    n = pn__table__index_section__pack(section, bytes);
    /* As of manifests: what is read of others may not be readable once it is written back (an overlong field number 0). */
    Pn__Table__IndexSection *again;
    PN_TRY(unpack(bytes, n, &again, err));
    pn__table__index_section__free_unpacked(again, NULL);
    draft->index_section_bytes = n;
    draft->index_section = bytes;
    return PN_OK;
}

/* ---- columns ---- */

static bool has_field(const Pn__Table__Manifest *m, int32_t id)
{
    for (size_t i = 0; i < m->n_fields; i++)
        if (m->fields[i]->id == id)
            return true;
    return false;
}

static bool has_fields(const Pn__Table__Manifest *m, const Pn__Table__IndexMetadata *index)
{
    for (size_t i = 0; i < index->n_fields; i++)
        if (!has_field(m, index->fields[i]))
            return false;
    return true;
}

pn_status pn_indexes_keep_fields(pn_draft *draft, pn_error *err)
{
    Pn__Table__IndexSection *section;
    if (!draft->index_section)
        return PN_OK;
    PN_TRY(unpack(draft->index_section, draft->index_section_bytes, &section, err));
    Pn__Table__IndexSection kept = *section;
    kept.indices = PN_ARENA_NEW(draft->arena, Pn__Table__IndexMetadata *, section->n_indices + 1);
    kept.n_indices = 0;
    pn_status status = kept.indices ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; i < section->n_indices && status == PN_OK; i++)
        if (has_fields(draft->manifest, section->indices[i]))
            kept.indices[kept.n_indices++] = section->indices[i];
    if (status == PN_OK && kept.n_indices < section->n_indices)
        status = pack(&kept, draft, err);
    pn__table__index_section__free_unpacked(section, NULL);
    return status;
}

static bool is_within(const pn_field *field, int32_t id)
{
    bool found = field->id == id;
    for (size_t i = 0; i < field->n_children && !found; i++)
        found = is_within(&field->children[i], id);
    return found;
}

pn_status pn_indexes_find(const pn_dataset *dataset, const pn_field *column, pn_arena *arena,
                          const char **name, pn_error *err)
{
    Pn__Table__IndexSection *section;
    const char *found = NULL;
    *name = NULL;
    if (!dataset->manifest.index_section)
        return PN_OK;
    PN_TRY(unpack(dataset->manifest.index_section, dataset->manifest.index_section_bytes, &section,
                  err));
    for (size_t i = 0; i < section->n_indices && !found; i++)
        for (size_t k = 0; k < section->indices[i]->n_fields && !found; k++)
            if (is_within(column, section->indices[i]->fields[k]))
                found = section->indices[i]->name ? section->indices[i]->name : "?";
    *name = found ? pn_arena_strdup(arena, found) : NULL;
    pn__table__index_section__free_unpacked(section, NULL);
    return !found || *name ? PN_OK : pn_fail_nomem(err);
}

/* ---- fragments ---- */

static pn_status open_bitmap(const Pn__Table__IndexMetadata *index, uint64_t max_id,
                             uint64_t **words, pn_error *err)
{
    if (max_id > MAX_FRAGMENT_ID)
        return pn_fail(err, PN_ERR_LIMIT, "fragment id %" PRIu64 " in a table with indexes",
                       max_id);
    return pn_deletion_parse(index->fragment_bitmap.data, index->fragment_bitmap.len,
                             index->name ? index->name : "an index", true, (uint32_t)max_id + 1,
                             words, err);
}

/* Old ids out, the new one in when it may be. *changed says whether there was any. */
static void move_bits(uint64_t *words, const pn_index_move *move, bool *changed)
{
    size_t n_covered = 0;
    for (size_t i = 0; i < move->n_old; i++) {
        uint64_t id = move->old_ids[i];
        n_covered += pn_word_bit_get(words, id);
        words[id / 64] &= ~((uint64_t)1 << id % 64);
    }
    if (move->keeps_ids && n_covered == move->n_old)
        pn_word_bit_set(words, move->new_id);
    *changed = *changed || n_covered > 0;
}

static pn_status move_index(pn_draft *draft, Pn__Table__IndexMetadata *index,
                            const pn_index_move *moves, size_t n, bool *changed, pn_error *err)
{
    uint64_t *words, max_id = draft->manifest->max_fragment_id;
    pn_buffer bytes;
    uint64_t count;
    bool moved = false;
    if (!index->has_fragment_bitmap)
        return PN_OK; // of all fragments of its version, or of none: nobody asks it about others
    PN_TRY(open_bitmap(index, max_id, &words, err));
    for (size_t i = 0; i < n; i++)
        move_bits(words, &moves[i], &moved);
    pn_status status = PN_OK;
    if (moved) {
        pn_buffer_init(&bytes, UINT32_MAX);
        status = pn_bitmap_write(words, (uint32_t)max_id + 1, &bytes, &count, err);
        void *copy = status == PN_OK ? pn_arena_alloc(draft->arena, bytes.n_bytes + 1) : NULL;
        if (status == PN_OK && !copy)
            status = pn_fail_nomem(err);
        if (status == PN_OK) {
            memcpy(copy, bytes.data, bytes.n_bytes);
            index->fragment_bitmap = (ProtobufCBinaryData){bytes.n_bytes, copy};
            *changed = true;
        }
        pn_buffer_reset(&bytes);
    }
    pn_free(words);
    return status;
}

pn_status pn_indexes_move(pn_draft *draft, const pn_index_move *moves, size_t n, pn_error *err)
{
    Pn__Table__IndexSection *section;
    bool changed = false;
    if (!draft->index_section)
        return PN_OK;
    PN_TRY(unpack(draft->index_section, draft->index_section_bytes, &section, err));
    /* Copies, whose bitmaps may be in the arena: what was unpacked is freed as it came. */
    Pn__Table__IndexSection copy = *section;
    Pn__Table__IndexMetadata *entries =
        PN_ARENA_NEW(draft->arena, Pn__Table__IndexMetadata, section->n_indices + 1);
    copy.indices = PN_ARENA_NEW(draft->arena, Pn__Table__IndexMetadata *, section->n_indices + 1);
    pn_status status = entries && copy.indices ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; i < section->n_indices && status == PN_OK; i++) {
        entries[i] = *section->indices[i];
        copy.indices[i] = &entries[i];
        status = move_index(draft, &entries[i], moves, n, &changed, err);
    }
    if (status == PN_OK && changed)
        status = pack(&copy, draft, err);
    pn__table__index_section__free_unpacked(section, NULL);
    return status;
}

static pn_status mix_index(const pn_dataset *dataset, const Pn__Table__IndexMetadata *index,
                           uint64_t max_id, uint64_t *classes, pn_error *err)
{
    uint64_t *words;
    if (!index->has_fragment_bitmap || !index->uuid)
        return PN_OK;
    uint64_t number = pn_hash64(index->uuid->uuid.data, index->uuid->uuid.len) | 1;
    PN_TRY(open_bitmap(index, max_id, &words, err));
    for (size_t i = 0; i < dataset->n_fragments; i++)
        if (pn_word_bit_get(words, dataset->fragments[i].id))
            classes[i] ^= number;
    pn_free(words);
    return PN_OK;
}

pn_status pn_indexes_classes(const pn_dataset *dataset, pn_arena *arena, uint64_t **classes,
                             pn_error *err)
{
    Pn__Table__IndexSection *section;
    uint64_t *list = PN_ARENA_NEW(arena, uint64_t, dataset->n_fragments + 1);
    uint64_t max_id = dataset->manifest.message->max_fragment_id;
    if (!list)
        return pn_fail_nomem(err);
    *classes = list;
    if (!dataset->manifest.index_section)
        return PN_OK;
    for (size_t i = 0; i < dataset->n_fragments; i++)
        max_id = PN_MAX(max_id, dataset->fragments[i].id);
    PN_TRY(unpack(dataset->manifest.index_section, dataset->manifest.index_section_bytes, &section,
                  err));
    pn_status status = PN_OK;
    for (size_t i = 0; i < section->n_indices && status == PN_OK; i++)
        status = mix_index(dataset, section->indices[i], max_id, list, err);
    pn__table__index_section__free_unpacked(section, NULL);
    return status;
}

/* ---- one for others ---- */

bool pn_index_is_of(const Pn__Table__IndexMetadata *index, int32_t field_id)
{
    return index->n_fields == 1 && index->fields[0] == field_id && index->uuid &&
           index->uuid->uuid.len == 16;
}

static void *from_arena(void *arena, size_t bytes)
{
    return pn_arena_alloc(arena, bytes);
}

static void leave(void *arena, void *block)
{
    (void)arena;
    (void)block; // goes with the arena
}

/* The draft's list in its arena: the transaction names what goes, and is written after this. */
static pn_status unpack_into(const pn_draft *draft, Pn__Table__IndexSection **out, pn_error *err)
{
    static const uint8_t none[1];
    ProtobufCAllocator allocator = {from_arena, leave, draft->arena};
    *out = pn__table__index_section__unpack(&allocator,
                                            draft->index_section ? draft->index_section_bytes : 0,
                                            draft->index_section ? draft->index_section : none);
    return *out ? PN_OK : pn_fail(err, PN_ERR_CORRUPT, "the list of indexes is damaged");
}

pn_status pn_indexes_replace(pn_draft *draft, int32_t field_id, Pn__Table__IndexMetadata *added,
                             size_t *n_removed, pn_error *err)
{
    Pn__Table__IndexSection *section;
    PN_TRY(unpack_into(draft, &section, err));
    size_t n = section->n_indices;
    Pn__Table__CreateIndex *change = PN_ARENA_NEW(draft->arena, Pn__Table__CreateIndex, 1);
    Pn__Table__IndexMetadata **all =
        PN_ARENA_NEW(draft->arena, Pn__Table__IndexMetadata *, 2 * n + 3);
    if (!change || !all)
        return pn_fail_nomem(err);
    pn__table__create_index__init(change);
    change->removed_indices = all + n + 1;
    Pn__Table__IndexSection kept = *section;
    kept.indices = all;
    kept.n_indices = 0;
    for (size_t i = 0; i < n; i++)
        if (pn_index_is_of(section->indices[i], field_id))
            change->removed_indices[change->n_removed_indices++] = section->indices[i];
        else
            all[kept.n_indices++] = section->indices[i];
    *n_removed = change->n_removed_indices;
    if (added) {
        all[kept.n_indices++] = added;
        change->new_indices = all + 2 * n + 2;
        change->new_indices[change->n_new_indices++] = added;
    }
    draft->txn->operation_case = PN__TABLE__TRANSACTION__OPERATION_CREATE_INDEX;
    draft->txn->create_index = change;
    return pack(&kept, draft, err);
}
