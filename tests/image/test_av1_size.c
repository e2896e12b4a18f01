/*
 * test_av1_size.c - sequence headers are found wherever a decoder would find them
 *
 * The files are containers with nothing in them but the header of a sequence, of the size that a test wants.
 */
#include "base/alloc.h"
#include "base/compiler.h"
#include "image/av1_size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

typedef struct file {
    uint8_t bytes[262144];
    size_t n;
} file;

static void put(file *f, const void *bytes, size_t n)
{
    assert_true(f->n + n <= sizeof f->bytes);
    memcpy(f->bytes + f->n, bytes, n);
    f->n += n;
}

static void put_big(file *f, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = n_bytes; i-- > 0;)
        put(f, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static size_t begin(file *f, const char *type)
{
    put_big(f, 0, 4);
    put(f, type, 4);
    return f->n - 8;
}

static void end(file *f, size_t start)
{
    size_t n = f->n;
    f->n = start;
    put_big(f, n - start, 4);
    f->n = n;
}

enum { OBU_BYTES = 9 };

/* A reduced header: profile 0, still, reduced, level 0; sizes of 16 bits each. */
static void put_obu(file *f, uint32_t width, uint32_t height)
{
    uint64_t bits = (uint64_t)3 << 5 | 0; // 000 1 1 00000
    bits = bits << 4 | 15;
    bits = bits << 4 | 15;
    bits = bits << 16 | (width - 1);
    bits = bits << 16 | (height - 1);
    put_big(f, 1 << 3 | 2, 1);
    put_big(f, 7, 1);
    put_big(f, bits << 6, 7); // 50 bits of 56
}

/* A full header: timing, a decoder model, two operating points, all that stands before the size. */
static void put_full_obu(file *f, uint32_t width, uint32_t height)
{
    static const struct {
        uint32_t value, n_bits;
    } fields[] = {
        {0, 3},  {0, 1},  {0, 1},  {1, 1}, {1, 32}, {1, 32}, {1, 1}, {2, 3}, // 010: uvlc 1
        {1, 1},  {9, 5},  {1, 32}, {9, 5}, {9, 5},  {1, 1},  {1, 5},         // two points
        {0, 12}, {9, 5},  {1, 1},  {1, 1}, {3, 10}, {3, 10}, {0, 1}, {1, 1}, // the first
        {5, 4},  {0, 12}, {5, 5},  {0, 1}, {0, 1},  {15, 4}, {15, 4}};
    uint8_t out[64] = {0};
    size_t bit = 0;
    for (size_t i = 0; i < PN_COUNT_OF(fields) + 2; i++) {
        uint32_t n_bits = i < PN_COUNT_OF(fields) ? fields[i].n_bits : 16;
        uint32_t value = i < PN_COUNT_OF(fields)    ? fields[i].value
                         : i == PN_COUNT_OF(fields) ? width - 1
                                                    : height - 1;
        for (uint32_t k = n_bits; k-- > 0; bit++)
            out[bit / 8] |= (uint8_t)((value >> k & 1) << (7 - bit % 8));
    }
    put_big(f, 1 << 3 | 2, 1);
    put_big(f, (bit + 7) / 8, 1);
    put(f, out, (bit + 7) / 8);
}

static void put_iinf(file *f, const char *type, unsigned n_items)
{
    size_t iinf = begin(f, "iinf");
    put_big(f, 0, 4);
    put_big(f, n_items, 2);
    for (unsigned i = 1; i <= n_items; i++) {
        size_t infe = begin(f, "infe");
        put_big(f, 2u << 24, 4);
        put_big(f, i, 2);
        put_big(f, 0, 2);
        put(f, type, 4);
        put_big(f, 0, 1);
        end(f, infe);
    }
    end(f, iinf);
}

/* Items of pieces of piece_bytes each, which lie one behind the other from `off` on. */
static void put_iloc(file *f, unsigned method, unsigned n_items, size_t off, size_t total,
                     size_t piece_bytes)
{
    size_t iloc = begin(f, "iloc"), n_pieces = (total + piece_bytes - 1) / piece_bytes;
    put_big(f, 1u << 24, 4);
    put_big(f, 0x4400, 2); // offsets and lengths of 4 bytes, no base, no index
    put_big(f, n_items, 2);
    for (unsigned i = 1; i <= n_items; i++) {
        put_big(f, i, 2);
        put_big(f, method, 2);
        put_big(f, 0, 2);
        put_big(f, n_pieces, 2);
        for (size_t k = 0; k < n_pieces; k++) {
            put_big(f, off + k * piece_bytes, 4);
            put_big(f, PN_MIN(piece_bytes, total - k * piece_bytes), 4);
        }
    }
    end(f, iloc);
}

enum { HEAD_BYTES = 16, DATA_OFF = HEAD_BYTES + 8 };

static void begin_file(file *f)
{
    f->n = 0;
    size_t ftyp = begin(f, "ftyp");
    put(f, "avif\0\0\0\0", 8);
    end(f, ftyp);
    assert_int_equal(f->n, HEAD_BYTES);
}

static size_t begin_meta(file *f)
{
    size_t meta = begin(f, "meta");
    put_big(f, 0, 4);
    return meta;
}

/* The data stand first, so that their place is known. */
static void make(file *f, const char *type, uint32_t side, size_t piece_bytes)
{
    begin_file(f);
    size_t mdat = begin(f, "mdat");
    put_obu(f, side, side);
    end(f, mdat);
    size_t meta = begin_meta(f);
    put_iinf(f, type, 1);
    put_iloc(f, 0, 1, DATA_OFF, OBU_BYTES, piece_bytes);
    end(f, meta);
}

static void expect(const file *f, pn_status want, const char *named)
{
    pn_error err = {0};
    int64_t live = pn_alloc_live();
    pn_status status = pn_av1_check_size(f->bytes, f->n, "a.avif", &err);
    if (status != want || !strstr(err.message, named))
        fail_msg("status %d, expected %d naming \"%s\": %s", (int)status, (int)want, named,
                 err.message);
    assert_int_equal(pn_alloc_live(), live);
}

static void size__is_found_in_items(void **state)
{
    file *f = *state;
    for (size_t piece_bytes = 1; piece_bytes <= OBU_BYTES; piece_bytes++) {
        make(f, "av01", 20000, piece_bytes);
        expect(f, PN_ERR_LIMIT, "20000 x 20000");
        make(f, "av01", 8000, piece_bytes);
        expect(f, PN_OK, "");
    }
    make(f, "Exif", 20000, OBU_BYTES); // bytes of something else
    expect(f, PN_OK, "");
}

static void size__is_found_behind_operating_points(void **state)
{
    file *f = *state;
    for (int large = 0; large <= 1; large++) {
        begin_file(f);
        size_t mdat = begin(f, "mdat");
        put(f, "\x12\0", 2); // a temporal delimiter comes first
        put_full_obu(f, large ? 40000 : 400, 300);
        size_t total = f->n - mdat - 8;
        end(f, mdat);
        size_t meta = begin_meta(f);
        put_iinf(f, "av01", 1);
        put_iloc(f, 0, 1, DATA_OFF, total, total);
        end(f, meta);
        expect(f, large ? PN_ERR_LIMIT : PN_OK, large ? "40000 x 300" : "");
    }
}

static void size__is_found_in_configurations_and_later_metas(void **state)
{
    file *f = *state;
    make(f, "av01", 100, OBU_BYTES);
    size_t meta = begin_meta(f), iprp = begin(f, "iprp"), ipco = begin(f, "ipco"),
           av1c = begin(f, "av1C");
    put_big(f, 0, 4);
    put_obu(f, 50000, 60000);
    end(f, av1c);
    end(f, ipco);
    end(f, iprp);
    end(f, meta);
    expect(f, PN_ERR_LIMIT, "50000 x 60000");
}

static void size__is_found_inside_the_meta_box(void **state)
{
    file *f = *state;
    begin_file(f);
    size_t meta = begin_meta(f);
    put_iinf(f, "av01", 1);
    put_iloc(f, 1, 1, 0, OBU_BYTES, 4);
    size_t idat = begin(f, "idat");
    put_obu(f, 30001, 1);
    end(f, idat);
    end(f, meta);
    expect(f, PN_ERR_LIMIT, "30001 x 1");
}

static void items__cannot_multiply_the_work(void **state)
{
    file *f = *state;
    begin_file(f);
    size_t mdat = begin(f, "mdat");
    put_obu(f, 10, 10);
    f->n += 40000; // whatever was there
    end(f, mdat);
    size_t meta = begin_meta(f);
    put_iinf(f, "av01", 100);
    put_iloc(f, 0, 100, DATA_OFF, 40000, 40000);
    end(f, meta);
    expect(f, PN_ERR_LIMIT, "share");
    begin_file(f);
    meta = begin_meta(f);
    put_iinf(f, "av01", 5000);
    put_iloc(f, 0, 1, 0, 1, 1);
    end(f, meta);
    expect(f, PN_ERR_LIMIT, "4096");
}

/* Copies of the exact length, so that a read behind it is seen; then each byte changed. */
static void damage__is_left_to_the_decoder(void **state)
{
    file *f = *state;
    make(f, "av01", 100, 3);
    for (size_t n = 1; n <= f->n; n++) {
        pn_error err = {0};
        uint8_t *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, f->bytes, n);
        assert_int_equal(pn_av1_check_size(copy, n, "cut", &err), PN_OK);
        free(copy);
    }
    for (size_t i = 0; i < f->n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            pn_error err = {0};
            uint8_t *copy = malloc(f->n);
            assert_non_null(copy);
            memcpy(copy, f->bytes, f->n);
            copy[i] ^= (uint8_t)(1u << bit);
            pn_status status = pn_av1_check_size(copy, f->n, "odd", &err);
            assert_true(status == PN_OK || status == PN_ERR_LIMIT);
            free(copy);
        }
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(file));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(size__is_found_in_items),
        cmocka_unit_test(size__is_found_behind_operating_points),
        cmocka_unit_test(size__is_found_in_configurations_and_later_metas),
        cmocka_unit_test(size__is_found_inside_the_meta_box),
        cmocka_unit_test(items__cannot_multiply_the_work),
        cmocka_unit_test(damage__is_left_to_the_decoder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
