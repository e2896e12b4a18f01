/*
 * test_selftest.c - a model is damaged in every way that would go unnoticed, and the golden vectors notice, and say what it is
 */
#include "embed/selftest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/endian.h"
#include "embed/selftest_inputs.h"
#include "image/decode.h"
#include "os/dir.h"
#include "os/fd.h"
#include "support/scratch_folder.h"

static char demo[1024];
static pn_error err;

static int setup(void **state)
{
    (void)state;
    const char *source = getenv("PN_SOURCE_DIR");
    char relative[1000];
    (void)snprintf(relative, sizeof relative, "%s/demo/model", source ? source : ".");
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *path = NULL;
    bool ok = pn_path_real(relative, &arena, &path, &err) == PN_OK;
    if (ok)
        (void)snprintf(demo, sizeof demo, "%s", path);
    pn_arena_reset(&arena);
    return !ok || pn_image_library_init(&err) != PN_OK;
}

/* A folder with links to the demo model's files. */
static char *make_copy(scratch_folder *f)
{
    char **names;
    size_t n;
    char *dir = scratch_path(f, "model");
    assert_int_equal(pn_dir_make(dir, &err), PN_OK);
    assert_int_equal(pn_dir_list(demo, &f->arena, &names, &n, &err), PN_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pn_path_link(pn_path_join(&f->arena, demo, names[i]),
                                      pn_path_join(&f->arena, dir, names[i]), &err),
                         PN_OK);
    return dir;
}

static void read_file(scratch_folder *f, const char *dir, const char *name, pn_buffer *out)
{
    pn_buffer_init(out, 64u << 20);
    assert_int_equal(pn_file_read(pn_path_join(&f->arena, dir, name), out, &err), PN_OK);
    assert_non_null(pn_buffer_text(out));
}

static void write_file(scratch_folder *f, const char *dir, const char *name, const void *bytes,
                       size_t n)
{
    char *path = pn_path_join(&f->arena, dir, name);
    assert_int_equal(pn_path_remove(path, &err), PN_OK); // the link, not what it leads to
    assert_int_equal(pn_file_write_atomic(path, bytes, n, &err), PN_OK);
}

/* Replace text in a file of the copy; it has to be there. */
static void edit(scratch_folder *f, const char *dir, const char *name, const char *old,
                 const char *new)
{
    pn_buffer before, after;
    read_file(f, dir, name, &before);
    const char *text = (const char *)before.data, *at = strstr(text, old);
    if (!at)
        fail_msg("%s has no %s", name, old);
    pn_buffer_init(&after, 64u << 20);
    assert_int_equal(pn_buffer_append(&after, text, (size_t)(at - text), &err), PN_OK);
    assert_int_equal(pn_buffer_append_text(&after, new, &err), PN_OK);
    assert_int_equal(pn_buffer_append_text(&after, at + strlen(old), &err), PN_OK);
    write_file(f, dir, name, after.data, after.n_bytes);
    pn_buffer_reset(&after);
    pn_buffer_reset(&before);
}

/* A processor whose steps are all said, with the given ones. */
static void set_processor(scratch_folder *f, const char *dir, const char *resample,
                          const char *size, const char *normalise)
{
    char *text =
        pn_arena_printf(&f->arena, "{\"resample\": %s, %s, %s}", resample, size, normalise);
    write_file(f, dir, "preprocessor_config.json", text, strlen(text));
}

static pn_golden_report check(scratch_folder *f, const char *dir, pn_clip_precision precision)
{
    pn_golden golden;
    pn_golden_report report = {0};
    pn_embedder *embedder = NULL;
    const pn_local_options options = {.model = dir, .precision = precision, .cache = ""};
    if (pn_golden_read(pn_path_join(&f->arena, dir, PN_GOLDEN_FILE), &f->arena, &golden, &err) !=
            PN_OK ||
        pn_local_embedder_create(&options, &embedder, &err) != PN_OK ||
        pn_golden_check(&golden, embedder, dir, 0.99999, &report, &err) != PN_OK)
        fail_msg("%s", err.message);
    pn_embedder_free(embedder);
    return report;
}

static void expect(scratch_folder *f, const char *dir, const char *says, const char *says_too)
{
    pn_golden_report report = check(f, dir, PN_CLIP_EXACT);
    assert_false(report.passed);
    if (!strstr(report.problem, says) || !strstr(report.problem, says_too))
        fail_msg("no \"%s\", \"%s\" in: %s", says, says_too, report.problem);
}

static void the_demo_model__has_the_vectors_of_the_formulas(void **state)
{
    scratch_folder *f = *state;
    pn_golden_report report = check(f, demo, PN_CLIP_EXACT);
    if (!report.passed)
        fail_msg("%s", report.problem);
    assert_true(report.image_cosine > 0.9999999);
    assert_true(report.text_cosine > 0.9999999);
    assert_string_equal(report.problem, "");
    assert_true(check(f, demo, PN_CLIP_F32).passed);
}

#define CROP "\"size\": {\"shortest_edge\": 96}, \"crop_size\": {\"height\": 96, \"width\": 96}"
#define SQUASH "\"size\": {\"height\": 96, \"width\": 96}, \"do_center_crop\": false"
#define MEAN "\"image_mean\": [0.48145466, 0.4578275, 0.40821073]"
#define STD "\"image_std\": [0.26862954, 0.26130258, 0.27577711]"
#define MEAN_BGR "\"image_mean\": [0.40821073, 0.4578275, 0.48145466]"
#define STD_BGR "\"image_std\": [0.27577711, 0.26130258, 0.26862954]"
#define HALF "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]"

static void another_preprocessing__is_named(void **state)
{
    scratch_folder *f = *state;
    static const struct {
        const char *resample, *size, *normalise, *says, *says_too;
    } cases[] = {
        {"3", CROP, MEAN_BGR ", " STD, "image_mean has the order blue", ""},
        {"3", CROP, MEAN ", " STD_BGR, "image_std has the order blue", ""},
        {"3", CROP, MEAN_BGR ", " STD_BGR, "image_mean and image_std have the order", ""},
        {"2", CROP, MEAN ", " STD, "the bilinear filter instead of the bicubic", "resample"},
        {"3", SQUASH, MEAN ", " STD, "\"squash\" instead of \"crop\"", ""},
        {"3", CROP, "\"do_normalize\": false", "are not OpenAI's", ""},
        {"3", CROP, HALF, "are not OpenAI's", ""},
        {"2", SQUASH, MEAN_BGR ", " STD, "bilinear", "image_mean has the order blue"},
    };
    char *dir = make_copy(f);
    set_processor(f, dir, "3", CROP, MEAN ", " STD);
    assert_true(check(f, dir, PN_CLIP_EXACT).passed); // as it should be
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        set_processor(f, dir, cases[i].resample, cases[i].size, cases[i].normalise);
        expect(f, dir, cases[i].says, cases[i].says_too);
    }
}

/* Where the data of a tensor of the copy's weights begin. */
static uint8_t *tensor_of(pn_buffer *file, const char *name)
{
    uint64_t n_header = pn_load_le64(file->data);
    const char *header = (const char *)file->data + 8, *at = strstr(header, name);
    assert_non_null(at);
    const char *offsets = strstr(at, "\"data_offsets\":");
    assert_non_null(offsets);
    offsets = strchr(offsets, '[') + 1;
    return file->data + 8 + n_header + strtoull(offsets, NULL, 10);
}

static void swapped_channels__are_called_bgr(void **state)
{
    scratch_folder *f = *state;
    enum { WIDTH = 192, PLANE = 16 * 16 * 2 };
    pn_buffer file;
    char *dir = make_copy(f);
    read_file(f, dir, "model.safetensors", &file);
    uint8_t *patch = tensor_of(&file, "\"vision_model.embeddings.patch_embedding.weight\"");
    for (size_t i = 0; i < WIDTH; i++) {
        uint8_t *red = patch + i * 3 * PLANE, *blue = red + 2 * PLANE, kept[PLANE];
        memcpy(kept, red, PLANE);
        memcpy(red, blue, PLANE);
        memcpy(blue, kept, PLANE);
    }
    write_file(f, dir, "model.safetensors", file.data, file.n_bytes);
    pn_buffer_reset(&file);
    expect(f, dir, "channels in the order BGR", "model.safetensors is not the file");
}

static void changed_weights__are_noticed_and_told_from_the_rest(void **state)
{
    scratch_folder *f = *state;
    static const struct {
        const char *tensor;
        size_t n_bytes; /* from its start, set to zero */
        const char *says;
    } cases[] = {{"\"visual_projection.weight\"", 192 * 2 * 256, "vectors of pictures are"},
                 {"\"text_projection.weight\"", 192 * 2 * 256, "vectors of texts are"},
                 {"\"visual_projection.weight\"", 2, ""}};
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_buffer file;
        char *dir = make_copy(f);
        read_file(f, dir, "model.safetensors", &file);
        memset(tensor_of(&file, cases[i].tensor), 0, cases[i].n_bytes);
        write_file(f, dir, "model.safetensors", file.data, file.n_bytes);
        pn_buffer_reset(&file);
        expect(f, dir, cases[i].says, "model.safetensors is not the file");
        assert_int_equal(pn_dir_remove_all(dir, &err), PN_OK);
    }
}

static void weights_read_as_another_type__are_far_off(void **state)
{
    scratch_folder *f = *state;
    pn_buffer file, out;
    char *dir = make_copy(f);
    read_file(f, dir, "model.safetensors", &file);
    uint64_t n_header = pn_load_le64(file.data);
    pn_buffer_init(&out, 64u << 20);
    assert_int_equal(pn_buffer_append_fill(&out, 0, 8, &err), PN_OK);
    for (const char *c = (const char *)file.data + 8, *end = c + n_header; c < end; c++) {
        if (strncmp(c, "\"F16\"", 5) == 0) {
            assert_int_equal(pn_buffer_append_text(&out, "\"BF16\"", &err), PN_OK);
            c += 4;
        } else {
            assert_int_equal(pn_buffer_append(&out, c, 1, &err), PN_OK);
        }
    }
    assert_true(out.n_bytes - 8 > n_header);
    pn_store_le64(out.data, out.n_bytes - 8);
    assert_int_equal(
        pn_buffer_append(&out, file.data + 8 + n_header, file.n_bytes - 8 - n_header, &err), PN_OK);
    write_file(f, dir, "model.safetensors", out.data, out.n_bytes);
    pn_buffer_reset(&out);
    pn_buffer_reset(&file);
    expect(f, dir, "vectors of pictures and texts are far off", "another type");
}

static void another_activation__is_near(void **state)
{
    scratch_folder *f = *state;
    char *dir = make_copy(f);
    edit(f, dir, "config.json", "\"hidden_act\": \"quick_gelu\"", "\"hidden_act\": \"gelu\"");
    expect(f, dir, "vectors of texts are near", "activation"); // the first is the text encoder's
    edit(f, dir, "config.json", "\"hidden_act\": \"quick_gelu\"", "\"hidden_act\": \"gelu\"");
    expect(f, dir, "vectors of pictures and texts are near", "activation");
}

static void another_tokenizer__is_named(void **state)
{
    scratch_folder *f = *state;
    char *dir = make_copy(f);
    edit(f, dir, "merges.txt", "\ne d</w>\n", "\n"); // "red" falls apart
    expect(f, dir, "the tokenizer is another one", "other ids");
}

static void other_ids__are_noticed_when_the_golden_file_has_them(void **state)
{
    scratch_folder *f = *state;
    char *dir = make_copy(f);
    edit(f, dir, PN_GOLDEN_FILE, "[1112, 609", "[1112, 610");
    expect(f, dir, "the tokenizer is another one: \"red sneakers\" has other ids", "");
}

static void a_golden_file_of_another_size__is_another_models(void **state)
{
    scratch_folder *f = *state;
    pn_golden golden;
    pn_golden_report report = {0};
    pn_embedder *embedder = NULL;
    const pn_local_options options = {.model = demo, .cache = ""};
    char *path =
        scratch_file(f, "g.json",
                     "{\"format\": \"pennon-golden\", \"version\": 1, \"texts\": [{\"text\": "
                     "\"x\", \"vector\": [0.6, 0.8]}]}");
    assert_int_equal(pn_golden_read(path, &f->arena, &golden, &err), PN_OK);
    assert_int_equal(golden.dim, 2);
    assert_int_equal(pn_local_embedder_create(&options, &embedder, &err), PN_OK);
    assert_int_equal(pn_golden_check(&golden, embedder, demo, 0.999, &report, &err),
                     PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "another model's"));
    pn_embedder_free(embedder);
}

#define HEAD "{\"format\": \"pennon-golden\", \"version\": 1, "

static void broken_golden_files__are_refused(void **state)
{
    scratch_folder *f = *state;
    static const struct {
        const char *text, *says;
        pn_status status;
    } cases[] = {
        {"", "line", PN_ERR_CORRUPT},
        {"[]", "format", PN_ERR_CORRUPT},
        {"{\"format\": \"pennon-golden\", \"version\": 2}", "version", PN_ERR_UNSUPPORTED},
        {HEAD "\"texts\": []}", "neither", PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": \"x\"}]}", "texts, entry 0: no vector", PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": 7, \"vector\": [1]}]}", "no text", PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": \"x\", \"vector\": [1, \"a\", 1]}]}", "length 1",
         PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": \"x\", \"ids\": [-1], \"vector\": [1]}]}", "an id",
         PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": \"x\", \"vector\": [1]}, {\"text\": \"x\", \"vector\": [0, "
              "1]}]}",
         "another length", PN_ERR_CORRUPT},
        {HEAD "\"pictures\": [{\"file\": \"a\", \"vector\": [1]}]}", "base64", PN_ERR_CORRUPT},
        {HEAD "\"pictures\": [{\"file\": \"ab*=\", \"vector\": [1]}]}", "base64", PN_ERR_CORRUPT},
        {HEAD "\"texts\": [{\"text\": \"x\", \"vector\": [1]}], \"files\": {\"../x\": \"y\"}}",
         "files", PN_ERR_CORRUPT},
    };
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_golden golden = {.dim = 77};
        char *path = scratch_file(f, "broken.json", cases[i].text);
        assert_int_equal(pn_golden_read(path, &f->arena, &golden, &err), cases[i].status);
        if (!strstr(err.message, cases[i].says))
            fail_msg("no \"%s\" in %s", cases[i].says, err.message);
        assert_int_equal(golden.dim, 77);
    }
}

static void base64__is_read_byte_for_byte(void **state)
{
    scratch_folder *f = *state;
    static const struct {
        const char *text, *bytes;
    } cases[] = {{"Zg==", "f"},        {"Zm8=", "fo"},        {"Zm9v", "foo"},
                 {"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}}; // RFC 4648
    for (size_t i = 0; i < PN_COUNT_OF(cases); i++) {
        pn_golden golden;
        char *text = pn_arena_printf(
            &f->arena, HEAD "\"pictures\": [{\"file\": \"%s\", \"vector\": [1]}]}", cases[i].text);
        assert_int_equal(pn_golden_read(scratch_file(f, "g.json", text), &f->arena, &golden, &err),
                         PN_OK);
        assert_int_equal(golden.pictures[0].n_bytes, strlen(cases[i].bytes));
        assert_memory_equal(golden.pictures[0].bytes, cases[i].bytes, strlen(cases[i].bytes));
    }
}

static void the_self_test__passes_at_every_precision(void **state)
{
    (void)state;
    pn_selftest_report report;
    pn_selftest_options options = {.model = demo, .n_pictures = 24, .cache = ""};
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_OK);
    if (!report.passed)
        fail_msg("%s", report.problem);
    assert_int_equal(report.n_lines, PN_SELFTEST_PRECISIONS);
    assert_true(report.has_golden);
    assert_int_equal(report.n_golden_pictures, 3);
    assert_int_equal(report.n_golden_texts, 5);
    for (size_t i = 0; i < report.n_lines; i++) {
        assert_true(report.lines[i].passed);
        assert_true(report.lines[i].recall > 0.9 && report.lines[i].recall <= 1);
    }
    assert_true(report.lines[4].image_cosine < 0.9999999); // int8 is really rounded
    options.one_precision = true;
    options.precision = PN_CLIP_BF16;
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_OK);
    assert_true(report.passed);
    assert_int_equal(report.n_lines, 2);
    assert_int_equal(report.lines[1].precision, PN_CLIP_BF16);
}

static void a_failed_check__is_told(void **state)
{
    scratch_folder *f = *state;
    char *dir = make_copy(f);
    set_processor(f, dir, "2", CROP, MEAN ", " STD);
    pn_selftest_report report;
    const pn_selftest_options options = {
        .model = dir, .n_pictures = 20, .cache = "", .one_precision = true};
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_OK);
    assert_false(report.passed);
    assert_non_null(strstr(report.problem, "golden vectors: "));
    assert_non_null(strstr(report.problem, "bilinear"));
}

static bool cancel(void *context)
{
    (void)context;
    return true;
}

static void it__stops_and_has_limits(void **state)
{
    scratch_folder *f = *state;
    pn_selftest_report report = {.n_pictures = 7};
    pn_selftest_options options = {
        .model = demo, .n_pictures = 20, .cache = "", .cancelled = cancel};
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_ERR_CANCELLED);
    options.n_pictures = 5;
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_ERR_INVALID);
    options.n_pictures = 20;
    options.golden = scratch_path(f, "none.json");
    assert_int_equal(pn_selftest_run(&options, &report, &err), PN_ERR_NOT_FOUND);
    assert_int_equal(report.n_pictures, 7);
}

static void generated_pictures__are_the_same_each_time_and_differ(void **state)
{
    (void)state;
    pn_image a = {0}, b = {0}, c = {0};
    assert_int_equal(pn_selftest_picture(3, 96, &a, &err), PN_OK);
    assert_int_equal(pn_selftest_picture(3, 96, &b, &err), PN_OK);
    assert_int_equal(pn_selftest_picture(4, 96, &c, &err), PN_OK);
    size_t n = (size_t)a.width * a.height * 3;
    assert_true(a.width == b.width && a.height == b.height);
    assert_memory_equal(a.pixels, b.pixels, n);
    assert_true(a.width != c.width || a.height != c.height || memcmp(a.pixels, c.pixels, n) != 0);
    pn_image_free(&a);
    pn_image_free(&b);
    pn_image_free(&c);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_demo_model__has_the_vectors_of_the_formulas),
        TEST(another_preprocessing__is_named),
        TEST(swapped_channels__are_called_bgr),
        TEST(changed_weights__are_noticed_and_told_from_the_rest),
        TEST(weights_read_as_another_type__are_far_off),
        TEST(another_activation__is_near),
        TEST(another_tokenizer__is_named),
        TEST(other_ids__are_noticed_when_the_golden_file_has_them),
        TEST(a_golden_file_of_another_size__is_another_models),
        TEST(broken_golden_files__are_refused),
        TEST(base64__is_read_byte_for_byte),
        TEST(the_self_test__passes_at_every_precision),
        TEST(a_failed_check__is_told),
        TEST(it__stops_and_has_limits),
        TEST(generated_pictures__are_the_same_each_time_and_differ),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
