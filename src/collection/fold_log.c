/*
 * fold_log.c - lines of text, read whole when the file has changed
 *
 * A line is some hundred bytes for ten fragments, and upkeep leaves out what no index needs any more, so the file stays small enough
 * to be read again after each fold. A line ends with the hash of what stands before it, and begins behind a newline of its own: what
 * a torn line left is a line without a hash that fits.
 */
#include "collection/fold_log.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/bits.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/keyset.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLED_NS 50000000

/* Fewer lines than rows of the largest index / 1000 are there; a file of this size is not ours. */
enum { MAX_BYTES = 256 << 20 };

struct pn_fold_log {
    char *folder;
    int64_t changed_ns; /* of the file, when it was read; -1: never */
    uint64_t size_bytes;
    pn_arena arena;      /* of what was read */
    pn_fold_part *parts; /* sorted by old file, those of later lines first */
    size_t n_parts;
    pn_str *lines; /* whole, with their hashes, in the order of the file */
    size_t n_lines;
};

static char *log_path(const char *folder, pn_arena *arena)
{
    return pn_path_join(arena, folder, "folds.log");
}

pn_status pn_fold_log_create(const char *folder, pn_fold_log **out, pn_error *err)
{
    pn_fold_log *log = pn_alloc_zero(sizeof *log);
    char *copy = pn_strdup(folder);
    if (!log || !copy) {
        pn_free(log);
        pn_free(copy);
        return pn_fail_nomem(err);
    }
    log->folder = copy;
    log->changed_ns = -1;
    pn_arena_init(&log->arena, SIZE_MAX);
    *out = log;
    return PN_OK;
}

static void clear(pn_fold_log *log)
{
    pn_arena_reset(&log->arena);
    log->parts = NULL;
    log->lines = NULL;
    log->n_parts = log->n_lines = 0;
}

void pn_fold_log_free(pn_fold_log *log)
{
    if (!log)
        return;
    clear(log);
    pn_free(log->folder);
    pn_free(log);
}

size_t pn_fold_log_count(const pn_fold_log *log)
{
    return log->n_lines;
}

/* ---- reading ---- */

/* Without its hash; false: it has none that fits. */
static bool check_line(pn_str line, pn_str *content)
{
    enum { HASH_BYTES = 17 }; /* with the space before it */
    char text[HASH_BYTES + 1];
    if (line.len <= HASH_BYTES || !pn_str_starts_with(line, "fold "))
        return false;
    *content = pn_str_make(line.ptr, line.len - HASH_BYTES);
    (void)snprintf(text, sizeof text, " %016" PRIx64, pn_hash64(content->ptr, content->len));
    return memcmp(text, line.ptr + content->len, HASH_BYTES) == 0;
}

static bool take_number(pn_str text, uint64_t most, uint32_t *out)
{
    uint64_t value;
    if (!pn_str_to_u64(text, &value) || value > most)
        return false;
    *out = (uint32_t)value;
    return true;
}

static size_t count_of(pn_str text, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == c;
    return n;
}

/* "3-5,9", ascending, of n_rows. *n_gone counts their rows. */
static bool take_gaps(pn_str text, pn_fold_part *part, pn_arena *arena, uint32_t *n_gone)
{
    *n_gone = 0;
    if (pn_str_is(text, "-"))
        return true;
    pn_fold_gap *gaps = PN_ARENA_NEW(arena, pn_fold_gap, count_of(text, ',') + 1);
    uint64_t next = 0;
    while (gaps && text.len > 0) {
        pn_str range = pn_str_split(&text, ',');
        uint32_t first, last;
        if (!take_number(pn_str_split(&range, '-'), UINT32_MAX, &first))
            return false;
        last = first;
        if (range.len > 0 && !take_number(range, UINT32_MAX, &last))
            return false;
        if (first < next || last < first || last >= part->n_rows)
            return false;
        gaps[part->n_gaps++] = (pn_fold_gap){first, last - first + 1};
        *n_gone += last - first + 1;
        next = (uint64_t)last + 1;
    }
    part->gaps = gaps;
    return gaps != NULL;
}

static char *copy_of(pn_str text, pn_arena *arena)
{
    return pn_arena_strndup(arena, text.ptr, text.len);
}

/* "<file>:<rows>:<deleted>" */
static bool take_part(pn_str text, uint32_t first_row, const char *new_file, pn_arena *arena,
                      pn_fold_part *out, uint32_t *n_left)
{
    uint32_t n_gone;
    *out = (pn_fold_part){.new_file = new_file, .first_row = first_row};
    out->old_file = copy_of(pn_str_split(&text, ':'), arena);
    if (!out->old_file || out->old_file[0] == '\0' ||
        !take_number(pn_str_split(&text, ':'), UINT32_MAX, &out->n_rows) ||
        !take_gaps(text, out, arena, &n_gone))
        return false;
    *n_left = out->n_rows - n_gone;
    return true;
}

/* The parts of one line behind those that are there; none of a line that makes no sense. There is room. */
static void take_line(pn_fold_log *log, pn_str content)
{
    size_t before = log->n_parts;
    uint32_t n_rows;
    uint64_t next = 0;
    (void)pn_str_split(&content, ' '); // "fold"
    const char *new_file = copy_of(pn_str_split(&content, ' '), &log->arena);
    bool good = new_file && take_number(pn_str_split(&content, ' '), UINT32_MAX, &n_rows);
    while (good && content.len > 0) {
        uint32_t n_left;
        good = take_part(pn_str_split(&content, ' '), (uint32_t)next, new_file, &log->arena,
                         &log->parts[log->n_parts], &n_left);
        log->parts[log->n_parts].line = log->n_lines;
        log->n_parts += good;
        next += good ? n_left : 0;
        good = good && next <= n_rows;
    }
    if (!good || next != n_rows)
        log->n_parts = before;
}

static int by_old_file(const void *left, const void *right)
{
    const pn_fold_part *a = left, *b = right;
    return strcmp(a->old_file, b->old_file);
}

static int by_old_file_and_line(const void *left, const void *right)
{
    const pn_fold_part *a = left, *b = right;
    int order = by_old_file(a, b);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static pn_status parse(pn_fold_log *log, pn_str text, pn_error *err)
{
    log->parts = PN_ARENA_NEW(&log->arena, pn_fold_part, count_of(text, ' ') + 1);
    log->lines = PN_ARENA_NEW(&log->arena, pn_str, count_of(text, '\n') + 1);
    if (!log->parts || !log->lines)
        return pn_fail_nomem(err);
    while (text.len > 0) {
        pn_str content, line = pn_str_split(&text, '\n');
        if (!check_line(line, &content))
            continue;
        log->lines[log->n_lines].ptr = copy_of(line, &log->arena);
        log->lines[log->n_lines].len = line.len;
        if (!log->lines[log->n_lines].ptr)
            return pn_fail_nomem(err);
        log->n_lines++;
        take_line(log, content);
    }
    qsort(log->parts, log->n_parts, sizeof *log->parts, by_old_file_and_line);
    return PN_OK;
}

static pn_status read_whole(pn_fold_log *log, const char *path, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, MAX_BYTES);
    clear(log);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = parse(log, pn_str_make((const char *)bytes.data, bytes.n_bytes), err);
    if (status != PN_OK)
        clear(log);
    pn_buffer_reset(&bytes);
    return status == PN_ERR_NOT_FOUND ? PN_OK : status;
}

pn_status pn_fold_log_refresh(pn_fold_log *log, pn_error *err)
{
    pn_arena arena;
    pn_file_info info;
    pn_arena_init(&arena, SIZE_MAX);
    const char *path = log_path(log->folder, &arena);
    pn_status status = path ? pn_path_info(path, &info, err) : pn_fail_nomem(err);
    if (status == PN_ERR_NOT_FOUND) {
        clear(log);
        log->changed_ns = -1;
        status = PN_OK;
    } else if (status == PN_OK &&
               (info.changed_ns != log->changed_ns || info.size_bytes != log->size_bytes)) {
        status = read_whole(log, path, err);
        /* The clock of files ticks every few milliseconds, as that of folders. */
        bool is_settled = pn_clock_wall_ns() - info.changed_ns > SETTLED_NS;
        log->changed_ns = status == PN_OK && is_settled ? info.changed_ns : -1;
        log->size_bytes = info.size_bytes;
    }
    pn_arena_reset(&arena);
    return status;
}

const pn_fold_part *pn_fold_log_find(const pn_fold_log *log, const char *old_file, size_t *n)
{
    const pn_fold_part key = {.old_file = old_file}, *end = log->parts + log->n_parts;
    const pn_fold_part *first = NULL;
    *n = 0;
    if (log->n_parts > 0)
        first = bsearch(&key, log->parts, log->n_parts, sizeof key, by_old_file);
    if (!first)
        return NULL;
    while (first > log->parts && by_old_file(first - 1, &key) == 0)
        first--;
    while (first + *n < end && by_old_file(first + *n, &key) == 0)
        ++*n;
    return first;
}

/* ---- writing ---- */

/* Names that would break a line are of other programs. */
static bool is_plain(const char *name)
{
    return name[0] != '\0' && strpbrk(name, " :\n") == NULL;
}

/* Deleted rows as ranges. *told false: they are too many. */
static pn_status add_ranges(pn_buffer *out, const uint64_t *deleted, uint32_t n_rows, bool *told,
                            pn_error *err)
{
    size_t n = 0;
    if (!deleted)
        return pn_buffer_append_text(out, "-", err);
    for (uint32_t row = 0; row < n_rows; row++) {
        uint32_t first = row;
        while (row < n_rows && pn_word_bit_get(deleted, row))
            row++;
        if (row == first)
            continue;
        *told = *told && n < PN_FOLD_MAX_GAPS;
        if (!*told)
            return PN_OK;
        PN_TRY(pn_buffer_append_format(out, err, "%s%" PRIu32 "-%" PRIu32, n++ > 0 ? "," : "",
                                       first, row - 1));
    }
    return n == 0 ? pn_buffer_append_text(out, "-", err) : PN_OK;
}

/* A fragment whose vectors lie in no file, or under a name that cannot be told, makes that the fold is not told of. */
static pn_status add_fold(pn_buffer *out, const char *column, pn_dataset *read,
                          const pn_compact_fold *fold, bool *told, pn_error *err)
{
    *told = is_plain(fold->file);
    PN_TRY(pn_buffer_append_format(out, err, "fold %s %" PRIu32, fold->file, fold->n_rows));
    for (size_t i = fold->first; i < fold->first + fold->n && *told; i++) {
        pn_fragment_info info;
        const uint64_t *deleted;
        const char *file = pn_dataset_column_file(read, i, column);
        pn_dataset_fragment(read, i, &info);
        *told = is_plain(file);
        PN_TRY(pn_dataset_deletions(read, i, &deleted, err));
        PN_TRY(pn_buffer_append_format(out, err, " %s:%" PRIu32 ":", file, info.physical_rows));
        PN_TRY(add_ranges(out, deleted, info.physical_rows, told, err));
    }
    return PN_OK;
}

static pn_status add_line(pn_buffer *out, const char *column, pn_dataset *read,
                          const pn_compact_fold *fold, pn_error *err)
{
    size_t before = out->n_bytes;
    bool told;
    PN_TRY(pn_buffer_append_text(out, "\n", err));
    PN_TRY(add_fold(out, column, read, fold, &told, err));
    if (!told) {
        out->n_bytes = before;
        return PN_OK;
    }
    uint64_t hash = pn_hash64(out->data + before + 1, out->n_bytes - before - 1);
    return pn_buffer_append_format(out, err, " %016" PRIx64 "\n", hash);
}

static pn_status append(const char *path, const pn_buffer *bytes, pn_error *err)
{
    pn_fd fd;
    if (bytes->n_bytes == 0)
        return PN_OK;
    PN_TRY(pn_fd_open(path, PN_OPEN_APPEND, &fd, err));
    pn_status status = pn_fd_write(fd, path, bytes->data, bytes->n_bytes, err);
    pn_fd_close(fd);
    return status;
}

pn_status pn_fold_log_write(const char *folder, const char *column, pn_dataset *read,
                            const pn_compact_fold *folds, size_t n, pn_error *err)
{
    pn_arena arena;
    pn_buffer bytes;
    if (!pn_path_exists(folder))
        return PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, MAX_BYTES);
    const char *path = log_path(folder, &arena);
    pn_status status = path ? PN_OK : pn_fail_nomem(err);
    for (size_t i = 0; status == PN_OK && i < n; i++)
        status = add_line(&bytes, column, read, &folds[i], err);
    if (status == PN_OK)
        status = append(path, &bytes, err);
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

/* ---- trimming ---- */

/* Does the line tell what became of a file that is wanted? Then what it makes is wanted, too. */
static pn_status is_wanted(pn_str line, pn_keyset *wanted, bool *out, pn_error *err)
{
    bool is_new;
    (void)pn_str_split(&line, ' ');
    pn_str made = pn_str_split(&line, ' ');
    (void)pn_str_split(&line, ' ');
    *out = false;
    while (line.len > 0 && !*out) {
        pn_str part = pn_str_split(&line, ' ');
        *out = pn_keyset_has(wanted, pn_str_split(&part, ':'));
    }
    return *out ? pn_keyset_add(wanted, made, &is_new, err) : PN_OK;
}

static pn_status keep_wanted(const pn_fold_log *log, pn_keyset *wanted, pn_buffer *out,
                             pn_error *err)
{
    for (size_t i = 0; i < log->n_lines; i++) {
        bool keep;
        PN_TRY(is_wanted(log->lines[i], wanted, &keep, err));
        if (keep)
            PN_TRY(pn_buffer_append_format(out, err, "\n" PN_STR_FORMAT "\n",
                                           PN_STR_ARG(log->lines[i])));
    }
    return PN_OK;
}

pn_status pn_fold_log_trim(pn_fold_log *log, const char *const *files, size_t n, pn_error *err)
{
    pn_keyset *wanted;
    pn_buffer bytes;
    pn_arena arena;
    bool is_new;
    PN_TRY(pn_fold_log_refresh(log, err));
    if (log->n_lines == 0)
        return PN_OK;
    PN_TRY(pn_keyset_create(&wanted, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, MAX_BYTES);
    pn_status status = PN_OK;
    const char *path = log_path(log->folder, &arena);
    if (!path)
        PN_GOTO(done, pn_fail_nomem(err));
    for (size_t i = 0; i < n; i++)
        PN_GOTO(done, pn_keyset_add(wanted, pn_str_of(files[i]), &is_new, err));
    PN_GOTO(done, keep_wanted(log, wanted, &bytes, err));
    PN_GOTO(done, pn_file_write_soon(path, bytes.data, bytes.n_bytes, err));
    log->changed_ns = -1;
    status = pn_fold_log_refresh(log, err);
done:
    pn_keyset_free(wanted);
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}
