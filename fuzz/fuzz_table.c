/*
 * fuzz_table.c - any manifest over real files, and what one may do with such a table
 *
 *     | u8: what is done | a Manifest message |
 *
 * The table's folder has two data files, a.lance and b.lance, of 30 rows and three columns (id, vector and name have the
 * ids 0, 1 and 2), and the deletion file 1-1-7.bin. The manifest is version 1. What opens is read in every way and checked, then
 * changed, and what the change made is read again. Mutations are of the message.
 */
#include "base/alloc.h"
#include "base/endian.h"
#include "column/builder.h"
#include "dataset/check.h"
#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/deletion.h"
#include "dataset/internal.h"
#include "dataset/tags.h"
#include "lance/lance_schema.h"
#include "lance/lance_writer.h"
#include "mutate.h"
#include "os/dir.h"
#include "os/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { N_ROWS = 30, DIM = 4, N_COLUMNS = 3, MAX_BYTES = 1 << 28, MAX_BATCHES = 6 };

static char folder[64], table[128];
static pn_buffer data_a, data_b, deletions;

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

#define DO(call)                                                                                   \
    do {                                                                                           \
        pn_error do_err = {0};                                                                     \
        if ((call) != PN_OK)                                                                       \
            must(do_err.message[0] != '\0');                                                       \
    } while (0)

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    uint64_t what = pn_rng_below(&rng, 16);
    if (n < 1 || what == 0)
        return LLVMFuzzerMutate(bytes, n, max);
    if (what == 1)
        bytes[0] = (uint8_t)pn_rng_u64(&rng);
    return 1 +
           fuzz_mutate_message(&pn__table__manifest__descriptor, bytes + 1, n - 1, max - 1, &rng);
}

/* ---- the files ---- */

static void make_schema(pn_arena *arena, pn_schema *out)
{
    pn_field *fields = PN_ARENA_NEW(arena, pn_field, N_COLUMNS);
    must(fields != NULL);
    pn_field_init(&fields[0], "id", PN_TYPE_INT64, false);
    must(pn_field_init_vector(&fields[1], "vector", DIM, arena));
    pn_field_init(&fields[2], "name", PN_TYPE_STRING, true);
    *out = (pn_schema){fields, N_COLUMNS, NULL, 0};
    pn_lance_schema_assign_ids(out, 0);
}

/* Rows first, first + 1, ... as a batch that is given to use. */
static void with_rows(int64_t first, void (*use)(const pn_batch *batch, void *context),
                      void *context)
{
    pn_arena arena;
    pn_schema schema;
    pn_builder *builders[N_COLUMNS];
    pn_array arrays[N_COLUMNS];
    pn_arena_init(&arena, MAX_BYTES);
    make_schema(&arena, &schema);
    for (size_t c = 0; c < N_COLUMNS; c++)
        must(pn_builder_create(&schema.fields[c], 1 << 20, &builders[c], NULL) == PN_OK);
    for (int64_t id = first; id < first + N_ROWS; id++) {
        const float vector[DIM] = {(float)id, 1, 2, 3};
        char name[8];
        int n = snprintf(name, sizeof name, "%03d", (int)id % 1000);
        must(pn_builder_append_i64(builders[0], id, NULL) == PN_OK);
        must(pn_builder_append_floats(builders[1], vector, DIM, NULL) == PN_OK);
        must(pn_builder_append_bytes(builders[2], name, (size_t)n, NULL) == PN_OK);
    }
    for (size_t c = 0; c < N_COLUMNS; c++)
        must(pn_builder_view(builders[c], &arrays[c], NULL) == PN_OK);
    const pn_batch batch = {.schema = &schema, .columns = arrays, .n_rows = N_ROWS};
    use(&batch, context);
    for (size_t c = 0; c < N_COLUMNS; c++)
        pn_builder_free(builders[c]);
    pn_arena_reset(&arena);
}

static void make_file(const pn_batch *batch, void *context)
{
    pn_lance_writer *writer;
    uint64_t n_rows, size;
    char path[sizeof folder + 8];
    (void)snprintf(path, sizeof path, "%s/file", folder);
    must(pn_lance_writer_create(path, batch->schema, &writer, NULL) == PN_OK);
    must(pn_lance_writer_append(writer, batch, NULL) == PN_OK);
    must(pn_lance_writer_finish(writer, NULL, &n_rows, &size, NULL) == PN_OK);
    pn_lance_writer_close(writer);
    pn_buffer_init(context, 1 << 20);
    must(pn_file_read(path, context, NULL) == PN_OK && pn_path_remove(path, NULL) == PN_OK);
}

static void remove_folder(void)
{
    (void)!pn_dir_remove_all(folder, NULL);
}

static void make_once(void)
{
    const uint64_t deleted = 0x124; // rows 2, 5 and 8
    uint64_t count;
    (void)snprintf(folder, sizeof folder, "%s/fuzz_tableXXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder) != NULL && atexit(remove_folder) == 0);
    (void)snprintf(table, sizeof table, "%s/t.lance", folder);
    with_rows(0, make_file, &data_a);
    with_rows(N_ROWS, make_file, &data_b);
    pn_buffer_init(&deletions, 1 << 20);
    must(pn_bitmap_write(&deleted, N_ROWS, &deletions, &count, NULL) == PN_OK);
}

static void put_file(const char *name, const pn_buffer *bytes)
{
    char path[sizeof table + 64];
    pn_fd fd;
    (void)snprintf(path, sizeof path, "%s/%s", table, name);
    must(pn_fd_open(path, PN_OPEN_REPLACE, &fd, NULL) == PN_OK);
    must(pn_fd_write(fd, path, bytes->data, bytes->n_bytes, NULL) == PN_OK);
    pn_fd_close(fd);
}

static void put_folder(const char *name)
{
    char path[sizeof table + 64];
    (void)snprintf(path, sizeof path, "%s/%s", table, name);
    must(pn_dir_make(path, NULL) == PN_OK);
}

/* A file of the message alone: its length, its bytes, where it is, the version of the format. */
static void put_manifest(const uint8_t *message, size_t n)
{
    pn_buffer file;
    uint8_t number[8];
    pn_buffer_init(&file, n + 64);
    pn_store_le32(number, (uint32_t)n);
    must(pn_buffer_append(&file, number, 4, NULL) == PN_OK);
    must(pn_buffer_append(&file, message, n, NULL) == PN_OK);
    must(pn_buffer_append(&file, "\0\0\0\0\0\0\0\0\0\0\2\0LANC", 16, NULL) == PN_OK);
    put_file("_versions/18446744073709551614.manifest", &file);
    pn_buffer_reset(&file);
}

/* ---- reading ---- */

static void read_all(pn_dataset *t, const char *filter)
{
    pn_scan_options options = {.filter = filter, .batch_rows = 1000};
    pn_scan *scan;
    pn_error err = {0};
    if (pn_scan_begin(t, &options, &scan, &err) != PN_OK) {
        must(err.message[0] != '\0');
        return;
    }
    for (int i = 0; i < MAX_BATCHES; i++) {
        pn_batch batch;
        const pn_row_addr *addrs;
        pn_status status = pn_scan_next(scan, &batch, &addrs, &err);
        must(status == PN_OK || err.message[0] != '\0');
        if (status != PN_OK || batch.n_rows == 0)
            break;
        for (size_t c = 0; c < batch.schema->n_fields; c++)
            must(pn_array_equal(&batch.columns[c], &batch.columns[c]));
    }
    pn_scan_end(scan);
}

static void read_vectors(pn_dataset *t, size_t fragment_i)
{
    const pn_vector_run *runs;
    size_t n;
    pn_error err = {0};
    pn_fragment_info info;
    pn_dataset_fragment(t, fragment_i, &info);
    if (info.physical_rows > 100000 ||
        pn_dataset_vectors(t, fragment_i, "vector", &runs, &n, &err) != PN_OK)
        return;
    for (size_t i = 0; i < n; i++)
        must(runs[i].n_rows <= info.physical_rows);
}

static void use(pn_dataset *t)
{
    const pn_row_addr addrs[] = {3, (pn_row_addr)1 << 32 | 4, 29};
    pn_arena arena;
    pn_batch batch;
    pn_arena_init(&arena, MAX_BYTES);
    for (size_t i = 0; i < PN_MIN(pn_dataset_n_fragments(t), (size_t)8); i++) {
        const uint64_t *words;
        read_vectors(t, i);
        DO(pn_dataset_deletions(t, i, &words, &do_err));
    }
    read_all(t, NULL);
    read_all(t, "id > 3 AND name LIKE '0%'");
    DO(pn_dataset_take(t, addrs, PN_COUNT_OF(addrs), NULL, 0, &arena, &batch, &do_err));
    pn_arena_reset(&arena);
}

/* ---- changes ---- */

typedef struct appending {
    pn_dataset *t, *next;
} appending;

static void append(const pn_batch *batch, void *context)
{
    appending *a = context;
    pn_append *rows;
    pn_error err = {0};
    if (pn_append_begin(a->t, &rows, &err) != PN_OK) {
        must(err.message[0] != '\0');
        return;
    }
    if (pn_append_batch(rows, batch, &err) != PN_OK)
        pn_append_abort(rows);
    else if (pn_append_commit(rows, NULL, &a->next, &err) == PN_OK)
        return;
    must(err.message[0] != '\0');
    a->next = NULL;
}

static pn_status delete_some(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    pn_rowset rows;
    uint64_t n;
    PN_TRY(pn_dataset_filter_rows(t, pn_str_of("id < 7"), &rows, err));
    pn_status status = pn_dataset_delete(t, &rows, "id < 7", &n, next, err);
    pn_rowset_reset(&rows);
    return status;
}

static pn_status add_constant(pn_dataset *t, pn_dataset **next, pn_error *err)
{
    pn_field field;
    const int64_t one = 1;
    pn_field_init(&field, "more", PN_TYPE_INT64, false);
    const pn_array value = {.field = &field, .length = 1, .values = &one};
    return pn_dataset_add_constant(t, &value, next, err);
}

static pn_status change(pn_dataset *t, int what, pn_dataset **next, pn_error *err)
{
    static const char *const name[] = {"name"};
    static const pn_compact_options full = {.mode = PN_COMPACT_FULL, .deleted_percent = 1};
    pn_field field;
    appending a = {t, NULL};
    switch (what) {
    case 0:
        return delete_some(t, next, err);
    case 1:
        return add_constant(t, next, err);
    case 2:
        return pn_dataset_drop_columns(t, name, 1, next, err);
    case 3:
        return pn_dataset_rename_column(t, "name", "title", next, err);
    case 4:
        return pn_dataset_compact(t, &full, NULL, next, err);
    case 5:
        return pn_dataset_restore(t, 1, next, err);
    case 6:
        pn_field_init(&field, "empty", PN_TYPE_STRING, true);
        return pn_dataset_add_column(t, &field, NULL, next, err);
    default:
        with_rows(60, append, &a);
        *next = a.next;
        return a.next ? PN_OK : pn_fail(err, PN_ERR_INVALID, "the append was refused");
    }
}

/* A table of thousands of millions of rows that no file has takes its time, and rightly. */
static bool is_small(const pn_dataset *t)
{
    for (size_t i = 0; i < pn_dataset_n_fragments(t); i++) {
        pn_fragment_info info;
        pn_dataset_fragment(t, i, &info);
        if (info.physical_rows > 5000)
            return false;
    }
    return pn_dataset_n_fragments(t) < 50;
}

static void maintain(void)
{
    const pn_cleanup_options all = {.older_than_ms = 0, .orphan_ms = 0};
    const pn_check_plan plan = {.record = true};
    pn_check_result result;
    pn_cleanup_report report;
    pn_arena arena;
    pn_version_info *versions;
    size_t n;
    pn_arena_init(&arena, MAX_BYTES);
    DO(pn_dataset_list_versions(table, &arena, &versions, &n, &do_err));
    DO(pn_dataset_tag_create(table, "kept", 1, &do_err));
    DO(pn_dataset_check(table, &plan, &arena, &result, &do_err));
    DO(pn_dataset_cleanup(table, &all, &report, &do_err));
    pn_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_dataset *t, *next = NULL;
    pn_error err = {0};
    if (n < 1)
        return 0;
    if (folder[0] == '\0')
        make_once();
    put_folder("data");
    put_folder("_versions");
    put_folder("_deletions");
    put_file("data/a.lance", &data_a);
    put_file("data/b.lance", &data_b);
    put_file("_deletions/1-1-7.bin", &deletions);
    put_manifest(bytes + 1, n - 1);
    if (pn_dataset_open(table, 0, &t, &err) == PN_OK) {
        if (is_small(t)) {
            use(t);
            if (change(t, bytes[0] & 7, &next, &err) == PN_OK)
                use(next);
            else
                must(err.message[0] != '\0');
            pn_dataset_unref(next);
            maintain();
        }
        pn_dataset_unref(t);
    } else {
        must(err.message[0] != '\0');
    }
    must(pn_dir_remove_all(table, NULL) == PN_OK);
    return 0;
}
