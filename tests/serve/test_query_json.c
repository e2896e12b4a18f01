/*
 * test_query_json.c - what was asked, in all its forms, and what is refused with the name of the field
 */
#include "serve/query_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/buffer.h"

static pn_arena arena;
static pn_error err;

static int setup(void **state)
{
    (void)state;
    pn_arena_init(&arena, 64u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pn_arena_reset(&arena);
    return 0;
}

static const char *const kinds = "tirv"; // of a term: text, image, row, vector

/* "t:1:boots t:-0.5:leather | where | k": what the query is, in one line. */
static const char *describe(const pn_asked *asked)
{
    static char text[1024];
    size_t n = 0;
    for (size_t i = 0; i < asked->query.n_terms; i++) {
        const pn_query_term *t = &asked->query.terms[i];
        n += (size_t)snprintf(text + n, sizeof text - n, "%c:%g", kinds[t->kind], t->weight);
        if (t->kind == PN_TERM_TEXT)
            n += (size_t)snprintf(text + n, sizeof text - n, ":%s", t->text);
        if (t->kind == PN_TERM_ID)
            n += (size_t)snprintf(text + n, sizeof text - n, ":%lld", (long long)t->id);
        if (t->kind == PN_TERM_VECTOR)
            n += (size_t)snprintf(text + n, sizeof text - n, ":%zu", t->vector_dim);
        if (t->kind == PN_TERM_IMAGE)
            n += (size_t)snprintf(text + n, sizeof text - n, ":%zu", t->image_bytes);
        n += (size_t)snprintf(text + n, sizeof text - n, " ");
    }
    (void)snprintf(text + n, sizeof text - n, "| %s | %u%s",
                   asked->query.where ? asked->query.where : "", asked->query.k,
                   asked->query.include_vectors ? " vectors" : "");
    return text;
}

static void json__becomes_terms(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"query\":\"boots\"}", "t:1:boots |  | 0"},
        {"{\"text\":\"boots\",\"k\":5}", "t:1:boots |  | 5"},
        {"{\"query\":\"boots\",\"not\":\"leather\",\"top_k\":10000}",
         "t:1:boots t:-0.5:leather |  | 10000"},
        {"{\"not\":[\"a\",\"b\"],\"query\":\"c\"}", "t:-0.5:a t:-0.5:b t:1:c |  | 0"},
        {"{\"query\":\"boots\",\"text_weight\":0.25,\"not\":\"x\"}",
         "t:0.25:boots t:-0.5:x |  | 0"},
        {"{\"query\":\"boots\",\"like\":7,\"text_weight\":0}", "r:1:7 |  | 0"},
        {"{\"query\":\"  \",\"like\":7}", "r:1:7 |  | 0"},
        {"{\"query\":null,\"like\":-1,\"text_weight\":null}", "r:1:-1 |  | 0"},
        {"{\"vector\":[1,2.5,-3],\"include_vectors\":true}", "v:1:3 |  | 0 vectors"},
        {"{\"image\":\"QUJD\",\"image_weight\":2}", "i:2:3 |  | 0"},
        {"{\"image\":\"data:image/png;base64,QUJDRA==\"}", "i:1:4 |  | 0"},
        {"{\"terms\":[{\"text\":\"a\",\"weight\":-2},{\"id\":3}]}", "t:-2:a r:1:3 |  | 0"},
        {"{\"query\":\"x\",\"where\":\"id < 5\"}", "t:1:x | id < 5 | 0"},
        {"{\"query\":\"x\",\"where\":\" \"}", "t:1:x |  | 0"},
        {"{\"query\":\"x\",\"filters\":{\"c\":\"it's\"}}", "t:1:x | (metadata['c'] = 'it''s') | 0"},
        {"{\"query\":\"x\",\"filters\":{\"c\":[\"a\",2],\"p\":{\"gte\":10,\"lt\":50.5}}}",
         "t:1:x | (metadata['c'] IN ('a', 2)) AND (metadata['p'] >= 10 AND metadata['p'] < 50.5) | "
         "0"},
        {"{\"query\":\"x\",\"filters\":{\"it's\":null}}",
         "t:1:x | (metadata['it''s'] IS NULL) | 0"},
        {"{\"query\":\"x\",\"filters\":{\"new\":true},\"where\":\"id = 1\"}",
         "t:1:x | ((metadata['new'] = 'true')) AND (id = 1) | 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pn_asked asked;
        if (pn_asked_from_json(cases[i].json, strlen(cases[i].json), &arena, &asked, &err) != PN_OK)
            fail_msg("%s: %s", cases[i].json, err.message);
        assert_string_equal(describe(&asked), cases[i].want);
    }
}

static void json__is_refused_with_the_name_of_the_field(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"query\":\"x\"", "not a JSON object"},
        {"{\"query\":\"x\",\"query\":\"y\"}", "not a JSON object"},
        {"{\"query\":\"\xFF\"}", "not a JSON object"},
        {"{}", "nothing to search for"},
        {"{\"query\":\"\"}", "nothing to search for"},
        {"{\"terms\":[]}", "nothing to search for"},
        {"{\"fliters\":{}}", "fliters"},
        {"{\"query\":5}", "query"},
        {"{\"not\":[5]}", "not"},
        {"{\"like\":1.5}", "like"},
        {"{\"vector\":[]}", "vector"},
        {"{\"vector\":[1,\"2\"]}", "vector"},
        {"{\"image\":\"%%%\"}", ""},
        {"{\"query\":\"x\",\"k\":0}", "top_k"},
        {"{\"query\":\"x\",\"top_k\":10001}", "top_k"},
        {"{\"query\":\"x\",\"k\":\"5\"}", "\"k\""},
        {"{\"query\":\"x\",\"refine\":0}", "refine"},
        {"{\"query\":\"x\",\"refine_factor\":101}", "refine"},
        {"{\"query\":\"x\",\"refine\":1.5}", "\"refine\""},
        {"{\"query\":\"x\",\"text_weight\":\"a\"}", "text_weight"},
        {"{\"text_weight\":{},\"query\":\"x\"}", "text_weight"},
        {"{\"query\":\"x\",\"filters\":[]}", "filters"},
        {"{\"query\":\"x\",\"filters\":{\"c\":[]}}", "\"c\""},
        {"{\"query\":\"x\",\"filters\":{\"c\":{}}}", "\"c\""},
        {"{\"query\":\"x\",\"filters\":{\"c\":{\"like\":1}}}", "\"like\""},
        {"{\"query\":\"x\",\"filters\":{\"c\":[[1]]}}", "\"c\""},
        {"{\"terms\":[{\"text\":\"a\",\"wieght\":1}]}", "terms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pn_asked asked;
        err.message[0] = '\0';
        if (pn_asked_from_json(cases[i].json, strlen(cases[i].json), &arena, &asked, &err) !=
            PN_ERR_INVALID)
            fail_msg("%s was taken: %s", cases[i].json, describe(&asked));
        if (!strstr(err.message, cases[i].message))
            fail_msg("%s: no \"%s\" in \"%s\"", cases[i].json, cases[i].message, err.message);
    }
}

static void json__has_limits(void **state)
{
    (void)state;
    pn_asked asked;
    pn_buffer text;
    pn_buffer_init(&text, 1u << 20);
    assert_int_equal(pn_buffer_append_text(&text, "{\"query\":\"x\",\"not\":[\"y\"", &err), PN_OK);
    for (int i = 1; i < PN_ASKED_MAX_TERMS - 1; i++)
        assert_int_equal(pn_buffer_append_text(&text, ",\"y\"", &err), PN_OK);
    size_t n = text.n_bytes;
    assert_int_equal(pn_buffer_append_text(&text, "]}", &err), PN_OK);
    assert_int_equal(pn_asked_from_json((char *)text.data, n + 2, &arena, &asked, &err), PN_OK);
    assert_int_equal(asked.n_terms, PN_ASKED_MAX_TERMS);
    memcpy(text.data + n, ",\"", 2); // one more
    assert_int_equal(pn_buffer_append_text(&text, "z\"]}", &err), PN_OK);
    assert_int_equal(pn_asked_from_json((char *)text.data, text.n_bytes, &arena, &asked, &err),
                     PN_ERR_LIMIT);
    pn_buffer_clear(&text);
    for (int i = 0; i < 100000; i++) // jansson bounds the depth
        assert_int_equal(pn_buffer_append_text(&text, "[", &err), PN_OK);
    assert_int_equal(pn_asked_from_json((char *)text.data, text.n_bytes, &arena, &asked, &err),
                     PN_ERR_INVALID);
    pn_buffer_reset(&text);
}

static void fields__say_the_same_as_json(void **state)
{
    (void)state;
    pn_asked asked;
    static const char *const fields[][2] = {
        {"q", "boots"}, {"not", "leather"},  {"like", "4"},   {"text_weight", "0.7"},
        {"k", "12"},    {"where", "id > 1"}, {"refine", "7"}, {"include_vectors", "1"},
    };
    pn_asked_begin(&asked);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_int_equal(pn_asked_field(&asked, fields[i][0], fields[i][1], &arena, &err), PN_OK);
    assert_int_equal(pn_asked_picture(&asked, "abc", 3, "a.jpg", &err), PN_OK);
    assert_int_equal(pn_asked_finish(&asked, &err), PN_OK);
    assert_string_equal(describe(&asked),
                        "t:0.7:boots t:-0.5:leather r:1:4 i:1:3 | id > 1 | 12 vectors");
    assert_true(asked.has_picture);
    static const char *const wrong[][2] = {{"k", "x"},
                                           {"k", "0"},
                                           {"k", ""},
                                           {"refine", "101"},
                                           {"refine", ""},
                                           {"like", "1.5"},
                                           {"text_weight", "much"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(pn_asked_field(&asked, wrong[i][0], wrong[i][1], &arena, &err),
                         PN_ERR_INVALID);
    assert_int_equal(pn_asked_field(&asked, "other", "x", &arena, &err), PN_ERR_NOT_FOUND);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(json__becomes_terms),
        TEST(json__is_refused_with_the_name_of_the_field),
        TEST(json__has_limits),
        TEST(fields__say_the_same_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
