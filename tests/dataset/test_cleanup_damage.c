/*
 * test_cleanup_damage.c - a clean-up of a table with a bit flipped takes nothing that is needed
 *
 * Whatever bit of a manifest, a tag or the hint is another one, a clean-up either refuses or leaves each version that it should leave: with
 * the bit as it was they read as they did. With damaged versions let go, the damaged one may be gone, and no other.
 *
 * PN_DAMAGES: of each such file so many bits (8); 0: all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <inttypes.h>

#include "base/rng.h"
#include "dataset/check.h"
#include "dataset/cleanup.h"
#include "dataset/compact.h"
#include "dataset/tags.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/how_many.h"
#include "support/scratch_folder.h"
#include "support/small_table.h"
#include "support/table_place.h"
#include "support/table_sight.h"

enum { MAX_FILES = 64, MAX_VERSIONS = 12, BITS = 8, HOUR_MS = 3600000 };

typedef struct subject {
    scratch_folder *s;
    char *from, *table; /* the sound one, and its copy */
    const char *files[MAX_FILES];
    size_t n_files;
    uint64_t sound[MAX_VERSIONS + 1]; /* 0: there is no such version */
    bool stays[MAX_VERSIONS + 1];
} subject;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

/* ---- the table ---- */

static void add(pn_dataset **t, int64_t first, size_t n)
{
    pn_error err = {0};
    pn_dataset *next;
    check(small_table_append(*t, first, n, NULL, &next, &err), &err);
    table_place_step(t, next);
}

static void take_away(pn_dataset **t, const char *filter)
{
    pn_error err = {0};
    pn_dataset *next;
    uint64_t n;
    check(small_table_delete(*t, filter, &n, &next, &err), &err);
    table_place_step(t, next);
}

/* Version 3 has a tag, and files that no other one has. */
static void make_table(const char *table)
{
    const pn_compact_options full = {.mode = PN_COMPACT_FULL};
    pn_error err = {0};
    pn_dataset *t, *next;
    check(small_table_create(table, &t, &err), &err);
    add(&t, 0, 20);
    take_away(&t, "id % 4 = 3");
    add(&t, 20, 10);
    check(pn_dataset_compact(t, &full, NULL, &next, &err), &err);
    table_place_step(&t, next);
    take_away(&t, "id = 6");
    add(&t, 30, 10);
    take_away(&t, "id > 35");
    check(pn_dataset_tag_create(table, "kept", 3, &err), &err);
    pn_dataset_unref(t);
}

static pn_status read_version(const char *table, uint64_t version, uint64_t *sum, pn_error *err)
{
    pn_dataset *t;
    PN_TRY(pn_dataset_open(table, version, &t, err));
    *sum = sight_of_rows(t, NULL, 0) | 1;
    pn_dataset_unref(t);
    return PN_OK;
}

static pn_status take_name(void *context, const char *path, pn_error *err)
{
    subject *s = context;
    const char *name = path + strlen(s->from) + 1;
    (void)err;
    if (strncmp(name, "_versions/", 10) != 0 && strncmp(name, "_refs/", 6) != 0)
        return PN_OK;
    assert_true(s->n_files < MAX_FILES);
    s->files[s->n_files++] = pn_arena_strdup(&s->s->arena, name);
    return PN_OK;
}

static void take_copy(const subject *s)
{
    pn_error err = {0};
    check(pn_dir_remove_all(s->table, &err), &err);
    small_table_copy_folder(s->from, s->table);
}

/* What a clean-up of the sound table leaves. */
static void learn(subject *s, const pn_cleanup_options *options)
{
    pn_error err = {0};
    pn_cleanup_report report;
    take_copy(s);
    check(pn_dataset_cleanup(s->table, options, &report, &err), &err);
    for (uint64_t v = 1; v <= MAX_VERSIONS; v++) {
        uint64_t sum;
        s->stays[v] = read_version(s->table, v, &sum, &err) == PN_OK;
        if (s->stays[v])
            assert_int_equal(sum, s->sound[v]);
    }
}

/* ---- damages ---- */

typedef struct tally {
    size_t n, n_refused, n_gone;
} tally;

/* The version of a manifest's name; 0: it is none. */
static uint64_t version_of(const char *name)
{
    uint64_t number = 0;
    if (!strstr(name, ".manifest") || sscanf(name, "_versions/%" SCNu64, &number) != 1)
        return 0;
    return UINT64_MAX - number;
}

static void try_bit(subject *s, const char *name, const pn_cleanup_options *options, size_t at,
                    unsigned bit, tally *t)
{
    char path[1200];
    pn_error err = {0};
    pn_cleanup_report report;
    size_t n;
    take_copy(s);
    (void)snprintf(path, sizeof path, "%s/%s", s->table, name); // fits
    uint8_t *bytes = golden_read_bytes(path, &n);
    bytes[at] ^= (uint8_t)(1u << bit);
    golden_write_bytes(path, bytes, n);
    pn_status status = pn_dataset_cleanup(s->table, options, &report, &err);
    bytes[at] ^= (uint8_t)(1u << bit);
    bool is_there = pn_path_exists(path);
    if (is_there)
        golden_write_bytes(path, bytes, n);
    golden_bytes_free(bytes);
    for (uint64_t v = 1; v <= MAX_VERSIONS; v++) {
        uint64_t sum = 0;
        if (!s->stays[v] || (options->damaged_too && v == version_of(name) && !is_there))
            continue;
        pn_error why = {0};
        if (read_version(s->table, v, &sum, &why) != PN_OK || sum != s->sound[v])
            fail_msg("%s: bit %u of byte %zu is flipped, a clean-up says \"%s\", and version "
                     "%" PRIu64 " is not what it was: %s",
                     name, bit, at, status == PN_OK ? "done" : err.message, v, why.message);
    }
    if (status != PN_OK && !strstr(err.message, s->table))
        fail_msg("%s: bit %u of byte %zu is flipped, and the error is: %s", name, bit, at,
                 err.message);
    t->n++;
    t->n_refused += status != PN_OK;
    t->n_gone += !is_there;
}

static void damage_all(subject *s, const pn_cleanup_options *options, const char *what)
{
    tally t = {0};
    uint64_t n_bits = how_many("PN_DAMAGES", BITS);
    pn_rng rng = pn_rng_seed(how_many("PN_DAMAGES_SEED", 1));
    learn(s, options);
    for (size_t i = 0; i < s->n_files; i++) {
        char path[1200];
        size_t n;
        (void)snprintf(path, sizeof path, "%s/%s", s->from, s->files[i]); // fits
        golden_bytes_free(golden_read_bytes(path, &n));
        for (uint64_t k = 0; k < (n_bits > 0 ? n_bits : n * 8); k++) {
            uint64_t at = n_bits > 0 ? pn_rng_below(&rng, n * 8) : k;
            try_bit(s, s->files[i], options, at / 8, (unsigned)(at % 8), &t);
        }
    }
    print_message("  %s: %zu flips, %zu refused, %zu times the file is gone\n", what, t.n,
                  t.n_refused, t.n_gone);
    assert_true(t.n_refused > t.n / 20);
}

static void set_up(subject *s, void **state, bool with_sums)
{
    pn_error err = {0};
    *s = (subject){.s = *state};
    s->from = scratch_path(s->s, "from.lance");
    s->table = scratch_path(s->s, "t.lance");
    make_table(s->from);
    if (with_sums) {
        const pn_check_plan plan = {.record = true};
        pn_check_result result;
        check(pn_dataset_check(s->from, &plan, &s->s->arena, &result, &err), &err);
        assert_int_equal(result.n_findings, 0);
    }
    check(pn_dir_walk(s->from, take_name, s, &err), &err);
    for (uint64_t v = 1; v <= MAX_VERSIONS; v++)
        if (read_version(s->from, v, &s->sound[v], &err) != PN_OK)
            s->sound[v] = 0;
    pn_clock_sleep_ms(5); // so that all are older than now
}

static void a_flipped_bit__lets_a_clean_up_take_nothing_that_is_needed(void **state)
{
    static subject s;
    set_up(&s, state, false);
    const pn_cleanup_options few = {.older_than_ms = 0, .keep_newest = 2, .orphan_ms = 0};
    const pn_cleanup_options old = {.older_than_ms = HOUR_MS, .orphan_ms = 0};
    const pn_cleanup_options damaged = {
        .older_than_ms = 0, .keep_newest = 3, .orphan_ms = HOUR_MS, .damaged_too = true};
    damage_all(&s, &few, "two versions and a tag stay");
    damage_all(&s, &old, "all versions stay");
    damage_all(&s, &damaged, "damaged ones may go");
}

static void with_checksums__a_flipped_bit_is_refused(void **state)
{
    static subject s;
    set_up(&s, state, true);
    const pn_cleanup_options few = {.older_than_ms = 0, .keep_newest = 2, .orphan_ms = 0};
    damage_all(&s, &few, "with checksums");
}

/* ---- what is said ---- */

static char *data_file_of(const subject *s)
{
    char **names;
    size_t n;
    pn_error err = {0};
    check(pn_dir_list(pn_path_join(&s->s->arena, s->table, "data"), &s->s->arena, &names, &n, &err),
          &err);
    return pn_arena_printf(&s->s->arena, "%s/data/%s", s->table, names[0]);
}

static void refuses(const subject *s, const pn_cleanup_options *options, pn_status status,
                    const char *said)
{
    pn_error err = {0};
    pn_cleanup_report report;
    size_t before = 0, after = 0;
    char **names;
    char *data = pn_path_join(&s->s->arena, s->table, "data");
    check(pn_dir_list(data, &s->s->arena, &names, &before, &err), &err);
    assert_int_equal(pn_dataset_cleanup(s->table, options, &report, &err), status);
    if (!strstr(err.message, said))
        fail_msg("\"%s\" was expected in: %s", said, err.message);
    check(pn_dir_list(data, &s->s->arena, &names, &after, &err), &err);
    assert_int_equal(before, after);
}

static void a_missing_file__is_named_with_its_version(void **state)
{
    static subject s;
    pn_error err = {0};
    pn_cleanup_report report;
    set_up(&s, state, false);
    take_copy(&s);
    char *path = data_file_of(&s), aside[1200];
    const pn_cleanup_options all = {.older_than_ms = -1, .orphan_ms = 0};
    pn_cleanup_options damaged = all;
    damaged.damaged_too = true;
    (void)snprintf(aside, sizeof aside, "%s/aside", s.table); // fits
    check(pn_path_rename(path, aside, &err), &err);
    refuses(&s, &all, PN_ERR_CORRUPT, strrchr(path, '/') + 1);
    refuses(&s, &all, PN_ERR_CORRUPT, ": version ");
    if (pn_dataset_cleanup(s.table, &damaged, &report, &err) != PN_OK)
        assert_non_null(strstr(err.message, "it stays: "));
    check(pn_path_rename(aside, path, &err), &err);
}

static void put(const subject *s, const char *name, const char *text)
{
    char path[1200];
    pn_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", s->table, name); // fits
    *strrchr(path, '/') = '\0';
    check(pn_dir_make(path, &err), &err);
    (void)snprintf(path, sizeof path, "%s/%s", s->table, name);
    golden_write_bytes(path, text, strlen(text));
}

static void what_is_not_known__keeps_everything(void **state)
{
    static subject s;
    const pn_cleanup_options all = {.older_than_ms = 0, .orphan_ms = 0};
    static const struct {
        const char *name, *text, *said;
        pn_status status;
    } cases[] = {
        {"_versions/d17.manifest", "", "d17.manifest", PN_ERR_UNSUPPORTED},
        {"tree/b/_versions/1.manifest", "", "branches", PN_ERR_UNSUPPORTED},
        {"_versions/latest_version_hint.json", "{\"version\":77}", "version 77", PN_ERR_CORRUPT},
        {"_refs/tags/lost.json", "{\"version\":77}", "\"lost\" names version 77", PN_ERR_CORRUPT},
        {"_refs/tags/other.json", "{\"version\":3,\"manifestSize\":3}", "\"other\"",
         PN_ERR_CORRUPT},
    };
    set_up(&s, state, false);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        take_copy(&s);
        put(&s, cases[i].name, cases[i].text);
        refuses(&s, &all, cases[i].status, cases[i].said);
    }
}

int main(void)
{
#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_flipped_bit__lets_a_clean_up_take_nothing_that_is_needed),
        TEST(with_checksums__a_flipped_bit_is_refused),
        TEST(a_missing_file__is_named_with_its_version),
        TEST(what_is_not_known__keeps_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
