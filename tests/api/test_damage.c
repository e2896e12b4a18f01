/*
 * test_damage.c - any file of a table, with any bit flipped or cut at any byte
 *
 * Small tables of pennon's (2.0 to 2.3) and of LanceDB's (2.0 to 2.3, both kinds of deletion files and of manifests' names, stable row ids) are
 * damaged in one place of one file. Then each version reads as it did, or is refused with an error that names the file; a version that does
 * not need the file reads as it did; the check finds what cannot be read, and with checksums whatever was changed; a search finds the
 * same or says why not; and the last version that is whole becomes the newest again. All of it in little memory.
 *
 * The format has no checksums, so other values may come out of a file that was changed: those are counted. A manifest that is changed may name
 * another file, which then is not there: the error names that one.
 *
 * PN_DAMAGES is how many a file (4); 0: each byte twice, and each length. PN_DAMAGES_SEED where they begin.
 */
#include <pennon.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/topk.h"
#include "collection/local_engine.h"
#include "dataset/check.h"
#include "dataset/manifest.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/how_many.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"
#include "support/table_place.h"
#include "support/table_sight.h"

enum { MAX_FILES = 96, MAX_VERSIONS = 20, EVERY_DAY = 4, K = 3 };
static const uint64_t MOST_BYTES = (uint64_t)256 << 20; /* that reading a version may ask for */

typedef struct table_file {
    const char *name; /* in the table's folder */
    uint8_t *bytes;
    size_t n;
    bool is_needed[MAX_VERSIONS + 1]; /* by version */
} table_file;

typedef struct answer {
    bool is_searched;
    float distances[K];
} answer;

typedef struct subject {
    scratch_folder *s;
    char *table;
    bool has_sums;
    pn_rng rng;
    table_file files[MAX_FILES];
    size_t n_files;
    uint64_t versions[MAX_VERSIONS + 1]; /* from 1 on; those that are there */
    size_t n_versions;
    uint64_t sound[MAX_VERSIONS + 1]; /* what they read as */
    answer answers[MAX_VERSIONS + 1];
    pn_manifest_scheme scheme;
} subject;

/* What came of it. */
typedef struct tally {
    size_t n_flips, n_cuts;
    size_t n_harmless, n_refused,
        n_silent;   /* no version reads differently; one is refused; one does */
    size_t n_other; /* refused by the name of another file */
    size_t n_found; /* by the check */
    size_t n_restored, n_not_restored;
} tally;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* ---- reading ---- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9E3779B97F4A7C15u + (hash >> 29);
}

static pn_status scan_all(pn_dataset *t, uint64_t *sum, pn_error *err)
{
    pn_scan *scan;
    const pn_scan_options options = {.batch_rows = 100};
    PN_TRY(pn_scan_begin(t, &options, &scan, err));
    pn_status status = PN_OK;
    for (;;) {
        pn_batch batch;
        const pn_row_addr *addrs;
        status = pn_scan_next(scan, &batch, &addrs, err);
        if (status != PN_OK || batch.n_rows == 0)
            break;
        *sum += sight_of_batch(&batch);
        for (size_t i = 0; i < batch.n_rows; i++)
            *sum = mix(*sum, addrs[i]);
    }
    pn_scan_end(scan);
    return status;
}

/* Whole, and its first rows by address. */
static pn_status read_open(pn_dataset *t, uint64_t *sum, pn_error *err)
{
    const pn_schema *schema = pn_dataset_schema(t);
    const pn_row_addr addrs[] = {2, 0};
    pn_arena arena;
    pn_batch batch;
    *sum = mix(pn_dataset_count_rows(t), schema->n_fields);
    for (size_t i = 0; i < schema->n_fields; i++)
        *sum = mix(*sum, pn_hash64(schema->fields[i].name, strlen(schema->fields[i].name)));
    PN_TRY(scan_all(t, sum, err));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_take(t, addrs, 2, NULL, 0, &arena, &batch, err);
    if (status == PN_OK)
        *sum = mix(*sum, sight_of_batch(&batch));
    pn_arena_reset(&arena);
    /* Of a table whose first rows were deleted, these are none. */
    return status == PN_ERR_INVALID || status == PN_ERR_NOT_FOUND ? PN_OK : status;
}

static pn_status read_version(const char *table, uint64_t version, uint64_t *sum, pn_error *err)
{
    pn_dataset *t;
    uint64_t asked = pn_alloc_asked_bytes();
    pn_status status = pn_dataset_open(table, version, &t, err);
    if (status == PN_OK) {
        status = read_open(t, sum, err);
        pn_dataset_unref(t);
    }
    asked = pn_alloc_asked_bytes() - asked;
    if (asked > MOST_BYTES)
        fail_msg("reading version %" PRIu64 " asked for %" PRIu64 " bytes: %s", version, asked,
                 err->message);
    return status;
}

/* The nearest to a vector that is in none of the tables. A table that has no vectors has no answer. */
static pn_status search_version(const char *table, uint64_t version, answer *out, pn_error *err)
{
    float query[256];
    pn_engine *engine;
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_candidate found[K];
    pn_topk topk;
    pn_engine_search_stats stats;
    const pn_engine_search asked = {.query = query, .k = K, .exact = true};
    PN_TRY(pn_local_engine_open_version(table, version, NULL, &engine, err));
    pn_status status = engine->pin(engine->self, &snapshot, err);
    if (status == PN_OK) {
        engine->info(engine->self, snapshot, &info);
        *out = (answer){.is_searched = info.dim <= PN_COUNT_OF(query)};
        for (size_t d = 0; d < info.dim && out->is_searched; d++)
            query[d] = d == 1 ? 1.0f : 0.0f;
        pn_topk_init(&topk, found, K);
        if (out->is_searched)
            status = engine->search(engine->self, snapshot, &asked, &topk, &stats, err);
        pn_topk_sort(&topk);
        for (size_t i = 0; status == PN_OK && i < topk.n; i++)
            out->distances[i] = found[i].distance;
        engine->unpin(engine->self, snapshot);
    }
    pn_engine_free(engine);
    return status;
}

/* ---- files ---- */

static char *path_of(const subject *s, const char *name, char out[1200])
{
    (void)snprintf(out, 1200, "%s/%s", s->table, name); // fits
    return out;
}

static pn_status take_file(void *context, const char *path, pn_error *err)
{
    subject *s = context;
    table_file *f = &s->files[s->n_files++];
    (void)err;
    assert_true(s->n_files <= MAX_FILES);
    f->name = pn_arena_strdup(&s->s->arena, path + strlen(s->table) + 1);
    f->bytes = golden_read_bytes(path, &f->n);
    return PN_OK;
}

static void put_back(const subject *s, const table_file *f)
{
    char path[1200];
    golden_write_bytes(path_of(s, f->name, path), f->bytes, f->n);
}

static void take_apart(subject *s)
{
    pn_error err = {0};
    pn_version_list list;
    check(pn_dir_walk(s->table, take_file, s, &err), &err);
    check(pn_manifest_list(s->table, &s->s->arena, &list, &err), &err);
    assert_true(list.n <= MAX_VERSIONS);
    s->n_versions = list.n;
    s->scheme = list.scheme;
    for (size_t v = 1; v <= list.n; v++) {
        s->versions[v] = list.versions[v - 1];
        check(read_version(s->table, s->versions[v], &s->sound[v], &err), &err);
        if (search_version(s->table, s->versions[v], &s->answers[v], &err) != PN_OK)
            s->answers[v].is_searched = false;
    }
    for (size_t i = 0; i < s->n_files; i++) { // which versions need it?
        char path[1200];
        assert_int_equal(remove(path_of(s, s->files[i].name, path)), 0);
        for (size_t v = 1; v <= list.n; v++) {
            uint64_t sum;
            s->files[i].is_needed[v] =
                read_version(s->table, s->versions[v], &sum, &err) != PN_OK || sum != s->sound[v];
        }
        put_back(s, &s->files[i]);
    }
}

static void let_go(subject *s)
{
    pn_error err = {0};
    for (size_t i = 0; i < s->n_files; i++)
        golden_bytes_free(s->files[i].bytes);
    check(pn_dir_remove_all(s->table, &err), &err);
}

/* Files that a restoring made go again. */
static pn_status remove_new(void *context, const char *path, pn_error *err)
{
    const subject *s = context;
    for (size_t i = 0; i < s->n_files; i++)
        if (strcmp(s->files[i].name, path + strlen(s->table) + 1) == 0)
            return PN_OK;
    return pn_path_remove(path, err);
}

/* ---- one damage ---- */

typedef struct outcome {
    bool is_same[MAX_VERSIONS + 1], is_refused[MAX_VERSIONS + 1];
    size_t n_silent, n_refused;
    bool names_other;
    pn_error why; /* the last refusal */
} outcome;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_manifest(const table_file *f)
{
    return strstr(f->name, ".manifest") != NULL;
}

static void check_message(const subject *s, const table_file *f, const pn_error *err, outcome *o)
{
    bool names = strstr(err->message, base_name(f->name)) != NULL;
    if (!names && !(is_manifest(f) && strstr(err->message, s->table)))
        fail_msg("%s is damaged, and the error is: %s", f->name, err->message);
    o->names_other = o->names_other || !names;
}

static void read_all(const subject *s, const table_file *f, bool others_too, outcome *o)
{
    *o = (outcome){.n_silent = 0};
    for (size_t v = 1; v <= s->n_versions; v++) {
        pn_error err = {0};
        uint64_t sum = 0;
        o->is_same[v] = true;
        if (!f->is_needed[v] && !others_too)
            continue;
        pn_status status = read_version(s->table, s->versions[v], &sum, &err);
        o->is_same[v] = status == PN_OK && sum == s->sound[v];
        o->is_refused[v] = status != PN_OK;
        if (!o->is_same[v] && !f->is_needed[v])
            fail_msg("%s is damaged, and version %" PRIu64 " does not read as it did: %s", f->name,
                     s->versions[v], err.message);
        if (o->is_refused[v]) {
            check_message(s, f, &err, o);
            o->why = err;
        }
        o->n_refused += o->is_refused[v];
        o->n_silent += !o->is_same[v] && !o->is_refused[v];
    }
}

static void check_search(const subject *s, const table_file *f, size_t v, outcome *o)
{
    pn_error err = {0};
    answer now;
    if (!s->answers[v].is_searched)
        return;
    if (search_version(s->table, s->versions[v], &now, &err) != PN_OK)
        check_message(s, f, &err, o);
    else if (o->is_same[v] &&
             memcmp(now.distances, s->answers[v].distances, sizeof now.distances) != 0)
        fail_msg("%s is damaged, version %" PRIu64 " reads as it did and is searched otherwise",
                 f->name, s->versions[v]);
}

static bool is_found(const pn_check_result *result, const char *file)
{
    for (size_t i = 0; i < result->n_findings; i++)
        if (strcmp(result->findings[i].file, file) == 0)
            return true;
    return false;
}

/* Checks look at what versions are made of. */
static bool is_checked(const table_file *f)
{
    return strncmp(f->name, "data/", 5) == 0 || strncmp(f->name, "_deletions/", 11) == 0 ||
           strncmp(f->name, "_transactions/", 14) == 0 || is_manifest(f);
}

static void check_check(const subject *s, const table_file *f, const outcome *o, tally *t)
{
    const pn_check_plan plan = {0};
    pn_check_result result;
    pn_error err = {0};
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    check(pn_dataset_check(s->table, &plan, &arena, &result, &err), &err);
    for (size_t v = 1; v <= s->n_versions; v++) {
        bool is_good = s->versions[v] == result.last_good;
        if (is_good && (o->is_refused[v] || (s->has_sums && !o->is_same[v])))
            fail_msg("%s is damaged, and version %" PRIu64 " is called good (%s)", f->name,
                     s->versions[v], o->why.message);
    }
    if (o->n_refused > 0 && result.n_findings == 0)
        fail_msg("%s is damaged, a version cannot be read (%s), and nothing is found", f->name,
                 o->why.message);
    if (s->has_sums && is_checked(f) && !is_found(&result, f->name))
        fail_msg("%s is damaged, has a checksum, and is not named", f->name);
    t->n_found += result.n_findings > 0;
    pn_arena_reset(&arena);
}

/* The last version that reads as it did, if any, is the newest again. */
static void check_restore(const subject *s, const table_file *f, const outcome *o, tally *t)
{
    pn_error err = {0};
    uint64_t made, sum;
    size_t v = s->n_versions;
    while (v > 0 && !o->is_same[v])
        v--;
    if (v == 0)
        return;
    pn_status status = pn_lance_restore(s->table, s->versions[v], &made, &err);
    if (status == PN_OK) {
        assert_true(made > s->versions[s->n_versions]);
        check(read_version(s->table, 0, &sum, &err), &err);
        if (sum != s->sound[v])
            fail_msg("%s is damaged, and version %" PRIu64 " is not what it was when restored",
                     f->name, s->versions[v]);
        t->n_restored++;
    } else {
        /* The newest version has flags that nobody knows: of a program to come, for all one can see. */
        if (status != PN_ERR_UNSUPPORTED || !is_manifest(f) || !f->is_needed[s->n_versions])
            fail_msg("%s is damaged, and version %" PRIu64 " cannot be restored: %s", f->name,
                     s->versions[v], err.message);
        t->n_not_restored++;
    }
    check(pn_dir_walk(s->table, remove_new, (void *)(uintptr_t)s, &err), &err);
    for (size_t i = 0; i < s->n_files; i++)
        if (strstr(s->files[i].name, "latest_version_hint"))
            put_back(s, &s->files[i]);
}

/* From any version to the newest, as those that go on reading do it; and the tags. */
static void check_latest(const subject *s, const table_file *f, outcome *o)
{
    pn_error err = {0};
    pn_dataset *first, *latest;
    char *text;
    if (pn_dataset_open(s->table, s->versions[1], &first, &err) == PN_OK) {
        pn_status status = pn_dataset_latest(first, &latest, &err);
        if (status == PN_OK) {
            assert_int_equal(pn_dataset_version(latest), s->versions[s->n_versions]);
            pn_dataset_unref(latest);
        } else {
            check_message(s, f, &err, o);
        }
        pn_dataset_unref(first);
    }
    if (pn_lance_tags_json(s->table, &text, &err) == PN_OK)
        pn_memory_free(text);
    else
        check_message(s, f, &err, o);
}

static void try_damage(subject *s, const table_file *f, tally *t)
{
    outcome o;
    size_t n = t->n_flips + t->n_cuts;
    read_all(s, f, n % 16 == 0, &o);
    if (n % 4 == 0)
        check_search(s, f, n % 8 == 0 ? s->n_versions : 1 + n / 8 % s->n_versions, &o);
    check_latest(s, f, &o);
    check_check(s, f, &o, t);
    if (!o.is_same[s->n_versions] || n % 16 == 0)
        check_restore(s, f, &o, t);
    t->n_refused += o.n_refused > 0;
    t->n_silent += o.n_silent > 0;
    t->n_harmless += o.n_refused + o.n_silent == 0;
    t->n_other += o.names_other;
}

static void cut_file(subject *s, table_file *f, size_t n, tally *t)
{
    char path[1200];
    golden_write_bytes(path_of(s, f->name, path), f->bytes, n);
    t->n_cuts++;
    try_damage(s, f, t);
}

static void flip_bit(subject *s, table_file *f, size_t at, unsigned bit, tally *t)
{
    f->bytes[at] ^= (uint8_t)(1u << bit);
    put_back(s, f);
    t->n_flips++;
    try_damage(s, f, t);
    f->bytes[at] ^= (uint8_t)(1u << bit);
}

static void damage_everywhere(subject *s, table_file *f, tally *t)
{
    for (size_t at = 0; at < f->n; at++) {
        unsigned bit = (unsigned)pn_rng_below(&s->rng, 8);
        cut_file(s, f, at, t);
        flip_bit(s, f, at, bit, t);
        flip_bit(s, f, at, (bit + 4) % 8, t);
    }
}

/* Here and there, more often at its end, where the others are told of. */
static void damage_some(subject *s, table_file *f, size_t n, tally *t)
{
    for (size_t i = 0; i < n && f->n > 0; i++) {
        size_t part = i % 2 == 0 ? f->n : PN_MIN(f->n, (size_t)400);
        size_t at = f->n - 1 - pn_rng_below(&s->rng, part);
        if (i % 4 == 3)
            cut_file(s, f, at, t);
        else
            flip_bit(s, f, at, (unsigned)pn_rng_below(&s->rng, 8), t);
    }
}

/* Of pennon's own files checksums have a test of theirs, and others tests/collection/test_own_files.c. */
static bool is_ours(const table_file *f)
{
    return strncmp(f->name, "_pennon/", 8) == 0 || strncmp(f->name, "_indices/", 9) == 0;
}

static void damage_table(subject *s, const char *what, bool may_be_everywhere)
{
    tally t = {0};
    uint64_t n = how_many("PN_DAMAGES", EVERY_DAY);
    s->rng = pn_rng_seed(how_many("PN_DAMAGES_SEED", 1));
    take_apart(s);
    for (size_t i = 0; i < s->n_files; i++) {
        table_file *f = &s->files[i];
        if (is_ours(f))
            continue;
        if (n == 0 && may_be_everywhere)
            damage_everywhere(s, f, &t);
        else
            damage_some(s, f, n == 0 ? 400 : n, &t);
        put_back(s, f);
    }
    print_message(
        "  %s%s: %zu flips, %zu cuts; %zu harmless, %zu refused (%zu by another file's name), %zu "
        "give other values; %zu found by the check; restored %zu times, not %zu times\n",
        what, s->has_sums ? " with checksums" : "", t.n_flips, t.n_cuts, t.n_harmless, t.n_refused,
        t.n_other, t.n_silent, t.n_found, t.n_restored, t.n_not_restored);
    assert_true(t.n_refused > t.n_flips / 20 && (t.n_restored > 0 || s->n_versions == 1));
    let_go(s);
}

/* ---- tables ---- */

/* Ids first, first + 1, ... in the first columns of a small table: 2.0 and 2.1 have no maps. */
static void append(pn_dataset **t, size_t n_columns, int64_t first, size_t n)
{
    pn_error err = {0};
    small_batch rows;
    pn_append *append;
    pn_dataset *next;
    small_batch_make(first, n, &rows);
    const pn_schema schema = {.fields = rows.schema.fields, .n_fields = n_columns};
    const pn_batch batch = {.schema = &schema, .columns = rows.arrays, .n_rows = n};
    check(pn_append_begin(*t, &append, &err), &err);
    check(pn_append_batch(append, &batch, &err), &err);
    check(pn_append_commit(append, NULL, &next, &err), &err);
    small_batch_free(&rows);
    table_place_step(t, next);
}

static void delete_where(pn_dataset **t, const char *filter)
{
    pn_error err = {0};
    pn_dataset *next;
    uint64_t n;
    check(small_table_delete(*t, filter, &n, &next, &err), &err);
    table_place_step(t, next);
}

/* Created, filled, thinned out, more rows, one more column; the third version has a tag. */
static void make_table(const char *table, const char *format)
{
    pn_error err = {0};
    pn_arena arena;
    pn_schema schema;
    pn_dataset *t, *next;
    pn_field field;
    pn_arena_init(&arena, SIZE_MAX);
    small_table_schema(&arena, &schema);
    if (strcmp(format, "2.2") < 0)
        schema.n_fields--;
    check(pn_dataset_create_format(table, &schema, format, &t, &err), &err);
    append(&t, schema.n_fields, 0, 12);
    delete_where(&t, "id % 4 = 3");
    append(&t, schema.n_fields, 12, 9);
    delete_where(&t, "id > 15");
    pn_field_init(&field, "more", PN_TYPE_STRING, true);
    check(pn_dataset_add_column(t, &field, NULL, &next, &err), &err);
    table_place_step(&t, next);
    check(pn_lance_tag_create(table, "some", 3, &err), &err);
    pn_dataset_unref(t);
    pn_arena_reset(&arena);
}

static void record(const char *table)
{
    const pn_check_plan plan = {.record = true};
    pn_check_result result;
    pn_error err = {0};
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    check(pn_dataset_check(table, &plan, &arena, &result, &err), &err);
    assert_int_equal(result.n_findings, 0);
    pn_arena_reset(&arena);
}

static void our_tables__are_refused_by_name_or_read_right(void **state)
{
    static const char *const formats[] = {"2.0", "2.1", "2.2", "2.3"};
    for (size_t i = 0; i < 2 * PN_COUNT_OF(formats); i++) {
        static subject s;
        s = (subject){.s = *state, .table = scratch_path(*state, "t.lance"), .has_sums = i % 2};
        make_table(s.table, formats[i / 2]);
        if (s.has_sums)
            record(s.table);
        damage_table(&s, formats[i / 2], true);
    }
}

static void tables_of_lancedb__are_refused_by_name_or_read_right(void **state)
{
    static const char *const tables[] = {
        "v2.0/vectors1", "v2.0/types5",         "v2.1/types1",           "v2.2/types5",
        "v2.3/types5",   "special/v1_names",    "special/delete_bitmap", "special/maps",
        "life2.1/life",  "life2.2-stable/life",
    };
    char fixtures[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", fixtures);
    for (size_t i = 0; i < PN_COUNT_OF(tables); i++) {
        static subject s;
        char from[GOLDEN_PATH_BYTES + 64];
        (void)snprintf(from, sizeof from, "%s/%s.lance", fixtures, tables[i]);
        s = (subject){.s = *state, .table = scratch_path(*state, "t.lance"), .has_sums = i % 2};
        small_table_copy_folder(from, s.table);
        if (s.has_sums)
            record(s.table);
        damage_table(&s, tables[i], false);
    }
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(our_tables__are_refused_by_name_or_read_right),
        TEST(tables_of_lancedb__are_refused_by_name_or_read_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
