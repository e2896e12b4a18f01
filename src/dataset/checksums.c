/*
 * checksums.c - what the files of a table were when they were known to be sound
 *
 * In the side folder, which other writers leave alone. The files of a table never change once they are written, so a line is true for as
 * long as its file is there.
 */
#include "dataset/checksums.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/str.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_DIGITS = PN_HASH_TEXT_BYTES - 1, READ_BYTES = 1 << 20 };
static const size_t MAX_LIST_BYTES = (size_t)1 << 30;

struct pn_checksums {
    pn_arena arena;
    pn_checksum *all;
    size_t n, capacity;
};

pn_status pn_checksums_create(pn_checksums **out, pn_error *err)
{
    pn_checksums *sums = pn_alloc_zero(sizeof *sums);
    if (!sums)
        return pn_fail_nomem(err);
    pn_arena_init(&sums->arena, SIZE_MAX);
    *out = sums;
    return PN_OK;
}

void pn_checksums_free(pn_checksums *sums)
{
    if (!sums)
        return;
    pn_arena_reset(&sums->arena);
    pn_free(sums->all);
    pn_free(sums);
}

size_t pn_checksums_count(const pn_checksums *sums)
{
    return sums->n;
}

const pn_checksum *pn_checksums_get(const pn_checksums *sums, size_t i)
{
    pn_assert(i < sums->n);
    return &sums->all[i];
}

static pn_status add(pn_checksums *sums, pn_str path, const char *hash, uint64_t n_bytes,
                     pn_error *err)
{
    if (sums->n == sums->capacity) {
        size_t capacity = PN_MAX(sums->capacity * 2, (size_t)64);
        pn_checksum *more = pn_realloc(sums->all, capacity * sizeof *more);
        if (!more)
            return pn_fail_nomem(err);
        sums->all = more;
        sums->capacity = capacity;
    }
    pn_checksum *sum = &sums->all[sums->n];
    *sum = (pn_checksum){.path = pn_arena_strndup(&sums->arena, path.ptr, path.len),
                         .n_bytes = n_bytes};
    memcpy(sum->hash, hash, HASH_DIGITS);
    if (!sum->path)
        return pn_fail_nomem(err);
    sums->n++;
    return PN_OK;
}

pn_status pn_checksums_add(pn_checksums *sums, const pn_checksum *sum, pn_error *err)
{
    return add(sums, pn_str_of(sum->path), sum->hash, sum->n_bytes, err);
}

static int compare_paths(const void *left, const void *right)
{
    const pn_checksum *a = left, *b = right;
    return strcmp(a->path, b->path);
}

const pn_checksum *pn_checksums_find(const pn_checksums *sums, const char *path)
{
    const pn_checksum key = {.path = path};
    return sums->n > 0 ? bsearch(&key, sums->all, sums->n, sizeof key, compare_paths) : NULL;
}

/* ---- the list as a file ---- */

static char *list_path(const char *table, pn_arena *arena)
{
    return pn_arena_printf(arena, "%s/" PN_CHECKSUMS_FILE, table);
}

static bool parse_line(pn_checksums *sums, pn_str line, pn_status *status, pn_error *err)
{
    pn_str rest = line;
    pn_str hash = pn_str_split(&rest, ' ');
    pn_str size = rest.ptr ? pn_str_split(&rest, ' ') : rest;
    uint64_t n_bytes;
    if (hash.len != HASH_DIGITS || !rest.ptr || rest.len == 0 || !pn_str_to_u64(size, &n_bytes))
        return false;
    *status = add(sums, rest, hash.ptr, n_bytes, err);
    return true;
}

static pn_status parse_list(pn_checksums *sums, const pn_buffer *file, const char *path,
                            pn_error *err)
{
    char hash[PN_HASH_TEXT_BYTES];
    const size_t n_last = HASH_DIGITS + 1; // the last line
    const char *bytes = (const char *)file->data;
    size_t n = file->n_bytes > n_last ? file->n_bytes - n_last : 0;
    pn_hash128_text(bytes, n, hash);
    pn_status status = PN_OK;
    bool ok = file->n_bytes >= n_last && memcmp(bytes + n, hash, HASH_DIGITS) == 0 &&
              bytes[file->n_bytes - 1] == '\n';
    pn_str rest = {bytes, n};
    while (ok && status == PN_OK && rest.ptr && rest.len > 0)
        ok = parse_line(sums, pn_str_split(&rest, '\n'), &status, err);
    if (!ok)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the list of checksums is damaged", path);
    return status;
}

pn_status pn_checksums_load(const char *table, pn_checksums **out, pn_error *err)
{
    pn_checksums *sums;
    pn_buffer file;
    PN_TRY(pn_checksums_create(&sums, err));
    pn_buffer_init(&file, MAX_LIST_BYTES);
    char *path = list_path(table, &sums->arena);
    pn_status status = path ? pn_file_read(path, &file, err) : pn_fail_nomem(err);
    if (status == PN_ERR_NOT_FOUND)
        status = PN_OK;
    else if (status == PN_OK)
        status = parse_list(sums, &file, path, err);
    pn_buffer_reset(&file);
    if (status != PN_OK) {
        pn_checksums_free(sums);
        return status;
    }
    if (sums->n > 0)
        qsort(sums->all, sums->n, sizeof *sums->all, compare_paths);
    *out = sums;
    return PN_OK;
}

pn_status pn_checksums_save(pn_checksums *sums, const char *table, pn_error *err)
{
    char hash[PN_HASH_TEXT_BYTES];
    pn_status status = PN_OK;
    pn_buffer file;
    pn_buffer_init(&file, MAX_LIST_BYTES);
    char *path = list_path(table, &sums->arena);
    char *folder = pn_path_join(&sums->arena, table, "_pennon");
    if (!path || !folder)
        PN_GOTO(done, pn_fail_nomem(err));
    for (size_t i = 0; i < sums->n; i++)
        PN_GOTO(done, pn_buffer_append_format(&file, err, "%s %" PRIu64 " %s\n", sums->all[i].hash,
                                              sums->all[i].n_bytes, sums->all[i].path));
    pn_hash128_text(file.data ? (const char *)file.data : "", file.n_bytes, hash);
    PN_GOTO(done, pn_buffer_append_format(&file, err, "%s\n", hash));
    PN_GOTO(done, pn_dir_make(folder, err));
    status = pn_file_write_atomic(path, file.data, file.n_bytes, err);
done:
    pn_buffer_reset(&file);
    return status;
}

pn_status pn_checksum_file(const char *path, pn_checksum *out, pn_error *err)
{
    pn_fd fd;
    size_t n = 1;
    pn_checksum sum = {.path = out->path};
    PN_TRY(pn_fd_open(path, PN_OPEN_READ, &fd, err));
    uint8_t *block = pn_alloc(READ_BYTES);
    pn_hasher *hasher = pn_hasher_create();
    pn_status status = block && hasher ? PN_OK : pn_fail_nomem(err);
    while (status == PN_OK && n > 0) {
        status = pn_fd_read_some(fd, path, block, READ_BYTES, &n, err);
        if (status == PN_OK && n > 0)
            pn_hasher_update(hasher, block, n);
        sum.n_bytes += status == PN_OK ? n : 0;
    }
    if (status == PN_OK) {
        pn_hasher_text(hasher, sum.hash);
        *out = sum;
    }
    pn_hasher_free(hasher);
    pn_free(block);
    pn_fd_close(fd);
    return status;
}
