/*
 * test_ingest.c - the pipeline with an embedder whose every vector is known
 *
 * What is promised: a bad file is reported and passed over; what is known is not embedded again; whatever ends a run early,
 * the rows that were called committed are there, and the next run adds the rest and nothing twice.
 */
#include "ingest/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "image/decode.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/fake_embedder.h"
#include "support/image_table.h"

enum { MOST_FAILURES = 16 };

typedef struct world {
    scratch_folder *scratch;
    pn_engine *engine;
    fake_embedder fake;
    pn_ingest_settings settings;
    pn_ingest_counts counts;
    char failures[MOST_FAILURES][256]; /* "name: reason" */
    size_t n_failures;
    uint64_t cancel_from_images; /* 0: never */
    int64_t cancel_after_ns;     /* of the clock; 0: never */
} world;

static void on_failed(void *context, const char *path, pn_status status, const char *reason)
{
    world *w = context;
    const char *slash = strrchr(path, '/');
    assert_int_not_equal(status, PN_OK);
    assert_true(w->n_failures < MOST_FAILURES);
    (void)snprintf(w->failures[w->n_failures++], sizeof w->failures[0], "%.60s: %.180s",
                   slash ? slash + 1 : path, reason);
}

static bool on_cancelled(void *context)
{
    world *w = context;
    return (w->cancel_from_images > 0 && atomic_load(&w->fake.n_images) >= w->cancel_from_images) ||
           (w->cancel_after_ns > 0 && pn_clock_monotonic_ns() > w->cancel_after_ns);
}

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
    w.settings = (pn_ingest_settings){
        .n_decoders = 2, .failed = on_failed, .cancelled = on_cancelled, .context = &w};
    *state = &w;
    return 0;
}

/* An embedder that is called by several threads. */
static int setup_side_by_side(void **state)
{
    if (setup(state) != 0)
        return 1;
    world *w = *state;
    w->fake.door.batch = 4;
    w->fake.door.n_bulk_calls = 3;
    return 0;
}

static int teardown(void **state)
{
    world *w = *state;
    pn_engine_free(w->engine);
    void *scratch = w->scratch;
    return scratch_folder_teardown(&scratch);
}

static pn_status ingest(world *w, const char *source, pn_error *err)
{
    w->n_failures = 0;
    return pn_ingest_run(w->engine, &w->fake.door, &source, 1, &w->settings, &w->counts, err);
}

static void expect_run(world *w, const char *source, uint64_t added, uint64_t updated,
                       uint64_t unchanged, uint64_t failed)
{
    pn_error err = {0};
    if (ingest(w, source, &err) != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(w->counts.n_added, added);
    assert_int_equal(w->counts.n_updated, updated);
    assert_int_equal(w->counts.n_unchanged, unchanged);
    assert_int_equal(w->counts.n_failed, failed);
    assert_int_equal(w->counts.n_committed, added + updated);
    assert_int_equal(w->n_failures, failed);
    assert_true(w->counts.sources_done);
}

static void expect_reason(const world *w, const char *name, const char *reason)
{
    for (size_t i = 0; i < w->n_failures; i++)
        if (strncmp(w->failures[i], name, strlen(name)) == 0 && strstr(w->failures[i], reason))
            return;
    fail_msg("no \"%s: ...%s...\" among %zu failures, the first \"%s\"", name, reason,
             w->n_failures, w->failures[0]);
}

static const char *make_folder(world *w, size_t n)
{
    pn_error err = {0};
    assert_int_equal(pn_dir_make(scratch_path(w->scratch, "photos"), &err), PN_OK);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "photos/%03zu.bmp", i);
        (void)bitmap_file(w->scratch, name, (uint32_t)(i * 65537 + 255));
    }
    return scratch_path(w->scratch, "photos");
}

static void run__embeds_only_what_is_new(void **state)
{
    world *w = *state;
    const char *folder = make_folder(w, 40);
    expect_run(w, folder, 40, 0, 0, 0);
    assert_int_equal(atomic_load(&w->fake.n_images), 40);
    expect_run(w, folder, 0, 0, 40, 0);
    assert_int_equal(atomic_load(&w->fake.n_images), 40);
    (void)bitmap_file(w->scratch, "photos/007.bmp", 0xFF8000);
    (void)bitmap_file(w->scratch, "photos/new.bmp", 0x0080FF);
    expect_run(w, folder, 1, 1, 39, 0);
    assert_int_equal(image_table_count(w->engine, NULL), 41);
    assert_int_equal(image_table_count(w->engine, "id = 40"), 1); // a changed picture keeps its id
    assert_int_equal(image_table_count(w->engine, "id > 40"), 0);
}

static void run__passes_over_what_is_no_picture(void **state)
{
    world *w = *state;
    const char *folder = make_folder(w, 3);
    uint8_t bytes[BITMAP_BYTES];
    bitmap_make(0, bytes);
    (void)scratch_file(w->scratch, "photos/text.jpg", "not a picture");
    (void)scratch_file(w->scratch, "photos/empty.png", "");
    FILE *cut = fopen(scratch_path(w->scratch, "photos/cut.bmp"), "wb");
    assert_non_null(cut);
    assert_int_equal(fwrite(bytes, 1, 60, cut), 60);
    assert_int_equal(fclose(cut), 0);
    expect_run(w, folder, 3, 0, 0, 3);
    expect_reason(w, "text.jpg", "");
    expect_reason(w, "empty.png", "");
    expect_reason(w, "cut.bmp", "");
    expect_run(w, folder, 0, 0, 3, 3); // they are tried again, and told again
}

static void run__refuses_texts_that_no_column_may_hold(void **state)
{
    world *w = *state;
    (void)bitmap_file(w->scratch, "a.bmp", 1);
    (void)bitmap_file(w->scratch, "b.bmp", 2);
    (void)bitmap_file(w->scratch, "\xFF.bmp", 3);
    pn_buffer list;
    pn_error err = {0};
    pn_buffer_init(&list, 1u << 20);
    assert_int_equal(pn_buffer_append_text(&list,
                                           "path,title,k\xE9y\na.bmp,caf\xE9,x\nb.bmp,caf\xC3\xA9,"
                                           "\n\xFF.bmp,t,\n",
                                           &err),
                     PN_OK);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(pn_buffer_append_text(&list, "x", &err), PN_OK);
    assert_int_equal(pn_buffer_append_text(&list, ".bmp,t,\n", &err), PN_OK);
    const char *source = scratch_file(w->scratch, "list.csv", pn_buffer_text(&list));
    pn_buffer_reset(&list);
    expect_run(w, source, 1, 0, 0, 3);
    expect_reason(w, "a.bmp", "metadata \"title\" is not UTF-8");
    expect_reason(w, "\xFF.bmp", "the path is not UTF-8");
    expect_reason(w, "xxx", "the limit is");
    assert_int_equal(image_table_count(w->engine, "metadata['title'] = 'caf\xC3\xA9'"), 1);
}

static void run__keeps_what_was_committed_when_the_embedder_fails(void **state)
{
    world *w = *state;
    pn_error err = {0};
    const char *folder = make_folder(w, 100);
    w->settings.commit_rows = 16;
    w->fake.fail_from_images = 50;
    assert_int_equal(ingest(w, folder, &err), PN_ERR_BUG);
    assert_string_equal(err.message, "the fake embedder was told to fail");
    uint64_t kept = w->counts.n_committed;
    assert_true(kept > 0 && kept < 100);
    assert_int_equal(image_table_count(w->engine, NULL), kept);
    w->fake.fail_from_images = 0;
    expect_run(w, folder, 100 - kept, 0, kept, 0);
    assert_int_equal(image_table_count(w->engine, NULL), 100);
}

static void run__stops_soon_when_cancelled(void **state)
{
    world *w = *state;
    pn_error err = {0};
    const char *folder = make_folder(w, 200);
    w->settings.commit_rows = 16;
    w->settings.n_decoders = 4;
    w->fake.sleep_ms = 30;
    w->cancel_from_images = 40;
    assert_int_equal(ingest(w, folder, &err), PN_ERR_CANCELLED);
    /* At most the batch that ran in each thread and the one it was noticed in: not the queue of decoded pictures behind them. */
    const size_t batch = w->fake.door.batch ? w->fake.door.batch : PN_EMBED_BATCH_DEFAULT;
    const size_t n_threads = PN_MAX(w->fake.door.n_bulk_calls, 1u);
    assert_true(atomic_load(&w->fake.n_images) < 40 + 2 * batch * n_threads);
    assert_int_equal(w->counts.n_committed, w->counts.n_added);
    assert_int_equal(image_table_count(w->engine, NULL), w->counts.n_committed);
    uint64_t kept = w->counts.n_committed;
    w->fake.sleep_ms = 0;
    w->cancel_from_images = 0;
    expect_run(w, folder, 200 - kept, 0, kept, 0);
}

/* Standard input is a pipe that says one path and then nothing, without an end. */
static void run__stops_while_a_pipe_is_silent(void **state)
{
    world *w = *state;
    pn_error err = {0};
    int ends[2], input = dup(STDIN_FILENO);
    const char *path = bitmap_file(w->scratch, "a.bmp", 5);
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(write(ends[1], path, strlen(path)), (ssize_t)strlen(path));
    assert_int_equal(write(ends[1], "\n", 1), 1);
    int64_t start_ns = pn_clock_monotonic_ns();
    w->cancel_after_ns = start_ns + 300000000;
    assert_int_equal(ingest(w, "-", &err), PN_ERR_CANCELLED);
    assert_true(pn_clock_monotonic_ns() - start_ns < 5000000000);
    assert_int_equal(w->counts.n_committed, 1);
    assert_true(dup2(input, STDIN_FILENO) == STDIN_FILENO);
    (void)close(input);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void run__needs_sources_that_are_there(void **state)
{
    world *w = *state;
    pn_error err = {0};
    assert_int_equal(ingest(w, "/no/such/folder", &err), PN_ERR_NOT_FOUND);
    assert_int_equal(
        pn_ingest_run(w->engine, &w->fake.door, NULL, 0, &w->settings, &w->counts, &err),
        PN_ERR_INVALID);
    assert_int_equal(ingest(w, scratch_file(w->scratch, "l.csv", "title\nx\n"), &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "no column"));
}

static void run__names_one_picture_once(void **state)
{
    world *w = *state;
    (void)bitmap_file(w->scratch, "a.bmp", 9);
    expect_run(w, scratch_file(w->scratch, "l.csv", "path,t\na.bmp,1\n./a.bmp,2\na.bmp,3\n"), 1, 0,
               0, 0);
    assert_int_equal(image_table_count(w->engine, "metadata['t'] = '1'"), 1);
}

/* A list and a symbolic link below the root both point out of it. */
static void run__keeps_to_its_root(void **state)
{
    world *w = *state;
    const char *folder = make_folder(w, 2);
    char list[1024];
    const char *outside = bitmap_file(w->scratch, "outside.bmp", 7);
    (void)snprintf(list, sizeof list, "path\n%s\n000.bmp\n../outside.bmp\nlink.bmp\n", outside);
    assert_int_equal(symlink("../outside.bmp", scratch_path(w->scratch, "photos/link.bmp")), 0);
    w->settings.root = folder;
    expect_run(w, scratch_file(w->scratch, "photos/list.csv", list), 1, 0, 0, 3);
    expect_reason(w, "outside.bmp", "it lies outside of the folder that may be read");
    expect_reason(w, "link.bmp", "it lies outside of the folder that may be read");
    w->settings.root = NULL;
    expect_run(w, scratch_path(w->scratch, "photos/list.csv"), 3, 0, 1, 0);
}

/* One picture is refused, in whatever company it comes. */
static void run__embeds_those_beside_a_refused_one(void **state)
{
    world *w = *state;
    const char *folder = make_folder(w, 40);
    w->fake.refused = 13;
    expect_run(w, folder, 39, 0, 0, 1);
    expect_reason(w, "", "the fake embedder was told to refuse it");
    w->fake.refused = 0;
    expect_run(w, folder, 1, 0, 39, 0);
}

/* The disk is full while all stages are busy. */
static void run__ends_when_the_table_fails(void **state)
{
    world *w = *state;
    pn_error err = {0};
    const char *folder = make_folder(w, 200);
    w->settings.commit_rows = 16;
    pn_fd_fault_after(40, ENOSPC);
    assert_int_equal(ingest(w, folder, &err), PN_ERR_IO);
    pn_fd_fault_after(0, 0);
    const uint64_t kept = image_table_count(w->engine, NULL);
    assert_true(kept >= w->counts.n_committed && kept < 200);
    expect_run(w, folder, 200 - kept, 0, kept, 0);
}

#define TEST(f)                                                                                    \
    cmocka_unit_test_setup_teardown(f, setup, teardown),                                           \
        cmocka_unit_test_setup_teardown(f, setup_side_by_side, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(run__embeds_only_what_is_new),
        TEST(run__passes_over_what_is_no_picture),
        TEST(run__refuses_texts_that_no_column_may_hold),
        TEST(run__keeps_what_was_committed_when_the_embedder_fails),
        TEST(run__embeds_those_beside_a_refused_one),
        TEST(run__ends_when_the_table_fails),
        TEST(run__stops_soon_when_cancelled),
        TEST(run__stops_while_a_pipe_is_silent),
        TEST(run__needs_sources_that_are_there),
        TEST(run__keeps_to_its_root),
        TEST(run__names_one_picture_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
