/*
 * test_hub_repo.c - what of a hub's list is chosen, and which lists are not believed
 */
#include "embed/hub_repo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/compiler.h"
#include "support/faults.h"

#define SHA1 "0123456789012345678901234567890123456789"
#define SHA256 "0123456789012345678901234567890123456789012345678901234567890123"
#define SMALL(name) "{\"rfilename\": \"" name "\", \"size\": 5, \"blobId\": \"" SHA1 "\"}"
#define LFS "\"size\": 1, \"lfs\": {\"sha256\": \"" SHA256 "\", \"size\": 7}"
#define LARGE(name) "{\"rfilename\": \"" name "\", " LFS "}"
#define SHARDS                                                                                     \
    LARGE("model-00002-of-00002.safetensors")                                                      \
    "," LARGE("model-00001-of-00002.safetensors") "," SMALL(                                       \
        "model.safetensors.index.json") "," LARGE("model.safetensors")
#define LIST(files) "{\"sha\": \"abc123\", \"siblings\": [" files "]}"

static pn_status parse(const char *json, pn_arena *arena, pn_hub_repo *out, pn_error *err)
{
    return pn_hub_repo_parse(json, strlen(json), "acme/clip", arena, out, err);
}

/* The names chosen, with a blank behind each. */
static void chosen(const char *json, char *out, size_t n)
{
    pn_arena arena;
    pn_hub_repo repo;
    pn_error err = {0};
    pn_arena_init(&arena, SIZE_MAX);
    if (parse(json, &arena, &repo, &err) != PN_OK)
        fail_msg("%s", err.message);
    out[0] = '\0';
    for (size_t i = 0; i < repo.n; i++) {
        size_t used = strlen(out);
        (void)snprintf(out + used, n - used, "%s ", repo.files[i].name);
    }
    pn_arena_reset(&arena);
}

static void weights__are_those_that_would_be_opened(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } cases[] = {
        {LIST(SMALL("config.json") "," LARGE("model.safetensors") "," LARGE(
             "open_clip_model.safetensors") "," SMALL("README.md")),
         "config.json model.safetensors "},
        {LIST(LARGE("open_clip_model.safetensors") "," SMALL("open_clip_config.json")),
         "open_clip_config.json open_clip_model.safetensors "},
        {LIST(SHARDS), "model.safetensors.index.json model-00002-of-00002.safetensors "
                       "model-00001-of-00002.safetensors "},
        {LIST(LARGE("model.safetensors") "," SMALL("sub/config.json") "," SMALL("vocab.txt")),
         "vocab.txt model.safetensors "},
        {LIST(LARGE("model-\xC3\xA9.safetensors") "," SMALL("model.safetensors.index.json")),
         "model.safetensors.index.json "},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        char got[512];
        chosen(cases[i].json, got, sizeof got);
        assert_string_equal(got, cases[i].want);
    }
}

static void sizes_and_digests__are_the_contents(void **state)
{
    (void)state;
    pn_arena arena;
    pn_hub_repo repo;
    pn_arena_init(&arena, SIZE_MAX);
    assert_int_equal(
        parse(LIST(SMALL("config.json") "," LARGE("model.safetensors")), &arena, &repo, NULL),
        PN_OK);
    assert_string_equal(repo.commit, "abc123");
    assert_int_equal(repo.files[0].n_bytes, 5);
    assert_int_equal(repo.files[0].kind, PN_DIGEST_GIT_BLOB);
    assert_string_equal(repo.files[0].digest, SHA1);
    assert_int_equal(repo.files[1].n_bytes, 7); // of the file, not of its pointer
    assert_int_equal(repo.files[1].kind, PN_DIGEST_SHA256);
    assert_string_equal(repo.files[1].digest, SHA256);
    pn_arena_reset(&arena);
}

static void a_list_that_cannot_be_believed__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
        pn_status status;
    } cases[] = {
        {"", "not JSON", PN_ERR_CORRUPT},
        {"[]", "is it a hub", PN_ERR_CORRUPT},
        {"{\"siblings\": []}", "is it a hub", PN_ERR_CORRUPT},
        {"{\"sha\": \"..\", \"siblings\": []}", "is it a hub", PN_ERR_CORRUPT},
        {"{\"sha\": \"a/b\", \"siblings\": []}", "is it a hub", PN_ERR_CORRUPT},
        {"{\"sha\": \"\", \"siblings\": []}", "is it a hub", PN_ERR_CORRUPT},
        {LIST("7"), "without a name", PN_ERR_CORRUPT},
        {LIST(SMALL("../x")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("a/../x")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("/x")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("a\\\\x")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("a\\u001bx")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("")), "leave its folder", PN_ERR_CORRUPT},
        {LIST(SMALL("./x")), "leave its folder", PN_ERR_CORRUPT},
        {LIST("{\"rfilename\": \"model.safetensors\", \"size\": 1}"), "no digest", PN_ERR_CORRUPT},
        {LIST("{\"rfilename\": \"model.safetensors\", \"size\": -1, \"blobId\": \"" SHA1 "\"}"),
         "no size", PN_ERR_CORRUPT},
        {LIST("{\"rfilename\": \"model.safetensors\", \"size\": 1, \"blobId\": \"../../x\"}"),
         "no digest", PN_ERR_CORRUPT},
        {LIST("{\"rfilename\": \"model.safetensors\", \"lfs\": {\"sha256\": \"" SHA1
              "\", \"size\": 1}}"),
         "no digest", PN_ERR_CORRUPT},
        {LIST(SMALL("config.json")), "no weights", PN_ERR_NOT_FOUND},
        {LIST(SMALL("pytorch_model.bin")), "a pickle", PN_ERR_NOT_FOUND},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_arena arena;
        pn_error err = {0};
        pn_hub_repo repo = {.n = 77};
        pn_arena_init(&arena, SIZE_MAX);
        assert_int_equal(parse(cases[i].json, &arena, &repo, &err), cases[i].status);
        if (!strstr(err.message, cases[i].says))
            fail_msg("no \"%s\" in %s", cases[i].says, err.message);
        assert_int_equal(repo.n, 77);
        pn_arena_reset(&arena);
    }
}

static pn_status parse_and_drop(void *context, pn_error *err)
{
    pn_arena arena;
    pn_hub_repo repo;
    (void)context;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status =
        parse(LIST(SMALL("config.json") "," LARGE("model.safetensors")), &arena, &repo, err);
    pn_arena_reset(&arena);
    return status;
}

static void without_memory__it_says_so(void **state)
{
    (void)state;
    assert_true(faults_each_allocation(parse_and_drop, NULL) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights__are_those_that_would_be_opened),
        cmocka_unit_test(sizes_and_digests__are_the_contents),
        cmocka_unit_test(a_list_that_cannot_be_believed__is_refused),
        cmocka_unit_test(without_memory__it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
