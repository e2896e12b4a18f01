/*
 * fuzz_row_ids.c - any bytes as the stable row ids or the row versions of a fragment
 *
 *     | 'i' ids, 'v' versions | u24: rows of the fragment | a RowIdSequence or RowVersionSequence |
 *
 * What is accepted must come back from the bytes that we would write for it. Mutations are of the message.
 */
#include "base/endian.h"
#include "dataset/row_ids.h"
#include "mutate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEAD = 4, MAX_ROWS = 1 << 18, MAX_BYTES = 1 << 26 };

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    if (n < HEAD || pn_rng_below(&rng, 4) == 0)
        return LLVMFuzzerMutate(bytes, n, max);
    return HEAD + fuzz_mutate_message(bytes[0] == 'v' ? &pn__table__row_version_sequence__descriptor
                                                      : &pn__table__row_id_sequence__descriptor,
                                      bytes + HEAD, n - HEAD, max - HEAD, &rng);
}

static void try_ids(Pn__Table__DataFragment *f, size_t n, pn_arena *arena)
{
    uint64_t *ids, *again;
    pn_error err = {0};
    if (pn_row_ids_decode(f, n, arena, &ids, &err) != PN_OK) {
        must(err.message[0] != '\0');
        return;
    }
    must(pn_row_ids_encode(ids, n, arena, &f->inline_row_ids, &err) == PN_OK);
    must(pn_row_ids_decode(f, n, arena, &again, &err) == PN_OK);
    must(memcmp(ids, again, n * sizeof *ids) == 0);
}

static void try_versions(Pn__Table__DataFragment *f, size_t n, pn_arena *arena)
{
    uint64_t *versions, *again;
    pn_error err = {0};
    if (pn_row_updated_decode(f, n, arena, &versions, &err) != PN_OK) {
        must(err.message[0] != '\0');
        return;
    }
    must(pn_row_versions_encode(versions, n, arena, &f->inline_updated_at, &err) == PN_OK);
    f->has_inline_created_at = 0;
    must(pn_row_updated_decode(f, n, arena, &again, &err) == PN_OK);
    must(memcmp(versions, again, n * sizeof *versions) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_arena arena;
    Pn__Table__DataFragment f = PN__TABLE__DATA_FRAGMENT__INIT;
    if (n < HEAD)
        return 0;
    size_t n_rows = (pn_load_le32(bytes) >> 8) % MAX_ROWS;
    ProtobufCBinaryData message = {n - HEAD, (uint8_t *)(uintptr_t)(bytes + HEAD)};
    f.has_inline_row_ids = f.has_inline_created_at = f.has_inline_updated_at = 1;
    f.inline_row_ids = f.inline_created_at = f.inline_updated_at = message;
    pn_arena_init(&arena, MAX_BYTES);
    if (bytes[0] == 'v')
        try_versions(&f, n_rows, &arena);
    else
        try_ids(&f, n_rows, &arena);
    pn_arena_reset(&arena);
    return 0;
}
