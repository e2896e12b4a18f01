/*
 * test_safetensors.c - sound files read, every kind of broken one refused with the tensor's name
 */
#include "base/alloc.h"
#include "base/limits.h"
#include "base/rng.h"
#include "clip/safetensors.h"
#include "support/golden.h"
#include "support/safetensors_file.h"
#include "support/stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

static stage folder;

static int make_folder(void **state)
{
    (void)state;
    stage_make(&folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    stage_remove(&folder);
    return 0;
}

static pn_status open_bytes(const void *bytes, size_t n, pn_safetensors **out, pn_error *err)
{
    stage_write(&folder, "model.safetensors", bytes, n);
    *out = NULL;
    return pn_safetensors_open(golden_join(folder.dir, "model.safetensors"), out, err);
}

/* Two tensors and a scalar: 6 floats, 2 halves, 1 long. */
static uint8_t *sound_file(size_t *n)
{
    static const float values[] = {1, 2, 3, 4, 5, 6};
    static const uint64_t matrix[] = {2, 3}, vector[] = {2};
    tensor_file file;
    tensor_file_init(&file);
    tensor_file_add(&file, "b.weight", "F32", matrix, 2, values);
    tensor_file_add(&file, "a.bias", "F16", vector, 1, values);
    tensor_file_add(&file, "ids", "I64", NULL, 0, values + 4);
    uint8_t *bytes = tensor_file_bytes(&file, n);
    tensor_file_free(&file);
    return bytes;
}

static void file__is_read_by_name(void **state)
{
    (void)state;
    size_t n;
    pn_safetensors *s;
    pn_error err = {0};
    uint8_t *bytes = sound_file(&n);
    assert_int_equal(open_bytes(bytes, n, &s, &err), PN_OK);
    assert_int_equal(pn_safetensors_count(s), 3);
    assert_int_equal(pn_safetensors_bytes(s), n);
    assert_string_equal(pn_safetensors_at(s, 0)->name, "a.bias");
    const pn_tensor *t = pn_safetensors_find(s, "b.weight");
    assert_non_null(t);
    assert_int_equal(t->dtype, PN_DTYPE_F32);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[1], 3);
    assert_int_equal(t->n_bytes, 24);
    float last;
    memcpy(&last, t->data + 20, sizeof last);
    assert_true(last == 6);
    t = pn_safetensors_find(s, "ids");
    assert_int_equal(t->n_dims, 0);
    assert_int_equal(t->n_values, 1);
    assert_null(pn_safetensors_find(s, "b.weigh"));
    assert_null(pn_safetensors_find(s, "__metadata__"));
    pn_safetensors_close(s);
    golden_bytes_free(bytes);
}

static void file__cut_anywhere_is_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = sound_file(&n);
    for (size_t cut = 0; cut < n; cut++) {
        pn_safetensors *s;
        pn_error err = {0};
        assert_int_equal(open_bytes(bytes, cut, &s, &err), PN_ERR_CORRUPT);
        assert_null(s);
        assert_non_null(strstr(err.message, "model.safetensors"));
    }
    golden_bytes_free(bytes);
}

/* A flipped bit may leave a sound file (a letter of a name); then everything must still be inside. */
static void header__any_flipped_bit_is_survived(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = sound_file(&n);
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * (n - 36); bit++) {
        pn_safetensors *s;
        pn_error err = {0};
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        pn_status status = open_bytes(bytes, n, &s, &err);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (status != PN_OK) {
            refused++;
            assert_true(err.message[0] != '\0');
            continue;
        }
        unsigned sum = 0;
        for (size_t i = 0; i < pn_safetensors_count(s); i++) {
            const pn_tensor *t = pn_safetensors_at(s, i);
            for (size_t j = 0; j < t->n_bytes; j++)
                sum += t->data[j];
        }
        assert_true(sum < 256 * 40);
        pn_safetensors_close(s);
    }
    print_message("  %zu of %zu flips refused\n", refused, 8 * (n - 36));
    assert_true(refused > 8 * (n - 36) / 2);
    golden_bytes_free(bytes);
}

typedef struct broken_row {
    const char *header;
    pn_status status;
    const char *words[2];
} broken_row;

static const broken_row broken[] = {
    {"[]", PN_ERR_CORRUPT, {"not an object"}},
    {"{\"t\": 3}", PN_ERR_CORRUPT, {"tensor t"}},
    {"{\"t\": {}}", PN_ERR_CORRUPT, {"tensor t", "dtype"}},
    {"{\"t\": {\"dtype\": \"F32\"}}", PN_ERR_CORRUPT, {"tensor t", "shape"}},
    {"{\"t\": {\"dtype\": \"F33\", \"shape\": [1], \"data_offsets\": [0, 4]}}",
     PN_ERR_UNSUPPORTED,
     {"tensor t", "F33"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1]}}", PN_ERR_CORRUPT, {"tensor t", "data_offsets"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "data_offsets"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "data_offsets"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "data_offsets"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 4]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "8 to 4"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [5], \"data_offsets\": [0, 20]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "of 16 bytes"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "shape [2]"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "dimension 0"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "dimension 0"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [4294967296, 4294967296], \"data_offsets\": [0, 0]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "overflows"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904], \"data_offsets\": [0, 0]}}",
     PN_ERR_CORRUPT,
     {"tensor t", "0 bytes"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [99999999999999999999], \"data_offsets\": [0, 0]}}",
     PN_ERR_CORRUPT,
     {"header"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]}}",
     PN_ERR_LIMIT,
     {"tensor t", "9 dimensions"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
     " \"u\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}",
     PN_ERR_CORRUPT,
     {"tensor u", "overlaps tensor t"}},
    {"{\"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
     " \"t\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}",
     PN_ERR_CORRUPT,
     {"duplicate", "\"t\""}},
    {"{\"__metadata__\": 1}", PN_ERR_CORRUPT, {"__metadata__"}},
};

static void header__every_fault_is_named(void **state)
{
    (void)state;
    static const uint8_t data[16];
    for (size_t i = 0; i < PN_COUNT_OF(broken); i++) {
        size_t n;
        pn_safetensors *s;
        pn_error err = {0};
        uint8_t *bytes = tensor_file_raw(broken[i].header, data, sizeof data, &n);
        pn_status status = open_bytes(bytes, n, &s, &err);
        if (status != broken[i].status)
            fail_msg("%s: status %d, %s", broken[i].header, status, err.message);
        for (size_t w = 0; w < 2; w++)
            if (broken[i].words[w] && !strstr(err.message, broken[i].words[w]))
                fail_msg("%s: no \"%s\" in: %s", broken[i].header, broken[i].words[w], err.message);
        golden_bytes_free(bytes);
    }
}

static void header__harmless_oddities_are_taken(void **state)
{
    (void)state;
    static const uint8_t data[16];
    static const char *const headers[] = {
        "{}",
        "{}          ",
        "{\"t\": {\"dtype\": \"F32\", \"shape\": [0, 7], \"data_offsets\": [16, 16]}}",
        "{\"t\": {\"dtype\": \"F16\", \"shape\": [], \"data_offsets\": [3, 5], \"extra\": 1}}",
        "{\"t\": {\"dtype\": \"BOOL\", \"shape\": [16], \"data_offsets\": [0, 16]}}",
    };
    for (size_t i = 0; i < PN_COUNT_OF(headers); i++) {
        size_t n;
        pn_safetensors *s;
        pn_error err = {0};
        uint8_t *bytes = tensor_file_raw(headers[i], data, sizeof data, &n);
        if (open_bytes(bytes, n, &s, &err) != PN_OK)
            fail_msg("%s: %s", headers[i], err.message);
        pn_safetensors_close(s);
        golden_bytes_free(bytes);
    }
}

static void file__note_of_git_lfs_is_named_as_such(void **state)
{
    (void)state;
    static const char note[] =
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4\n"
        "size 605157884\n";
    pn_safetensors *s;
    pn_error err = {0};
    assert_int_equal(open_bytes(note, sizeof note - 1, &s, &err), PN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "git lfs pull"));
}

static void header__length_is_limited(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {PN_SAFETENSORS_MAX_HEADER_BYTES + 1ull, UINT64_MAX,
                                       UINT64_MAX - 7, 1ull << 63};
    for (size_t i = 0; i < PN_COUNT_OF(lengths); i++) {
        uint8_t bytes[16] = {0};
        pn_safetensors *s;
        pn_error err = {0};
        memcpy(bytes, &lengths[i], 8);
        assert_int_equal(open_bytes(bytes, sizeof bytes, &s, &err), PN_ERR_LIMIT);
    }
    uint8_t bytes[16] = {9};
    pn_safetensors *s;
    pn_error err = {0};
    assert_int_equal(open_bytes(bytes, sizeof bytes, &s, &err), PN_ERR_CORRUPT);
}

/* ---- shards */

static void write_shard(const char *name, const char *tensor)
{
    static const float values[] = {1, 2};
    static const uint64_t dims[] = {2};
    tensor_file file;
    size_t n;
    tensor_file_init(&file);
    tensor_file_add(&file, tensor, "F32", dims, 1, values);
    uint8_t *bytes = tensor_file_bytes(&file, &n);
    stage_write(&folder, name, bytes, n);
    golden_bytes_free(bytes);
    tensor_file_free(&file);
}

static pn_status open_index(const char *json, pn_safetensors **out, pn_error *err)
{
    *out = NULL;
    stage_write_text(&folder, "x.index.json", json);
    return pn_safetensors_open(golden_join(folder.dir, "x.index.json"), out, err);
}

static void shards__are_one_set_of_tensors(void **state)
{
    (void)state;
    pn_safetensors *s;
    pn_error err = {0};
    write_shard("one.safetensors", "a");
    write_shard("two.safetensors", "b");
    pn_status status = open_index(
        "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}", &s, &err);
    if (status != PN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(pn_safetensors_count(s), 2);
    assert_non_null(pn_safetensors_find(s, "b"));
    pn_safetensors_close(s);
}

static void shards__every_fault_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        pn_status status;
        const char *word;
    } rows[] = {
        {"{\"weight_map\": {\"a\": \"../one.safetensors\"}}", PN_ERR_CORRUPT, "../one"},
        {"{\"weight_map\": {\"a\": \"/etc/passwd\"}}", PN_ERR_CORRUPT, "/etc/passwd"},
        {"{\"weight_map\": {\"a\": \"..\"}}", PN_ERR_CORRUPT, "\"..\""},
        {"{\"weight_map\": {\"a\": \"\"}}", PN_ERR_CORRUPT, "tensor a"},
        {"{\"weight_map\": {\"a\": 1}}", PN_ERR_CORRUPT, "tensor a"},
        {"{\"weight_map\": {\"a\": \"none.safetensors\"}}", PN_ERR_NOT_FOUND, "none.safetensors"},
        {"{\"weight_map\": {\"c\": \"one.safetensors\"}}", PN_ERR_CORRUPT, "tensor c"},
        {"{\"weight_map\": {\"a\": \"two.safetensors\", \"b\": \"one.safetensors\"}}",
         PN_ERR_CORRUPT, "tensor a is not in two.safetensors"},
        {"{\"weight_map\": {\"a\": \"one.safetensors\", \"x\": \"twin.safetensors\"}}",
         PN_ERR_CORRUPT, "tensor a is in two files"},
        {"{\"weight_map\": []}", PN_ERR_CORRUPT, "weight_map"},
        {"{", PN_ERR_CORRUPT, "line 1"},
        {"", PN_ERR_CORRUPT, "x.index.json"},
    };
    write_shard("one.safetensors", "a");
    write_shard("two.safetensors", "b");
    write_shard("twin.safetensors", "a");
    for (size_t i = 0; i < PN_COUNT_OF(rows); i++) {
        pn_safetensors *s;
        pn_error err = {0};
        pn_status status = open_index(rows[i].json, &s, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].word))
            fail_msg("%s: status %d, %s", rows[i].json, status, err.message);
        assert_null(s);
    }
}

static void shards__too_many_are_refused(void **state)
{
    (void)state;
    size_t room = 64 + (PN_MODEL_MAX_SHARDS + 1) * 48;
    char *json = malloc(room), *at = json;
    at += sprintf(at, "{\"weight_map\": {");
    for (int i = 0; i <= PN_MODEL_MAX_SHARDS; i++)
        at += sprintf(at, "%s\"t%d\": \"f%d\"", i ? "," : "", i, i);
    (void)sprintf(at, "}}");
    pn_safetensors *s;
    pn_error err = {0};
    assert_int_equal(open_index(json, &s, &err), PN_ERR_LIMIT);
    free(json);
}

static void directory__says_what_was_looked_for(void **state)
{
    (void)state;
    stage empty;
    stage_make(&empty);
    pn_safetensors *s = NULL;
    pn_error err = {0};
    assert_int_equal(pn_safetensors_open_directory(empty.dir, &s, &err), PN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "model.safetensors"));
    stage_write_text(&empty, "pytorch_model.bin", "PK");
    assert_int_equal(pn_safetensors_open_directory(empty.dir, &s, &err), PN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "pytorch_model.bin"));
    assert_int_equal(pn_safetensors_open("/nowhere/x.safetensors", &s, &err), PN_ERR_NOT_FOUND);
    assert_null(s);
    stage_remove(&empty);
}

static void memory__running_out_anywhere_is_an_error(void **state)
{
    (void)state;
    write_shard("one.safetensors", "a");
    write_shard("two.safetensors", "b");
    static const char json[] =
        "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}";
    int64_t before = pn_alloc_live();
    pn_status status = PN_ERR_NOMEM;
    for (int64_t i = 1; status != PN_OK && i < 100; i++) {
        pn_safetensors *s;
        pn_error err = {0};
        stage_write_text(&folder, "x.index.json", json);
        pn_alloc_fail_after(i);
        s = NULL;
        status = pn_safetensors_open(golden_join(folder.dir, "x.index.json"), &s, &err);
        pn_alloc_fail_after(0);
        assert_true(status == PN_OK || status == PN_ERR_NOMEM);
        pn_safetensors_close(s);
        assert_int_equal(pn_alloc_live(), before);
    }
    assert_int_equal(status, PN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file__is_read_by_name),
        cmocka_unit_test(file__cut_anywhere_is_refused),
        cmocka_unit_test(file__note_of_git_lfs_is_named_as_such),
        cmocka_unit_test(header__any_flipped_bit_is_survived),
        cmocka_unit_test(header__every_fault_is_named),
        cmocka_unit_test(header__harmless_oddities_are_taken),
        cmocka_unit_test(header__length_is_limited),
        cmocka_unit_test(shards__are_one_set_of_tensors),
        cmocka_unit_test(shards__every_fault_is_named),
        cmocka_unit_test(shards__too_many_are_refused),
        cmocka_unit_test(directory__says_what_was_looked_for),
        cmocka_unit_test(memory__running_out_anywhere_is_an_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
