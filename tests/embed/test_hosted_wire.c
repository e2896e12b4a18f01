/*
 * test_hosted_wire.c - what is said to a server, what is taken from it, what of its refusals is told
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "embed/hosted_wire.h"

#include <math.h>

#define ONE(vector) "{\"time\":0.1,\"embeddings\":[" vector "]}"

static void expect_body(pn_buffer *body, const char *text)
{
    assert_string_equal(pn_buffer_text(body), text);
    pn_buffer_reset(body);
}

static void requests__are_as_the_server_wants_them(void **state)
{
    (void)state;
    pn_buffer body;
    char one[] = "M", two[] = "Ma", three[] = "Man";
    const pn_embed_input inputs[] = {{one, 1}, {two, 2}, {three, 3}, {NULL, 0}};
    pn_buffer_init(&body, 1000);
    assert_int_equal(pn_hosted_write_pictures("ViT-B-16", inputs, 4, &body, NULL), PN_OK);
    expect_body(&body, "{\"clip_version_id\":\"ViT-B-16\",\"image\":["
                       "{\"type\":\"base64\",\"value\":\"TQ==\"},{\"type\":\"base64\",\"value\":"
                       "\"TWE=\"},{\"type\":\"base64\",\"value\":\"TWFu\"},"
                       "{\"type\":\"base64\",\"value\":\"\"}]}");
    const pn_str texts[] = {PN_STR_LITERAL("a \"b\"\n"), PN_STR_LITERAL("\xC3\xA9")};
    assert_int_equal(pn_hosted_write_texts("v", texts, 2, &body, NULL), PN_OK);
    expect_body(&body, "{\"clip_version_id\":\"v\",\"text\":[\"a \\\"b\\\"\\n\",\"\xC3\xA9\"]}");
    const pn_str wrong = PN_STR_LITERAL("\xFF");
    assert_int_equal(pn_hosted_write_texts("v", &wrong, 1, &body, NULL), PN_ERR_INVALID);
    pn_buffer_reset(&body);
    pn_buffer_init(&body, 100);
    const pn_embed_input large = {one, 1 << 20};
    assert_int_equal(pn_hosted_write_pictures("v", &large, 1, &body, NULL), PN_ERR_LIMIT);
    pn_buffer_reset(&body);
}

static void answers__become_unit_vectors(void **state)
{
    (void)state;
    static const char text[] = ONE("[3,0,-4.0],[1e30,1e30,0]");
    float *v = NULL;
    uint32_t dim = 0;
    assert_int_equal(pn_hosted_read_answer(text, strlen(text), 2, 0, &v, &dim, NULL), PN_OK);
    assert_int_equal(dim, 3);
    assert_true(fabsf(v[0] - 0.6f) < 1e-6f && fabsf(v[2] + 0.8f) < 1e-6f);
    assert_true(fabsf(v[3] - sqrtf(0.5f)) < 1e-6f && fabsf(v[4] - sqrtf(0.5f)) < 1e-6f);
    pn_free(v);
    assert_int_equal(pn_hosted_read_answer(text, strlen(text), 2, 3, &v, &dim, NULL), PN_OK);
    pn_free(v);
}

static void answers__that_are_wrong_are_refused_and_leave_the_output(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        size_t n;
        uint32_t dim;
    } cases[] = {
        {"", "no JSON", 1, 0},
        {"{", "no JSON", 1, 0},
        {"\"x\"", "no JSON", 1, 0},
        {"[1]", "without \"embeddings\"", 1, 0},
        {"{\"embeddings\":{}}", "without \"embeddings\"", 1, 0},
        {"{\"embeddings\":null}", "without \"embeddings\"", 1, 0},
        {"{\"embeddings\":[]}", "0 embeddings came for 1", 1, 0},
        {ONE("[1],[1]"), "2 embeddings came for 1", 1, 0},
        {ONE("[1]"), "1 embeddings came for 2", 2, 0},
        {ONE("[]"), "has 0 numbers", 1, 0},
        {ONE("1"), "has 0 numbers", 1, 0},
        {ONE("{\"0\":1}"), "has 0 numbers", 1, 0},
        {ONE("[1,2]"), "has 2 numbers, not 3", 1, 3},
        {ONE("[1,2],[1]"), "embedding 2 has 1 numbers, not 2", 2, 0},
        {ONE("[1,2],[1,2,3]"), "embedding 2 has 3 numbers, not 2", 2, 0},
        {ONE("[1,\"2\"]"), "value 2 is no number", 1, 0},
        {ONE("[1,null]"), "value 2 is no number", 1, 0},
        {ONE("[true]"), "value 1 is no number", 1, 0},
        {ONE("[[1]]"), "value 1 is no number", 1, 0},
        {ONE("[NaN]"), "no JSON", 1, 0},
        {ONE("[Infinity]"), "no JSON", 1, 0},
        {ONE("[1e999]"), "no JSON", 1, 0},
        {ONE("[1e39]"), "too large", 1, 0},
        {ONE("[-1e300]"), "too large", 1, 0},
        {ONE("[99999999999999999999999]"), "no JSON", 1, 0},
        {ONE("[0,0]"), "zeros", 1, 0},
        {ONE("[1e-300]"), "zeros", 1, 0},
        {ONE("[1],[0]"), "embedding 2 is a vector of zeros", 2, 0},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_error err = {0};
        float *v = NULL;
        uint32_t dim = 77;
        assert_int_equal(pn_hosted_read_answer(cases[i].text, strlen(cases[i].text), cases[i].n,
                                               cases[i].dim, &v, &dim, &err),
                         PN_ERR_IO);
        if (!strstr(err.message, cases[i].says))
            fail_msg("%s: \"%s\"", cases[i].text, err.message);
        assert_null(v);
        assert_int_equal(dim, 77);
    }
}

static void answers__of_too_many_floats_are_refused(void **state)
{
    (void)state;
    pn_buffer text;
    float *v = NULL;
    uint32_t dim;
    pn_error err = {0};
    pn_buffer_init(&text, 1 << 20);
    assert_int_equal(pn_buffer_append_text(&text, "{\"embeddings\":[[1", NULL), PN_OK);
    for (int i = 0; i < 8192; i++)
        assert_int_equal(pn_buffer_append_text(&text, ",1", NULL), PN_OK);
    assert_int_equal(pn_buffer_append_text(&text, "]]}", NULL), PN_OK);
    assert_int_equal(pn_hosted_read_answer(text.data, text.n_bytes, 1, 0, &v, &dim, &err),
                     PN_ERR_IO);
    assert_non_null(strstr(err.message, "8193 numbers; 1 to 8192"));
    pn_buffer_reset(&text);
}

static void answers__survive_every_failed_allocation(void **state)
{
    (void)state;
    static const char text[] = ONE("[3,0,-4.0]");
    float *v = NULL;
    uint32_t dim;
    pn_alloc_fail_after(1);
    assert_int_equal(pn_hosted_read_answer(text, strlen(text), 1, 0, &v, &dim, NULL), PN_ERR_NOMEM);
    pn_alloc_fail_after(0);
    assert_null(v);
}

static void refusals__are_told_without_secrets_and_controls(void **state)
{
    (void)state;
    static const char key[] = "a+B/9=";
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", ""},
        {"{}", ""},
        {"{\"message\":12}", ""},
        {"<html>Bad gateway</html>", ""},
        {"Bad gateway\r\n", "Bad gateway"},
        {"{\"message\":\"no\\u001b[31m\\nso\"}", "no [31m so"},
        {"{\"detail\":\"Not Found\"}", "Not Found"},
        {"{\"detail\":[{\"msg\":\"too long\"}]}", "too long"},
        {"{\"error\":{\"message\":\"quota\"}}", "quota"},
        {"{\"message\":\"key a+B/9= is bad\"}", "key *** is bad"},
        {"{\"message\":\"key a\\u002bB\\/9= is bad\"}", "key *** is bad"},
        {"x a%2BB%2F9%3D y a%2bB%2f9%3d z a+B%2f9= a+B/9", "x *** y *** z *** a+B/9"},
        {"a+B/9=A+b/9=", "******"},
        {"\xC2\x85quiet\x7F", "quiet"},
        {"\xFFnot text", "not text"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        char out[PN_HOSTED_REFUSAL_BYTES];
        pn_hosted_read_refusal(cases[i].text, strlen(cases[i].text), key, out);
        assert_string_equal(out, cases[i].says);
    }
}

static void refusals__are_cut_behind_the_secret_was_taken_out(void **state)
{
    (void)state;
    char text[1000], out[PN_HOSTED_REFUSAL_BYTES];
    for (size_t at = 200; at < 260; at++) {
        memset(text, 'x', sizeof text);
        memcpy(text + at, "SECRETKEY", 9);
        pn_hosted_read_refusal(text, sizeof text, "SECRETKEY", out);
        assert_true(strlen(out) < PN_HOSTED_REFUSAL_BYTES);
        assert_null(strstr(out, "S")); // not even its first letter
    }
    memset(text, 0xC3, sizeof text);
    for (size_t i = 1; i < sizeof text; i += 2)
        text[i] = (char)0xA9;
    pn_hosted_read_refusal(text, sizeof text, NULL, out);
    assert_true(pn_str_is_utf8(pn_str_of(out)));
}

static void escaping__keeps_what_needs_none(void **state)
{
    (void)state;
    pn_buffer out;
    pn_buffer_init(&out, 100);
    assert_int_equal(pn_hosted_write_escaped("aZ09-._~ +/=&%\x01\xC3", &out, NULL), PN_OK);
    expect_body(&out, "aZ09-._~%20%2B%2F%3D%26%25%01%C3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests__are_as_the_server_wants_them),
        cmocka_unit_test(answers__become_unit_vectors),
        cmocka_unit_test(answers__that_are_wrong_are_refused_and_leave_the_output),
        cmocka_unit_test(answers__of_too_many_floats_are_refused),
        cmocka_unit_test(answers__survive_every_failed_allocation),
        cmocka_unit_test(refusals__are_told_without_secrets_and_controls),
        cmocka_unit_test(refusals__are_cut_behind_the_secret_was_taken_out),
        cmocka_unit_test(escaping__keeps_what_needs_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
