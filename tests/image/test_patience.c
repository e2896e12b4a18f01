/*
 * test_patience.c - a picture's time is the processor's: a stopped program keeps its picture, a hostile picture still ends
 *
 * The pictures are decoded in child processes, which this one stops in the middle for longer than the limit. Whether it was the
 * middle shows on the clock on the wall; a child that was done before is tried again, stopped earlier.
 */
#include "base/compiler.h"
#include "image/jpeg.h"
#include "image/patience.h"
#include "os/clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vips/vips.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { SIDE = 2048, MAX_MS = 2000, STOP_MS = 2300 };

/* ---- the clock */

static int64_t ms_since(int64_t start_ns)
{
    return (pn_clock_monotonic_ns() - start_ns) / 1000000;
}

static const clockid_t clocks[] = {CLOCK_THREAD_CPUTIME_ID, CLOCK_PROCESS_CPUTIME_ID};

static void patience__does_not_count_what_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(clocks); i++) {
        const pn_decode_options options = {.max_ms = 50};
        pn_patience p;
        pn_patience_begin(&p, &options, clocks[i]);
        pn_clock_sleep_ms(150);
        assert_false(pn_patience_is_over(&p));
    }
}

static void patience__ends_for_what_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < PN_COUNT_OF(clocks); i++) {
        const pn_decode_options options = {.max_ms = 50};
        pn_patience p;
        pn_error err = {0};
        const int64_t start = pn_clock_monotonic_ns();
        pn_patience_begin(&p, &options, clocks[i]);
        while (!pn_patience_is_over(&p))
            assert_true(ms_since(start) < 30000);
        assert_true(ms_since(start) >= 50);
        assert_true(pn_patience_is_over(&p));
        assert_int_equal(pn_patience_fail(&p, "x.png", &err), PN_ERR_LIMIT);
        assert_string_equal(err.message, "x.png: takes longer to decode than 50 ms, the limit");
    }
}

static void *spin(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        ;
    return NULL;
}

/* Two and more processors' time in one wall's. */
static void patience__never_counts_more_than_passed(void **state)
{
    (void)state;
    enum { N = 4 };
    pthread_t threads[N];
    atomic_bool stop = false;
    const pn_decode_options options = {.max_ms = 400};
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spin, &stop), 0);
    pn_patience p;
    const int64_t start = pn_clock_monotonic_ns();
    pn_patience_begin(&p, &options, CLOCK_PROCESS_CPUTIME_ID);
    pn_clock_sleep_ms(300);
    const bool over = pn_patience_is_over(&p);
    const bool may_be_over = ms_since(start) >= 400;
    atomic_store(&stop, true);
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
    assert_true(!over || may_be_over);
}

/* ---- pictures */

typedef struct file {
    uint8_t *bytes;
    size_t n;
} file;

static file make_jpeg(const pn_image *image)
{
    file f;
    pn_buffer out;
    pn_buffer_init(&out, (size_t)64 << 20);
    if (pn_jpeg_encode(image, 90, &out, NULL) != PN_OK)
        abort();
    f.n = out.n_bytes;
    f.bytes = pn_buffer_detach(&out);
    return f;
}

/* Read row by row by a thread of libvips. */
static file make_png(const pn_image *image)
{
    void *bytes;
    size_t n;
    VipsImage *pixels =
        vips_image_new_from_memory(image->pixels, (size_t)image->width * image->height * 3,
                                   (int)image->width, (int)image->height, 3, VIPS_FORMAT_UCHAR);
    if (!pixels || vips_pngsave_buffer(pixels, &bytes, &n, "compression", 1, NULL) != 0)
        abort();
    g_object_unref(pixels);
    return (file){bytes, n};
}

static const struct {
    const char *name;
    file (*make)(const pn_image *image);
} kinds[] = {{"stopped.jpg", make_jpeg}, {"stopped.png", make_png}};

/* Noise, which takes longest; in a process that lives for it. */
static file make(size_t kind)
{
    pn_image image = {0};
    uint32_t x = 1;
    if (pn_image_library_init(NULL) != PN_OK || pn_image_create(SIDE, SIDE, &image, NULL) != PN_OK)
        abort();
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++) {
        x = x * 1664525 + 1013904223;
        image.pixels[i] = (uint8_t)(x >> 24);
    }
    return kinds[kind].make(&image); // neither is freed: the process ends
}

typedef struct outcome {
    pn_status status;
    int64_t wall_ms;
    char message[256];
} outcome;

/* Says when it begins, and how it ended. */
static void PN_NORETURN decode_and_tell(size_t kind, uint32_t max_ms, int to)
{
    outcome mine = {0};
    pn_image image = {0};
    pn_error err = {0};
    const pn_decode_options options = {.max_ms = max_ms};
    (void)alarm(60); // rather a dead child than a test that never ends
    file f = make(kind);
    if (write(to, "", 1) != 1)
        _exit(1);
    const int64_t start = pn_clock_monotonic_ns();
    mine.status = pn_image_decode(f.bytes, f.n, kinds[kind].name, &options, &image, &err);
    mine.wall_ms = ms_since(start);
    memcpy(mine.message, err.message, PN_MIN(sizeof mine.message, sizeof err.message) - 1);
    _exit(write(to, &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
}

/* stop_ms 0: it is not stopped. */
static outcome decode_in_child(size_t kind, uint32_t max_ms, int64_t after_ms, int64_t stop_ms)
{
    outcome result = {0};
    int ends[2], status;
    char begun;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        decode_and_tell(kind, max_ms, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &begun, 1), 1);
    if (stop_ms > 0) {
        pn_clock_sleep_ms(after_ms);
        assert_int_equal(kill(child, SIGSTOP), 0);
        pn_clock_sleep_ms(stop_ms);
        assert_int_equal(kill(child, SIGCONT), 0);
    }
    ssize_t n = read(ends[0], &result, sizeof result);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (n != (ssize_t)sizeof result || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s: the child died with status %#x", kinds[kind].name, (unsigned)status);
    return result;
}

static void decoding__outlives_a_stop(void **state)
{
    (void)state;
    static const int64_t after_ms[] = {10, 5, 2, 1, 0, 0, 0, 0};
    for (size_t kind = 0; kind < PN_COUNT_OF(kinds); kind++) {
        outcome got = {0};
        for (size_t i = 0; i < PN_COUNT_OF(after_ms) && got.wall_ms < STOP_MS - 100; i++) {
            got = decode_in_child(kind, MAX_MS, after_ms[i], STOP_MS);
            if (got.status != PN_OK)
                fail_msg("stopped for %d ms: %s", STOP_MS, got.message);
        }
        print_message("%s: decoded in %lld ms\n", kinds[kind].name, (long long)got.wall_ms);
        assert_true(got.wall_ms >= STOP_MS - 100); // else it was never stopped in the middle
    }
}

static void decoding__still_ends(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < PN_COUNT_OF(kinds); kind++) {
        outcome got = decode_in_child(kind, 1, 0, 0);
        assert_int_equal(got.status, PN_ERR_LIMIT);
        assert_non_null(strstr(got.message, "takes longer to decode than 1 ms"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience__does_not_count_what_waits),
        cmocka_unit_test(patience__ends_for_what_works),
        cmocka_unit_test(decoding__outlives_a_stop),
        cmocka_unit_test(decoding__still_ends),
        cmocka_unit_test(patience__never_counts_more_than_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
