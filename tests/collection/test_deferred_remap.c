/*
 * test_deferred_remap.c - a table that was compacted while its vector index was left as it was
 *
 * LanceDB may put off what a compaction means for an index: the index goes on naming fragments that are gone, and an entry called
 * "__lance_frag_reuse" beside it tells what they became. Such a version is made here of one that was compacted as usual, by giving it the list of
 * indexes of the version before and that entry. Rows of fragments that the index does not name are scanned, so answers are right, before and
 * after changes, compactions and clean-ups that come on top.
 */
#include "collection/local_engine.h"
#include "support/golden.h"
#include "support/living_table.h"
#include "support/scratch_folder.h"

#include "base/alloc.h"
#include "dataset/cleanup.h"
#include "dataset/manifest.h"
#include "os/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants some of the above first */
#include <cmocka.h>

typedef struct world {
    scratch_folder *s;
    char *table;
    living_model model;
    uint64_t n_steps;
} world;

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static pn_engine *open_table(const world *w)
{
    pn_error err = {0};
    pn_engine *engine;
    check(pn_local_engine_open(w->table, NULL, &engine, &err), &err);
    return engine;
}

static void step(world *w, living_kind kind, size_t n)
{
    pn_error err = {0};
    int64_t first_id;
    const living_step step = {.kind = kind, .seed = ++w->n_steps, .n = n};
    pn_engine *engine = open_table(w);
    check(living_do(w->table, engine, &w->model, &step, &first_id, &err), &err);
    living_foresee(&w->model, &step);
    pn_engine_free(engine);
}

static void build_lancedb(const world *w)
{
    pn_error err = {0};
    pn_engine_index_report report;
    const pn_engine_index_options options = {.is_wanted = true, .all = true, .lancedb = true};
    pn_engine *engine = open_table(w);
    check(engine->index_build(engine->self, &options, &report, &err), &err);
    pn_engine_free(engine);
}

/* ---- the version that LanceDB would have made ---- */

static void read_manifest(const world *w, uint64_t back, pn_manifest *out, char **path)
{
    pn_error err = {0};
    pn_version_list list;
    check(pn_manifest_list(w->table, &w->s->arena, &list, &err), &err);
    uint64_t version = list.versions[list.n - 1 - back];
    check(pn_manifest_read(w->table, version, list.scheme, out, &err), &err);
    *path = pn_manifest_path(w->table, version, list.scheme, &w->s->arena);
}

/* The list of indexes of another version, and one more entry. */
static uint8_t *with_reuse(const world *w, const pn_manifest *of, size_t *n)
{
    uint8_t uuid[16];
    Pn__Table__Uuid id = PN__TABLE__UUID__INIT;
    Pn__Table__IndexMetadata reuse = PN__TABLE__INDEX_METADATA__INIT;
    Pn__Table__IndexMetadata *all[8];
    char name[] = "__lance_frag_reuse";
    Pn__Table__IndexSection *section =
        pn__table__index_section__unpack(NULL, of->index_section_bytes, of->index_section);
    assert_non_null(section);
    assert_int_equal(section->n_indices, 1);
    pn_uuid_make(uuid);
    id.has_uuid = 1;
    id.uuid = (ProtobufCBinaryData){sizeof uuid, uuid};
    reuse.uuid = &id;
    reuse.name = name;
    reuse.has_dataset_version = 1;
    reuse.dataset_version = of->message->version;
    Pn__Table__IndexSection more = *section;
    more.indices = all;
    all[0] = section->indices[0];
    all[1] = &reuse;
    more.n_indices = 2;
    *n = pn__table__index_section__get_packed_size(&more);
    uint8_t *bytes = pn_arena_alloc(&w->s->arena, *n + 1);
    assert_non_null(bytes);
    assert_int_equal(pn__table__index_section__pack(&more, bytes), *n);
    pn__table__index_section__free_unpacked(section, NULL);
    return bytes;
}

/* The newest version was compacted: its index is what it was before. */
static void put_off_remap(const world *w)
{
    pn_error err = {0};
    pn_manifest before, now;
    pn_buffer bytes;
    char *path, *ignored;
    size_t n;
    read_manifest(w, 1, &before, &ignored);
    read_manifest(w, 0, &now, &path);
    assert_true(now.message->n_fragments < before.message->n_fragments);
    const uint8_t *section = with_reuse(w, &before, &n);
    pn_buffer_init(&bytes, 1 << 24);
    check(pn_manifest_encode(now.message, section, n, now.transaction, &bytes, &err), &err);
    golden_write_bytes(path, bytes.data, bytes.n_bytes);
    pn_buffer_reset(&bytes);
    pn_manifest_free(&before);
    pn_manifest_free(&now);
}

/* ---- what is right ---- */

/* How many rows LanceDB's index answers for. */
static uint64_t look(const world *w, uint64_t seed)
{
    pn_error err = {0};
    pn_arena arena;
    pn_snapshot *snapshot;
    pn_engine_index_status status;
    pn_engine *engine = open_table(w);
    pn_arena_init(&arena, SIZE_MAX);
    assert_true(living_is(w->table, &w->model));
    living_check_searches(engine, &w->model, seed);
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    check(engine->index_status(engine->self, snapshot, &arena, &status, &err), &err);
    engine->unpin(engine->self, snapshot);
    uint64_t n = 0;
    for (size_t i = 0; i < status.n_lance; i++)
        n += status.lance[i].n_rows;
    pn_engine_free(engine);
    pn_arena_reset(&arena);
    return n;
}

static void fragments_of_an_index_put_off__are_scanned(void **state)
{
    static world w;
    pn_error err = {0};
    pn_cleanup_report report;
    const pn_cleanup_options clean = {.older_than_ms = 0, .orphan_ms = 0};
    w = (world){.s = *state};
    w.table = scratch_path(w.s, "t.lance");
    living_create(w.table, &w.model);
    for (size_t i = 0; i < 3; i++)
        step(&w, LIVING_APPEND, 100);
    build_lancedb(&w);
    uint64_t all = look(&w, 1);
    assert_int_equal(all, w.model.now.n_rows);
    step(&w, LIVING_DELETE, 20);
    step(&w, LIVING_FOLD, 0);
    put_off_remap(&w);
    assert_true(look(&w, 2) < all); // what was compacted is no longer the index's
    step(&w, LIVING_APPEND, 50);
    (void)look(&w, 3);
    step(&w, LIVING_REPLACE, 30);
    step(&w, LIVING_FOLD, 0);
    (void)look(&w, 4);
    check(pn_dataset_cleanup(w.table, &clean, &report, &err), &err);
    (void)look(&w, 5);
    build_lancedb(&w); // of all again
    assert_int_equal(look(&w, 6), w.model.now.n_rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fragments_of_an_index_put_off__are_scanned,
                                        scratch_folder_setup, scratch_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
