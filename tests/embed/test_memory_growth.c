/*
 * test_memory_growth.c - the three-thousandth picture needs no more memory than the five-hundredth
 *
 * The whole way of a picture, from the file's bytes to the vector, with the demo model: what is left behind by decoder, resize,
 * scratch or pool would add up over a catalogue. Measured is RssAnon of this process; the first 500 pictures fill the caches.
 * Only where memory is what it is: sanitizers keep freed blocks. bench/bench_memory.c does the same over any number.
 */
#include "base/buffer.h"
#include "base/limits.h"
#include "embed/local.h"
#include "image/decode.h"
#include "os/fd.h"
#include "os/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED true
#elif defined(__has_feature)
#    define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#    define SANITIZED false
#endif

enum { N_FILES = 64, BATCH = 8, SETTLED = 504, N_PICTURES = 3000, MOST_GROWTH_KIB = 3 << 10 };

static long anonymous_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtol(line + 8, NULL, 10);
    (void)fclose(file);
    assert_true(kib > 0);
    return kib;
}

static void prepare(pn_embedder *e, const char *source, unsigned i, pn_embed_input *input)
{
    char path[1024];
    pn_error err = {0};
    pn_buffer bytes;
    pn_image image = {0};
    (void)snprintf(path, sizeof path, "%s/demo/catalogue/images/%04u.jpg", source, 1 + i % N_FILES);
    pn_buffer_init(&bytes, PN_IMAGE_MAX_FILE_BYTES);
    if (pn_file_read(path, &bytes, &err) != PN_OK ||
        pn_image_decode(bytes.data, bytes.n_bytes, path, NULL, &image, &err) != PN_OK)
        fail_msg("%s", err.message);
    const pn_embed_picture picture = {bytes.data, bytes.n_bytes, &image};
    if (e->prepare_image(e->self, &picture, input, &err) != PN_OK)
        fail_msg("%s", err.message);
    pn_image_free(&image);
    pn_buffer_reset(&bytes);
}

static void memory__does_not_grow_with_the_pictures(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    const char *source = getenv("PN_SOURCE_DIR");
    char model[1024];
    pn_error err = {0};
    pn_pool *pool = NULL;
    pn_embedder *e = NULL;
    assert_non_null(source);
    (void)snprintf(model, sizeof model, "%s/demo/model", source);
    pn_local_options local = {.model = model, .cache = "", .precision = PN_CLIP_INT8};
    assert_int_equal(pn_image_library_init(&err), PN_OK);
    assert_int_equal(pn_pool_create(2, &pool, &err), PN_OK);
    local.pool = pool;
    if (pn_local_embedder_create(&local, &e, &err) != PN_OK)
        fail_msg("%s", err.message);
    pn_embed_input inputs[BATCH] = {{0}};
    float *out = malloc((size_t)BATCH * e->dim * sizeof *out);
    assert_non_null(out);
    long start = anonymous_kib(), settled = 0;
    for (unsigned n = 0; n < N_PICTURES; n += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            prepare(e, source, n + i, &inputs[i]);
        assert_int_equal(e->embed_images(e->self, inputs, BATCH, NULL, out, &err), PN_OK);
        for (unsigned i = 0; i < BATCH; i++)
            pn_embed_input_free(&inputs[i]);
        if (n + BATCH == SETTLED)
            settled = anonymous_kib();
    }
    long end = anonymous_kib();
    print_message("RssAnon: %ld KiB before, %ld after %d pictures, %ld after %d\n", start, settled,
                  SETTLED, end, N_PICTURES);
    assert_true(settled > 0);
    assert_in_range(end, 1, settled + MOST_GROWTH_KIB);
    free(out);
    pn_embedder_free(e);
    pn_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory__does_not_grow_with_the_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
