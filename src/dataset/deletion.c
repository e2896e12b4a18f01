/*
 * deletion.c - Roaring bitmaps (CRoaring, portable form) and Arrow files
 *
 * A deletion file lists all deleted rows of its fragment; a new one replaces the old one. We write bitmaps for any count and
 * read both kinds. What a file says is checked against the fragment's rows.
 */
#include "dataset/deletion.h"

#include "base/alloc.h"
#include "base/bits.h"
#include "base/limits.h"
#include "lance/deletion_arrow.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <roaring/roaring.h>
#include <string.h>

static char *file_path(const char *table, uint64_t fragment_id, uint64_t read_version, uint64_t id,
                       bool bitmap, pn_arena *arena)
{
    return pn_arena_printf(arena, "%s/_deletions/%" PRIu64 "-%" PRIu64 "-%" PRIu64 ".%s", table,
                           fragment_id, read_version, id, bitmap ? "bin" : "arrow");
}

static pn_status out_of_range(const char *path, uint32_t row, uint32_t n_rows, pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: deletes row %" PRIu32 ", the fragment has %" PRIu32,
                   path, row, n_rows);
}

static pn_status parse_arrow(const pn_buffer *bytes, const char *path, uint32_t n_rows,
                             pn_arena *arena, uint64_t *words, pn_error *err)
{
    uint32_t *offsets;
    size_t n;
    PN_TRY(
        pn_lance_deletion_arrow_parse(bytes->data, bytes->n_bytes, path, arena, &offsets, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (offsets[i] >= n_rows)
            return out_of_range(path, offsets[i], n_rows, err);
        pn_word_bit_set(words, offsets[i]);
    }
    return PN_OK;
}

static pn_status parse_bitmap(const pn_buffer *bytes, const char *path, uint32_t n_rows,
                              uint64_t *words, pn_error *err)
{
    roaring_bitmap_t *bitmap =
        roaring_bitmap_portable_deserialize_safe((const char *)bytes->data, bytes->n_bytes);
    if (!bitmap)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: not a Roaring bitmap, or damaged", path);
    pn_status status = PN_OK;
    roaring_uint32_iterator_t *row = roaring_create_iterator(bitmap);
    if (!row)
        status = pn_fail_nomem(err);
    for (; status == PN_OK && row->has_value; roaring_advance_uint32_iterator(row)) {
        if (row->current_value >= n_rows)
            status = out_of_range(path, row->current_value, n_rows, err);
        else
            pn_word_bit_set(words, row->current_value);
    }
    roaring_free_uint32_iterator(row);
    roaring_bitmap_free(bitmap);
    return status;
}

pn_status pn_deletion_read(const char *table, uint64_t fragment_id,
                           const Pn__Table__DeletionFile *file, uint32_t n_rows, uint64_t **words,
                           pn_error *err)
{
    if (file->has_base_id && file->base_id != 0)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "%s: a deletion file outside of the table", table);
    pn_status status = PN_OK;
    pn_arena arena;
    pn_buffer bytes;
    bool bitmap = file->file_type == 1;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, PN_MANIFEST_MAX_BYTES);
    char *path = file_path(table, fragment_id, file->read_version, file->id, bitmap, &arena);
    uint64_t *bits = pn_alloc_zero((pn_words_for_bits(n_rows) + 1) * sizeof *bits);
    if (!path || !bits)
        PN_GOTO(done, pn_fail_nomem(err));
    status = pn_file_read(path, &bytes, err);
    if (status == PN_ERR_NOT_FOUND) // the table is there, a part of it is not
        status = pn_fail_wrap(err, PN_ERR_CORRUPT, "a deletion file of the version is missing: ");
    if (status != PN_OK)
        goto done;
    status = bitmap ? parse_bitmap(&bytes, path, n_rows, bits, err)
                    : parse_arrow(&bytes, path, n_rows, &arena, bits, err);
    if (status == PN_OK) {
        *words = bits;
        bits = NULL;
    }
done:
    pn_free(bits);
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

void pn_deletion_remove(const char *table, uint64_t fragment_id,
                        const Pn__Table__DeletionFile *file)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *path =
        file_path(table, fragment_id, file->read_version, file->id, file->file_type == 1, &arena);
    if (path)
        (void)(pn_path_remove(path, NULL) == PN_OK); // as the header says
    pn_arena_reset(&arena);
}

static pn_status serialize(const uint64_t *words, uint32_t n_rows, pn_buffer *out, uint64_t *count,
                           pn_error *err)
{
    roaring_bitmap_t *bitmap = roaring_bitmap_create();
    if (!bitmap)
        return pn_fail_nomem(err);
    for (uint32_t w = 0; w < pn_words_for_bits(n_rows); w++)
        for (uint64_t word = words[w]; word != 0; word &= word - 1)
            roaring_bitmap_add(bitmap, w * 64 + pn_lowest_bit(word));
    *count = roaring_bitmap_get_cardinality(bitmap);
    size_t n = roaring_bitmap_portable_size_in_bytes(bitmap);
    pn_status status = pn_buffer_reserve(out, n, err);
    if (status == PN_OK)
        out->n_bytes += roaring_bitmap_portable_serialize(bitmap, (char *)out->data);
    roaring_bitmap_free(bitmap);
    return status;
}

static pn_status write_file(const char *path, const pn_buffer *bytes, pn_error *err)
{
    pn_fd fd;
    PN_TRY(pn_fd_open(path, PN_OPEN_CREATE_NEW, &fd, err));
    pn_status status = pn_fd_write(fd, path, bytes->data, bytes->n_bytes, err);
    if (status == PN_OK)
        status = pn_fd_sync(fd, path, err);
    pn_fd_close(fd);
    return status;
}

pn_status pn_deletion_write(const char *table, uint64_t fragment_id, uint64_t read_version,
                            const uint64_t *words, uint32_t n_rows, Pn__Table__DeletionFile *out,
                            pn_error *err)
{
    pn_status status = PN_OK;
    pn_arena arena;
    pn_buffer bytes;
    uint64_t id, count;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, PN_MANIFEST_MAX_BYTES);
    pn_random_bytes(&id, sizeof id);
    id &= INT64_MAX;
    char *folder = pn_path_join(&arena, table, "_deletions");
    char *path = file_path(table, fragment_id, read_version, id, true, &arena);
    if (!folder || !path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, serialize(words, n_rows, &bytes, &count, err));
    PN_GOTO(done, pn_dir_make(folder, err));
    PN_GOTO(done, write_file(path, &bytes, err));
    pn__table__deletion_file__init(out);
    out->has_file_type = out->has_read_version = out->has_id = out->has_num_deleted_rows = 1;
    out->file_type = 1;
    out->read_version = read_version;
    out->id = id;
    out->num_deleted_rows = count;
done:
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}
