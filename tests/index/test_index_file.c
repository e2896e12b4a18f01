/*
 * test_index_file.c - every byte of an index changed, every length cut
 *
 * Either it does not open, and the message names the file, or it opens and answers: perhaps not with the nearest rows, always
 * with rows that are there, at their exact distances.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "os/fd.h"
#include "support/scratch_folder.h"
#include "support/vector_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { ROWS = 1000, DIM = 8, TEXTS = 30, K = 5 };

typedef struct fixture {
    vector_table table;
    char *path;
    pn_buffer whole;
    pn_index_trailer facts;
} fixture;

static void must(pn_status status, const pn_error *err)
{
    if (status != PN_OK)
        fail_msg("status %d: %s", (int)status, err->message);
}

static void setup(fixture *f, scratch_folder *s)
{
    pn_error err = {0};
    vector_table_make(&(vector_table_options){ROWS, DIM, 10, 2, false, 1}, &f->table);
    float *texts = vector_table_texts(&f->table, TEXTS, 2);
    f->path = scratch_path(s, "the.idx");
    pn_index_build_options o = {.texts = texts, .n_texts = TEXTS, .n_partitions = 12};
    must(pn_index_build(&f->table.rows, &o, f->path, &err), &err);
    pn_free(texts);
    pn_buffer_init(&f->whole, SIZE_MAX);
    must(pn_file_read(f->path, &f->whole, &err), &err);
    memcpy(&f->facts, f->whole.data + f->whole.n_bytes - sizeof f->facts, sizeof f->facts);
}

static void teardown(fixture *f)
{
    pn_buffer_reset(&f->whole);
    vector_table_free(&f->table);
}

static void write_file(const fixture *f, const uint8_t *bytes, size_t n)
{
    pn_error err = {0};
    pn_fd fd;
    must(pn_fd_open(f->path, PN_OPEN_REPLACE, &fd, &err), &err);
    must(pn_fd_write(fd, f->path, bytes, n, &err), &err);
    pn_fd_close(fd);
}

static void search_all(fixture *f, const pn_index *index)
{
    static const pn_index_effort efforts[] = {
        {2, 2, INFINITY, 0}, {2, 2, 0.1f, 0}, {UINT32_MAX, INFINITY, INFINITY, 0}};
    pn_error err = {0};
    pn_index_mask *mask;
    must(pn_index_mask_make(index, &f->table.rows, NULL, &mask, &err), &err);
    for (size_t i = 0; i < 6; i++) {
        const float *vector = f->table.vectors + i * 100 * DIM;
        pn_candidate heap[K];
        pn_topk found;
        pn_index_stats stats;
        pn_index_query query = {.vector = vector,
                                .kind = (pn_query_kind)(i % 2),
                                .effort = efforts[i / 2],
                                .rows = &f->table.rows,
                                .mask = i % 3 ? mask : NULL};
        pn_topk_init(&found, heap, K);
        must(pn_index_search(index, &query, &found, &stats, &err), &err);
        for (size_t n = 0; n < found.n; n++) {
            size_t row = vector_table_row(&f->table, heap[n].id);
            double product = 0;
            for (size_t d = 0; d < DIM; d++)
                product += (double)vector[d] * (double)f->table.vectors[row * DIM + d];
            assert_true(fabs(1 - product - (double)heap[n].distance) < 1e-5);
            assert_true(n == 0 || pn_candidate_before(heap[n - 1], heap[n]));
        }
    }
    pn_index_mask_free(mask);
}

/* Opens and searches; the status of opening, and of checking when it opens. */
static pn_status try_file(fixture *f, pn_status *checked)
{
    pn_error err = {0};
    pn_index *index;
    pn_status status = pn_index_open(f->path, &index, &err);
    *checked = status;
    if (status != PN_OK) {
        assert_true(status == PN_ERR_CORRUPT || status == PN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "the.idx"));
        return status;
    }
    search_all(f, index);
    *checked = pn_index_check(index, &err);
    if (*checked != PN_OK) {
        assert_int_equal(*checked, PN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "the.idx"));
    }
    pn_index_close(index);
    return status;
}

static bool is_in_a_section(const fixture *f, size_t at)
{
    if (at >= f->whole.n_bytes - sizeof f->facts)
        return true;
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++) {
        const pn_index_place *place = &f->facts.sections[s];
        if (at >= place->offset && at < place->offset + place->bytes)
            return true;
    }
    return false;
}

static void open__or_check__notices_every_changed_byte(void **state)
{
    fixture f;
    size_t searched = 0;
    setup(&f, *state);
    for (size_t at = 0; at < f.whole.n_bytes; at++) {
        pn_status checked;
        f.whole.data[at] ^= (uint8_t)(1u << at % 8);
        write_file(&f, f.whole.data, f.whole.n_bytes);
        f.whole.data[at] ^= (uint8_t)(1u << at % 8);
        searched += try_file(&f, &checked) == PN_OK;
        if ((checked == PN_OK) == is_in_a_section(&f, at))
            fail_msg("byte %zu of %zu: status %d", at, f.whole.n_bytes, (int)checked);
    }
    assert_true(searched > 1000); /* codes and copies are not read at opening */
    teardown(&f);
}

static void open__refuses_every_cut(void **state)
{
    fixture f;
    pn_error err = {0};
    pn_index *index;
    setup(&f, *state);
    for (size_t n = 0; n < f.whole.n_bytes; n += n % 64 == 1 ? 62 : 1) {
        pn_status checked;
        write_file(&f, f.whole.data, n);
        assert_int_equal(try_file(&f, &checked), PN_ERR_CORRUPT);
        write_file(&f, f.whole.data + n + 1, f.whole.n_bytes - n - 1); // the front is missing
        assert_int_equal(try_file(&f, &checked), PN_ERR_CORRUPT);
    }
    must(pn_path_remove(f.path, &err), &err);
    assert_int_equal(pn_index_open(f.path, &index, &err), PN_ERR_NOT_FOUND);
    teardown(&f);
}

/* As somebody would who recomputes the hashes. */
static void seal(fixture *f, uint8_t *bytes)
{
    pn_index_trailer *t = &f->facts;
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++)
        t->sections[s].hash = pn_hash64(bytes + t->sections[s].offset, t->sections[s].bytes);
    t->hash = pn_hash64(t, offsetof(pn_index_trailer, hash));
    memcpy(bytes + f->whole.n_bytes - sizeof *t, t, sizeof *t);
}

static void open__checks_every_number_that_leads_somewhere(void **state)
{
    static const pn_index_section leading[] = {PN_SECTION_ORDER,     PN_SECTION_POSITIONS,
                                               PN_SECTION_STARTS,    PN_SECTION_REGION_STARTS,
                                               PN_SECTION_FRAGMENTS, PN_SECTION_PQ};
    static const uint32_t values[] = {0, 1, 999, 1000, 1001, 1u << 31, UINT32_MAX};
    fixture f;
    size_t refused = 0;
    setup(&f, *state);
    for (size_t s = 0; s < PN_COUNT_OF(leading); s++) {
        const pn_index_place place = f.facts.sections[leading[s]];
        for (size_t i = 0; i < place.bytes / 4; i += 1 + i / 20)
            for (size_t v = 0; v < PN_COUNT_OF(values); v++) {
                uint32_t kept;
                uint8_t *at = f.whole.data + place.offset + i * 4;
                pn_status checked;
                memcpy(&kept, at, sizeof kept);
                memcpy(at, &values[v], sizeof kept);
                seal(&f, f.whole.data);
                write_file(&f, f.whole.data, f.whole.n_bytes);
                memcpy(at, &kept, sizeof kept);
                pn_index *index;
                pn_error err = {0};
                if (leading[s] == PN_SECTION_FRAGMENTS &&
                    pn_index_open(f.path, &index, &err) == PN_OK) {
                    pn_index_close(index); // another id or name is another table's
                    continue;
                }
                refused += try_file(&f, &checked) != PN_OK;
            }
    }
    assert_true(refused > 300);
    teardown(&f);
}

static void open__knows_other_formats(void **state)
{
    fixture f;
    pn_status checked;
    setup(&f, *state);
    f.facts.format = PN_INDEX_FORMAT + 1;
    seal(&f, f.whole.data);
    write_file(&f, f.whole.data, f.whole.n_bytes);
    assert_int_equal(try_file(&f, &checked), PN_ERR_UNSUPPORTED);
    teardown(&f);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, scratch_folder_setup, scratch_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(open__or_check__notices_every_changed_byte),
        TEST(open__refuses_every_cut),
        TEST(open__checks_every_number_that_leads_somewhere),
        TEST(open__knows_other_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
