/*
 * test_local_engine.c - the local engine against a list of rows in memory
 *
 * The model keeps every row ever appended with its id and whether it still lives; the table is driven by the same random appends,
 * deletions and replacements, and every answer (search, filter, scan, take, find_id) is compared with what the model says.
 * Vectors are drawn from few directions, so that ties are frequent. Then several threads at once, and tables that LanceDB wrote.
 */
#include "collection/local_engine.h"

#include "collection/id_source.h"
#include "support/golden.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "column/builder.h"
#include "dataset/dataset.h"
#include "kernels/kernels.h"
#include "os/clock.h"
#include "os/dir.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { DIM = 8, N_DIRECTIONS = 40, MAX_ROWS = 20000, N_COLUMNS = 4 };

typedef struct model_row {
    int64_t id;
    unsigned direction, color;
    int64_t price, time_ms;
    bool alive;
} model_row;

typedef struct world {
    pn_arena arena;
    char *folder, *path;
    pn_pool *pool;
    pn_engine *engine;
    pn_schema schema, row_schema; /* the table's; that of the batches, without ids */
    pn_schema full_schema;        /* with ids, for replacements */
    model_row rows[MAX_ROWS];
    size_t n;
    float directions[N_DIRECTIONS][DIM];
} world;

static const char *const colors[] = {"red", "green", "blue", "it's"};

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

static void make_schemas(world *w)
{
    pn_error err = {0};
    check(pn_image_schema_make(DIM, "test", "test model", "none", &w->arena, &w->schema, &err),
          &err);
    pn_field *fields = PN_ARENA_NEW(&w->arena, pn_field, N_COLUMNS + 1);
    assert_non_null(fields);
    memcpy(fields, w->schema.fields,
           (N_COLUMNS + 1) * sizeof *fields); // id, vector, path, metadata, time
    w->full_schema = (pn_schema){.fields = fields, .n_fields = N_COLUMNS + 1};
    w->row_schema = (pn_schema){.fields = fields + 1, .n_fields = N_COLUMNS};
}

static world *make_world(uint64_t seed)
{
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(seed);
    world *w = pn_alloc_zero(sizeof *w);
    assert_non_null(w);
    pn_arena_init(&w->arena, SIZE_MAX);
    for (size_t d = 0; d < N_DIRECTIONS; d++) {
        double sum = 0;
        for (size_t i = 0; i < DIM; i++) {
            w->directions[d][i] = (float)pn_rng_normal(&rng);
            sum += (double)w->directions[d][i] * (double)w->directions[d][i];
        }
        for (size_t i = 0; i < DIM; i++)
            w->directions[d][i] = (float)((double)w->directions[d][i] / sqrt(sum));
    }
    make_schemas(w);
    check(pn_dir_make_temporary("pennon-engine", &w->arena, &w->folder, &err), &err);
    w->path = pn_path_join(&w->arena, w->folder, "images.lance");
    check(pn_pool_create(2, &w->pool, &err), &err);
    check(pn_local_engine_create(w->path, &w->schema, w->pool, &w->engine, &err), &err);
    return w;
}

static void free_world(world *w)
{
    pn_error err = {0};
    pn_engine_free(w->engine);
    pn_pool_free(w->pool);
    check(pn_dir_remove_all(w->folder, &err), &err);
    pn_arena_reset(&w->arena);
    pn_free(w);
}

/* ---- appending */

static void append_pair(pn_builder *map, const char *key, const char *value)
{
    pn_error err = {0};
    pn_builder *entries = pn_builder_child(map, 0);
    check(pn_builder_append_bytes(pn_builder_child(entries, 0), key, strlen(key), &err), &err);
    check(pn_builder_append_bytes(pn_builder_child(entries, 1), value, strlen(value), &err), &err);
    check(pn_builder_close_row(entries, &err), &err);
}

static void build_row(const world *w, pn_builder **b, const model_row *row, bool with_id)
{
    pn_error err = {0};
    char text[32];
    if (with_id)
        check(pn_builder_append_i64(*b++, row->id, &err), &err);
    check(pn_builder_append_floats(b[0], w->directions[row->direction], DIM, &err), &err);
    (void)snprintf(text, sizeof text, "p%u/%" PRId64 ".jpg", row->color, row->price);
    check(pn_builder_append_bytes(b[1], text, strlen(text), &err), &err);
    append_pair(b[2], "color", colors[row->color]);
    (void)snprintf(text, sizeof text, "%" PRId64, row->price);
    append_pair(b[2], "price", text);
    check(pn_builder_close_row(b[2], &err), &err);
    check(pn_builder_append_i64(b[3], row->time_ms, &err), &err);
}

/* The rows as a batch through the engine's append. */
static pn_status append_rows(world *w, pn_snapshot *snapshot, const model_row *rows, size_t n,
                             bool with_ids, const pn_rowset *replaced, pn_error *err)
{
    const pn_schema *schema = with_ids ? &w->full_schema : &w->row_schema;
    pn_builder *builders[N_COLUMNS + 1];
    pn_array arrays[N_COLUMNS + 1];
    for (size_t c = 0; c < schema->n_fields; c++)
        check(pn_builder_create(&schema->fields[c], 1 << 26, &builders[c], err), err);
    for (size_t i = 0; i < n; i++)
        build_row(w, builders, &rows[i], with_ids);
    for (size_t c = 0; c < schema->n_fields; c++)
        check(pn_builder_view(builders[c], &arrays[c], err), err);
    pn_batch batch = {.schema = schema, .columns = arrays, .n_rows = n};
    pn_status status = w->engine->append(w->engine->self, snapshot, &batch, replaced, err);
    for (size_t c = 0; c < schema->n_fields; c++)
        pn_builder_free(builders[c]);
    return status;
}

static model_row random_row(pn_rng *rng)
{
    return (model_row){.direction = (unsigned)pn_rng_below(rng, N_DIRECTIONS),
                       .color = (unsigned)pn_rng_below(rng, PN_COUNT_OF(colors)),
                       .price = (int64_t)pn_rng_below(rng, 100),
                       .time_ms = 1700000000000 + (int64_t)pn_rng_below(rng, 1000),
                       .alive = true};
}

/* The rows that were deleted count too: an id is given once. */
static int64_t next_id(const world *w)
{
    int64_t next = 0;
    for (size_t i = 0; i < w->n; i++)
        next = PN_MAX(next, w->rows[i].id + 1);
    return next;
}

static void append_random(world *w, pn_rng *rng, size_t n)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    int64_t first = next_id(w);
    assert_true(w->n + n <= MAX_ROWS);
    for (size_t i = 0; i < n; i++) {
        w->rows[w->n + i] = random_row(rng);
        w->rows[w->n + i].id = first + (int64_t)i;
    }
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    check(append_rows(w, snapshot, w->rows + w->n, n, false, NULL, &err), &err);
    w->engine->unpin(w->engine->self, snapshot);
    w->n += n;
}

/* ---- filters, as text and as code */

typedef struct test_filter {
    char text[256];
    unsigned kind, color;
    int64_t a, b;
} test_filter;

static void random_filter(pn_rng *rng, test_filter *f)
{
    f->kind = (unsigned)pn_rng_below(rng, 7);
    f->color = (unsigned)pn_rng_below(rng, PN_COUNT_OF(colors));
    f->a = (int64_t)pn_rng_below(rng, 110);
    f->b = f->a + (int64_t)pn_rng_below(rng, 20);
    const char *color = f->color == 3 ? "it''s" : colors[f->color];
    switch (f->kind) {
    case 0:
        (void)snprintf(f->text, sizeof f->text, "metadata['color'] = '%s'", color);
        break;
    case 1:
        (void)snprintf(f->text, sizeof f->text,
                       "metadata['price'] BETWEEN %" PRId64 " AND %" PRId64, f->a, f->b);
        break;
    case 2:
        (void)snprintf(f->text, sizeof f->text,
                       "metadata['color'] = '%s' AND timestamp > timestamp_ms(%" PRId64 ")", color,
                       1700000000000 + f->a * 9);
        break;
    case 3:
        (void)snprintf(f->text, sizeof f->text, "id %% 7 = %" PRId64, f->a % 7);
        break;
    case 4:
        (void)snprintf(f->text, sizeof f->text,
                       "NOT metadata['color'] = '%s' OR metadata['price'] = %" PRId64, color, f->a);
        break;
    case 5:
        (void)snprintf(f->text, sizeof f->text, "image_path LIKE 'p%%/%" PRId64 ".jpg'", f->a);
        break;
    default:
        (void)snprintf(f->text, sizeof f->text, "metadata['nothing'] = 'x'");
    }
}

static bool passes(const test_filter *f, const model_row *row)
{
    if (!row->alive)
        return false;
    switch (f->kind) {
    case 0:
        return row->color == f->color;
    case 1:
        return row->price >= f->a && row->price <= f->b;
    case 2:
        return row->color == f->color && row->time_ms > 1700000000000 + f->a * 9;
    case 3:
        return row->id % 7 == f->a % 7;
    case 4:
        return row->color != f->color || row->price == f->a;
    case 5:
        return row->price == f->a;
    default:
        return false;
    }
}

/* ---- checks */

static int64_t id_at(world *w, pn_snapshot *snapshot, pn_row_addr addr)
{
    static const char *const columns[] = {PN_COLUMN_ID};
    pn_error err = {0};
    pn_batch batch;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    check(w->engine->take(w->engine->self, snapshot, &addr, 1, columns, 1, &arena, &batch, &err),
          &err);
    int64_t id = pn_array_i64(&batch.columns[0], 0);
    pn_arena_reset(&arena);
    return id;
}

static const model_row *row_of(const world *w, int64_t id)
{
    for (size_t i = w->n; i-- > 0;)
        if (w->rows[i].id == id && w->rows[i].alive)
            return &w->rows[i];
    return NULL;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* k rows whenever k pass, nearest first, ties by address, the right distances, nobody who does not pass. */
static void check_search(world *w, pn_rng *rng, pn_snapshot *snapshot)
{
    test_filter f = {.text = ""};
    bool filtered = pn_rng_below(rng, 4) > 0;
    if (filtered)
        random_filter(rng, &f);
    const float *query = w->directions[pn_rng_below(rng, N_DIRECTIONS)];
    size_t k = 1 + pn_rng_below(rng, 40), n_pass = 0;
    float *want = pn_alloc_array(w->n + 1, sizeof *want);
    pn_candidate *heap = pn_alloc_array(k, sizeof *heap);
    assert_true(want && heap);
    for (size_t i = 0; i < w->n; i++)
        if (filtered ? passes(&f, &w->rows[i]) : w->rows[i].alive)
            want[n_pass++] =
                1.0f - pn_kernels_get()->dot_f32(query, w->directions[w->rows[i].direction], DIM);
    qsort(want, n_pass, sizeof *want, compare_floats);

    pn_error err = {0};
    pn_topk topk;
    pn_engine_search_stats stats = {0};
    pn_engine_search asked = {.query = query, .k = k, .filter = filtered ? f.text : NULL};
    pn_topk_init(&topk, heap, k);
    check(w->engine->search(w->engine->self, snapshot, &asked, &topk, &stats, &err), &err);
    if (topk.n != PN_MIN(k, n_pass))
        fail_msg("%s: %zu rows, expected %zu", f.text, topk.n, PN_MIN(k, n_pass));
    assert_int_equal(stats.n_matching, n_pass);
    for (size_t i = 0; i < topk.n; i++) {
        if (heap[i].distance != want[i])
            fail_msg("%s: place %zu at %.9g, expected %.9g", f.text, i, (double)heap[i].distance,
                     (double)want[i]);
        assert_true(i == 0 || pn_candidate_before(heap[i - 1], heap[i]));
        const model_row *row = row_of(w, id_at(w, snapshot, heap[i].id));
        assert_non_null(row);
        assert_true(!filtered || passes(&f, row));
    }
    pn_free(want);
    pn_free(heap);
}

static void check_filter(world *w, pn_rng *rng, pn_snapshot *snapshot)
{
    pn_error err = {0};
    test_filter f;
    uint64_t count, n_pass = 0;
    pn_rowset rows;
    random_filter(rng, &f);
    for (size_t i = 0; i < w->n; i++)
        n_pass += passes(&f, &w->rows[i]);
    pn_rowset_init(&rows);
    check(w->engine->filter(w->engine->self, snapshot, f.text, &rows, &count, &err), &err);
    assert_int_equal(count, n_pass);
    assert_int_equal(pn_rowset_count(&rows), n_pass);
    pn_rowset_reset(&rows);
    check(w->engine->filter(w->engine->self, snapshot, f.text, NULL, &count, &err), &err);
    assert_int_equal(count, n_pass);
}

typedef struct seen {
    world *w;
    uint64_t n;
    int64_t id_sum;
} seen;

static pn_status see(void *context, const pn_batch *batch, const pn_row_addr *addrs, pn_error *err)
{
    seen *s = context;
    const pn_array *ids = pn_batch_column(batch, PN_COLUMN_ID);
    const pn_array *vectors = pn_batch_column(batch, PN_COLUMN_VECTOR);
    (void)err;
    for (size_t i = 0; i < batch->n_rows; i++) {
        const model_row *row = row_of(s->w, pn_array_i64(ids, i));
        assert_non_null(row);
        assert_true(i == 0 || addrs[i] > addrs[i - 1]);
        assert_memory_equal(pn_array_floats(vectors, i), s->w->directions[row->direction],
                            sizeof s->w->directions[0]);
        s->id_sum += row->id;
    }
    s->n += batch->n_rows;
    return PN_OK;
}

static void check_all_rows(world *w, pn_rng *rng, pn_snapshot *snapshot)
{
    pn_error err = {0};
    static const char *const columns[] = {PN_COLUMN_ID, PN_COLUMN_VECTOR};
    seen s = {.w = w};
    uint64_t n = 0;
    int64_t id_sum = 0;
    pn_engine_info info;
    for (size_t i = 0; i < w->n; i++) {
        n += w->rows[i].alive;
        id_sum += w->rows[i].alive ? w->rows[i].id : 0;
    }
    check(w->engine->scan(w->engine->self, snapshot, columns, 2, NULL, see, &s, &err), &err);
    w->engine->info(w->engine->self, snapshot, &info);
    assert_int_equal(s.n, n);
    assert_int_equal(s.id_sum, id_sum);
    assert_int_equal(info.n_rows, n);
    assert_int_equal(info.dim, DIM);
    for (int i = 0; i < 10 && w->n > 0; i++) {
        const model_row *row = &w->rows[pn_rng_below(rng, w->n)];
        pn_row_addr addr;
        pn_status status = w->engine->find_id(w->engine->self, snapshot, row->id, &addr, &err);
        assert_int_equal(status, row_of(w, row->id) ? PN_OK : PN_ERR_NOT_FOUND);
        if (status == PN_OK)
            assert_int_equal(id_at(w, snapshot, addr), row->id);
    }
}

static void delete_random(world *w, pn_rng *rng)
{
    pn_error err = {0};
    test_filter f;
    uint64_t n_deleted = 999, n_pass = 0;
    random_filter(rng, &f);
    if (f.kind == 4)
        f.kind = 6,
        (void)snprintf(f.text, sizeof f.text, "FALSE"); // that one would empty the table
    for (size_t i = 0; i < w->n; i++)
        if (passes(&f, &w->rows[i])) {
            w->rows[i].alive = false;
            n_pass++;
        }
    check(w->engine->delete_where(w->engine->self, f.text, &n_deleted, &err), &err);
    assert_int_equal(n_deleted, n_pass);
}

/* New rows under the old ids, the old ones gone, in one version. */
static void replace_random(world *w, pn_rng *rng)
{
    enum { MOST = 20 };
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_rowset replaced;
    model_row fresh[MOST];
    size_t n = 0;
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    pn_rowset_init(&replaced);
    for (size_t i = 0; i < w->n && n < MOST; i++) {
        model_row *row = &w->rows[i];
        if (!row->alive || pn_rng_below(rng, 50) > 0)
            continue;
        fresh[n] = random_row(rng);
        fresh[n++].id = row->id;
        row->alive = false;
    }
    char text[MOST * 24] = "id IN (-1";
    for (size_t i = 0; i < n; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ", %" PRId64, fresh[i].id);
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), ")");
    uint64_t count;
    check(w->engine->filter(w->engine->self, snapshot, text, &replaced, &count, &err), &err);
    assert_int_equal(count, n);
    if (n > 0)
        check(append_rows(w, snapshot, fresh, n, true, &replaced, &err), &err);
    pn_rowset_reset(&replaced);
    w->engine->unpin(w->engine->self, snapshot);
    memcpy(w->rows + w->n, fresh, n * sizeof *fresh);
    w->n += n;
}

static void engine__answers_like_a_list_of_rows(void **state)
{
    (void)state;
    pn_error err = {0};
    world *w = make_world(1);
    pn_rng rng = pn_rng_seed(2);
    for (int round = 0; round < 60; round++) {
        pn_snapshot *snapshot;
        uint64_t what = pn_rng_below(&rng, 6);
        if (what < 3 || w->n == 0)
            append_random(w, &rng, 1 + pn_rng_below(&rng, what == 0 ? 400 : 60));
        else if (what < 5)
            delete_random(w, &rng);
        else
            replace_random(w, &rng);
        check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
        for (int i = 0; i < 12; i++)
            check_search(w, &rng, snapshot);
        check_filter(w, &rng, snapshot);
        check_all_rows(w, &rng, snapshot);
        w->engine->unpin(w->engine->self, snapshot);
    }
    free_world(w);
}

/* ---- pins */

static void pin__keeps_its_version(void **state)
{
    (void)state;
    pn_error err = {0};
    world *w = make_world(3);
    pn_rng rng = pn_rng_seed(4);
    pn_snapshot *old, *same, *fresh;
    pn_engine_info before, after;
    append_random(w, &rng, 300);
    check(w->engine->pin(w->engine->self, &old, &err), &err);
    check(w->engine->pin(w->engine->self, &same, &err), &err);
    assert_ptr_equal(old, same); // shared while nothing was committed
    w->engine->unpin(w->engine->self, same);
    w->engine->info(w->engine->self, old, &before);
    world *model = pn_alloc(sizeof *model);
    assert_non_null(model);
    memcpy(model, w, sizeof *w);
    append_random(w, &rng, 200);
    delete_random(w, &rng);
    for (int i = 0; i < 20; i++)
        check_search(model, &rng, old); // still answers as before
    w->engine->info(w->engine->self, old, &after);
    assert_int_equal(before.version, after.version);
    assert_int_equal(after.n_rows, 300);
    check(w->engine->pin(w->engine->self, &fresh, &err), &err);
    assert_ptr_not_equal(old, fresh);
    for (int i = 0; i < 20; i++)
        check_search(w, &rng, fresh);
    w->engine->unpin(w->engine->self, old);
    w->engine->unpin(w->engine->self, fresh);
    pn_free(model);
    free_world(w);
}

/* How many rows a reader of this engine sees. */
static uint64_t rows_seen(pn_engine *engine, bool newest)
{
    pn_error err = {0};
    pn_snapshot *snapshot;
    pn_engine_info info;
    check(newest ? engine->pin_newest(engine->self, &snapshot, &err)
                 : engine->pin(engine->self, &snapshot, &err),
          &err);
    engine->info(engine->self, snapshot, &info);
    engine->unpin(engine->self, snapshot);
    return info.n_rows;
}

/* Others' commits may be seen later, one's own are seen at once, and whoever changes something sees all. */
static void pin__may_be_as_old_as_it_was_told(void **state)
{
    (void)state;
    pn_error err = {0};
    world *w = make_world(5);
    pn_rng rng = pn_rng_seed(6);
    pn_engine *reader;
    uint64_t n_deleted;
    append_random(w, &rng, 100);
    check(pn_local_engine_open(w->path, w->pool, &reader, &err), &err);
    assert_int_equal(rows_seen(reader, false), 100);
    append_random(w, &rng, 10);
    assert_int_equal(rows_seen(reader, false), 110); // 0, as at first: always the newest
    pn_local_engine_set_consistency(reader, INT64_C(3600) * 1000000000);
    append_random(w, &rng, 10);
    assert_int_equal(rows_seen(reader, false), 110);
    assert_int_equal(rows_seen(w->engine, false), 120);
    assert_int_equal(rows_seen(reader, true), 120);
    assert_int_equal(rows_seen(reader, false), 120); // what it has seen it does not forget
    append_random(w, &rng, 10);
    assert_int_equal(rows_seen(reader, false), 120);
    check(reader->delete_where(reader->self, "id = 0", &n_deleted, &err), &err);
    assert_int_equal(n_deleted, 1);
    assert_int_equal(rows_seen(reader, false), 129); // its own change, and with it the others'
    append_random(w, &rng, 10);
    assert_int_equal(rows_seen(reader, false), 129);
    pn_local_engine_set_consistency(reader, 20 * 1000000);
    pn_clock_sleep_ms(25);
    assert_int_equal(rows_seen(reader, false), 139);
    pn_engine_free(reader);
    free_world(w);
}

/* ---- a table opened as it was */

static void a_version__stays_and_cannot_be_changed(void **state)
{
    (void)state;
    pn_error err = {0};
    world *w = make_world(11);
    pn_rng rng = pn_rng_seed(12);
    pn_engine *newest = w->engine, *fixed, *none;
    pn_snapshot *snapshot;
    pn_engine_info told;
    uint64_t n;
    append_random(w, &rng, 300); // version 2
    check(pn_local_engine_open_version(w->path, 2, NULL, &fixed, &err), &err);
    world *model = pn_alloc(sizeof *model);
    assert_non_null(model);
    memcpy(model, w, sizeof *w);
    model->engine = fixed;
    append_random(w, &rng, 200);
    delete_random(w, &rng);
    for (int again = 0; again < 2; again++) {
        check(fixed->pin(fixed->self, &snapshot, &err), &err);
        fixed->info(fixed->self, snapshot, &told);
        assert_int_equal(told.version, 2);
        assert_int_equal(told.n_rows, 300);
        for (int i = 0; i < 20; i++)
            check_search(model, &rng, snapshot);
        fixed->unpin(fixed->self, snapshot);
    }
    assert_int_equal(fixed->delete_where(fixed->self, "id >= 0", &n, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "opened at version 2"));
    pn_batch empty = {0};
    assert_int_equal(fixed->append(fixed->self, NULL, &empty, NULL, &err), PN_ERR_INVALID);
    assert_int_equal(pn_local_engine_open_version(w->path, 99, NULL, &none, &err),
                     PN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "version 99"));
    assert_int_equal(pn_local_engine_open_version(w->path, 0, NULL, &none, &err), PN_ERR_INVALID);
    check(newest->pin(newest->self, &snapshot, &err), &err); // nothing was changed
    check_all_rows(w, &rng, snapshot);
    newest->unpin(newest->self, snapshot);
    pn_engine_free(fixed);
    pn_free(model);
    free_world(w);
}

/* ---- several threads: writers append and delete while readers search */

typedef struct crew {
    world *w;
    _Atomic unsigned n_running, n_searches, n_faults;
    _Atomic uint64_t next_seed;
} crew;

enum { WRITERS = 2, READERS = 2, APPENDS = 12, ROWS_EACH = 25 };

static void write_rows(void *context)
{
    crew *c = context;
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(atomic_fetch_add(&c->next_seed, 1));
    for (int i = 0; i < APPENDS; i++) {
        model_row rows[ROWS_EACH];
        pn_snapshot *snapshot;
        for (size_t r = 0; r < ROWS_EACH; r++)
            rows[r] = random_row(&rng);
        if (c->w->engine->pin(c->w->engine->self, &snapshot, &err) != PN_OK ||
            append_rows(c->w, snapshot, rows, ROWS_EACH, false, NULL, &err) != PN_OK) {
            (void)fprintf(stderr, "append: %s\n", err.message);
            atomic_fetch_add(&c->n_faults, 1);
            break;
        }
        c->w->engine->unpin(c->w->engine->self, snapshot);
    }
    atomic_fetch_sub(&c->n_running, 1);
}

static bool same_twice(crew *c, pn_rng *rng, pn_snapshot *snapshot)
{
    pn_error err = {0};
    pn_engine_info info;
    pn_candidate heaps[2][30];
    pn_topk topk[2];
    test_filter f;
    uint64_t count;
    random_filter(rng, &f);
    pn_engine_search asked = {
        .query = c->w->directions[pn_rng_below(rng, N_DIRECTIONS)], .k = 30, .filter = f.text};
    c->w->engine->info(c->w->engine->self, snapshot, &info);
    for (int i = 0; i < 2; i++) {
        pn_engine_search_stats stats;
        pn_topk_init(&topk[i], heaps[i], 30);
        if (c->w->engine->search(c->w->engine->self, snapshot, &asked, &topk[i], &stats, &err) !=
            PN_OK)
            return false;
        if (stats.n_rows != info.n_rows || info.n_rows % ROWS_EACH != 0 ||
            topk[i].n != PN_MIN(30u, stats.n_matching))
            return false;
    }
    if (c->w->engine->filter(c->w->engine->self, snapshot, "id >= 0", NULL, &count, &err) != PN_OK)
        return false;
    return count == info.n_rows && topk[0].n == topk[1].n &&
           memcmp(heaps[0], heaps[1], topk[0].n * sizeof(pn_candidate)) == 0;
}

static void read_rows(void *context)
{
    crew *c = context;
    pn_rng rng = pn_rng_seed(atomic_fetch_add(&c->next_seed, 1));
    while (atomic_load(&c->n_running) > 0) {
        pn_error err = {0};
        pn_snapshot *snapshot;
        if (c->w->engine->pin(c->w->engine->self, &snapshot, &err) != PN_OK) {
            (void)fprintf(stderr, "pin: %s\n", err.message);
            atomic_fetch_add(&c->n_faults, 1);
            break;
        }
        if (!same_twice(c, &rng, snapshot))
            atomic_fetch_add(&c->n_faults, 1);
        atomic_fetch_add(&c->n_searches, 1);
        c->w->engine->unpin(c->w->engine->self, snapshot);
    }
}

enum { MOST_IDS = WRITERS * APPENDS * ROWS_EACH + 2 * PN_IDS_ASIDE_MAX };

static pn_status mark_id(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                         pn_error *err)
{
    bool *used = context;
    (void)addrs, (void)err;
    for (size_t i = 0; i < batch->n_rows; i++) {
        int64_t id = pn_array_i64(&batch->columns[0], i);
        assert_true(id >= 0 && id < MOST_IDS);
        assert_false(used[id]); // nobody else has it
        used[id] = true;
    }
    return PN_OK;
}

static void engine__serves_searches_while_others_append(void **state)
{
    (void)state;
    static const char *const columns[] = {PN_COLUMN_ID};
    static bool used[MOST_IDS];
    pn_error err = {0};
    pn_thread *threads[WRITERS + READERS];
    world *w = make_world(5);
    crew c = {.w = w, .n_running = WRITERS};
    for (size_t i = 0; i < WRITERS + READERS; i++)
        check(pn_thread_start(i < WRITERS ? write_rows : read_rows, &c, "crew", &threads[i], &err),
              &err);
    for (size_t i = 0; i < WRITERS + READERS; i++)
        pn_thread_join(threads[i]);
    assert_int_equal(c.n_faults, 0);
    pn_snapshot *snapshot;
    pn_engine_info info;
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    w->engine->info(w->engine->self, snapshot, &info);
    assert_int_equal(info.n_rows, WRITERS * APPENDS * ROWS_EACH);
    memset(used, 0, sizeof used);
    check(w->engine->scan(w->engine->self, snapshot, columns, 1, NULL, mark_id, used, &err), &err);
    print_message("%u searches while %d rows came in\n", c.n_searches, (int)info.n_rows);
    w->engine->unpin(w->engine->self, snapshot);
    free_world(w);
}

/* Two engines on one table, as two processes would be. */
static void engines__of_one_table_never_give_an_id_twice(void **state)
{
    (void)state;
    static const char *const columns[] = {PN_COLUMN_ID};
    static bool used[MOST_IDS];
    pn_error err = {0};
    pn_thread *threads[2];
    world *w = make_world(6), *twin = pn_alloc(sizeof *twin);
    assert_non_null(twin);
    memcpy(twin, w, sizeof *w);
    check(pn_local_engine_open(w->path, NULL, &twin->engine, &err), &err);
    crew crews[2] = {{.w = w, .n_running = 1}, {.w = twin, .n_running = 1, .next_seed = 50}};
    for (size_t i = 0; i < 2; i++)
        check(pn_thread_start(write_rows, &crews[i], "crew", &threads[i], &err), &err);
    for (size_t i = 0; i < 2; i++)
        pn_thread_join(threads[i]);
    assert_int_equal(crews[0].n_faults + crews[1].n_faults, 0);
    pn_snapshot *snapshot;
    check(w->engine->pin(w->engine->self, &snapshot, &err), &err);
    memset(used, 0, sizeof used);
    check(w->engine->scan(w->engine->self, snapshot, columns, 1, NULL, mark_id, used, &err), &err);
    size_t n = 0;
    for (size_t i = 0; i < PN_COUNT_OF(used); i++)
        n += used[i];
    assert_int_equal(n, 2 * APPENDS * ROWS_EACH); // what an engine has put aside is left over
    w->engine->unpin(w->engine->self, snapshot);
    pn_engine_free(twin->engine);
    pn_free(twin);
    free_world(w);
}

/* ---- errors and other people's tables */

static void engine__names_what_is_wrong(void **state)
{
    (void)state;
    pn_error err = {0};
    pn_engine *other;
    uint64_t n;
    world *w = make_world(8);
    pn_rng rng = pn_rng_seed(9);
    append_random(w, &rng, 10);
    assert_int_equal(pn_local_engine_create(w->path, &w->schema, NULL, &other, &err),
                     PN_ERR_EXISTS);
    char *nowhere = pn_path_join(&w->arena, w->folder, "nowhere.lance");
    assert_int_equal(pn_local_engine_open(nowhere, NULL, &other, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(w->engine->delete_where(w->engine->self, "colour = 'red'", &n, &err),
                     PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "unknown column \"colour\""));
    pn_field plain;
    pn_field_init(&plain, "name", PN_TYPE_STRING, true);
    pn_schema no_vector = {.fields = &plain, .n_fields = 1};
    char *path = pn_path_join(&w->arena, w->folder, "plain.lance");
    assert_int_equal(pn_local_engine_create(path, &no_vector, NULL, &other, &err), PN_ERR_INVALID);
    assert_non_null(strstr(err.message, "vector"));
    pn_field wide = w->schema.fields[1], item = wide.children[0];
    item.type = PN_TYPE_DOUBLE;
    wide.children = &item;
    pn_schema doubles = {.fields = &wide, .n_fields = 1};
    path = pn_path_join(&w->arena, w->folder, "doubles.lance");
    assert_int_equal(pn_local_engine_create(path, &doubles, NULL, &other, &err), PN_ERR_INVALID);
    assert_non_null(
        strstr(err.message, "column \"vector\": its type is fixed_size_list<double>[8]"));
    free_world(w);
}

typedef struct brute {
    const float *query;
    size_t dim;
    pn_topk *topk;
    uint64_t n;
} brute;

static pn_status compare_all(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                             pn_error *err)
{
    brute *b = context;
    (void)err;
    for (size_t i = 0; i < batch->n_rows; i++)
        if (pn_array_is_valid(&batch->columns[0], i)) {
            const float *row = pn_array_floats(&batch->columns[0], i);
            float length = pn_kernels_get()->norm_f32(row, b->dim);
            float dot = pn_kernels_get()->dot_f32(b->query, row, b->dim);
            pn_topk_push(b->topk, 1.0f - (length > 0 ? dot / length : dot), addrs[i]);
        }
    b->n += batch->n_rows;
    return PN_OK;
}

/* Search against a scan of the vector column of the same table. */
static void check_foreign(const char *path, const char *filter)
{
    enum { K = 7 };
    static const char *const columns[] = {PN_COLUMN_VECTOR};
    pn_error err = {0};
    pn_engine *engine;
    pn_snapshot *snapshot;
    pn_engine_info info;
    pn_candidate got[K], want[K];
    pn_topk a, b;
    pn_engine_search_stats stats;
    pn_rng rng = pn_rng_seed(10);
    check(pn_local_engine_open(path, NULL, &engine, &err), &err);
    check(engine->pin(engine->self, &snapshot, &err), &err);
    engine->info(engine->self, snapshot, &info);
    float *query = pn_alloc_array(info.dim, sizeof *query);
    assert_non_null(query);
    for (size_t i = 0; i < info.dim; i++)
        query[i] = (float)pn_rng_normal(&rng);
    pn_topk_init(&a, got, K);
    pn_topk_init(&b, want, K);
    brute truth = {.query = query, .dim = info.dim, .topk = &b};
    pn_engine_search asked = {.query = query, .k = K, .filter = filter};
    check(engine->search(engine->self, snapshot, &asked, &a, &stats, &err), &err);
    check(engine->scan(engine->self, snapshot, columns, 1, filter, compare_all, &truth, &err),
          &err);
    pn_topk_sort(&b);
    assert_int_equal(stats.n_matching, truth.n);
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++)
        if (got[i].id != want[i].id || got[i].distance != want[i].distance)
            fail_msg("%s: place %zu differs", path, i);
    pn_free(query);
    engine->unpin(engine->self, snapshot);
    pn_engine_free(engine);
}

static void engine__searches_tables_that_lancedb_wrote(void **state)
{
    (void)state;
    static const struct {
        const char *table, *filter;
    } tables[] = {
        {"v2.2/images.lance", NULL},
        {"v2.2/images.lance", "metadata IS NOT NULL AND id >= 40"},
        {"v2.1/images.lance", NULL},
        {"v2.1/images.lance", "id < 30"},
        {"v2.2/big.lance", NULL},
        {"index/ivf_flat.lance", NULL},
        {"index/ivf_pq_delta.lance", NULL},
        {"special/delete_bitmap.lance", NULL},
    };
    char fixtures[GOLDEN_PATH_BYTES];
    golden_require("lance/fixtures", fixtures);
    size_t n = 0;
    for (size_t i = 0; i < PN_COUNT_OF(tables); i++) {
        const char *path = golden_join(fixtures, tables[i].table);
        pn_error err = {0};
        pn_engine *engine;
        pn_status status = pn_local_engine_open(path, NULL, &engine, &err);
        if (status == PN_ERR_INVALID) { // some have no column called vector
            print_message("left out: %s\n", err.message);
            continue;
        }
        check(status, &err);
        pn_engine_free(engine);
        check_foreign(path, tables[i].filter);
        n++;
    }
    assert_true(n >= 4);
}

/* What LanceDB itself counted (special/maps.filters.json). */
static void filter__counts_what_lancedb_counts(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        uint64_t count;
    } cases[] = {
        {"map_extract(m,'color')[1]='red'", 500},
        {"element_at(m,'n')[1]='77'", 1},
        {"array_has(map_keys(m),'shop')", 1500},
        {"array_has(map_values(m),'shop7')", 38},
        {"cardinality(m)=3", 1500},
        {"m['color'] = 'red'", 500},
        {"m['n'] = 77", 1},
    };
    char path[GOLDEN_PATH_BYTES];
    pn_error err = {0};
    pn_dataset *dataset;
    golden_require("lance/fixtures/special/maps.lance", path);
    check(pn_dataset_open(path, 0, &dataset, &err), &err);
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_rowset rows;
        pn_rowset_init(&rows);
        check(pn_dataset_filter_rows(dataset, pn_str_of(cases[i].filter), &rows, &err), &err);
        if (pn_rowset_count(&rows) != cases[i].count)
            fail_msg("%s: %" PRIu64 " rows, LanceDB counted %" PRIu64, cases[i].filter,
                     pn_rowset_count(&rows), cases[i].count);
        pn_rowset_reset(&rows);
    }
    pn_dataset_unref(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engine__answers_like_a_list_of_rows),
        cmocka_unit_test(pin__keeps_its_version),
        cmocka_unit_test(pin__may_be_as_old_as_it_was_told),
        cmocka_unit_test(a_version__stays_and_cannot_be_changed),
        cmocka_unit_test(engine__serves_searches_while_others_append),
        cmocka_unit_test(engines__of_one_table_never_give_an_id_twice),
        cmocka_unit_test(engine__names_what_is_wrong),
        cmocka_unit_test(engine__searches_tables_that_lancedb_wrote),
        cmocka_unit_test(filter__counts_what_lancedb_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
