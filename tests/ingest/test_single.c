/*
 * test_single.c - uploads: one picture, one row, also when several come at once
 */
#include "ingest/ingest.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "image/decode.h"
#include "os/pool.h"
#include "support/fake_embedder.h"
#include "support/image_table.h"

typedef struct world {
    scratch_folder *scratch;
    pn_engine *engine;
    fake_embedder fake;
    pn_path_locks paths;
    pn_ingest_settings settings;
} world;

static int setup(void **state)
{
    static world w;
    memset(&w, 0, sizeof w);
    void *scratch;
    if (scratch_folder_setup(&scratch) != 0 || pn_image_library_init(NULL) != PN_OK)
        return 1;
    w.scratch = scratch;
    fake_embedder_make(&w.fake);
    w.engine = image_table_make(w.scratch, "t.lance", FAKE_DIM, "fake:1");
    pn_path_locks_init(&w.paths);
    w.settings = (pn_ingest_settings){.n_decoders = 1, .paths = &w.paths};
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_engine_free(w->engine);
    pn_path_locks_reset(&w->paths);
    void *scratch = w->scratch;
    return scratch_folder_teardown(&scratch);
}

static pn_status upload(world *w, const char *path, uint32_t colour, const pn_kv *pairs, size_t n,
                        pn_ingest_outcome *outcome, int64_t *id, pn_error *err)
{
    uint8_t bytes[BITMAP_BYTES];
    bitmap_make(colour, bytes);
    const pn_ingest_picture picture = {
        .path = path, .bytes = bytes, .n_bytes = sizeof bytes, .metadata = pairs, .n_metadata = n};
    return pn_ingest_one(w->engine, &w->fake.door, &picture, &w->settings, outcome, id, err);
}

static void one__says_what_became_of_it(void **state)
{
    world *w = *state;
    static const struct {
        const char *path;
        uint32_t colour;
        const char *title;
        pn_ingest_outcome outcome;
        int64_t id;
    } cases[] = {
        {"a", 1, "x", PN_INGEST_ADDED, 0},      {"b", 1, "x", PN_INGEST_ADDED, 1},
        {"a", 1, "x", PN_INGEST_UNCHANGED, 0},  {"a", 2, "x", PN_INGEST_UPDATED, 0},
        {"a", 2, "y", PN_INGEST_UPDATED, 0},    {"it's", 3, "x", PN_INGEST_ADDED, 2},
        {"it's", 4, "x", PN_INGEST_UPDATED, 2},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        pn_kv pair = {"title", cases[i].title};
        pn_ingest_outcome outcome;
        int64_t id = -9;
        if (upload(w, cases[i].path, cases[i].colour, &pair, 1, &outcome, &id, &err) != PN_OK)
            fail_msg("%s", err.message);
        assert_int_equal(outcome, cases[i].outcome);
        assert_int_equal(id, cases[i].id);
    }
    assert_int_equal(image_table_count(w->engine, NULL), 3);
}

static void one__leaves_the_table_alone_when_it_fails(void **state)
{
    world *w = *state;
    pn_error err = {0};
    pn_ingest_outcome outcome;
    int64_t id = -9;
    char path[PN_PATH_MAX_BYTES + 2];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    const pn_kv bad_value = {"title", "caf\xE9"}, bad_key = {"caf\xE9", "x"};
    assert_int_equal(upload(w, "", 1, NULL, 0, &outcome, &id, &err), PN_ERR_INVALID);
    assert_int_equal(upload(w, path, 1, NULL, 0, &outcome, &id, &err), PN_ERR_LIMIT);
    assert_int_equal(upload(w, "\xFF", 1, NULL, 0, &outcome, &id, &err), PN_ERR_INVALID);
    assert_int_equal(upload(w, "a", 1, &bad_value, 1, &outcome, &id, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "metadata \"title\" is not UTF-8"));
    assert_int_equal(upload(w, "a", 1, &bad_key, 1, &outcome, &id, &err), PN_ERR_INVALID);
    const pn_ingest_picture text = {.path = "a", .bytes = "text", .n_bytes = 4};
    assert_int_equal(
        pn_ingest_one(w->engine, &w->fake.door, &text, &w->settings, &outcome, &id, &err),
        PN_ERR_UNSUPPORTED);
    w->fake.fail_from_images = 1;
    assert_int_equal(upload(w, "a", 1, NULL, 0, &outcome, &id, &err), PN_OK);
    assert_int_equal(upload(w, "b", 1, NULL, 0, &outcome, &id, &err), PN_ERR_BUG);
    assert_int_equal(image_table_count(w->engine, NULL), 1);
}

/* ---- several at once */

enum { UPLOADS = 8 };

typedef struct crew {
    world *w;
    bool same;  /* all of one content */
    bool apart; /* each under a path of its own */
    int64_t ids[UPLOADS];
    pn_ingest_outcome outcomes[UPLOADS];
    _Atomic unsigned n_faults, next;
} crew;

static void upload_one(void *context)
{
    crew *c = context;
    pn_error err = {0};
    unsigned i = atomic_fetch_add(&c->next, 1);
    char path[24] = "same.jpg";
    if (c->apart)
        (void)snprintf(path, sizeof path, "%u.jpg", i); // fits
    if (upload(c->w, path, c->same ? 7 : i, NULL, 0, &c->outcomes[i], &c->ids[i], &err) != PN_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        atomic_fetch_add(&c->n_faults, 1);
    }
}

static void upload_together(crew *c)
{
    pn_error err = {0};
    pn_thread *threads[UPLOADS];
    for (size_t i = 0; i < UPLOADS; i++)
        assert_int_equal(pn_thread_start(upload_one, c, "upload", &threads[i], &err), PN_OK);
    for (size_t i = 0; i < UPLOADS; i++)
        pn_thread_join(threads[i]);
    assert_int_equal(atomic_load(&c->n_faults), 0);
}

static void one__makes_one_row_of_one_path(void **state)
{
    world *w = *state;
    w->fake.sleep_ms = 20; // all of them have looked before the first commits
    for (int same = 0; same < 2; same++) {
        crew c = {.w = w, .same = same};
        size_t n_added = 0, n_updated = 0;
        upload_together(&c);
        for (size_t i = 0; i < UPLOADS; i++) {
            assert_int_equal(c.ids[i], 0);
            n_added += c.outcomes[i] == PN_INGEST_ADDED;
            n_updated += c.outcomes[i] == PN_INGEST_UPDATED;
        }
        assert_int_equal(image_table_count(w->engine, NULL), 1);
        assert_int_equal(n_added, same ? 0 : 1);
        if (same)
            assert_true(n_updated <= 1); // 0 when the last of the first eight had that colour
        else
            assert_int_equal(n_updated, UPLOADS - 1);
    }
}

static uint64_t version_of(const world *w)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    assert_int_equal(w->engine->pin_newest(w->engine->self, &snapshot, &err), PN_OK);
    w->engine->info(w->engine->self, snapshot, &info);
    w->engine->unpin(w->engine->self, snapshot);
    return info.version;
}

/* All are there before the first commit ends: one makes it, and one of the others commits for all others. */
static void many__share_commits(void **state)
{
    world *w = *state;
    w->fake.sleep_ms = 50;
    uint64_t before = version_of(w);
    bool seen[UPLOADS] = {false};
    crew c = {.w = w, .apart = true};
    upload_together(&c);
    for (size_t i = 0; i < UPLOADS; i++) {
        assert_int_equal(c.outcomes[i], PN_INGEST_ADDED);
        assert_in_range(c.ids[i], 0, UPLOADS - 1);
        assert_false(seen[c.ids[i]]);
        seen[c.ids[i]] = true;
    }
    assert_int_equal(image_table_count(w->engine, NULL), UPLOADS);
    assert_true(version_of(w) - before <= UPLOADS / 2); // 2, when nobody was late
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one__says_what_became_of_it),
        TEST(one__leaves_the_table_alone_when_it_fails),
        TEST(one__makes_one_row_of_one_path),
        TEST(many__share_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
