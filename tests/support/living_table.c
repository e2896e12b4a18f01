/*
 * living_table.c - planning, foreseeing, doing
 *
 * Foreseeing and doing share what they draw: the rows that come (make_rows) and the rows that are meant (is_meant). All else of a step is
 * written twice, once for a list of rows and once for the table.
 */
#include "support/living_table.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "collection/local_engine.h"
#include "column/builder.h"
#include "dataset/check.h"
#include "dataset/cleanup.h"
#include "dataset/tags.h"
#include "dataset/upsert.h"
#include "kernels/kernels.h"
#include "support/small_table.h"
#include "support/table_sight.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { FIRST_ROWS = 1200, MANY_ROWS = 1500, FEW_ROWS = 1050 };
/* Columns that are always there, and where extras begin. */
enum { ID, VECTOR, PATH, VALUE, EXTRA, MAX_COLUMNS = EXTRA + LIVING_MAX_EXTRAS };

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

const char *living_kind_name(living_kind kind)
{
    static const char *const names[LIVING_KINDS] = {"append",
                                                    "insert",
                                                    "delete",
                                                    "replace",
                                                    "upsert",
                                                    "update",
                                                    "overwrite",
                                                    "add a column",
                                                    "drop a column",
                                                    "rename a column",
                                                    "tag",
                                                    "restore",
                                                    "fold files",
                                                    "clean up",
                                                    "build an index",
                                                    "drop the indexes",
                                                    "record checksums"};
    return names[kind];
}

/* ---- rows as columns ---- */

static void make_vector(const living_row *row, float *out)
{
    pn_rng rng = pn_rng_seed((uint64_t)(row->key * 1000003 + row->value));
    for (size_t d = 0; d < LIVING_DIM; d++)
        out[d] = (float)pn_rng_normal(&rng);
    pn_kernels_get()->normalise_f32(out, LIVING_DIM);
}

/* Some of the columns of some rows, for the table or to be hashed. */
typedef struct columns {
    pn_arena arena;
    pn_schema schema;
    pn_builder *builders[MAX_COLUMNS];
    int what[MAX_COLUMNS]; /* of each column that is there: ID, ... */
    pn_array arrays[MAX_COLUMNS];
    pn_batch batch;
} columns;

/* Bits of columns. */
enum {
    WITH_ID = 1 << ID,
    WITH_BASE = 1 << VECTOR | 1 << PATH | 1 << VALUE,
    WITH_EXTRAS = ((1 << LIVING_MAX_EXTRAS) - 1) << EXTRA
};

static void make_schema(const living_content *content, unsigned which, columns *c)
{
    pn_field *fields = PN_ARENA_NEW(&c->arena, pn_field, MAX_COLUMNS);
    assert_non_null(fields);
    c->schema = (pn_schema){.fields = fields};
    for (int at = 0; at < EXTRA + (int)content->n_extras; at++) {
        pn_field *field = &fields[c->schema.n_fields];
        if (!(which >> at & 1))
            continue;
        c->what[c->schema.n_fields++] = at;
        if (at == VECTOR)
            assert_true(pn_field_init_vector(field, PN_COLUMN_VECTOR, LIVING_DIM, &c->arena));
        else if (at == PATH)
            pn_field_init(field, PN_COLUMN_IMAGE_PATH, PN_TYPE_STRING, false);
        else if (at == ID || at == VALUE)
            pn_field_init(field, at == ID ? PN_COLUMN_ID : "value", PN_TYPE_INT64, false);
        else
            pn_field_init(field, content->extras[at - EXTRA], PN_TYPE_INT64, true);
    }
}

static pn_status add_cell(pn_builder *builder, int what, const living_row *row, pn_error *err)
{
    float vector[LIVING_DIM];
    char text[24];
    if (what == VECTOR) {
        make_vector(row, vector);
        return pn_builder_append_floats(builder, vector, LIVING_DIM, err);
    }
    if (what == PATH) {
        int n = snprintf(text, sizeof text, "%" PRId64, row->key);
        return pn_builder_append_bytes(builder, text, (size_t)n, err);
    }
    if (what == ID || what == VALUE)
        return pn_builder_append_i64(builder, what == ID ? -1 - row->key : row->value, err);
    int64_t extra = row->extras[what - EXTRA];
    return extra == LIVING_NULL ? pn_builder_append_null(builder, err)
                                : pn_builder_append_i64(builder, extra, err);
}

static void make_columns(const living_content *content, unsigned which, columns *c)
{
    pn_error err = {0};
    *c = (columns){0};
    pn_arena_init(&c->arena, SIZE_MAX);
    make_schema(content, which, c);
    for (size_t i = 0; i < c->schema.n_fields; i++) {
        check(pn_builder_create(&c->schema.fields[i], 1 << 24, &c->builders[i], &err), &err);
        for (size_t row = 0; row < content->n_rows; row++)
            check(add_cell(c->builders[i], c->what[i], &content->rows[row], &err), &err);
        check(pn_builder_view(c->builders[i], &c->arrays[i], &err), &err);
    }
    c->batch = (pn_batch){.schema = &c->schema, .columns = c->arrays, .n_rows = content->n_rows};
}

static void free_columns(columns *c)
{
    for (size_t i = 0; i < MAX_COLUMNS; i++)
        pn_builder_free(c->builders[i]);
    pn_arena_reset(&c->arena);
}

/* ---- what steps draw ---- */

static void take_shape(living_content *out, const living_content *of)
{
    out->n_rows = 0;
    out->n_extras = of->n_extras;
    memcpy(out->extras, of->extras, sizeof out->extras);
}

/* n new rows. They have values in extra columns, but for rows that a step brings without. */
static void make_rows(const living_model *m, const living_step *step, size_t n, bool extras,
                      living_content *out)
{
    pn_rng rng = pn_rng_seed(step->seed);
    for (size_t i = 0; i < n; i++) {
        assert_true(out->n_rows < LIVING_MAX_ROWS);
        living_row *row = &out->rows[out->n_rows++];
        row->key = m->next_key + (int64_t)i;
        row->value = (int64_t)pn_rng_below(&rng, 1000000);
        for (size_t x = 0; x < LIVING_MAX_EXTRAS; x++)
            row->extras[x] = extras && row->value % 3 != 0 ? row->value + (int64_t)x : LIVING_NULL;
    }
}

/* A part of the rows, by their values: one in so many. */
typedef struct part {
    int64_t modulus, rest;
} part;

static part part_of(const living_step *step)
{
    pn_rng rng = pn_rng_seed(step->seed ^ 77);
    int64_t modulus = (int64_t)step->n;
    return (part){modulus, (int64_t)pn_rng_below(&rng, (uint64_t)modulus)};
}

static bool is_meant(const part *p, const living_row *row)
{
    return row->value % p->modulus == p->rest;
}

static void write_filter(const part *p, char *out, size_t n)
{
    (void)snprintf(out, n, "value %% %" PRId64 " = %" PRId64, p->modulus, p->rest);
}

static int64_t changed_value(int64_t value)
{
    return (value * 7 + 13) % 1000000;
}

/* The rows of the part, with other values. */
static void make_changed(const living_model *m, const part *p, living_content *out)
{
    take_shape(out, &m->now);
    for (size_t i = 0; i < m->now.n_rows; i++) {
        if (!is_meant(p, &m->now.rows[i]))
            continue;
        out->rows[out->n_rows] = m->now.rows[i];
        out->rows[out->n_rows++].value = changed_value(m->now.rows[i].value);
    }
}

/* ---- planning ---- */

/* How often steps come, of a hundred and some. */
static const unsigned weights[LIVING_KINDS] = {
    [LIVING_APPEND] = 12,       [LIVING_INSERT] = 25,    [LIVING_DELETE] = 10,
    [LIVING_REPLACE] = 8,       [LIVING_UPSERT] = 10,    [LIVING_UPDATE] = 6,
    [LIVING_OVERWRITE] = 2,     [LIVING_ADD_COLUMN] = 6, [LIVING_DROP_COLUMN] = 4,
    [LIVING_RENAME_COLUMN] = 4, [LIVING_TAG] = 6,        [LIVING_RESTORE] = 4,
    [LIVING_FOLD] = 9,          [LIVING_CLEAN] = 7,      [LIVING_INDEX] = 7,
    [LIVING_DROP_INDEX] = 1,    [LIVING_RECORD] = 3,
};

static living_kind draw_kind(pn_rng *rng)
{
    uint64_t sum = 0;
    for (int k = 0; k < LIVING_KINDS; k++)
        sum += weights[k];
    uint64_t drawn = pn_rng_below(rng, sum);
    int kind = 0;
    while (drawn >= weights[kind])
        drawn -= weights[kind++];
    return (living_kind)kind;
}

/* Another kind where this one has nothing to work on, or the table would grow out of its size. */
static living_kind fitting(const living_model *m, living_kind kind)
{
    bool is_full = m->now.n_rows > MANY_ROWS, is_low = m->now.n_rows < FEW_ROWS;
    bool adds = kind == LIVING_APPEND || kind == LIVING_UPSERT;
    if (is_full && adds)
        return LIVING_DELETE;
    if (is_low && (kind == LIVING_DELETE || kind == LIVING_INDEX))
        return LIVING_APPEND;
    if (kind == LIVING_ADD_COLUMN && m->now.n_extras == LIVING_MAX_EXTRAS)
        return LIVING_DROP_COLUMN;
    if ((kind == LIVING_DROP_COLUMN || kind == LIVING_RENAME_COLUMN) && m->now.n_extras == 0)
        return LIVING_ADD_COLUMN;
    if (kind == LIVING_RESTORE && !m->has_tag[0] && !m->has_tag[1])
        return LIVING_TAG;
    return kind;
}

living_step living_plan(const living_model *m, uint64_t seed, uint64_t i)
{
    pn_rng rng = pn_rng_seed(seed * 1000003 + i);
    living_step step = {.kind = fitting(m, draw_kind(&rng)), .seed = pn_rng_u64(&rng)};
    uint64_t drawn = pn_rng_u64(&rng) >> 8;
    switch (step.kind) {
    case LIVING_APPEND:
        step.n = m->now.n_rows < FEW_ROWS ? 200 : 1 + drawn % 60;
        break;
    case LIVING_DELETE:
        step.n = m->now.n_rows > MANY_ROWS ? 3 : 20 + drawn % 200;
        break;
    case LIVING_REPLACE:
    case LIVING_UPSERT:
    case LIVING_UPDATE:
        step.n = 20 + drawn % 100;
        break;
    case LIVING_DROP_COLUMN:
    case LIVING_RENAME_COLUMN:
        step.n = drawn % m->now.n_extras;
        break;
    case LIVING_RESTORE:
        step.n = m->has_tag[drawn % 2] ? drawn % 2 : 1 - drawn % 2;
        break;
    default:
        step.n = drawn % 2;
    }
    return step;
}

/* ---- foreseeing ---- */

static void add_all(living_content *to, const living_content *rows)
{
    for (size_t i = 0; i < rows->n_rows; i++) {
        assert_true(to->n_rows < LIVING_MAX_ROWS);
        to->rows[to->n_rows++] = rows->rows[i];
    }
}

static void foresee_rows(living_model *m, const living_step *step)
{
    static living_content rows; // large
    part p = step->n > 0 ? part_of(step) : (part){1, 0};
    bool is_upsert = step->kind == LIVING_UPSERT;
    size_t n_new = step->kind == LIVING_APPEND ? step->n : is_upsert ? step->n / 2 : 1, n = 0;
    take_shape(&rows, &m->now);
    if (step->kind == LIVING_APPEND || step->kind == LIVING_INSERT || is_upsert) {
        make_rows(m, step, n_new, step->kind == LIVING_APPEND, &rows);
        m->next_key += (int64_t)n_new;
    }
    for (size_t i = 0; i < m->now.n_rows && step->kind == LIVING_DELETE; i++)
        if (!is_meant(&p, &m->now.rows[i]))
            m->now.rows[n++] = m->now.rows[i];
    if (step->kind == LIVING_DELETE)
        m->now.n_rows = n;
    for (size_t i = 0; i < m->now.n_rows; i++) {
        living_row *row = &m->now.rows[i];
        bool changes = is_upsert || step->kind == LIVING_REPLACE || step->kind == LIVING_UPDATE;
        if (changes && is_meant(&p, row))
            row->value = changed_value(row->value);
    }
    add_all(&m->now, &rows);
}

static void foresee_overwrite(living_model *m, const living_step *step)
{
    m->now.n_rows = m->now.n_extras = 0;
    make_rows(m, step, FIRST_ROWS, true, &m->now);
    m->next_key += FIRST_ROWS;
    for (size_t i = 0; i < m->now.n_rows; i++)
        for (size_t x = 0; x < LIVING_MAX_EXTRAS; x++)
            m->now.rows[i].extras[x] = LIVING_NULL;
}

static void name_column(const living_model *m, char *out, size_t n)
{
    (void)snprintf(out, n, "x%d", (int)m->next_name);
}

static void foresee_columns(living_model *m, const living_step *step)
{
    living_content *c = &m->now;
    if (step->kind == LIVING_RENAME_COLUMN) {
        name_column(m, c->extras[step->n], sizeof c->extras[0]);
        m->next_name++;
        return;
    }
    if (step->kind == LIVING_ADD_COLUMN) {
        name_column(m, c->extras[c->n_extras], sizeof c->extras[0]);
        m->next_name++;
        for (size_t i = 0; i < c->n_rows; i++)
            c->rows[i].extras[c->n_extras] = step->n == 0 ? LIVING_NULL : m->next_name;
        c->n_extras++;
        return;
    }
    c->n_extras--;
    for (size_t x = step->n; x < c->n_extras; x++)
        memcpy(c->extras[x], c->extras[x + 1], sizeof c->extras[0]);
    for (size_t i = 0; i < c->n_rows; i++)
        for (size_t x = step->n; x < c->n_extras; x++)
            c->rows[i].extras[x] = c->rows[i].extras[x + 1];
}

/* A tag that is there is moved, or deleted now and then. */
static bool tag_goes(const living_model *m, const living_step *step)
{
    return m->has_tag[step->n] && step->seed % 3 == 0;
}

void living_foresee(living_model *m, const living_step *step)
{
    switch (step->kind) {
    case LIVING_APPEND:
    case LIVING_INSERT:
    case LIVING_DELETE:
    case LIVING_REPLACE:
    case LIVING_UPSERT:
    case LIVING_UPDATE:
        foresee_rows(m, step);
        break;
    case LIVING_OVERWRITE:
        foresee_overwrite(m, step);
        break;
    case LIVING_ADD_COLUMN:
    case LIVING_DROP_COLUMN:
    case LIVING_RENAME_COLUMN:
        foresee_columns(m, step);
        break;
    case LIVING_TAG:
        m->has_tag[step->n] = !tag_goes(m, step);
        m->tagged[step->n] = m->now;
        break;
    case LIVING_RESTORE:
        m->now = m->tagged[step->n];
        break;
    default:
        break; // the rest changes nothing that a reader sees
    }
}

/* ---- doing ---- */

static pn_status append_batch(pn_append *append, const pn_batch *batch, pn_dataset **out,
                              pn_error *err)
{
    pn_status status = pn_append_batch(append, batch, err);
    if (status == PN_OK)
        return pn_append_commit(append, NULL, out, err);
    pn_append_abort(append);
    return status;
}

static pn_status do_append(pn_dataset *t, const living_model *m, const living_step *step,
                           pn_dataset **out, pn_error *err)
{
    static living_content rows;
    columns c;
    pn_append *append;
    bool overwrites = step->kind == LIVING_OVERWRITE;
    take_shape(&rows, &m->now);
    if (overwrites)
        rows.n_extras = 0;
    make_rows(m, step, overwrites ? FIRST_ROWS : step->n, true, &rows);
    make_columns(&rows, WITH_ID | WITH_BASE | WITH_EXTRAS, &c);
    pn_status status = overwrites ? pn_overwrite_begin(t, &c.schema, &append, err)
                                  : pn_append_begin(t, &append, err);
    if (status == PN_OK)
        status = append_batch(append, &c.batch, out, err);
    free_columns(&c);
    return status;
}

static pn_status do_insert(pn_engine *engine, const living_model *m, const living_step *step,
                           int64_t *first_id, pn_error *err)
{
    static living_content rows;
    columns c;
    take_shape(&rows, &m->now);
    make_rows(m, step, 1, false, &rows);
    make_columns(&rows, WITH_BASE, &c);
    pn_status status = engine->insert(engine->self, &c.batch, first_id, err);
    free_columns(&c);
    return status;
}

static pn_status do_replace(pn_engine *engine, const living_model *m, const living_step *step,
                            pn_error *err)
{
    static living_content rows;
    columns c;
    char filter[80];
    pn_snapshot *snapshot;
    pn_rowset old;
    uint64_t n;
    part p = part_of(step);
    make_changed(m, &p, &rows);
    write_filter(&p, filter, sizeof filter);
    PN_TRY(engine->pin_newest(engine->self, &snapshot, err));
    make_columns(&rows, WITH_BASE | WITH_EXTRAS, &c);
    pn_status status = engine->filter(engine->self, snapshot, filter, &old, &n, err);
    if (status == PN_OK) {
        assert_int_equal(n, rows.n_rows);
        if (n > 0)
            status = engine->append(engine->self, snapshot, &c.batch, &old, err);
        pn_rowset_reset(&old);
    }
    free_columns(&c);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status do_upsert(pn_dataset *t, const living_model *m, const living_step *step,
                           pn_dataset **out, pn_error *err)
{
    static const char *const keys[] = {PN_COLUMN_IMAGE_PATH};
    static living_content rows;
    const bool partial = step->kind == LIVING_UPDATE;
    const pn_upsert_options options = {.keys = keys, .n_keys = 1, .leave_unmatched = partial};
    columns c;
    part p = part_of(step);
    make_changed(m, &p, &rows);
    make_rows(m, step, step->n / 2, false, &rows); // an update leaves them out
    make_columns(&rows, partial ? WITH_BASE : WITH_ID | WITH_BASE, &c);
    pn_status status = small_table_upsert(t, &c.batch, &options, out, err);
    free_columns(&c);
    return status;
}

static pn_status do_columns(pn_dataset *t, const living_model *m, const living_step *step,
                            pn_dataset **out, pn_error *err)
{
    char name[16];
    const char *old = m->now.extras[step->n];
    const int64_t constant = m->next_name + 1;
    pn_field field;
    name_column(m, name, sizeof name);
    if (step->kind == LIVING_RENAME_COLUMN)
        return pn_dataset_rename_column(t, old, name, out, err);
    if (step->kind == LIVING_DROP_COLUMN)
        return pn_dataset_drop_columns(t, &old, 1, out, err);
    pn_field_init(&field, name, PN_TYPE_INT64, true);
    const pn_array value = {.field = &field, .length = 1, .values = &constant};
    return step->n == 0 ? pn_dataset_add_column(t, &field, NULL, out, err)
                        : pn_dataset_add_constant(t, &value, out, err);
}

static const char *tag_name(size_t i)
{
    static const char *const names[LIVING_TAGS] = {"first", "second"};
    return names[i];
}

static pn_status do_tag(pn_dataset *t, const living_model *m, const living_step *step,
                        pn_error *err)
{
    const char *table = pn_dataset_path(t), *name = tag_name(step->n);
    uint64_t version = pn_dataset_version(t);
    if (tag_goes(m, step))
        return pn_dataset_tag_delete(table, name, err);
    return m->has_tag[step->n] ? pn_dataset_tag_move(table, name, version, err)
                               : pn_dataset_tag_create(table, name, version, err);
}

static pn_status do_restore(pn_dataset *t, const living_step *step, pn_dataset **out, pn_error *err)
{
    uint64_t version;
    PN_TRY(pn_dataset_tag_version(pn_dataset_path(t), tag_name(step->n), &version, err));
    return pn_dataset_restore(t, version, out, err);
}

static pn_status do_delete(pn_dataset *t, const living_step *step, pn_dataset **out, pn_error *err)
{
    char filter[80];
    pn_rowset rows;
    uint64_t n;
    part p = part_of(step);
    write_filter(&p, filter, sizeof filter);
    PN_TRY(pn_dataset_filter_rows(t, pn_str_of(filter), &rows, err));
    pn_status status = pn_dataset_delete(t, &rows, filter, &n, out, err);
    pn_rowset_reset(&rows);
    return status;
}

/* To the newest version; *out NULL when the step makes none. */
static pn_status do_to_dataset(pn_dataset *t, const living_model *m, const living_step *step,
                               pn_dataset **out, pn_error *err)
{
    switch (step->kind) {
    case LIVING_APPEND:
    case LIVING_OVERWRITE:
        return do_append(t, m, step, out, err);
    case LIVING_UPSERT:
    case LIVING_UPDATE:
        return do_upsert(t, m, step, out, err);
    case LIVING_DELETE:
        return do_delete(t, step, out, err);
    case LIVING_TAG:
        return do_tag(t, m, step, err);
    case LIVING_RESTORE:
        return do_restore(t, step, out, err);
    default:
        return do_columns(t, m, step, out, err);
    }
}

static pn_status do_record(const char *table, pn_error *err)
{
    const pn_check_plan plan = {.record = true};
    pn_check_result result;
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_check(table, &plan, &arena, &result, err);
    if (status == PN_OK && result.n_findings > 0)
        status = pn_fail(err, PN_ERR_CORRUPT, "%s: %s", result.findings[0].file,
                         result.findings[0].reason);
    pn_arena_reset(&arena);
    return status;
}

static pn_status do_clean(const char *table, pn_error *err)
{
    const pn_cleanup_options options = {.older_than_ms = 0, .keep_newest = 3, .orphan_ms = 0};
    pn_cleanup_report report;
    return pn_dataset_cleanup(table, &options, &report, err);
}

pn_status living_do(const char *table, pn_engine *engine, const living_model *m,
                    const living_step *step, int64_t *first_id, pn_error *err)
{
    const pn_engine_upkeep_options upkeep = {.all = true, .retention_ms = -1};
    const pn_engine_index_options index = {.is_wanted = true, .all = step->n == 1};
    pn_engine_upkeep_report kept;
    pn_engine_index_report built;
    pn_dataset *t, *next = NULL;
    size_t n;
    *first_id = -1;
    switch (step->kind) {
    case LIVING_INSERT:
        return do_insert(engine, m, step, first_id, err);
    case LIVING_REPLACE:
        return do_replace(engine, m, step, err);
    case LIVING_FOLD:
        return engine->upkeep(engine->self, &upkeep, &kept, err);
    case LIVING_INDEX:
        return engine->index_build(engine->self, &index, &built, err);
    case LIVING_DROP_INDEX:
        return engine->index_drop(engine->self, &n, err);
    case LIVING_CLEAN:
        return do_clean(table, err);
    case LIVING_RECORD:
        return do_record(table, err);
    default:
        break;
    }
    PN_TRY(pn_dataset_open(table, 0, &t, err));
    pn_status status = do_to_dataset(t, m, step, &next, err);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
    return status;
}

void living_create(const char *table, living_model *out)
{
    pn_error err = {0};
    pn_dataset *t = NULL, *next = NULL;
    columns c;
    *out = (living_model){0};
    make_columns(&out->now, WITH_ID | WITH_BASE, &c);
    check(pn_dataset_create(table, &c.schema, &t, &err), &err);
    free_columns(&c);
    const living_step step = {.kind = LIVING_APPEND, .seed = 1, .n = FIRST_ROWS};
    check(do_append(t, out, &step, &next, &err), &err);
    living_foresee(out, &step);
    pn_dataset_unref(next);
    pn_dataset_unref(t);
}

/* ---- what there is ---- */

static bool has_content(pn_dataset *t, const living_content *content)
{
    columns c;
    const char *names[MAX_COLUMNS];
    const pn_schema *schema = pn_dataset_schema(t);
    if (pn_dataset_count_rows(t) != content->n_rows ||
        schema->n_fields != EXTRA + content->n_extras)
        return false;
    for (size_t x = 0; x < content->n_extras; x++)
        if (strcmp(schema->fields[EXTRA + x].name, content->extras[x]) != 0)
            return false;
    make_columns(content, WITH_BASE | WITH_EXTRAS, &c);
    for (size_t i = 0; i < c.schema.n_fields; i++)
        names[i] = c.schema.fields[i].name;
    bool same = sight_of_rows(t, names, c.schema.n_fields) == sight_of_batch(&c.batch);
    free_columns(&c);
    return same;
}

static bool is_version(const char *table, uint64_t version, const living_content *content)
{
    pn_error err = {0};
    pn_dataset *t;
    check(pn_dataset_open(table, version, &t, &err), &err);
    bool same = has_content(t, content);
    pn_dataset_unref(t);
    return same;
}

bool living_is(const char *table, const living_model *m)
{
    if (!is_version(table, 0, &m->now))
        return false;
    for (size_t i = 0; i < LIVING_TAGS; i++) {
        pn_error err = {0};
        uint64_t version;
        pn_status status = pn_dataset_tag_version(table, tag_name(i), &version, &err);
        if (status != PN_OK && status != PN_ERR_NOT_FOUND)
            fail_msg("%s", err.message);
        if ((status == PN_OK) != m->has_tag[i])
            return false;
        if (m->has_tag[i] && !is_version(table, version, &m->tagged[i]))
            return false;
    }
    return true;
}

int64_t living_check_ids(const char *table)
{
    static const char *const column = PN_COLUMN_ID;
    static int64_t ids[LIVING_MAX_ROWS];
    const pn_scan_options options = {.columns = &column, .n_columns = 1};
    pn_error err = {0};
    pn_dataset *t;
    pn_scan *scan;
    pn_batch batch = {.n_rows = 1};
    const pn_row_addr *addrs;
    size_t n = 0;
    check(pn_dataset_open(table, 0, &t, &err), &err);
    check(pn_scan_begin(t, &options, &scan, &err), &err);
    while (batch.n_rows > 0) {
        check(pn_scan_next(scan, &batch, &addrs, &err), &err);
        assert_true(n + batch.n_rows <= LIVING_MAX_ROWS);
        for (size_t i = 0; i < batch.n_rows; i++)
            ids[n++] = pn_array_i64(&batch.columns[0], i);
    }
    pn_scan_end(scan);
    pn_dataset_unref(t);
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 1; i < n; i++)
        if (ids[i] == ids[i - 1])
            fail_msg("%s: the id %" PRId64 " is there twice", table, ids[i]);
    return n > 0 ? ids[n - 1] : -1;
}

/* ---- searches ---- */

static const living_row *find_row(const living_model *m, pn_str path)
{
    uint64_t key;
    assert_true(pn_str_to_u64(path, &key));
    for (size_t i = 0; i < m->now.n_rows; i++)
        if (m->now.rows[i].key == (int64_t)key)
            return &m->now.rows[i];
    return NULL;
}

static void check_answer(pn_engine *engine, pn_snapshot *snapshot, const living_model *m,
                         const pn_engine_search *asked, const pn_topk *topk)
{
    static const char *const columns[] = {PN_COLUMN_IMAGE_PATH};
    pn_error err = {0};
    pn_arena arena;
    pn_batch batch;
    pn_row_addr addrs[10];
    pn_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < topk->n; i++)
        addrs[i] = topk->heap[i].id;
    check(engine->take(engine->self, snapshot, addrs, topk->n, columns, 1, &arena, &batch, &err),
          &err);
    for (size_t i = 0; i < topk->n; i++) {
        float vector[LIVING_DIM];
        double dot = 0;
        const living_row *row = find_row(m, pn_array_bytes(&batch.columns[0], i));
        if (!row)
            fail_msg("a row that is not there is found");
        make_vector(row, vector);
        for (size_t d = 0; d < LIVING_DIM; d++)
            dot += (double)vector[d] * (double)asked->query[d];
        if (fabs(1 - dot - (double)topk->heap[i].distance) > 1e-4)
            fail_msg("the row %" PRId64 " is at the distance %g, not %g", row->key, 1 - dot,
                     (double)topk->heap[i].distance);
    }
    pn_arena_reset(&arena);
}

void living_check_searches(pn_engine *engine, const living_model *m, uint64_t seed)
{
    enum { N = 6, K = 10 };
    pn_error err = {0};
    pn_rng rng = pn_rng_seed(seed);
    pn_snapshot *snapshot;
    check(engine->pin_newest(engine->self, &snapshot, &err), &err);
    for (int i = 0; i < N; i++) {
        float query[LIVING_DIM];
        pn_candidate found[K];
        pn_topk topk;
        pn_engine_search_stats stats;
        const pn_engine_search asked = {.query = query, .k = K, .exact = i % 3 == 0};
        make_vector(&m->now.rows[pn_rng_below(&rng, m->now.n_rows)], query);
        pn_topk_init(&topk, found, K);
        check(engine->search(engine->self, snapshot, &asked, &topk, &stats, &err), &err);
        assert_int_equal(topk.n, K);
        pn_topk_sort(&topk);
        check_answer(engine, snapshot, m, &asked, &topk);
        if (asked.exact && found[0].distance > 1e-4f)
            fail_msg("a row is not found by its own vector, but one at a distance of %g (%s, %d "
                     "indexes)",
                     (double)found[0].distance, stats.plan, (int)stats.n_indexes);
    }
    engine->unpin(engine->self, snapshot);
}
