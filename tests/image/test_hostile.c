/*
 * test_hostile.c - 942 damaged, odd and malicious pictures
 *
 * Not every one has to decode, and decoders may differ about damaged ones. Every one has to get an answer: a picture within
 * the limits, or an error that names the file; in bounded time and memory, and without a trace left behind.
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "image/decode.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/process.h"
#include "support/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MAX_MS = 20000 };
static const uint64_t MAX_RESIDENT_BYTES = (uint64_t)1 << 30;

typedef struct tally {
    unsigned n, decoded;
    unsigned refused[32]; /* by status */
    double slowest_ms;
    char slowest[256];
} tally;

static pn_status visit(void *context, const char *path, pn_error *unused)
{
    (void)unused;
    tally *t = context;
    const char *name = strrchr(path, '/') + 1;
    size_t n;
    pn_image image = {0};
    pn_error err = {0};
    if (strcmp(name, "MANIFEST.tsv") == 0)
        return PN_OK;
    uint8_t *bytes = golden_read_bytes(path, &n);
    int64_t start = pn_clock_monotonic_ns(), live = pn_alloc_live();
    pn_status status = pn_image_decode(bytes, n, name, NULL, &image, &err);
    double ms = (double)(pn_clock_monotonic_ns() - start) / 1e6;
    t->n++;
    if (status == PN_OK) {
        t->decoded++;
        assert_in_range(image.width, 1, PN_IMAGE_MAX_SIDE_PX);
        assert_in_range(image.height, 1, PN_IMAGE_MAX_SIDE_PX);
        pn_image_free(&image);
    } else {
        t->refused[status % 32]++;
        if (strstr(err.message, "cannot be decoded") || strstr(err.message, "gave up"))
            fail_msg("%s: no reason is named", err.message);
        if (!strstr(err.message, name) || strchr(err.message, '\n'))
            fail_msg("%s: the message is not one line with the name: %s", name, err.message);
        if (status != PN_ERR_CORRUPT && status != PN_ERR_UNSUPPORTED && status != PN_ERR_LIMIT)
            fail_msg("%s: status %d: %s", name, (int)status, err.message);
        assert_null(image.pixels);
    }
    golden_bytes_free(bytes);
    assert_int_equal(pn_alloc_live(), live);
    if (ms > t->slowest_ms) {
        t->slowest_ms = ms;
        (void)snprintf(t->slowest, sizeof t->slowest, "%s", name);
    }
    if (ms > MAX_MS)
        fail_msg("%s: %.0f ms", name, ms);
    return PN_OK;
}

static void decode__answers_for_every_hostile_file(void **state)
{
    (void)state;
    char dir[GOLDEN_PATH_BYTES];
    tally t = {0};
    pn_error err = {0};
    pn_process_usage usage;
    golden_require("data/hostile", dir);
    if (pn_dir_walk(dir, visit, &t, &err) != PN_OK)
        fail_msg("%s", err.message);
    pn_process_get_usage(&usage);
    print_message(
        "%u files: %u decoded; corrupt %u, unsupported %u, limit %u; slowest %s %.0f ms; peak "
        "memory %llu MiB\n",
        t.n, t.decoded, t.refused[PN_ERR_CORRUPT], t.refused[PN_ERR_UNSUPPORTED],
        t.refused[PN_ERR_LIMIT], t.slowest, t.slowest_ms,
        (unsigned long long)(usage.peak_resident_bytes >> 20));
    assert_true(t.n >= 900);
    assert_true(t.decoded >= 400);
    assert_true(usage.peak_resident_bytes < MAX_RESIDENT_BYTES);
}

static void decode__refuses_every_bad_golden(void **state)
{
    (void)state;
    static const struct {
        const char *file, *named;
        pn_status status;
    } rows[] = {
        {"bad-crc.png", "chunk", PN_ERR_CORRUPT}, {"empty.jpg", "empty", PN_ERR_CORRUPT},
        {"header-only.jpg", "", PN_ERR_CORRUPT},  {"huge-dimensions.png", "100000", PN_ERR_LIMIT},
        {"text.png", "", PN_ERR_UNSUPPORTED},     {"truncated.jpg", "", PN_ERR_CORRUPT},
        {"truncated.png", "", PN_ERR_CORRUPT},    {"truncated.webp", "", PN_ERR_CORRUPT},
    };
    char dir[GOLDEN_PATH_BYTES];
    golden_require("golden/clip/preprocess/bad", dir);
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        size_t n;
        pn_image image = {0};
        pn_error err = {0};
        uint8_t *bytes = golden_read_bytes(golden_join(dir, rows[i].file), &n);
        pn_status status = pn_image_decode(bytes, n, rows[i].file, NULL, &image, &err);
        golden_bytes_free(bytes);
        print_message("%s\n", err.message);
        assert_int_equal(status, rows[i].status);
        assert_non_null(strstr(err.message, rows[i].file));
        assert_non_null(strstr(err.message, rows[i].named));
        assert_null(image.pixels);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode__refuses_every_bad_golden),
        cmocka_unit_test(decode__answers_for_every_hostile_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
