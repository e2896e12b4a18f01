/*
 * manifest.c - reading and writing manifest files
 *
 *     [u32 n, IndexSection] [u32 n, Transaction] u32 n, Manifest   u64 position of the last part   u16 0, u16 2, "LANC"
 *
 * Offset 0 is a valid place for the first two, so their fields' presence decides, not their value.
 */
#include "dataset/manifest.h"

#include "base/alloc.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/str.h"
#include "lance/message_depth.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES = 16 };

static int compare_versions(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* The version a manifest's name stands for; false when the name is none. */
static bool parse_name(const char *name, uint64_t *version, pn_manifest_scheme *scheme)
{
    pn_str stem = pn_str_of(name);
    uint64_t number;
    if (!pn_str_ends_with(stem, ".manifest"))
        return false;
    stem.len -= strlen(".manifest");
    if (!pn_str_to_u64(stem, &number))
        return false; // detached versions begin with a letter
    *scheme = stem.len == 20 ? PN_MANIFEST_V2 : PN_MANIFEST_V1;
    *version = *scheme == PN_MANIFEST_V2 ? UINT64_MAX - number : number;
    return true;
}

pn_status pn_manifest_list(const char *table, pn_arena *arena, pn_version_list *out, pn_error *err)
{
    char **names;
    size_t n_names;
    char *folder = pn_path_join(arena, table, "_versions");
    if (!folder)
        return pn_fail_nomem(err);
    pn_status status = pn_dir_list(folder, arena, &names, &n_names, err);
    if (status == PN_ERR_NOT_FOUND)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no table here", table);
    PN_TRY(status);
    pn_version_list list = {PN_ARENA_NEW(arena, uint64_t, n_names + 1), 0, PN_MANIFEST_V2};
    if (!list.versions)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n_names; i++)
        if (parse_name(names[i], &list.versions[list.n], &list.scheme))
            list.n++;
    if (list.n == 0)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: the table has no version", table);
    qsort(list.versions, list.n, sizeof *list.versions, compare_versions);
    *out = list;
    return PN_OK;
}

char *pn_manifest_path(const char *table, uint64_t version, pn_manifest_scheme scheme,
                       pn_arena *arena)
{
    if (scheme == PN_MANIFEST_V1)
        return pn_arena_printf(arena, "%s/_versions/%" PRIu64 ".manifest", table, version);
    return pn_arena_printf(arena, "%s/_versions/%020" PRIu64 ".manifest", table,
                           UINT64_MAX - version);
}

uint64_t pn_manifest_hint(const char *table)
{
    enum { MAX_BYTES = 4096 };
    static const char key[] = "\"version\"";
    pn_arena arena;
    pn_buffer bytes;
    uint64_t version = 0;
    pn_arena_init(&arena, (size_t)MAX_BYTES * 4);
    pn_buffer_init(&bytes, MAX_BYTES);
    char *path = pn_path_join(&arena, table, "_versions/latest_version_hint.json");
    const char *text =
        path && pn_file_read(path, &bytes, NULL) == PN_OK ? pn_buffer_text(&bytes) : NULL;
    const char *at = text ? strstr(text, key) : NULL;
    if (at) {
        at += strlen(key);
        at += strspn(at, " \t\r\n:");
        if (!pn_str_to_u64(pn_str_make(at, strspn(at, "0123456789")), &version))
            version = 0;
    }
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return version;
}

int64_t pn_manifest_time_ms(const Pn__Table__Manifest *message)
{
    const Pn__Table__Timestamp *time = message->timestamp;
    if (!time || time->seconds > INT64_MAX / 2000 || time->seconds < -INT64_MAX / 2000)
        return 0;
    return time->seconds * 1000 + time->nanos / 1000000;
}

typedef struct file_bytes {
    const uint8_t *data;
    size_t n;
} file_bytes;

/* A u32 length and that many bytes at offset. */
static bool section(file_bytes file, uint64_t offset, const uint8_t **bytes, size_t *n)
{
    if (offset > file.n || file.n - offset < 4)
        return false;
    *n = pn_load_le32(file.data + offset);
    *bytes = file.data + offset + 4;
    return *n <= file.n - offset - 4;
}

static pn_status parse(file_bytes file, const char *path, pn_manifest *out, pn_error *err)
{
    const uint8_t *bytes;
    size_t n;
    if (file.n < TAIL_BYTES || memcmp(file.data + file.n - 4, "LANC", 4) != 0)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: does not end in \"LANC\": damaged, or cut short",
                       path);
    if (!section(file, pn_load_le64(file.data + file.n - TAIL_BYTES), &bytes, &n))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the manifest lies outside of the file", path);
    if (!pn_message_texts_are_whole(&pn__table__manifest__descriptor, bytes, n))
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: the name of a column, or another text, has a NUL byte in it", path);
    out->message = pn__table__manifest__unpack(NULL, n, bytes);
    if (!out->message || !out->message->has_version)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: the manifest is damaged", path);
    if (out->message->has_index_section) {
        if (!section(file, out->message->index_section, &bytes, &n))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: the index section lies outside of the file",
                           path);
        out->index_section = pn_alloc(n);
        if (!out->index_section)
            return pn_fail_nomem(err);
        memcpy(out->index_section, bytes, n);
        out->index_section_bytes = n;
    }
    if (out->message->has_transaction_section) {
        if (!section(file, out->message->transaction_section, &bytes, &n))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: the transaction lies outside of the file",
                           path);
        out->transaction = pn__table__transaction__unpack(NULL, n, bytes);
        if (!out->transaction)
            return pn_fail(err, PN_ERR_CORRUPT, "%s: the transaction is damaged", path);
    }
    return PN_OK;
}

pn_status pn_manifest_parse(const uint8_t *bytes, size_t n, const char *name, pn_manifest *out,
                            pn_error *err)
{
    pn_manifest manifest = {0};
    pn_status status = parse((file_bytes){bytes, n}, name, &manifest, err);
    if (status == PN_OK)
        *out = manifest;
    else
        pn_manifest_free(&manifest);
    return status;
}

/* Older writers keep the transaction only in its own file. A missing one is no fault of the version. */
static void read_transaction_file(const char *table, pn_arena *arena, pn_manifest *out)
{
    const char *name = out->message->transaction_file;
    if (out->transaction || !name || name[0] == '\0' || strchr(name, '/'))
        return;
    pn_buffer bytes;
    pn_buffer_init(&bytes, PN_MANIFEST_MAX_BYTES);
    char *path = pn_arena_printf(arena, "%s/_transactions/%s", table, name);
    if (path && pn_file_read(path, &bytes, NULL) == PN_OK)
        out->transaction = pn__table__transaction__unpack(NULL, bytes.n_bytes, bytes.data);
    pn_buffer_reset(&bytes);
}

pn_status pn_manifest_read(const char *table, uint64_t version, pn_manifest_scheme scheme,
                           pn_manifest *out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_arena arena;
    pn_buffer file;
    pn_manifest manifest = {0};
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&file, PN_MANIFEST_MAX_BYTES);
    char *path = pn_manifest_path(table, version, scheme, &arena);
    if (!path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_file_read(path, &file, err));
    PN_GOTO(done, pn_manifest_parse(file.data, file.n_bytes, path, &manifest, err));
    if (manifest.message->version != version)
        PN_GOTO(done, pn_fail(err, PN_ERR_CORRUPT, "%s: is version %" PRIu64, path,
                              manifest.message->version));
    read_transaction_file(table, &arena, &manifest);
    *out = manifest;
    manifest = (pn_manifest){0};
done:
    pn_manifest_free(&manifest);
    pn_buffer_reset(&file);
    pn_arena_reset(&arena);
    return status;
}

void pn_manifest_free(pn_manifest *manifest)
{
    if (manifest->message)
        pn__table__manifest__free_unpacked(manifest->message, NULL);
    if (manifest->transaction)
        pn__table__transaction__free_unpacked(manifest->transaction, NULL);
    pn_free(manifest->index_section);
    *manifest = (pn_manifest){0};
}

static pn_status append_u32(pn_buffer *out, size_t value, pn_error *err)
{
    uint8_t bytes[4];
    if (value > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "a manifest section of %zu bytes", value);
    pn_store_le32(bytes, (uint32_t)value);
    return pn_buffer_append(out, bytes, sizeof bytes, err);
}

/* A manifest of others can hold what is read but cannot be written (an overlong field number 0): better no new version than one
 * that nobody can open. */
static pn_status check_encoded(const pn_buffer *encoded, pn_error *err)
{
    pn_manifest back;
    PN_TRY(pn_manifest_parse(encoded->data, encoded->n_bytes, "the new manifest", &back, err));
    pn_manifest_free(&back);
    return PN_OK;
}

pn_status pn_manifest_encode(Pn__Table__Manifest *message, const uint8_t *index_section,
                             size_t index_section_bytes, const Pn__Table__Transaction *transaction,
                             pn_buffer *out, pn_error *err)
{
    uint8_t tail[TAIL_BYTES] = {0};
    pn_assert(out->n_bytes == 0); // positions count from the file's begin
    message->has_index_section = index_section != NULL;
    message->index_section = out->n_bytes;
    if (index_section) {
        PN_TRY(append_u32(out, index_section_bytes, err));
        PN_TRY(pn_buffer_append(out, index_section, index_section_bytes, err));
    }
    message->has_transaction_section = 1;
    message->transaction_section = out->n_bytes;
    size_t n = pn__table__transaction__get_packed_size(transaction);
    PN_TRY(append_u32(out, n, err));
    PN_TRY(pn_buffer_reserve(out, n, err));
    out->n_bytes += pn__table__transaction__pack(transaction, out->data + out->n_bytes);

    pn_store_le64(tail, out->n_bytes);
    n = pn__table__manifest__get_packed_size(message);
    PN_TRY(append_u32(out, n, err));
    PN_TRY(pn_buffer_reserve(out, n, err));
    out->n_bytes += pn__table__manifest__pack(message, out->data + out->n_bytes);
    pn_store_le16(tail + 10, 2);
    memcpy(tail + 12, "LANC", 4);
    PN_TRY(pn_buffer_append(out, tail, sizeof tail, err));
    return check_encoded(out, err);
}

uint64_t pn_manifest_rows(const Pn__Table__Manifest *m)
{
    uint64_t n = 0;
    for (size_t f = 0; f < m->n_fragments; f++) {
        const Pn__Table__DeletionFile *deleted = m->fragments[f]->deletion_file;
        n += m->fragments[f]->physical_rows - (deleted ? deleted->num_deleted_rows : 0);
    }
    return n;
}
