/*
 * test_pennon.c - pennon.h as its users have it: every function, wrong arguments, who frees what, several threads
 *
 * The demo's model and pictures are real, so the answers are too. Sanitizers watch who owns what.
 */
#include <pennon.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "os/dir.h"
#include "support/golden.h"

enum { N_PICTURES = 6, MOST_FLOATS = 2048 };

typedef struct world {
    pn_library *library;
    pn_model *model;
    pn_model_info info;
    pn_table *table;
    pn_arena arena;
    char *folder;
    char model_path[1024], image_folder[1024], table_path[1024];
    uint8_t *pictures[N_PICTURES];
    size_t n_bytes[N_PICTURES];
} world;

static world w;
static pn_error err;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != PN_OK)                                                                       \
            fail_msg("%s: %s", #call, err.message);                                                \
    } while (0)
#define FAILS(status, call) assert_int_equal((call), (status))

static int open_model(void **state)
{
    (void)state;
    const char *source = getenv("PN_SOURCE_DIR");
    (void)snprintf(w.model_path, sizeof w.model_path, "%s/demo/model", source ? source : ".");
    (void)snprintf(w.image_folder, sizeof w.image_folder, "%s/demo/catalogue/images",
                   source ? source : ".");
    pn_library_options options = PN_LIBRARY_OPTIONS_INIT;
    options.n_threads = 2;
    if (pn_library_open(&options, &w.library, &err) != PN_OK ||
        pn_model_open(w.library, w.model_path, NULL, &w.model, &err) != PN_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    pn_model_get_info(w.model, &w.info);
    for (size_t i = 0; i < N_PICTURES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%04zu.jpg", i + 1);
        w.pictures[i] = golden_read_bytes(golden_join(w.image_folder, name), &w.n_bytes[i]);
    }
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PICTURES; i++)
        golden_bytes_free(w.pictures[i]);
    pn_model_close(w.model);
    pn_library_close(w.library);
    return 0;
}

static pn_status add_picture(size_t i, const char *path, const char *title, int64_t *id)
{
    const pn_pair pairs[] = {{"title", title}, {"price", "9.5"}};
    return pn_table_ingest_bytes(w.table, w.model, path, w.pictures[i], w.n_bytes[i], pairs, 2,
                                 NULL, id, &err);
}

/* Pictures 0 to 3 under the ids 0 to 3. */
static int make_table(void **state)
{
    (void)state;
    pn_arena_init(&w.arena, SIZE_MAX);
    if (pn_dir_make_temporary("pn_api", &w.arena, &w.folder, &err) != PN_OK)
        return 1;
    (void)snprintf(w.table_path, sizeof w.table_path, "%s/t.lance", w.folder);
    if (pn_table_open_or_create(w.library, w.table_path, w.model, &w.table, &err) != PN_OK)
        return 1;
    for (size_t i = 0; i < 4; i++) {
        char path[16];
        int64_t id;
        (void)snprintf(path, sizeof path, "%zu.jpg", i);
        if (add_picture(i, path, i % 2 ? "odd" : "even", &id) != PN_OK || id != (int64_t)i)
            return 1;
    }
    return 0;
}

static int drop_table(void **state)
{
    (void)state;
    pn_table_close(w.table);
    pn_status status = pn_dir_remove_all(w.folder, NULL);
    pn_arena_reset(&w.arena);
    return status != PN_OK;
}

/* ---- 1 library, 2 model */

static void ends__accept_null(void **state)
{
    (void)state;
    pn_library_close(NULL);
    pn_model_close(NULL);
    pn_table_close(NULL);
    pn_results_free(NULL);
    pn_memory_free(NULL);
}

static void library__says_what_it_is(void **state)
{
    (void)state;
    assert_string_equal(pn_version(), "0.1.0");
    assert_string_equal(pn_status_name(PN_OK), "ok");
    for (int i = -3; i < 40; i++)
        assert_true(strlen(pn_status_name((pn_status)i)) > 0);
    assert_true(strlen(pn_library_cpu(w.library)) > 0);
}

static void structs__that_were_not_initialised_are_refused(void **state)
{
    (void)state;
    pn_library *library = NULL;
    pn_model *model = NULL;
    pn_results *results = NULL;
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, 1u << 20, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        pn_library_options library_options = {.struct_bytes = sizes[i]};
        pn_model_options model_options = {.struct_bytes = sizes[i]};
        pn_ingest_options ingest_options = {.struct_bytes = sizes[i]};
        pn_query query = {.struct_bytes = sizes[i]};
        pn_query good = PN_QUERY_INIT;
        pn_query_term term = {.struct_bytes = sizes[i], .text = "x", .weight = 1};
        const char *source = w.folder;
        int64_t id;
        pn_ingest_progress done;
        good.terms = &term;
        good.n_terms = 1;
        FAILS(PN_ERR_INVALID, pn_library_open(&library_options, &library, &err));
        assert_non_null(strstr(err.message, "_INIT"));
        FAILS(PN_ERR_INVALID, pn_model_open(w.library, w.model_path, &model_options, &model, &err));
        FAILS(PN_ERR_INVALID,
              pn_table_ingest(w.table, w.model, &source, 1, &ingest_options, &done, &err));
        FAILS(PN_ERR_INVALID,
              pn_table_ingest_bytes(w.table, w.model, "x", w.pictures[0], w.n_bytes[0], NULL, 0,
                                    &ingest_options, &id, &err));
        FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &query, &results, &err));
        FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &good, &results, &err));
    }
    assert_true(!library && !model && !results);
}

/* A program built against a header without the last fields, and one against a header with more. */
static void structs__of_another_age_are_understood(void **state)
{
    (void)state;
    pn_library *library;
    pn_library_options old = PN_LIBRARY_OPTIONS_INIT;
    old.struct_bytes = offsetof(pn_library_options, log);
    old.log = (void (*)(void *, int, const char *))(uintptr_t)1; // must not be looked at
    OK(pn_library_open(&old, &library, &err));
    pn_library_close(library);
    struct {
        pn_query query;
        char unknown[64];
    } new = {.query = PN_QUERY_INIT};
    struct {
        pn_query_term term;
        char unknown[24];
    } terms[2] = {{.term = PN_QUERY_TERM_INIT}, {.term = PN_QUERY_TERM_INIT}};
    pn_results *results;
    new.query.struct_bytes = sizeof new;
    new.query.terms = &terms[0].term;
    new.query.n_terms = 2;
    for (size_t i = 0; i < 2; i++) {
        terms[i].term.struct_bytes = sizeof terms[0];
        terms[i].term.kind = PN_TERM_ID;
        terms[i].term.id = (int64_t)i;
    }
    OK(pn_table_search(w.table, NULL, &new.query, &results, &err));
    assert_int_equal(pn_results_count(results), 2); // of 4, without the two that were named
    pn_results_free(results);
}

static void model__refuses_what_is_none(void **state)
{
    (void)state;
    pn_model *model = NULL;
    pn_model_options options = PN_MODEL_OPTIONS_INIT;
    float vector[MOST_FLOATS];
    uint32_t id;
    size_t n_ids;
    FAILS(PN_ERR_INVALID, pn_model_open(w.library, NULL, NULL, &model, &err));
    FAILS(PN_ERR_INVALID, pn_model_open(w.library, "", NULL, &model, NULL));
    FAILS(PN_ERR_NOT_FOUND, pn_model_open(w.library, "/no/such/model", NULL, &model, &err));
    options.preprocess = "stretch";
    FAILS(PN_ERR_INVALID, pn_model_open(w.library, w.model_path, &options, &model, &err));
    assert_null(model);
    FAILS(PN_ERR_INVALID, pn_model_embed_text(w.model, NULL, vector, &err));
    FAILS(PN_ERR_UNSUPPORTED, pn_model_embed_image(w.model, "text", 4, NULL, vector, &err));
    FAILS(PN_ERR_CORRUPT, pn_model_embed_image(w.model, "", 0, "empty", vector, NULL));
    FAILS(PN_ERR_INVALID, pn_model_tokenize(w.model, "x", 1, &id, 1, &n_ids, &err));
}

static void model__makes_unit_vectors(void **state)
{
    (void)state;
    float text[MOST_FLOATS], image[MOST_FLOATS];
    uint32_t ids[512];
    size_t n_ids;
    assert_true(w.info.dim > 0 && w.info.dim <= MOST_FLOATS && w.info.context <= 512);
    OK(pn_model_embed_text(w.model, "red sneakers", text, &err));
    OK(pn_model_embed_image(w.model, w.pictures[0], w.n_bytes[0], NULL, image, &err));
    assert_true(fabs(golden_cosine(text, text, w.info.dim) - 1) < 1e-6);
    double text_square = 0, image_square = 0;
    for (size_t i = 0; i < w.info.dim; i++) {
        text_square += (double)text[i] * (double)text[i];
        image_square += (double)image[i] * (double)image[i];
    }
    assert_true(fabs(text_square - 1) < 1e-5 && fabs(image_square - 1) < 1e-5);
    OK(pn_model_tokenize(w.model, "red sneakers", 12, ids, w.info.context, &n_ids, &err));
    assert_true(n_ids >= 4 && n_ids <= w.info.context);
    size_t n_floats = (size_t)3 * w.info.image_width * w.info.image_height;
    float *pixels = malloc(n_floats * sizeof *pixels);
    assert_non_null(pixels);
    OK(pn_model_preprocess(w.model, w.pictures[0], w.n_bytes[0], "0", pixels, &err));
    for (size_t i = 0; i < n_floats; i++)
        assert_true(isfinite(pixels[i]));
    free(pixels);
}

/* ---- 3 table */

static void table__refuses_what_is_none(void **state)
{
    (void)state;
    pn_table *table = NULL;
    FAILS(PN_ERR_INVALID, pn_table_open(w.library, NULL, &table, &err));
    FAILS(PN_ERR_INVALID, pn_table_open(w.library, "", &table, NULL));
    FAILS(PN_ERR_INVALID, pn_table_open_or_create(w.library, NULL, w.model, &table, &err));
    FAILS(PN_ERR_NOT_FOUND, pn_table_open(w.library, w.folder, &table, &err));
    assert_null(table);
}

static void table__refuses_vectors_of_another_preprocessing(void **state)
{
    (void)state;
    pn_model *other;
    pn_table *table = NULL;
    pn_results *results = NULL;
    pn_model_options options = PN_MODEL_OPTIONS_INIT;
    pn_query query = PN_QUERY_INIT;
    pn_query_term term = PN_QUERY_TERM_INIT;
    int64_t id;
    options.preprocess = strcmp(w.info.preprocess, "pad") == 0 ? "squash" : "pad";
    OK(pn_model_open(w.library, w.model_path, &options, &other, &err));
    term.text = "x";
    query.terms = &term;
    query.n_terms = 1;
    FAILS(PN_ERR_INVALID, pn_table_check_model(w.table, other, &err));
    FAILS(PN_ERR_INVALID, pn_table_open_or_create(w.library, w.table_path, other, &table, &err));
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, other, &query, &results, &err));
    FAILS(PN_ERR_INVALID, pn_table_ingest_bytes(w.table, other, "x", w.pictures[0], w.n_bytes[0],
                                                NULL, 0, NULL, &id, &err));
    assert_true(!table && !results);
    OK(pn_table_check_model(w.table, w.model, &err));
    pn_model_close(other);
}

static void table__tells_of_itself(void **state)
{
    (void)state;
    pn_table_info info;
    pn_version_entry *versions;
    size_t n;
    char *json;
    OK(pn_table_get_info(w.table, &info, &err));
    assert_int_equal(info.n_rows, 4);
    assert_int_equal(info.dim, w.info.dim);
    assert_string_equal(info.identity, w.info.identity);
    OK(pn_table_list_versions(w.table, &versions, &n, &err));
    assert_int_equal(n, 5); // empty, and one an upload
    assert_int_equal(versions[4].version, info.version);
    assert_int_equal(versions[4].n_rows, 4);
    pn_memory_free(versions);
    OK(pn_table_schema_json(w.table, &json, &err));
    assert_non_null(strstr(json, "image_path"));
    pn_memory_free(json);
    OK(pn_table_facets_json(w.table, 10, &json, &err));
    assert_non_null(strstr(json, "\"even\""));
    pn_memory_free(json);
}

/* ---- 4 ingest */

static void count_progress(void *context, const pn_ingest_progress *progress)
{
    pn_ingest_progress *last = context;
    *last = *progress;
}

static int cancel_at_once(void *context)
{
    (void)context;
    return 1;
}

static void ingest__refuses_wrong_arguments(void **state)
{
    (void)state;
    pn_ingest_progress done;
    int64_t id = -9;
    const char *nothing = NULL, *missing = "/no/such/folder";
    const pn_pair no_value = {"k", NULL};
    pn_ingest_options options = PN_INGEST_OPTIONS_INIT;
    FAILS(PN_ERR_INVALID, pn_table_ingest(w.table, w.model, NULL, 0, NULL, &done, &err));
    FAILS(PN_ERR_INVALID, pn_table_ingest(w.table, w.model, NULL, 1, NULL, &done, &err));
    FAILS(PN_ERR_INVALID, pn_table_ingest(w.table, w.model, &nothing, 1, NULL, &done, &err));
    FAILS(PN_ERR_NOT_FOUND, pn_table_ingest(w.table, w.model, &missing, 1, NULL, NULL, NULL));
    options.thumbnail_px = 7;
    FAILS(PN_ERR_LIMIT, pn_table_ingest(w.table, w.model, &missing, 1, &options, &done, &err));
    options = (pn_ingest_options)PN_INGEST_OPTIONS_INIT;
    options.commit_rows = UINT32_MAX;
    FAILS(PN_ERR_LIMIT, pn_table_ingest(w.table, w.model, &missing, 1, &options, &done, &err));
    options = (pn_ingest_options)PN_INGEST_OPTIONS_INIT;
    options.commit_seconds = (double)NAN;
    FAILS(PN_ERR_INVALID, pn_table_ingest(w.table, w.model, &missing, 1, &options, &done, &err));
    FAILS(PN_ERR_INVALID,
          pn_table_ingest_bytes(w.table, w.model, NULL, "x", 1, NULL, 0, NULL, &id, &err));
    FAILS(PN_ERR_INVALID,
          pn_table_ingest_bytes(w.table, w.model, "x", NULL, 1, NULL, 0, NULL, &id, &err));
    FAILS(PN_ERR_INVALID, pn_table_ingest_bytes(w.table, w.model, "x", w.pictures[0], w.n_bytes[0],
                                                NULL, 1, NULL, &id, &err));
    FAILS(PN_ERR_INVALID, pn_table_ingest_bytes(w.table, w.model, "x", w.pictures[0], w.n_bytes[0],
                                                &no_value, 1, NULL, &id, &err));
    FAILS(PN_ERR_INVALID, add_picture(0, "", "x", &id));
    assert_int_equal(id, -9);
}

static void ingest__tells_how_it_went(void **state)
{
    (void)state;
    pn_ingest_progress last = {0}, done;
    pn_ingest_options options = PN_INGEST_OPTIONS_INIT;
    int64_t id;
    const char *source = golden_join(w.image_folder, "0005.jpg");
    options.progress = count_progress;
    options.context = &last;
    OK(pn_table_ingest(w.table, w.model, &source, 1, &options, &done, &err));
    assert_true(done.n_added == 1 && done.n_committed == 1 && done.sources_done);
    assert_memory_equal(&last.n_added, &done.n_added, sizeof done.n_added);
    OK(pn_table_ingest_bytes(w.table, w.model, "0.jpg", w.pictures[5], w.n_bytes[5], NULL, 0,
                             &options, &id, &err));
    assert_true(last.n_updated == 1 && last.n_added == 0 && last.n_committed == 1 && id == 0);
    OK(pn_table_ingest_bytes(w.table, w.model, "0.jpg", w.pictures[5], w.n_bytes[5], NULL, 0,
                             &options, NULL, &err));
    assert_true(last.n_unchanged == 1 && last.n_updated == 0 && last.n_committed == 0);
    options.cancelled = cancel_at_once;
    source = golden_join(w.image_folder, "0006.jpg");
    FAILS(PN_ERR_CANCELLED, pn_table_ingest(w.table, w.model, &source, 1, &options, &done, &err));
    uint64_t count;
    OK(pn_table_count(w.table, NULL, &count, &err));
    assert_int_equal(count, 5 + done.n_committed);
}

/* ---- 5 search, 6 results */

static void search__refuses_wrong_arguments(void **state)
{
    (void)state;
    static const float zeros[MOST_FLOATS];
    const pn_query_term usual = PN_QUERY_TERM_INIT;
    pn_query_term t[40];
    for (size_t i = 0; i < 40; i++) {
        t[i] = usual;
        t[i].text = "x";
    }
    pn_results *results = NULL;
    pn_query q = PN_QUERY_INIT;
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, NULL, &results, &err));
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &q, &results, &err));
    q.n_terms = 1;
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &q, &results, &err));
    q.terms = t;
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, NULL, &q, &results, &err)); // a text, no model
    q.n_terms = 40;
    FAILS(PN_ERR_LIMIT, pn_table_search(w.table, w.model, &q, &results, &err));
    q.n_terms = 1;
    q.k = 10001;
    FAILS(PN_ERR_LIMIT, pn_table_search(w.table, w.model, &q, &results, &err));
    q.k = 0;
    q.where = "metadata['title' = ";
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &q, &results, NULL));
    q.where = NULL;
    q.cancelled = cancel_at_once;
    FAILS(PN_ERR_CANCELLED, pn_table_search(w.table, w.model, &q, &results, &err));
    q.cancelled = NULL;
    t[0].text = NULL;
    for (int kind = -1; kind <= 4; kind++) {
        t[0].kind = (pn_term_kind)kind;
        t[0].id = 77;
        FAILS(kind == PN_TERM_ID ? PN_ERR_NOT_FOUND : PN_ERR_INVALID,
              pn_table_search(w.table, w.model, &q, &results, &err));
    }
    t[0].kind = PN_TERM_VECTOR;
    t[0].vector = zeros;
    t[0].vector_dim = w.info.dim;
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &q, &results, &err));
    t[0].vector_dim = w.info.dim - 1;
    FAILS(PN_ERR_INVALID, pn_table_search(w.table, w.model, &q, &results, &err));
    assert_null(results);
}

static void results__hold_all_that_was_asked(void **state)
{
    (void)state;
    pn_query query = PN_QUERY_INIT;
    pn_query_term term = PN_QUERY_TERM_INIT;
    pn_results *results;
    pn_search_stats stats;
    term.kind = PN_TERM_IMAGE;
    term.image = w.pictures[2];
    term.image_bytes = w.n_bytes[2];
    query.terms = &term;
    query.n_terms = 1;
    query.include_vectors = 1;
    OK(pn_table_search(w.table, w.model, &query, &results, &err));
    assert_int_equal(pn_results_count(results), 4); // k is more than there are
    for (size_t i = 0; i < 4; i++) {
        pn_result r;
        pn_results_get(results, i, &r);
        assert_int_equal(r.n_metadata, 2);
        assert_string_equal(r.metadata[0].key, "title");
        assert_string_equal(r.metadata[0].value, r.id % 2 ? "odd" : "even");
        assert_int_equal(r.vector_dim, w.info.dim);
        assert_non_null(r.vector);
        assert_true(r.has_thumbnail && r.score + r.distance == 1.0f);
        if (i == 0)
            assert_true(r.id == 2 && r.distance < 1e-5f && strcmp(r.path, "2.jpg") == 0);
    }
    pn_results_get_stats(results, &stats);
    assert_true(stats.n_rows == 4 && stats.n_matching == 4 && stats.plan != NULL);
    pn_results_free(results);
}

/* ---- 7 rows */

static void rows__are_read_and_deleted(void **state)
{
    (void)state;
    pn_results *results = NULL;
    pn_result row;
    uint64_t n;
    unsigned char *bytes;
    size_t n_bytes;
    static const int64_t two[] = {3, 1}, missing[] = {1, 99};
    OK(pn_table_get(w.table, two, 2, 0, &results, &err));
    pn_results_get(results, 0, &row);
    assert_true(row.id == 3 && !row.vector);
    pn_results_free(results);
    FAILS(PN_ERR_NOT_FOUND, pn_table_get(w.table, missing, 2, 0, &results, &err));
    assert_non_null(strstr(err.message, "99"));
    OK(pn_table_list(w.table, "metadata['title'] = 'odd'", 1, 10, 1, &results, &err));
    assert_int_equal(pn_results_count(results), 1);
    pn_results_free(results);
    FAILS(PN_ERR_LIMIT, pn_table_list(w.table, NULL, 0, 0, 0, &results, &err));
    FAILS(PN_ERR_INVALID, pn_table_count(w.table, "nothing = 1", &n, &err));
    OK(pn_table_thumbnail(w.table, 1, &bytes, &n_bytes, &err));
    assert_true(n_bytes > 2 && bytes[0] == 0xFF && bytes[1] == 0xD8);
    pn_memory_free(bytes);
    FAILS(PN_ERR_NOT_FOUND, pn_table_thumbnail(w.table, 99, &bytes, &n_bytes, &err));
    OK(pn_table_delete_ids(w.table, missing, 2, &n, &err));
    assert_int_equal(n, 1);
    OK(pn_table_delete_where(w.table, "id = 0", NULL, &err));
    FAILS(PN_ERR_INVALID, pn_table_delete_where(w.table, "id = ", &n, &err));
    OK(pn_table_count(w.table, " ", &n, &err));
    assert_int_equal(n, 2);
}

/* ---- several threads */

typedef struct crew {
    _Atomic int n_faults, n_searches;
    atomic_bool done;
} crew;

static void *search_on(void *context)
{
    crew *c = context;
    size_t before = 0;
    while (!atomic_load(&c->done)) {
        pn_error fault = {0};
        pn_query query = PN_QUERY_INIT;
        pn_query_term term = PN_QUERY_TERM_INIT;
        pn_results *results;
        term.text = "a red dress";
        query.terms = &term;
        query.n_terms = 1;
        query.k = 100;
        if (pn_table_search(w.table, w.model, &query, &results, &fault) != PN_OK) {
            (void)fprintf(stderr, "%s\n", fault.message);
            atomic_fetch_add(&c->n_faults, 1);
            break;
        }
        size_t n = pn_results_count(results);
        if (n < before) // rows are only added
            atomic_fetch_add(&c->n_faults, 1);
        before = n;
        pn_results_free(results);
        atomic_fetch_add(&c->n_searches, 1);
    }
    return NULL;
}

static void search__goes_on_during_ingestion(void **state)
{
    (void)state;
    crew c = {0};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, &c), 0);
    for (int i = 0; i < 12; i++) {
        char path[32];
        int64_t id;
        (void)snprintf(path, sizeof path, "more%d.jpg", i);
        OK(add_picture((size_t)i % N_PICTURES, path, "more", &id));
        assert_int_equal(id, 4 + i);
    }
    atomic_store(&c.done, true);
    for (size_t i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.n_faults), 0);
    assert_true(atomic_load(&c.n_searches) > 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_table, drop_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends__accept_null),
        cmocka_unit_test(library__says_what_it_is),
        TEST(structs__that_were_not_initialised_are_refused),
        TEST(structs__of_another_age_are_understood),
        cmocka_unit_test(model__refuses_what_is_none),
        cmocka_unit_test(model__makes_unit_vectors),
        TEST(table__refuses_what_is_none),
        TEST(table__refuses_vectors_of_another_preprocessing),
        TEST(table__tells_of_itself),
        TEST(ingest__refuses_wrong_arguments),
        TEST(ingest__tells_how_it_went),
        TEST(search__refuses_wrong_arguments),
        TEST(results__hold_all_that_was_asked),
        TEST(rows__are_read_and_deleted),
        TEST(search__goes_on_during_ingestion),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
