/*
 * test_buffer.c - growable bytes against a plain array, up to the maximum and no further
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include <stdint.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/rng.h"

static int setup(void **state)
{
    static pn_buffer buffer;
    pn_buffer_init(&buffer, 1000);
    *state = &buffer;
    return 0;
}

static int teardown(void **state)
{
    pn_alloc_fail_after(0);
    pn_buffer_reset(*state);
    return pn_alloc_live() != 0;
}

static pn_status append_something(pn_buffer *buffer, pn_rng *rng, char *model, size_t *n)
{
    char piece[64];
    size_t length = pn_rng_below(rng, sizeof piece);
    uint64_t way = pn_rng_below(rng, 4);
    memset(piece, (int)('a' + pn_rng_below(rng, 26)), sizeof piece);
    piece[length] = '\0';
    pn_status status = way == 0   ? pn_buffer_append(buffer, piece, length, NULL)
                       : way == 1 ? pn_buffer_append_fill(buffer, (uint8_t)piece[0], length, NULL)
                       : way == 2 ? pn_buffer_append_text(buffer, piece, NULL)
                                  : pn_buffer_append_format(buffer, NULL, "%s", piece);
    if (status == PN_OK) {
        memset(model + *n, piece[0], length);
        *n += length;
    } else {
        assert_int_equal(status, PN_ERR_LIMIT);
        assert_true(*n + length > buffer->max_bytes);
    }
    return status;
}

static void appends__are_those_of_a_plain_array(void **state)
{
    pn_buffer *buffer = *state;
    static char model[20000];
    pn_rng rng = pn_rng_seed(3);
    for (size_t max = 0; max < 20000; max = max * 3 + 1) {
        size_t n = 0;
        pn_buffer_reset(buffer);
        pn_buffer_init(buffer, max);
        for (int i = 0; i < 1000; i++) {
            (void)append_something(buffer, &rng, model, &n); // checked inside
            assert_int_equal(buffer->n_bytes, n);
            assert_true(buffer->n_bytes <= buffer->max_bytes);
        }
        assert_true(n + 64 > max); // it was filled
        if (n > 0)
            assert_memory_equal(buffer->data, model, n);
    }
}

static void trimming__empties_and_keeps_little_memory(void **state)
{
    pn_buffer *buffer = *state;
    pn_error err = {0};
    assert_int_equal(pn_buffer_append_fill(buffer, 'x', 700, &err), PN_OK);
    const uint8_t *memory = buffer->data;
    size_t capacity = buffer->capacity;
    pn_buffer_trim(buffer, capacity);
    assert_int_equal(buffer->n_bytes, 0);
    assert_int_equal(buffer->capacity, capacity);
    assert_ptr_equal(buffer->data, memory);
    pn_buffer_trim(buffer, capacity - 1);
    assert_int_equal(buffer->capacity, 0);
    assert_null(buffer->data);
    assert_int_equal(pn_buffer_append_fill(buffer, 'x', 1001, &err),
                     PN_ERR_LIMIT); // still its maximum
    assert_int_equal(pn_buffer_append_fill(buffer, 'x', 1000, &err), PN_OK);
}

static void the_maximum__can_be_reached_exactly(void **state)
{
    pn_buffer *buffer = *state;
    pn_error err = {0};
    static const char zeros[1001];
    assert_int_equal(pn_buffer_append(buffer, zeros, 1001, &err), PN_ERR_LIMIT);
    assert_non_null(strstr(err.message, "1000"));
    assert_int_equal(buffer->n_bytes, 0);
    assert_int_equal(pn_buffer_append(buffer, zeros, 995, &err), PN_OK);
    assert_int_equal(pn_buffer_append_format(buffer, &err, "%s", "12345"), PN_OK);
    assert_int_equal(buffer->n_bytes, 1000);
    assert_int_equal(pn_buffer_append(buffer, zeros, 0, &err), PN_OK);
    assert_int_equal(pn_buffer_append_text(buffer, "", &err), PN_OK);
    assert_int_equal(pn_buffer_append_text(buffer, "6", &err), PN_ERR_LIMIT);
    assert_int_equal(pn_buffer_append_fill(buffer, 1, SIZE_MAX, &err), PN_ERR_LIMIT); // wraps
    assert_int_equal(buffer->n_bytes, 1000);
    assert_memory_equal(buffer->data + 995, "12345", 5);
    assert_non_null(pn_buffer_text(buffer));
    assert_string_equal((char *)buffer->data + 995, "12345");
}

static void memory__stays_near_the_maximum(void **state)
{
    pn_buffer *buffer = *state;
    assert_int_equal(pn_buffer_append_fill(buffer, 1, 600, NULL), PN_OK);
    assert_true(buffer->capacity <= 1001); // not the next power of two
    assert_int_equal(pn_buffer_append_fill(buffer, 1, 400, NULL), PN_OK);
    assert_true(buffer->capacity <= 1001);
}

static void text__ends_in_a_nul_that_does_not_count(void **state)
{
    pn_buffer *buffer = *state;
    assert_string_equal(pn_buffer_text(buffer), "");
    assert_int_equal(buffer->n_bytes, 0);
    assert_int_equal(pn_buffer_append_format(buffer, NULL, "%d-%s", 7, "x"), PN_OK);
    assert_string_equal(pn_buffer_text(buffer), "7-x");
    assert_int_equal(pn_buffer_append_text(buffer, "y", NULL), PN_OK);
    assert_string_equal(pn_buffer_text(buffer), "7-xy");
    pn_buffer_clear(buffer);
    assert_string_equal(pn_buffer_text(buffer), "");
}

static void detach__gives_the_bytes_away(void **state)
{
    pn_buffer *buffer = *state;
    assert_null(pn_buffer_detach(buffer));
    assert_int_equal(pn_buffer_append_text(buffer, "abc", NULL), PN_OK);
    uint8_t *bytes = pn_buffer_detach(buffer);
    assert_memory_equal(bytes, "abc", 3);
    pn_free(bytes);
    assert_int_equal(buffer->n_bytes, 0);
    assert_int_equal(buffer->max_bytes, 1000);
    assert_int_equal(pn_buffer_append_text(buffer, "de", NULL), PN_OK);
    assert_string_equal(pn_buffer_text(buffer), "de");
}

static void no_memory__leaves_the_buffer_as_it_was(void **state)
{
    pn_buffer *buffer = *state;
    pn_error err = {0};
    pn_alloc_fail_after(1);
    assert_null(pn_buffer_text(buffer));
    assert_int_equal(pn_buffer_append_text(buffer, "a", &err), PN_ERR_NOMEM);
    pn_alloc_fail_after(0);
    assert_int_equal(pn_buffer_append_fill(buffer, 'x', 256, &err), PN_OK);
    pn_alloc_fail_after(1);
    assert_int_equal(pn_buffer_append(buffer, "b", 1, &err), PN_ERR_NOMEM);
    assert_int_equal(pn_buffer_append_fill(buffer, 'b', 1, &err), PN_ERR_NOMEM);
    assert_int_equal(pn_buffer_append_format(buffer, &err, "b"), PN_ERR_NOMEM);
    pn_alloc_fail_after(0);
    assert_int_equal(buffer->n_bytes, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(buffer->data[i], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(appends__are_those_of_a_plain_array, setup, teardown),
        cmocka_unit_test_setup_teardown(trimming__empties_and_keeps_little_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(the_maximum__can_be_reached_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(memory__stays_near_the_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(text__ends_in_a_nul_that_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(detach__gives_the_bytes_away, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory__leaves_the_buffer_as_it_was, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
