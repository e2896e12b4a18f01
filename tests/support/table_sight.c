/*
 * table_sight.c - values into hashes, rows into a sum
 */
#include "support/table_sight.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/hash.h"
#include "dataset/checksums.h"
#include "dataset/cleanup.h"
#include "dataset/manifest.h"
#include "dataset/tags.h"
#include "os/dir.h"

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9E3779B97F4A7C15u + (hash >> 29);
}

static uint64_t see_text(const char *text)
{
    return pn_hash64(text, strlen(text));
}

static uint64_t see_value(const pn_array *array, size_t i)
{
    pn_type_id type = array->field->type;
    if (!pn_array_is_valid(array, i))
        return 11;
    if (pn_type_is_variable(type)) {
        pn_str text = pn_array_bytes(array, i);
        return pn_hash64(text.ptr, text.len);
    }
    if (type == PN_TYPE_DECIMAL128 || type == PN_TYPE_DECIMAL256 ||
        type == PN_TYPE_FIXED_SIZE_BINARY) {
        size_t width = pn_type_width(array->field);
        return pn_hash64((const uint8_t *)array->values + i * width, width);
    }
    uint64_t hash = type + 1;
    if (type == PN_TYPE_STRUCT) {
        for (size_t c = 0; c < array->n_children; c++)
            hash = mix(hash, see_value(&array->children[c], i));
        return hash;
    }
    bool fixed = type == PN_TYPE_FIXED_SIZE_LIST;
    if (!fixed && !pn_type_is_list(type)) {
        double value = pn_array_double(array, i);
        return pn_hash64(&value, sizeof value);
    }
    size_t from = fixed ? i * (size_t)array->field->size : (size_t)array->offsets[i];
    size_t to = fixed ? from + (size_t)array->field->size : (size_t)array->offsets[i + 1];
    for (size_t item = from; item < to; item++)
        hash = mix(hash, see_value(&array->children[0], item));
    return hash;
}

uint64_t sight_of_batch(const pn_batch *batch)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < batch->n_rows; i++) {
        uint64_t row = 1;
        for (size_t c = 0; c < batch->schema->n_fields; c++)
            row = mix(row, see_value(&batch->columns[c], i));
        sum += row;
    }
    return sum;
}

uint64_t sight_of_rows(pn_dataset *dataset, const char *const *columns, size_t n_columns)
{
    pn_error err = {0};
    pn_scan *scan;
    const pn_scan_options options = {.columns = columns, .n_columns = n_columns};
    uint64_t sum = 0;
    check(pn_scan_begin(dataset, &options, &scan, &err), &err);
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        check(pn_scan_next(scan, &batch, &addrs, &err), &err);
        if (batch.n_rows == 0)
            break;
        sum += sight_of_batch(&batch);
    }
    pn_scan_end(scan);
    return sum;
}

static void see_beside(const char *table, table_sight *out)
{
    pn_error err = {0};
    pn_arena arena;
    pn_tag *tags;
    size_t n_tags;
    pn_checksums *sums;
    pn_arena_init(&arena, SIZE_MAX);
    check(pn_dataset_tags(table, &arena, &tags, &n_tags, &err), &err);
    check(pn_checksums_load(table, &sums, &err), &err);
    for (size_t i = 0; i < n_tags; i++)
        out->tags = mix(out->tags, see_text(tags[i].name) + tags[i].version);
    out->n_sums = pn_checksums_count(sums);
    pn_checksums_free(sums);
    pn_arena_reset(&arena);
}

table_sight table_see(const char *table)
{
    pn_error err = {0};
    pn_dataset *t;
    table_sight seen = {0};
    pn_status status = pn_dataset_open(table, 0, &t, &err);
    if (status == PN_ERR_NOT_FOUND)
        return seen;
    check(status, &err);
    const pn_schema *schema = pn_dataset_schema(t);
    seen.version = pn_dataset_version(t);
    seen.n_rows = pn_dataset_count_rows(t);
    seen.rows = sight_of_rows(t, NULL, 0);
    for (size_t i = 0; i < schema->n_fields; i++)
        seen.columns = mix(seen.columns, see_text(schema->fields[i].name));
    pn_dataset_unref(t);
    see_beside(table, &seen);
    return seen;
}

bool table_sight_equal(const table_sight *a, const table_sight *b)
{
    return a->version == b->version && a->n_rows == b->n_rows && a->rows == b->rows &&
           a->columns == b->columns && a->tags == b->tags && a->n_sums == b->n_sums;
}

/* ---- no orphans ---- */

typedef struct naming {
    const char *table, *what;
    pn_arena arena;
    pn_manifest *manifests;
    size_t n;
} naming;

static bool is_deletion_of(const Pn__Table__DataFragment *fragment, const char *name)
{
    char text[80];
    const Pn__Table__DeletionFile *d = fragment->deletion_file;
    if (!d)
        return false;
    (void)snprintf(text, sizeof text, "%" PRIu64 "-%" PRIu64 "-%" PRIu64 ".bin", fragment->id,
                   d->read_version, d->id);
    return strcmp(text, name) == 0;
}

static bool is_named(const naming *n, const char *name)
{
    for (size_t v = 0; v < n->n; v++) {
        const Pn__Table__Manifest *m = n->manifests[v].message;
        if (m->transaction_file && strcmp(m->transaction_file, name) == 0)
            return true;
        for (size_t i = 0; i < m->n_fragments; i++) {
            if (is_deletion_of(m->fragments[i], name))
                return true;
            for (size_t f = 0; f < m->fragments[i]->n_files; f++)
                if (strcmp(m->fragments[i]->files[f]->path, name) == 0)
                    return true;
        }
    }
    return false;
}

static pn_status check_named(void *context, const char *path, pn_error *err)
{
    const naming *n = context;
    const char *inside = path + strlen(n->table) + 1, *name = strrchr(path, '/') + 1;
    (void)err;
    bool beside = strncmp(inside, "_versions/", 10) == 0 || strncmp(inside, "_refs/", 6) == 0 ||
                  strncmp(inside, "_pennon/", 8) == 0;
    bool half = strchr(name, '#') || strstr(name, ".tmp") || strstr(name, ".part");
    if (beside ? half : !is_named(n, name))
        fail_msg("%s: %s is left behind", n->what, inside);
    return PN_OK;
}

void table_clean_up(const char *table, int64_t older_than_ms, const char *what)
{
    const pn_cleanup_options options = {.older_than_ms = older_than_ms, .orphan_ms = 0};
    pn_cleanup_report report;
    pn_error err = {0};
    naming n = {.table = table, .what = what};
    pn_version_list list;
    pn_arena_init(&n.arena, SIZE_MAX);
    if (pn_dataset_cleanup(table, &options, &report, &err) != PN_OK)
        fail_msg("%s: cleaning up: %s", what, err.message);
    check(pn_manifest_list(table, &n.arena, &list, &err), &err);
    n.manifests = PN_ARENA_NEW(&n.arena, pn_manifest, list.n);
    assert_non_null(n.manifests);
    for (; n.n < list.n; n.n++)
        check(pn_manifest_read(table, list.versions[n.n], list.scheme, &n.manifests[n.n], &err),
              &err);
    check(pn_dir_walk(table, check_named, &n, &err), &err);
    for (size_t i = 0; i < n.n; i++)
        pn_manifest_free(&n.manifests[i]);
    pn_arena_reset(&n.arena);
}
