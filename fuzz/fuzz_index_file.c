/*
 * fuzz_index_file.c - an index with any numbers in it, its hashes made right
 *
 * Bytes alone never get behind the hashes. So the input is a list of changes to a small good index, eight bytes each: a section (or the
 * trailer), a place in it, a value; then every hash that can be is computed again. What opens is asked, with and without a mask.
 *
 *     | flags | { section u8, place u24, value u32 } ... |        flags & 1: leave the hashes as they are
 */
#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "index/internal.h"
#include "os/fd.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { ROWS = 1000, DIM = 12, TEXTS = 20, CHANGE = 8, K = 7, PATH = 64 };

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

/* ---- a table and its index, made once */

static float vectors[ROWS * DIM], texts[TEXTS * DIM];
static pn_flat_run run = {.vectors = vectors, .fragment_id = 3, .n_rows = ROWS};
static pn_index_fragment fragment = {
    .id = 3, .n_rows = ROWS, .name = "a.lance", .runs = &run, .n_runs = 1};
static pn_vector_rows rows;
static pn_buffer good;

static void fill(float *out, size_t n, uint64_t seed)
{
    pn_rng rng = pn_rng_seed(seed);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t d = 0; d < DIM; d++) {
            out[i * DIM + d] = (float)pn_rng_normal(&rng);
            sum += (double)out[i * DIM + d] * (double)out[i * DIM + d];
        }
        for (size_t d = 0; d < DIM; d++)
            out[i * DIM + d] /= (float)sqrt(sum);
    }
}

static void make_good(void)
{
    char folder[] = "/tmp/fuzz_indexXXXXXX", path[PATH];
    pn_error err;
    must(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/index", folder);
    fill(vectors, ROWS, 1);
    fill(texts, TEXTS, 2);
    pn_index_build_options o = {.texts = texts, .n_texts = TEXTS, .n_partitions = 10};
    must(pn_vector_rows_init(&fragment, 1, DIM, false, &rows, &err) == PN_OK);
    must(pn_index_build(&rows, &o, path, &err) == PN_OK);
    pn_buffer_init(&good, SIZE_MAX);
    must(pn_file_read(path, &good, &err) == PN_OK);
    must(pn_path_remove(path, &err) == PN_OK && rmdir(folder) == 0);
}

/* ---- changes */

static void change(uint8_t *file, pn_index_trailer *t, const uint8_t *record)
{
    uint32_t place = record[1] | (uint32_t)record[2] << 8 | (uint32_t)record[3] << 16;
    size_t section = record[0] % (PN_INDEX_SECTIONS + 8);
    uint8_t *at = (uint8_t *)t;
    size_t n = offsetof(pn_index_trailer, format);
    if (section < PN_INDEX_SECTIONS) {
        const pn_index_trailer *original =
            (const pn_index_trailer *)(const void *)(good.data + good.n_bytes - sizeof *t);
        at = file + original->sections[section].offset;
        n = original->sections[section].bytes;
    }
    if (n >= 4)
        memcpy(at + place % (n / 4) * 4, record + 4, 4);
}

static void seal(uint8_t *file, pn_index_trailer *t)
{
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++) {
        pn_index_place *place = &t->sections[s];
        if (place->offset <= good.n_bytes && place->bytes <= good.n_bytes - place->offset)
            place->hash = pn_hash64(file + place->offset, place->bytes);
    }
    t->hash = pn_hash64(t, offsetof(pn_index_trailer, hash));
}

/* ---- questions */

static void ask(const pn_index *index, const pn_index_mask *mask, size_t i)
{
    pn_candidate heap[K];
    pn_topk found;
    pn_index_stats stats;
    pn_error err = {0};
    float recall;
    pn_query_kind kind = pn_index_kind_of(index, texts + i * DIM);
    pn_index_query query = {
        .vector = texts + i * DIM,
        .kind = i % 2 ? kind : PN_QUERY_TEXT,
        .effort = pn_index_effort_for(index, kind, (float)i / 4, mask ? 0.5 : 1, K, &recall),
        .rows = &rows,
        .mask = mask};
    pn_topk_init(&found, heap, K);
    pn_status status = pn_index_search(index, &query, &found, &stats, &err);
    must(status == PN_OK || status == PN_ERR_INVALID);
    for (size_t r = 0; status == PN_OK && r < found.n; r++)
        must(heap[r].id >> 32 == 3 && (uint32_t)heap[r].id < ROWS &&
             (!mask || (uint32_t)heap[r].id % 2 == 0));
}

static void use(const pn_index *index)
{
    pn_error err = {0};
    pn_index_info info;
    pn_index_mask *mask;
    uint64_t words[ROWS / 64 + 1];
    const uint64_t *allowed[] = {words};
    memset(words, 0x55, sizeof words);
    pn_index_info_get(index, &info);
    for (size_t i = 0; i < info.n_fragments; i++) {
        pn_index_fragment f;
        pn_index_fragment_get(index, i, &f);
        must(strlen(f.name) < good.n_bytes);
    }
    if (info.dim != DIM) // a query of this table is not one of that index
        return;
    for (size_t i = 0; i < 5; i++)
        ask(index, NULL, i);
    if (pn_index_mask_make(index, &rows, allowed, &mask, &err) == PN_OK) {
        must(pn_index_mask_count(mask) <= ROWS / 2);
        for (size_t i = 0; i < 5; i++)
            ask(index, mask, i);
        pn_index_mask_free(mask);
    }
    if (pn_index_check(index, &err) != PN_OK)
        must(err.message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (good.n_bytes == 0)
        make_good();
    if (n == 0)
        return 0;
    uint8_t *file = pn_alloc(good.n_bytes);
    must(file != NULL);
    memcpy(file, good.data, good.n_bytes);
    pn_index_trailer t;
    memcpy(&t, file + good.n_bytes - sizeof t, sizeof t);
    for (size_t at = 1; at + CHANGE <= n; at += CHANGE)
        change(file, &t, bytes + at);
    if (!(bytes[0] & 1))
        seal(file, &t);
    memcpy(file + good.n_bytes - sizeof t, &t, sizeof t);

    char path[PATH];
    pn_error err = {0};
    pn_index *index;
    int fd = memfd_create("index", 0);
    must(fd >= 0 && write(fd, file, good.n_bytes) == (ssize_t)good.n_bytes);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (pn_index_open(path, &index, &err) == PN_OK) {
        use(index);
        pn_index_close(index);
    } else {
        must(strstr(err.message, path) != NULL);
    }
    (void)close(fd);
    pn_free(file);
    return 0;
}
