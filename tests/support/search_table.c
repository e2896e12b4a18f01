/*
 * search_table.c - the local engine over a folder that goes with the test
 */
#include "support/search_table.h"

#include "base/alloc.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "collection/local_engine.h"
#include "os/dir.h"
#include "support/json_rows.h"

static void check(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("%s", err->message);
}

void search_table_make(const pn_schema *schema, search_table *out)
{
    pn_error err = {0};
    *out = (search_table){0};
    pn_arena_init(&out->arena, SIZE_MAX);
    if (schema)
        out->schema = *schema;
    else
        check(pn_image_schema_make(SEARCH_TABLE_DIM, "test", "test model", "none", &out->arena,
                                   &out->schema, &err),
              &err);
    check(pn_dir_make_temporary("pn_search", &out->arena, &out->folder, &err), &err);
    out->path = pn_path_join(&out->arena, out->folder, "images.lance");
    check(pn_local_engine_create(out->path, &out->schema, NULL, &out->engine, &err), &err);
}

void search_table_append(search_table *table, const char *json)
{
    pn_error err = {0};
    json_rows rows;
    json_rows_make(&table->schema, json, &rows);
    pn_status status = table->engine->append(table->engine->self, NULL, &rows.batch, NULL, &err);
    json_rows_free(&rows);
    check(status, &err);
}

void search_table_free(search_table *table)
{
    pn_error err = {0};
    pn_engine_free(table->engine);
    check(pn_dir_remove_all(table->folder, &err), &err);
    pn_arena_reset(&table->arena);
}

/* ---- the embedder */

static pn_status prepare_image(void *self, const pn_embed_picture *picture, pn_embed_input *out,
                               pn_error *err)
{
    const pn_image *image = picture->image;
    float *input = pn_alloc(3 * sizeof *input);
    if (!input)
        return pn_fail_nomem(err);
    size_t n = (size_t)image->width * image->height;
    (void)self, (void)err;
    input[0] = input[1] = input[2] = 0;
    for (size_t i = 0; i < n * 3; i++)
        input[i % 3] += (float)image->pixels[i];
    *out = (pn_embed_input){input, 3 * sizeof *input};
    return PN_OK;
}

static pn_status embed_images(void *self, const pn_embed_input *inputs, size_t n,
                              const pn_embed_how *how, float *out, pn_error *err)
{
    (void)how;
    (void)self, (void)err;
    for (size_t i = 0; i < n; i++) {
        const float *in = inputs[i].data;
        float length = sqrtf(in[0] * in[0] + in[1] * in[1] + in[2] * in[2]);
        for (size_t d = 0; d < SEARCH_TABLE_DIM; d++)
            out[i * SEARCH_TABLE_DIM + d] = d < 3 && length > 0 ? in[d] / length : 0;
    }
    return PN_OK;
}

static pn_status embed_texts(void *self, const pn_str *texts, size_t n, const pn_embed_how *how,
                             float *out, pn_error *err)
{
    (void)how;
    static const char *const words[] = {"east", "north", "up"};
    (void)self;
    for (size_t i = 0; i < n; i++) {
        size_t word = 0;
        while (word < PN_COUNT_OF(words) && !pn_str_is(texts[i], words[word]))
            word++;
        if (word == PN_COUNT_OF(words))
            return pn_fail(err, PN_ERR_NOT_FOUND, "no such word");
        for (size_t d = 0; d < SEARCH_TABLE_DIM; d++)
            out[i * SEARCH_TABLE_DIM + d] = d == word ? 1.0f : 0.0f;
    }
    return PN_OK;
}

void search_words_init(pn_embedder *out)
{
    *out = (pn_embedder){.dim = SEARCH_TABLE_DIM,
                         .identity = "test",
                         .model = "three words",
                         .preprocess = "crop",
                         .prepare_image = prepare_image,
                         .embed_images = embed_images,
                         .embed_texts = embed_texts};
}
