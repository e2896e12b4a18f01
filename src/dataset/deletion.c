/*
 * deletion.c - Roaring bitmaps and Arrow files
 *
 * A deletion file lists all deleted rows of its fragment; a new one replaces the old one. We write bitmaps for any count and
 * read both kinds. What a file says is checked against the fragment's rows.
 *
 * CRoaring writes the bitmaps. Reading is done here: the bytes may be anybody's, CRoaring 0.2.66 has no check of what it read
 * (order, counts), and walking the portable form straight into words of bits is shorter than a detour over its tree.
 */
#include "dataset/deletion.h"

#include "base/alloc.h"
#include "base/bits.h"
#include "base/endian.h"
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

static pn_status parse_arrow(const uint8_t *bytes, size_t n_bytes, const char *path,
                             uint32_t n_rows, pn_arena *arena, uint64_t *words, pn_error *err)
{
    uint32_t *offsets;
    size_t n;
    PN_TRY(pn_lance_deletion_arrow_parse(bytes, n_bytes, path, arena, &offsets, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (offsets[i] >= n_rows)
            return out_of_range(path, offsets[i], n_rows, err);
        pn_word_bit_set(words, offsets[i]);
    }
    return PN_OK;
}

/* One container of a bitmap: 65,536 rows from base on. */
typedef struct container {
    const uint8_t *at, *end; /* its bytes and whatever follows */
    uint32_t base, n_values; /* 1 to 65,536 */
    bool runs;
} container;

/* A value of the container; ascending order makes a bitmap of n values hold n rows. */
typedef struct marking {
    const char *path;
    uint64_t *words;
    uint32_t n_rows;
    int64_t last; /* the last value seen; -1 before the first */
} marking;

static pn_status damaged(const marking *m, const char *what, pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: not a Roaring bitmap, or damaged: %s", m->path, what);
}

static pn_status mark(marking *m, uint32_t row, pn_error *err)
{
    if (row >= m->n_rows)
        return out_of_range(m->path, row, m->n_rows, err);
    if ((int64_t)row <= m->last)
        return damaged(m, "rows out of order", err);
    pn_word_bit_set(m->words, row);
    m->last = row;
    return PN_OK;
}

static pn_status read_runs(marking *m, container *c, pn_error *err)
{
    if (c->end - c->at < 2)
        return damaged(m, "it is cut short", err);
    size_t n_runs = pn_load_le16(c->at);
    c->at += 2;
    if ((size_t)(c->end - c->at) < n_runs * 4)
        return damaged(m, "it is cut short", err);
    for (size_t i = 0; i < n_runs; i++, c->at += 4) {
        uint32_t first = pn_load_le16(c->at), more = pn_load_le16(c->at + 2);
        if (first + more > UINT16_MAX)
            return damaged(m, "a run leaves its container", err);
        for (uint32_t k = 0; k <= more; k++)
            PN_TRY(mark(m, c->base + first + k, err));
    }
    return PN_OK;
}

static pn_status read_container(marking *m, container *c, pn_error *err)
{
    enum { MOST_IN_ARRAY = 4096, BITS_BYTES = 8192 };
    if (c->runs)
        return read_runs(m, c, err);
    bool array = c->n_values <= MOST_IN_ARRAY;
    size_t n_bytes = array ? (size_t)c->n_values * 2 : (size_t)BITS_BYTES;
    uint32_t n = 0;
    if ((size_t)(c->end - c->at) < n_bytes)
        return damaged(m, "it is cut short", err);
    for (uint32_t i = 0; array && i < c->n_values; i++, n++)
        PN_TRY(mark(m, c->base + pn_load_le16(c->at + (size_t)i * 2), err));
    for (uint32_t i = 0; !array && i < BITS_BYTES * 8; i++) {
        if (pn_bit_get(c->at, i)) {
            PN_TRY(mark(m, c->base + i, err));
            n++;
        }
    }
    c->at += n_bytes;
    return n == c->n_values ? PN_OK : damaged(m, "a container's count is wrong", err);
}

/*
 * The portable form (github.com/RoaringBitmap/RoaringFormatSpec): cookie, run flags, keys and counts, offsets, containers.
 * Containers lie back to back, so the offsets are passed over.
 */
static pn_status parse_bitmap(const uint8_t *bytes, size_t n, const char *path, uint32_t n_rows,
                              uint64_t *words, pn_error *err)
{
    enum { COOKIE_PLAIN = 12346, COOKIE_RUNS = 12347, OFFSETS_FROM = 4, MOST_CONTAINERS = 65536 };
    marking m = {path, words, n_rows, -1};
    if (n < 8) // the smallest: no container
        return damaged(&m, "it is cut short", err);
    const uint8_t *at = bytes, *end = bytes + n, *run_flags = NULL;
    uint32_t cookie = pn_load_le32(at), n_containers = pn_load_le32(at + 4);
    at += 8;
    if ((cookie & UINT16_MAX) == COOKIE_RUNS) {
        n_containers = (cookie >> 16) + 1;
        run_flags = at -= 4;
        at += PN_MIN(pn_bytes_for_bits(n_containers), (size_t)(end - at));
    } else if (cookie != COOKIE_PLAIN) {
        return damaged(&m, "another cookie", err);
    }
    bool has_offsets = !run_flags || n_containers >= OFFSETS_FROM;
    size_t header = (size_t)n_containers * (has_offsets ? 8 : 4);
    if (n_containers > MOST_CONTAINERS || (size_t)(end - at) < header)
        return damaged(&m, "it is cut short", err);
    container c = {.at = at + header, .end = end};
    for (uint32_t i = 0; i < n_containers; i++, at += 4) {
        c.base = (uint32_t)pn_load_le16(at) << 16;
        c.n_values = (uint32_t)pn_load_le16(at + 2) + 1;
        c.runs = run_flags && pn_bit_get(run_flags, i);
        PN_TRY(read_container(&m, &c, err));
    }
    return c.at == end ? PN_OK : damaged(&m, "bytes behind its end", err);
}

pn_status pn_deletion_parse(const uint8_t *bytes, size_t n, const char *name, bool bitmap,
                            uint32_t n_rows, uint64_t **words, pn_error *err)
{
    pn_arena arena;
    uint64_t *bits = pn_alloc_zero((pn_words_for_bits(n_rows) + 1) * sizeof *bits);
    if (!bits)
        return pn_fail_nomem(err);
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = bitmap ? parse_bitmap(bytes, n, name, n_rows, bits, err)
                              : parse_arrow(bytes, n, name, n_rows, &arena, bits, err);
    pn_arena_reset(&arena);
    if (status == PN_OK)
        *words = bits;
    else
        pn_free(bits);
    return status;
}

/* A manifest of an old writer does not say how many. */
static pn_status check_count(const uint64_t *words, uint32_t n_rows, uint64_t wanted,
                             const char *path, pn_error *err)
{
    uint64_t n = 0;
    for (size_t i = 0; i < pn_words_for_bits(n_rows); i++)
        n += pn_popcount64(words[i]);
    if (wanted != 0 && n != wanted)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: deletes %" PRIu64 " rows, the manifest says %" PRIu64, path, n, wanted);
    return PN_OK;
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
    uint64_t *read = NULL;
    bool bitmap = file->file_type == 1;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, PN_MANIFEST_MAX_BYTES);
    char *path = file_path(table, fragment_id, file->read_version, file->id, bitmap, &arena);
    if (!path)
        PN_GOTO(done, pn_fail_nomem(err));
    status = pn_file_read(path, &bytes, err);
    if (status == PN_ERR_NOT_FOUND) // the table is there, a part of it is not
        status = pn_fail_wrap(err, PN_ERR_CORRUPT, "a deletion file of the version is missing: ");
    if (status != PN_OK)
        goto done;
    PN_GOTO(done, pn_deletion_parse(bytes.data, bytes.n_bytes, path, bitmap, n_rows, &read, err));
    PN_GOTO(done, check_count(read, n_rows, file->num_deleted_rows, path, err));
    *words = read;
    read = NULL;
done:
    pn_free(read);
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

pn_status pn_bitmap_write(const uint64_t *words, uint32_t n_rows, pn_buffer *out, uint64_t *count,
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

pn_status pn_deletion_write(const char *table, uint64_t fragment_id, uint64_t read_version,
                            const uint64_t *words, uint32_t n_rows, pn_sync_list *unsynced,
                            Pn__Table__DeletionFile *out, pn_error *err)
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
    PN_GOTO(done, pn_bitmap_write(words, n_rows, &bytes, &count, err));
    PN_GOTO(done, pn_dir_make(folder, err));
    PN_GOTO(done, pn_sync_list_write(unsynced, path, bytes.data, bytes.n_bytes, err));
    PN_GOTO(done, pn_sync_list_add_folder(unsynced, folder, err));
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
