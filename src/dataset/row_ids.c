/*
 * row_ids.c - sequences of numbers, in runs
 *
 * A RowIdSequence is a list of segments, each of which tells ids in one of five ways:
 *
 *     range                [start, end)
 *     range with holes     the same without some
 *     range with bitmap    the same, a bit an id (least significant first): 1 = there
 *     sorted array, array  the ids themselves, as 16 or 32 bits over a base or as 64 bits
 *
 * After appends a fragment is one range. Compaction of what was deleted from leaves ascending ids with gaps: a bitmap, of a bit an
 * id, or an array where the gaps are wide. Updates leave any order: arrays. The writer cuts at the descents, tells each long
 * ascent in the shortest of these ways and what is between as plain arrays.
 * Versions are runs of rows, {span, version}, one after another. We write spans that count the fragment's rows from 0; LanceDB's
 * compaction leaves spans of the fragments before it, so that only their lengths can be relied on.
 */
#include "dataset/row_ids.h"

#include "base/bits.h"
#include "base/endian.h"

#include <inttypes.h>
#include <string.h>

enum { SHORTEST_ASCENT = 16 };

/* ---- reading ---- */

typedef struct id_list {
    uint64_t *ids;
    size_t n, room;
} id_list;

static pn_status damaged(const char *what, pn_error *err)
{
    return pn_fail(err, PN_ERR_CORRUPT, "stable row ids: %s", what);
}

static pn_status push(id_list *list, uint64_t id, pn_error *err)
{
    if (list->n == list->room)
        return damaged("more of them than rows", err);
    list->ids[list->n++] = id;
    return PN_OK;
}

/* The i-th value of an array. False past its end. */
static bool array_get(const Pn__Table__U64Array *array, size_t i, uint64_t *out)
{
    const Pn__Table__U64Array__Narrow16 *narrow16;
    const Pn__Table__U64Array__Narrow32 *narrow32;
    switch ((int)array->array_case) {
    case PN__TABLE__U64_ARRAY__ARRAY_NARROW16:
        narrow16 = array->narrow16;
        if (i >= narrow16->offsets.len / 2)
            return false;
        *out = narrow16->lowest + pn_load_le16(narrow16->offsets.data + 2 * i);
        return true;
    case PN__TABLE__U64_ARRAY__ARRAY_NARROW32:
        narrow32 = array->narrow32;
        if (i >= narrow32->offsets.len / 4)
            return false;
        *out = narrow32->lowest + pn_load_le32(narrow32->offsets.data + 4 * i);
        return true;
    case PN__TABLE__U64_ARRAY__ARRAY_WIDE:
        if (i >= array->wide->values.len / 8)
            return false;
        *out = pn_load_le64(array->wide->values.data + 8 * i);
        return true;
    default:
        return false;
    }
}

static pn_status read_array(const Pn__Table__U64Array *array, id_list *list, pn_error *err)
{
    uint64_t id;
    for (size_t i = 0; array_get(array, i, &id); i++)
        PN_TRY(push(list, id, err));
    return PN_OK;
}

static pn_status read_range(uint64_t start, uint64_t end, id_list *list, pn_error *err)
{
    for (uint64_t id = start; id < end; id++)
        PN_TRY(push(list, id, err)); // ends with the room
    return PN_OK;
}

static pn_status read_holes(const Pn__Table__U64Segment__Holes *range, id_list *list, pn_error *err)
{
    size_t at = 0;
    uint64_t hole, id = range->start;
    if (!range->holes)
        return read_range(range->start, range->end, list, err);
    for (; array_get(range->holes, at, &hole); at++) { // ascending
        if (hole < id || hole >= range->end)
            return damaged("a hole outside of its range", err);
        PN_TRY(read_range(id, hole, list, err));
        id = hole + 1;
    }
    return read_range(id, range->end, list, err);
}

static pn_status read_bits(const Pn__Table__U64Segment__Bits *range, id_list *list, pn_error *err)
{
    uint64_t n = range->end >= range->start ? range->end - range->start : UINT64_MAX;
    if (n > (uint64_t)range->bitmap.len * 8)
        return damaged("a bitmap shorter than its range", err);
    for (size_t i = 0; i < n; i++)
        if (pn_bit_get(range->bitmap.data, i))
            PN_TRY(push(list, range->start + i, err));
    return PN_OK;
}

static pn_status read_segment(const Pn__Table__U64Segment *segment, id_list *list, pn_error *err)
{
    switch ((int)segment->segment_case) {
    case PN__TABLE__U64_SEGMENT__SEGMENT_RANGE:
        return read_range(segment->range->start, segment->range->end, list, err);
    case PN__TABLE__U64_SEGMENT__SEGMENT_HOLES:
        return read_holes(segment->holes, list, err);
    case PN__TABLE__U64_SEGMENT__SEGMENT_BITS:
        return read_bits(segment->bits, list, err);
    case PN__TABLE__U64_SEGMENT__SEGMENT_SORTED:
        return read_array(segment->sorted, list, err);
    case PN__TABLE__U64_SEGMENT__SEGMENT_ARRAY:
        return read_array(segment->array, list, err);
    default:
        return damaged("a segment of an unknown kind", err);
    }
}

pn_status pn_row_ids_decode(const Pn__Table__DataFragment *fragment, size_t n, pn_arena *arena,
                            uint64_t **ids, pn_error *err)
{
    id_list list = {.ids = PN_ARENA_NEW(arena, uint64_t, n + 1), .room = n};
    if (!list.ids)
        return pn_fail_nomem(err);
    if (fragment->has_external_row_ids)
        return pn_fail(err, PN_ERR_UNSUPPORTED, "stable row ids in a file of their own");
    if (!fragment->has_inline_row_ids)
        return damaged("a fragment without them", err);
    Pn__Table__RowIdSequence *sequence = pn__table__row_id_sequence__unpack(
        NULL, fragment->inline_row_ids.len, fragment->inline_row_ids.data);
    if (!sequence)
        return damaged("not a list of segments", err);
    pn_status status = PN_OK;
    for (size_t i = 0; i < sequence->n_segments && status == PN_OK; i++)
        status = read_segment(sequence->segments[i], &list, err);
    pn__table__row_id_sequence__free_unpacked(sequence, NULL);
    PN_TRY(status);
    if (list.n != n)
        return damaged("fewer of them than rows", err);
    *ids = list.ids;
    return PN_OK;
}

/* ---- versions of rows ---- */

static pn_status read_runs(const Pn__Table__RowVersionSequence *sequence, uint64_t *versions,
                           size_t n, pn_arena *arena, pn_error *err)
{
    id_list rows = {.ids = PN_ARENA_NEW(arena, uint64_t, n + 1), .room = n};
    size_t at = 0;
    if (!rows.ids)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < sequence->n_runs; i++) {
        const Pn__Table__RowVersionRun *run = sequence->runs[i];
        rows.n = 0;
        if (run->span)
            PN_TRY(read_segment(run->span, &rows, err));
        if (rows.n > n - at)
            return damaged("versions of more rows than there are", err);
        for (size_t k = 0; k < rows.n; k++)
            versions[at++] = run->version;
    }
    return PN_OK;
}

static pn_status decode_versions(const ProtobufCBinaryData *bytes, size_t n, pn_arena *arena,
                                 uint64_t *versions, pn_error *err)
{
    Pn__Table__RowVersionSequence *sequence =
        pn__table__row_version_sequence__unpack(NULL, bytes->len, bytes->data);
    if (!sequence)
        return damaged("versions of rows are not a list of runs", err);
    pn_status status = read_runs(sequence, versions, n, arena, err);
    pn__table__row_version_sequence__free_unpacked(sequence, NULL);
    return status;
}

pn_status pn_row_created_decode(const Pn__Table__DataFragment *fragment, size_t n, pn_arena *arena,
                                uint64_t **versions, pn_error *err)
{
    uint64_t *list = PN_ARENA_NEW(arena, uint64_t, n + 1);
    if (!list)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < n; i++)
        list[i] = 1;
    if (fragment->has_inline_created_at)
        PN_TRY(decode_versions(&fragment->inline_created_at, n, arena, list, err));
    *versions = list;
    return PN_OK;
}

pn_status pn_row_updated_decode(const Pn__Table__DataFragment *fragment, size_t n, pn_arena *arena,
                                uint64_t **versions, pn_error *err)
{
    uint64_t *list;
    PN_TRY(pn_row_created_decode(fragment, n, arena, &list, err));
    if (fragment->has_inline_updated_at)
        PN_TRY(decode_versions(&fragment->inline_updated_at, n, arena, list, err));
    *versions = list;
    return PN_OK;
}

/* ---- writing ---- */

typedef struct segment_list {
    Pn__Table__U64Segment **segments;
    size_t n;
    pn_arena *arena;
    pn_error *err;
} segment_list;

static Pn__Table__U64Segment *add_segment(segment_list *list)
{
    Pn__Table__U64Segment *segment = PN_ARENA_NEW(list->arena, Pn__Table__U64Segment, 1);
    if (!segment)
        return NULL;
    pn__table__u64_segment__init(segment);
    return list->segments[list->n++] = segment;
}

static pn_status add_range(segment_list *list, uint64_t start, uint64_t end)
{
    Pn__Table__U64Segment *segment = add_segment(list);
    Pn__Table__U64Segment__Range *range =
        PN_ARENA_NEW(list->arena, Pn__Table__U64Segment__Range, 1);
    if (!segment || !range)
        return pn_fail_nomem(list->err);
    pn__table__u64_segment__range__init(range);
    range->has_start = range->has_end = 1;
    range->start = start;
    range->end = end;
    segment->segment_case = PN__TABLE__U64_SEGMENT__SEGMENT_RANGE;
    segment->range = range;
    return PN_OK;
}

static pn_status add_bits(segment_list *list, const uint64_t *ids, size_t n)
{
    uint64_t span = ids[n - 1] - ids[0] + 1;
    size_t n_bytes = pn_bytes_for_bits((size_t)span);
    Pn__Table__U64Segment *segment = add_segment(list);
    Pn__Table__U64Segment__Bits *bits = PN_ARENA_NEW(list->arena, Pn__Table__U64Segment__Bits, 1);
    uint8_t *bytes = PN_ARENA_NEW(list->arena, uint8_t, n_bytes + 1);
    if (!segment || !bits || !bytes)
        return pn_fail_nomem(list->err);
    for (size_t i = 0; i < n; i++)
        pn_bit_set(bytes, (size_t)(ids[i] - ids[0]));
    pn__table__u64_segment__bits__init(bits);
    bits->has_start = bits->has_end = bits->has_bitmap = 1;
    bits->start = ids[0];
    bits->end = ids[n - 1] + 1;
    bits->bitmap = (ProtobufCBinaryData){n_bytes, bytes};
    segment->segment_case = PN__TABLE__U64_SEGMENT__SEGMENT_BITS;
    segment->bits = bits;
    return PN_OK;
}

static pn_status add_array(segment_list *list, const uint64_t *ids, size_t n, bool sorted)
{
    Pn__Table__U64Segment *segment = add_segment(list);
    Pn__Table__U64Array *array = PN_ARENA_NEW(list->arena, Pn__Table__U64Array, 1);
    Pn__Table__U64Array__Wide *wide = PN_ARENA_NEW(list->arena, Pn__Table__U64Array__Wide, 1);
    uint8_t *bytes = PN_ARENA_NEW(list->arena, uint8_t, n * 8 + 1);
    if (!segment || !array || !wide || !bytes)
        return pn_fail_nomem(list->err);
    for (size_t i = 0; i < n; i++)
        pn_store_le64(bytes + 8 * i, ids[i]);
    pn__table__u64_array__wide__init(wide);
    wide->has_values = 1;
    wide->values = (ProtobufCBinaryData){n * 8, bytes};
    pn__table__u64_array__init(array);
    array->array_case = PN__TABLE__U64_ARRAY__ARRAY_WIDE;
    array->wide = wide;
    segment->segment_case =
        sorted ? PN__TABLE__U64_SEGMENT__SEGMENT_SORTED : PN__TABLE__U64_SEGMENT__SEGMENT_ARRAY;
    if (sorted)
        segment->sorted = array;
    else
        segment->array = array;
    return PN_OK;
}

static pn_status add_ascent(segment_list *list, const uint64_t *ids, size_t n)
{
    uint64_t span =
        ids[n - 1] - ids[0]; // without the last: all numbers there are have no count of 64 bits
    if (ids[n - 1] == UINT64_MAX || span / 64 > n)
        return add_array(list, ids, n, true); // a range could not tell its end
    return span == n - 1 ? add_range(list, ids[0], ids[n - 1] + 1) : add_bits(list, ids, n);
}

static size_t ascent(const uint64_t *ids, size_t from, size_t n)
{
    size_t end = from + 1;
    while (end < n && ids[end] > ids[end - 1])
        end++;
    return end;
}

static pn_status fill_segments(segment_list *list, const uint64_t *ids, size_t n)
{
    size_t pending = 0, at = 0; // ids from pending on are in no segment yet
    while (at < n) {
        size_t end = ascent(ids, at, n);
        if (end - at >= SHORTEST_ASCENT || (at == pending && end == n)) {
            if (at > pending)
                PN_TRY(add_array(list, ids + pending, at - pending, false));
            PN_TRY(add_ascent(list, ids + at, end - at));
            pending = end;
        }
        at = end;
    }
    return pending < n ? add_array(list, ids + pending, n - pending, false) : PN_OK;
}

pn_status pn_row_ids_encode(const uint64_t *ids, size_t n, pn_arena *arena,
                            ProtobufCBinaryData *out, pn_error *err)
{
    Pn__Table__RowIdSequence sequence = PN__TABLE__ROW_ID_SEQUENCE__INIT;
    /* Each long ascent makes two segments at most. */
    segment_list list = {
        .segments = PN_ARENA_NEW(arena, Pn__Table__U64Segment *, n / SHORTEST_ASCENT * 2 + 3),
        .arena = arena,
        .err = err};
    if (!list.segments)
        return pn_fail_nomem(err);
    PN_TRY(fill_segments(&list, ids, n));
    sequence.segments = list.segments;
    sequence.n_segments = list.n;
    size_t n_bytes = pn__table__row_id_sequence__get_packed_size(&sequence);
    uint8_t *bytes = pn_arena_alloc(arena, n_bytes + 1);
    if (!bytes)
        return pn_fail_nomem(err);
    *out = (ProtobufCBinaryData){pn__table__row_id_sequence__pack(&sequence, bytes), bytes};
    return PN_OK;
}

static pn_status add_run(segment_list *spans, Pn__Table__RowVersionRun **runs, size_t first,
                         size_t end, uint64_t version)
{
    Pn__Table__RowVersionRun *run = PN_ARENA_NEW(spans->arena, Pn__Table__RowVersionRun, 1);
    if (!run)
        return pn_fail_nomem(spans->err);
    pn__table__row_version_run__init(run);
    PN_TRY(add_range(spans, first, end));
    run->span = spans->segments[spans->n - 1];
    run->has_version = 1;
    run->version = version;
    runs[spans->n - 1] = run;
    return PN_OK;
}

pn_status pn_row_versions_encode(const uint64_t *versions, size_t n, pn_arena *arena,
                                 ProtobufCBinaryData *out, pn_error *err)
{
    Pn__Table__RowVersionSequence sequence = PN__TABLE__ROW_VERSION_SEQUENCE__INIT;
    size_t n_runs = n > 0;
    for (size_t i = 1; i < n; i++)
        n_runs += versions[i] != versions[i - 1];
    segment_list spans = {.segments = PN_ARENA_NEW(arena, Pn__Table__U64Segment *, n_runs + 1),
                          .arena = arena,
                          .err = err};
    Pn__Table__RowVersionRun **runs = PN_ARENA_NEW(arena, Pn__Table__RowVersionRun *, n_runs + 1);
    if (!spans.segments || !runs)
        return pn_fail_nomem(err);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && versions[end] == versions[first]; end++)
            continue;
        PN_TRY(add_run(&spans, runs, first, end, versions[first]));
    }
    sequence.runs = runs;
    sequence.n_runs = spans.n;
    size_t n_bytes = pn__table__row_version_sequence__get_packed_size(&sequence);
    uint8_t *bytes = pn_arena_alloc(arena, n_bytes + 1);
    if (!bytes)
        return pn_fail_nomem(err);
    *out = (ProtobufCBinaryData){pn__table__row_version_sequence__pack(&sequence, bytes), bytes};
    return PN_OK;
}
