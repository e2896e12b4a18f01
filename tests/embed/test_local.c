/*
 * test_local.c - the demo's model behind the embedder's door: unit vectors, the same in any company, and an identity
 */
#include "embed/local.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "image/decode.h"
#include "os/fd.h"
#include "support/golden.h"
#include "support/stage.h"

enum { MOST_FLOATS = 2048, N_TEXTS = 5 };

static char model_path[1024], picture_path[1024];
static pn_error err;

static pn_embedder *open_model(const char *path, const char *preprocess)
{
    const pn_local_options options = {.model = path, .preprocess = preprocess};
    pn_embedder *embedder = NULL;
    if (pn_local_embedder_create(&options, &embedder, &err) != PN_OK)
        fail_msg("%s", err.message);
    return embedder;
}

static int setup(void **state)
{
    (void)state;
    const char *source = getenv("PN_SOURCE_DIR");
    (void)snprintf(model_path, sizeof model_path, "%s/demo/model", source ? source : ".");
    (void)snprintf(picture_path, sizeof picture_path, "%s/demo/catalogue/images/0001.jpg",
                   source ? source : ".");
    return pn_image_library_init(&err) != PN_OK;
}

static void expect_unit(const float *vector, size_t dim)
{
    double square = 0;
    for (size_t i = 0; i < dim; i++)
        square += (double)vector[i] * (double)vector[i];
    assert_true(fabs(square - 1) < 1e-5);
}

static void texts__have_unit_vectors_in_any_company(void **state)
{
    (void)state;
    static const char *const texts[N_TEXTS] = {"red sneakers", "", "红色运动鞋",
                                               "a \x01\xFF strange one", "boots boots boots"};
    pn_embedder *e = open_model(model_path, NULL);
    pn_str all[N_TEXTS];
    float together[N_TEXTS * MOST_FLOATS], alone[MOST_FLOATS];
    assert_true(e->dim <= MOST_FLOATS);
    for (size_t i = 0; i < N_TEXTS; i++)
        all[i] = pn_str_of(texts[i]);
    assert_int_equal(e->embed_texts(e->self, all, N_TEXTS, NULL, together, &err), PN_OK);
    for (size_t i = 0; i < N_TEXTS; i++) {
        expect_unit(together + i * e->dim, e->dim);
        assert_int_equal(e->embed_texts(e->self, &all[i], 1, NULL, alone, &err), PN_OK);
        assert_true(golden_cosine(alone, together + i * e->dim, e->dim) > 1 - 1e-5);
    }
    /* A text of any length is cut to the context, not refused. */
    char *novel = calloc(1, 1u << 16);
    assert_non_null(novel);
    memset(novel, 'x', (1u << 16) - 1);
    for (size_t i = 5; i < (1u << 16) - 1; i += 6)
        novel[i] = ' ';
    pn_str text = pn_str_of(novel);
    assert_int_equal(e->embed_texts(e->self, &text, 1, NULL, alone, &err), PN_OK);
    expect_unit(alone, e->dim);
    free(novel);
    pn_embedder_free(e);
}

static void pictures__have_unit_vectors_in_any_company(void **state)
{
    (void)state;
    pn_embedder *e = open_model(model_path, NULL);
    size_t n;
    uint8_t *bytes = golden_read_bytes(picture_path, &n);
    float alone[MOST_FLOATS], together[3 * MOST_FLOATS];
    pn_embed_input inputs[3];
    pn_image image = {0};
    assert_int_equal(pn_embedder_embed_file(e, bytes, n, "0001", NULL, alone, &err), PN_OK);
    expect_unit(alone, e->dim);
    assert_int_equal(pn_image_decode(bytes, n, "0001", NULL, &image, &err), PN_OK);
    const pn_embed_picture picture = {bytes, n, &image};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(e->prepare_image(e->self, &picture, &inputs[i], &err), PN_OK);
    memset(inputs[0].data, 0, inputs[0].n_bytes);
    assert_int_equal(e->embed_images(e->self, inputs, 3, NULL, together, &err), PN_OK);
    expect_unit(together, e->dim); // a plain one
    assert_true(golden_cosine(alone, together + e->dim, e->dim) > 1 - 1e-5);
    assert_int_equal(pn_embedder_embed_file(e, bytes, n / 2, "half", NULL, alone, &err),
                     PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "half"));
    pn_image_free(&image);
    for (size_t i = 0; i < 3; i++)
        pn_embed_input_free(&inputs[i]);
    golden_bytes_free(bytes);
    pn_embedder_free(e);
}

/* In bulk each thread works alone, on as many pictures as it is told to: the same vectors, bit for bit. */
static void bulk__gives_the_vectors_of_a_query(void **state)
{
    (void)state;
    enum { N = 3, N_THREADS = 2 };
    pn_pool *pool = NULL;
    pn_embedder *e = NULL;
    size_t n;
    uint8_t *bytes = golden_read_bytes(picture_path, &n);
    float query[N * MOST_FLOATS], bulk[N * MOST_FLOATS];
    pn_embed_input inputs[N];
    pn_image image = {0};
    assert_int_equal(pn_pool_create(N_THREADS, &pool, &err), PN_OK);
    const pn_local_options options = {.model = model_path, .pool = pool};
    assert_int_equal(pn_local_embedder_create(&options, &e, &err), PN_OK);
    assert_int_equal(e->n_bulk_calls, N_THREADS);
    assert_in_range(e->batch, 1, PN_EMBED_BATCH_MAX);
    assert_int_equal(pn_image_decode(bytes, n, "0001", NULL, &image, &err), PN_OK);
    const pn_embed_picture picture = {bytes, n, &image};
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(e->prepare_image(e->self, &picture, &inputs[i], &err), PN_OK);
        memset(inputs[i].data, (int)i, inputs[i].n_bytes / 2);
    }
    const pn_embed_how how = {.urgency = PN_EMBED_BULK};
    assert_int_equal(e->embed_images(e->self, inputs, N, NULL, query, &err), PN_OK);
    assert_int_equal(e->embed_images(e->self, inputs, N, &how, bulk, &err), PN_OK);
    assert_memory_equal(query, bulk, N * e->dim * sizeof *bulk);
    for (size_t i = 0; i < N; i++)
        pn_embed_input_free(&inputs[i]);
    pn_image_free(&image);
    golden_bytes_free(bytes);
    pn_embedder_free(e);
    pn_pool_free(pool);
}

static void identity__is_of_the_weights_and_the_preprocessing(void **state)
{
    (void)state;
    pn_embedder *e = open_model(model_path, NULL), *same = open_model(model_path, NULL),
                *pad = open_model(model_path, "pad"), *squash = open_model(model_path, "squash");
    assert_string_equal(e->identity, same->identity);
    assert_string_not_equal(pad->identity, squash->identity);
    stage s;
    stage_make(&s);
    stage_copy_all(&s, model_path);
    const char *path = golden_join(s.dir, "model.safetensors");
    pn_embedder *copy = open_model(s.dir, NULL);
    assert_string_equal(e->identity, copy->identity); // wherever it lies
    pn_embedder_free(copy);
    size_t n;
    uint8_t *weights = golden_read_bytes(path, &n);
    weights[n - 2] ^= 1; // one bit of the last weight
    golden_write_bytes(path, weights, n);
    golden_bytes_free(weights);
    copy = open_model(s.dir, NULL);
    assert_string_not_equal(e->identity, copy->identity);
    pn_embedder_free(copy);
    stage_remove(&s);
    pn_embedder_free(e);
    pn_embedder_free(same);
    pn_embedder_free(pad);
    pn_embedder_free(squash);
}

static void create__refuses_what_is_no_model(void **state)
{
    (void)state;
    pn_embedder *e = NULL;
    pn_local_options options = {.model = "/no/such/model"};
    assert_int_equal(pn_local_embedder_create(&options, &e, &err), PN_ERR_NOT_FOUND);
    options = (pn_local_options){.model = model_path, .preprocess = "stretch"};
    assert_int_equal(pn_local_embedder_create(&options, &e, &err), PN_ERR_INVALID);
    assert_null(e);
    pn_embedder_free(NULL);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return pn_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(texts__have_unit_vectors_in_any_company, nothing_is_left),
        cmocka_unit_test_teardown(pictures__have_unit_vectors_in_any_company, nothing_is_left),
        cmocka_unit_test_teardown(bulk__gives_the_vectors_of_a_query, nothing_is_left),
        cmocka_unit_test_teardown(identity__is_of_the_weights_and_the_preprocessing,
                                  nothing_is_left),
        cmocka_unit_test_teardown(create__refuses_what_is_no_model, nothing_is_left),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
