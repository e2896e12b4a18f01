/*
 * index_file.c - an index as a file: written from front to back, opened without parsing
 *
 * A file is complete when its trailer is there and hashes to what it says; the trailer is written last, the file gets its name
 * by a rename after it was synced. So a crash leaves a temporary file or a good index. Opening checks sizes of all sections, the contents of
 * those that are followed as numbers (starts, order, positions), and the hashes of the small ones; the large ones only carry values,
 * which may be wrong but cannot lead out of the file: pn_index_check() reads them.
 */
#include "index/internal.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "base/limits.h"
#include "kernels/kernels.h"
#include "os/fd.h"
#include "os/process.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char magic[8] = {'P', 'N', 'I', 'N', 'D', 'E', 'X', '1'};

/* ---- the shape of the file */

static size_t pq_section(size_t book, size_t i)
{
    return PN_SECTION_PQ + book * PN_PQ_SECTIONS + i;
}

void pn_index_place_arrays(pn_index *x, const uint8_t *bytes)
{
    const pn_index_place *s = x->facts.sections;
    x->copies = s[PN_SECTION_COPIES].bytes > 0 ? bytes + s[PN_SECTION_COPIES].offset : NULL;
    x->scales = (const void *)(bytes + s[PN_SECTION_SCALES].offset);
    x->errors = (const void *)(bytes + s[PN_SECTION_ERRORS].offset);
    x->order = (const void *)(bytes + s[PN_SECTION_ORDER].offset);
    x->positions = (const void *)(bytes + s[PN_SECTION_POSITIONS].offset);
    x->starts = (const void *)(bytes + s[PN_SECTION_STARTS].offset);
    x->regions = (const void *)(bytes + s[PN_SECTION_REGIONS].offset);
    x->region_starts = (const void *)(bytes + s[PN_SECTION_REGION_STARTS].offset);
    x->region_spreads = (const void *)(bytes + s[PN_SECTION_REGION_SPREADS].offset);
    x->centroids = bytes + s[PN_SECTION_CENTROIDS].offset;
    x->centroid_scales = (const void *)(bytes + s[PN_SECTION_CENTROID_SCALES].offset);
    x->spreads = (const void *)(bytes + s[PN_SECTION_SPREADS].offset);
    x->losses = (const void *)(bytes + s[PN_SECTION_LOSSES].offset);
    x->offsets = (const void *)(bytes + s[PN_SECTION_OFFSETS].offset);
    x->means = (const void *)(bytes + s[PN_SECTION_MEANS].offset);
    x->efforts = (const void *)(bytes + s[PN_SECTION_EFFORTS].offset);
    x->fragments = (const void *)(bytes + s[PN_SECTION_FRAGMENTS].offset);
    x->names = (const char *)(bytes + s[PN_SECTION_NAMES].offset);
    for (size_t b = 0; b < x->facts.n_books; b++) {
        const void *at[PN_PQ_SECTIONS];
        for (size_t i = 0; i < PN_PQ_SECTIONS; i++)
            at[i] = bytes + s[pq_section(b, i)].offset;
        x->books[b] = (pn_pq){.dim = x->facts.dim,
                              .n_axes = x->facts.n_axes[b],
                              .n_groups = x->facts.n_groups[b],
                              .group_starts = at[0],
                              .encode = at[1],
                              .query = at[2],
                              .codewords = at[3],
                              .bias = at[4],
                              .spread = at[5],
                              .loss = at[6],
                              .tail = x->facts.tails[b]};
        x->codes[b] = at[7];
        x->turns[b] = s[pq_section(b, 2)].hash;
    }
}

static pn_status turn_means(pn_index *x, pn_error *err)
{
    for (size_t b = 0; b < x->facts.n_books; b++) {
        const pn_pq *pq = &x->books[b];
        x->turned_means[b] = pn_alloc_array(pq->n_axes, sizeof(float));
        if (!x->turned_means[b])
            return pn_fail_nomem(err);
        pn_kernels_get()->dot_many_f32(x->turned_means[b], x->means + b * pq->dim, pq->query,
                                       pq->n_axes, pq->dim);
    }
    return PN_OK;
}

pn_status pn_index_derive(pn_index *x, pn_error *err)
{
    size_t n = x->facts.n_partitions, n_regions = x->facts.n_regions, blocks = 0;
    PN_TRY(pn_index_scratch_create(&x->scratch, err));
    PN_TRY(turn_means(x, err));
    x->block_starts = pn_alloc_array(n + 1, sizeof *x->block_starts);
    uint32_t *counts = pn_alloc_zero((n_regions + n) * sizeof *counts);
    if (!x->block_starts || !counts) {
        pn_free(counts);
        return pn_fail_nomem(err);
    }
    for (size_t r = 0; r < n_regions; r++)
        for (size_t p = x->region_starts[r]; p < x->region_starts[r + 1]; p++) {
            counts[n_regions + p] = x->starts[p + 1] - x->starts[p];
            counts[r] += counts[n_regions + p];
        }
    for (size_t p = 0; p < n; p++) {
        x->block_starts[p] = blocks;
        blocks += pn_code_blocks(counts[n_regions + p]);
        x->largest = PN_MAX(x->largest, (size_t)counts[n_regions + p]);
    }
    x->block_starts[n] = blocks;
    pn_status status = pn_index_reaches(x, counts, x->reaches, err);
    pn_free(counts);
    return status;
}

void pn_index_free_derived(pn_index *x)
{
    pn_free(x->block_starts);
    for (size_t b = 0; b < PN_INDEX_BOOKS; b++) {
        pn_free(x->reaches[b]);
        pn_free(x->turned_means[b]);
    }
    pn_index_scratch_free(x->scratch);
}

pn_status pn_index_check_rows(const pn_index *x, const pn_vector_rows *rows, bool all_there,
                              pn_error *err)
{
    const pn_index_trailer *t = &x->facts;
    if (rows->dim != t->dim || rows->n_fragments != t->n_fragments || rows->n_rows != t->n_rows)
        return pn_fail(err, PN_ERR_INVALID,
                       "%s: %zu fragments, %" PRIu64 " rows of %zu values; the index is of %" PRIu32
                       ", %" PRIu64 ", %" PRIu32,
                       x->path, rows->n_fragments, rows->n_rows, rows->dim, t->n_fragments,
                       t->n_rows, t->dim);
    for (size_t f = 0; f < rows->n_fragments; f++) {
        const pn_index_fragment *fragment = &rows->fragments[f];
        if (fragment->id != x->fragments[f].id || fragment->n_rows != x->fragments[f].n_rows)
            return pn_fail(err, PN_ERR_INVALID, "%s: fragment %u is not of the index", x->path,
                           fragment->id);
        if (all_there && fragment->n_runs == 0 && fragment->n_rows > 0)
            return pn_fail(err, PN_ERR_INVALID, "%s: fragment %u is gone, which takes a mask",
                           x->path, fragment->id);
    }
    return PN_OK;
}

/* ---- opening */

/* Bytes a section must have; UINT64_MAX: any. */
static uint64_t bytes_wanted(const pn_index_trailer *t, size_t section)
{
    uint64_t n = t->n_listed, dim = t->dim, p = t->n_partitions, r = t->n_regions;
    if (section >= PN_SECTION_PQ) {
        size_t book = (section - PN_SECTION_PQ) / PN_PQ_SECTIONS;
        uint64_t axes = t->n_axes[book], groups = t->n_groups[book];
        const uint64_t pq[PN_PQ_SECTIONS] = {(groups + 1) * 4, axes * dim * 4,  axes * dim * 4,
                                             axes * 16 * 4,    groups * 16 * 4, axes * 4,
                                             axes * 4,         UINT64_MAX};
        return book < t->n_books ? pq[(section - PN_SECTION_PQ) % PN_PQ_SECTIONS] : 0;
    }
    const uint64_t wanted[PN_SECTION_PQ] = {
        [PN_SECTION_COPIES] = pn_index_copies_bytes(n, t->dim),
        [PN_SECTION_SCALES] = n * 4,
        [PN_SECTION_ERRORS] = n * 4,
        [PN_SECTION_ORDER] = n * 4,
        [PN_SECTION_POSITIONS] = t->n_rows * 4,
        [PN_SECTION_STARTS] = (p + 1) * 4,
        [PN_SECTION_REGIONS] = r * dim * 4,
        [PN_SECTION_REGION_STARTS] = (r + 1) * 4,
        [PN_SECTION_REGION_SPREADS] = r * 4,
        [PN_SECTION_CENTROIDS] = p * dim,
        [PN_SECTION_CENTROID_SCALES] = p * 4,
        [PN_SECTION_SPREADS] = PN_QUERY_KINDS * p * 4,
        [PN_SECTION_LOSSES] = PN_QUERY_KINDS * p * 4,
        [PN_SECTION_OFFSETS] = PN_QUERY_KINDS * p * 4,
        [PN_SECTION_MEANS] = PN_QUERY_KINDS * dim * 4,
        [PN_SECTION_EFFORTS] = (uint64_t)PN_QUERY_KINDS * PN_EFFORTS_MAX * sizeof(pn_effort_row),
        [PN_SECTION_FRAGMENTS] = t->n_fragments * sizeof(pn_fragment_record),
        [PN_SECTION_NAMES] = UINT64_MAX};
    return wanted[section];
}

static bool is_optional(size_t section)
{
    return section == PN_SECTION_COPIES || section == PN_SECTION_SCALES ||
           section == PN_SECTION_ERRORS;
}

static bool is_large(size_t section)
{
    return section == PN_SECTION_COPIES ||
           (section >= PN_SECTION_PQ &&
            (section - PN_SECTION_PQ) % PN_PQ_SECTIONS == PN_PQ_SECTIONS - 1);
}

static pn_status corrupt(const pn_index *x, const char *what, pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "%s: a damaged index: %s", x->path, what);
}

static pn_status check_trailer(const pn_index *x, pn_error *err)
{
    const pn_index_trailer *t = &x->facts;
    if (t->dim == 0 || t->dim > PN_INDEX_MAX_DIM || t->n_rows >= PN_NOT_LISTED ||
        t->n_listed > t->n_rows || t->n_partitions == 0 || t->n_partitions > t->n_rows ||
        t->n_regions == 0 || t->n_regions > t->n_partitions)
        return corrupt(x, "its sizes make no sense", err);
    if (t->n_books == 0 || t->n_books > PN_INDEX_BOOKS)
        return corrupt(x, "its codes make no sense", err);
    for (size_t b = 0; b < t->n_books; b++)
        if (t->n_groups[b] == 0 || t->n_groups[b] > PN_CODE_MAX_GROUPS ||
            t->n_groups[b] % PN_CODE_GROUPS_STEP != 0)
            return corrupt(x, "its codes make no sense", err);
    for (size_t b = 0; b < t->n_books; b++)
        if (t->n_axes[b] < t->n_groups[b] || t->n_axes[b] > t->dim)
            return corrupt(x, "its axes make no sense", err);
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++) {
        const pn_index_place *place = &t->sections[s];
        uint64_t wanted = bytes_wanted(t, s);
        if (place->offset % PN_INDEX_ALIGN != 0 || place->offset > t->file_bytes ||
            place->bytes > t->file_bytes - place->offset)
            return corrupt(x, "a section lies outside of the file", err);
        if (wanted != UINT64_MAX && place->bytes != wanted &&
            !(place->bytes == 0 && is_optional(s)))
            return corrupt(x, "a section has the wrong size", err);
    }
    const uint64_t copies = t->sections[PN_SECTION_COPIES].bytes;
    if ((t->sections[PN_SECTION_SCALES].bytes == 0) != (copies == 0) ||
        (t->sections[PN_SECTION_ERRORS].bytes == 0) != (copies == 0))
        return corrupt(x, "copies without scales, or the other way round", err);
    return PN_OK;
}

static bool ascends(const uint32_t *starts, size_t n, uint64_t end)
{
    bool good = starts[0] == 0 && starts[n] == end;
    for (size_t i = 0; i < n && good; i++)
        good = starts[i] <= starts[i + 1];
    return good;
}

static bool fragments_fit(const pn_index *x)
{
    const pn_index_trailer *t = &x->facts;
    uint64_t rows = 0, names = t->sections[PN_SECTION_NAMES].bytes;
    bool good = names > 0 && x->names[names - 1] == '\0';
    for (size_t i = 0; i < t->n_fragments && good; i++) {
        rows += x->fragments[i].n_rows;
        good = x->fragments[i].name_at < names;
    }
    return good && rows == t->n_rows;
}

/* Order and positions have to undo each other: else a search might return a row that its mask does not hold. */
static bool rows_fit(const pn_index *x)
{
    const pn_index_trailer *t = &x->facts;
    uint64_t n_listed = 0;
    bool good = true;
    for (uint64_t i = 0; i < t->n_rows; i++)
        n_listed += x->positions[i] != PN_NOT_LISTED;
    for (uint64_t i = 0; i < t->n_listed && good; i++)
        good = x->order[i] < t->n_rows && x->positions[x->order[i]] == i;
    return good && n_listed == t->n_listed;
}

static pn_status list_unlisted(pn_index *x, pn_error *err)
{
    const pn_index_trailer *t = &x->facts;
    const uint32_t *positions = x->positions;
    uint64_t n = 0;
    x->unlisted = pn_alloc_array((size_t)(t->n_rows - t->n_listed) + 1, sizeof *x->unlisted);
    x->unlisted_starts = pn_alloc_array((size_t)t->n_fragments + 1, sizeof *x->unlisted_starts);
    if (!x->unlisted || !x->unlisted_starts)
        return pn_fail_nomem(err);
    for (size_t f = 0; f < t->n_fragments; positions += x->fragments[f++].n_rows) {
        x->unlisted_starts[f] = n;
        for (uint32_t row = 0; row < x->fragments[f].n_rows && t->n_rows > t->n_listed; row++)
            if (positions[row] == PN_NOT_LISTED)
                x->unlisted[n++] = row;
    }
    x->unlisted_starts[t->n_fragments] = n;
    return PN_OK;
}

/* Numbers that lead to other places. */
static pn_status check_numbers(const pn_index *x, pn_error *err)
{
    const pn_index_trailer *t = &x->facts;
    if (!ascends(x->starts, t->n_partitions, t->n_listed) ||
        !ascends(x->region_starts, t->n_regions, t->n_partitions))
        return corrupt(x, "its partitions do not follow one another", err);
    if (!fragments_fit(x))
        return corrupt(x, "its fragments do not add up", err);
    for (size_t b = 0; b < t->n_books; b++) {
        const pn_pq *pq = &x->books[b];
        if (!ascends(pq->group_starts, t->n_groups[b], t->n_axes[b]))
            return corrupt(x, "its groups of axes do not follow one another", err);
        for (size_t g = 0; g < t->n_groups[b]; g++)
            if (pq->group_starts[g + 1] - pq->group_starts[g] > PN_PQ_MAX_GROUP)
                return corrupt(x, "a group of too many axes", err);
    }
    return rows_fit(x) ? PN_OK : corrupt(x, "its order of rows is not one", err);
}

static pn_status check_hashes(const pn_index *x, bool large, pn_error *err)
{
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++) {
        const pn_index_place *place = &x->facts.sections[s];
        if (is_large(s) == large &&
            pn_hash64(x->mapping.data + place->offset, place->bytes) != place->hash)
            return corrupt(x, "a section does not have the hash that was written", err);
    }
    return PN_OK;
}

static pn_status read_trailer(pn_index *x, pn_error *err)
{
    size_t n = x->mapping.n_bytes;
    if (n < sizeof x->facts)
        return corrupt(x, "too short", err);
    memcpy(&x->facts, x->mapping.data + n - sizeof x->facts, sizeof x->facts);
    if (memcmp(x->facts.magic, magic, sizeof magic) != 0)
        return corrupt(x, "no index, or cut", err);
    if (x->facts.format != PN_INDEX_FORMAT)
        return pn_fail(err, PN_ERR_UNSUPPORTED,
                       "%s: an index of format %" PRIu32 ", this program reads %d", x->path,
                       x->facts.format, PN_INDEX_FORMAT);
    if (pn_hash64(&x->facts, offsetof(pn_index_trailer, hash)) != x->facts.hash ||
        x->facts.file_bytes != n)
        return corrupt(x, "its trailer does not have the hash that was written", err);
    return PN_OK;
}

pn_status pn_index_open(const char *path, pn_index **out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_index *x = pn_alloc_zero(sizeof *x);
    if (!x)
        return pn_fail_nomem(err);
    x->path = pn_strdup(path);
    if (!x->path)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_mapping_open(path, &x->mapping, err));
    PN_GOTO(done, read_trailer(x, err));
    PN_GOTO(done, check_trailer(x, err));
    pn_index_place_arrays(x, x->mapping.data);
    PN_GOTO(done, check_hashes(x, false, err));
    PN_GOTO(done, check_numbers(x, err));
    PN_GOTO(done, list_unlisted(x, err));
    PN_GOTO(done, pn_index_derive(x, err));
    for (size_t b = 0; b < x->facts.n_books; b++)
        if (x->facts.sections[pq_section(b, PN_PQ_SECTIONS - 1)].bytes !=
            x->block_starts[x->facts.n_partitions] * pn_code_block_bytes(x->facts.n_groups[b]))
            PN_GOTO(done, corrupt(x, "its codes have the wrong size", err));
    *out = x;
    x = NULL;
done:
    pn_index_close(x);
    return status;
}

void pn_index_close(pn_index *index)
{
    if (!index)
        return;
    pn_mapping_close(&index->mapping);
    pn_index_free_derived(index);
    pn_free(index->unlisted);
    pn_free(index->unlisted_starts);
    pn_free(index->path);
    pn_free(index);
}

pn_status pn_index_check(const pn_index *index, pn_error *err)
{
    return check_hashes(index, true, err);
}

static bool scans_all(const pn_index *index)
{
    for (size_t i = 0; i < (size_t)PN_QUERY_KINDS * PN_EFFORTS_MAX; i++)
        if (index->efforts[i].recall > 0 &&
            index->efforts[i].partitions < index->facts.n_partitions)
            return false;
    return true;
}

void pn_index_info_get(const pn_index *index, pn_index_info *out)
{
    const pn_index_trailer *t = &index->facts;
    *out = (pn_index_info){.n_rows = t->n_rows,
                           .n_listed = t->n_listed,
                           .table_version = t->table_version,
                           .file_bytes = t->file_bytes,
                           .dim = t->dim,
                           .n_partitions = t->n_partitions,
                           .n_fragments = t->n_fragments,
                           .has_texts = t->n_texts > 0,
                           .has_copies = index->copies != NULL,
                           .scans_all = scans_all(index)};
}

void pn_index_memory_get(const pn_index *index, pn_index_memory *out)
{
    const pn_index_place *copies = &index->facts.sections[PN_SECTION_COPIES];
    *out = (pn_index_memory){&index->mapping, index->path, (size_t)copies->offset,
                             (size_t)copies->bytes};
}

size_t pn_index_unlisted(const pn_index *index, size_t i, const uint32_t **out)
{
    *out = index->unlisted + index->unlisted_starts[i];
    return (size_t)(index->unlisted_starts[i + 1] - index->unlisted_starts[i]);
}

void pn_index_fragment_get(const pn_index *index, size_t i, pn_index_fragment *out)
{
    const pn_fragment_record *record = &index->fragments[i];
    *out = (pn_index_fragment){
        .id = record->id, .n_rows = record->n_rows, .name = index->names + record->name_at};
}

/* ---- writing */

struct pn_index_writer {
    char *path, *part;
    pn_fd fd;
    uint64_t at;
    pn_index_section open; /* the section that grows */
    pn_index_trailer facts;
};

pn_status pn_index_writer_create(const char *path, pn_index_writer **out, pn_error *err)
{
    uint8_t uuid[16];
    char id[PN_UUID_TEXT_BYTES];
    pn_index_writer *w = pn_alloc_zero(sizeof *w);
    size_t n = strlen(path) + sizeof id + 8;
    if (!w)
        return pn_fail_nomem(err);
    w->fd = PN_FD_NONE;
    w->path = pn_strdup(path);
    w->part = pn_alloc(n);
    if (!w->path || !w->part) {
        pn_index_writer_free(w);
        return pn_fail_nomem(err);
    }
    pn_uuid_make(uuid);
    pn_uuid_text(uuid, id);
    (void)snprintf(w->part, n, "%s.%s.part", path, id);
    pn_status status = pn_fd_open(w->part, PN_OPEN_CREATE_NEW, &w->fd, err);
    if (status != PN_OK) {
        pn_index_writer_free(w);
        return status;
    }
    *out = w;
    return PN_OK;
}

/* Files are hashed by mapping what was written: the pages are still in memory. */
static pn_status hash_section(pn_index_writer *w, pn_error *err)
{
    pn_mapping mapping;
    pn_index_place *place = &w->facts.sections[w->open];
    place->bytes = w->at - place->offset;
    PN_TRY(pn_mapping_open(w->part, &mapping, err));
    place->hash = pn_hash64(mapping.data ? mapping.data + place->offset : NULL, place->bytes);
    pn_mapping_close(&mapping);
    return PN_OK;
}

pn_status pn_index_writer_begin(pn_index_writer *w, pn_index_section section, pn_error *err)
{
    static const uint8_t zeros[PN_INDEX_ALIGN];
    if (w->at > 0)
        PN_TRY(hash_section(w, err));
    size_t gap = (PN_INDEX_ALIGN - w->at % PN_INDEX_ALIGN) % PN_INDEX_ALIGN;
    PN_TRY(pn_fd_write(w->fd, w->part, zeros, gap, err));
    w->at += gap;
    w->open = section;
    w->facts.sections[section].offset = w->at;
    return PN_OK;
}

pn_status pn_index_writer_add(pn_index_writer *w, const void *bytes, size_t n, pn_error *err)
{
    PN_TRY(pn_fd_write(w->fd, w->part, bytes, n, err));
    w->at += n;
    return PN_OK;
}

pn_status pn_index_writer_section(pn_index_writer *w, pn_index_section section, const void *bytes,
                                  size_t n, pn_error *err)
{
    PN_TRY(pn_index_writer_begin(w, section, err));
    return pn_index_writer_add(w, bytes, n, err);
}

pn_status pn_index_writer_map(pn_index_writer *w, pn_mapping *out, pn_error *err)
{
    PN_TRY(hash_section(w, err));
    return pn_mapping_open(w->part, out, err);
}

pn_index_trailer *pn_index_writer_facts(pn_index_writer *writer)
{
    return &writer->facts;
}

pn_status pn_index_writer_finish(pn_index_writer *w, pn_error *err)
{
    PN_TRY(hash_section(w, err));
    /* a section that was never begun has no bytes, and their hash */
    for (size_t s = 0; s < PN_INDEX_SECTIONS; s++)
        if (w->facts.sections[s].bytes == 0)
            w->facts.sections[s].hash = pn_hash64(NULL, 0);
    static const uint8_t zeros[8];
    size_t gap = (8 - w->at % 8) % 8;
    PN_TRY(pn_fd_write(w->fd, w->part, zeros, gap, err));
    w->facts.file_bytes = w->at + gap + sizeof w->facts;
    w->facts.format = PN_INDEX_FORMAT;
    memcpy(w->facts.magic, magic, sizeof magic);
    w->facts.hash = pn_hash64(&w->facts, offsetof(pn_index_trailer, hash));
    PN_TRY(pn_fd_write(w->fd, w->part, &w->facts, sizeof w->facts, err));
    PN_TRY(pn_fd_sync(w->fd, w->part, err));
    PN_TRY(pn_path_rename(w->part, w->path, err));
    pn_free(w->part);
    w->part = NULL;
    return PN_OK;
}

void pn_index_writer_free(pn_index_writer *w)
{
    if (!w)
        return;
    pn_fd_close(w->fd);
    if (w->part)
        (void)(pn_path_remove(w->part, NULL) == PN_OK); // left behind, it only takes room
    pn_free(w->path);
    pn_free(w->part);
    pn_free(w);
}
