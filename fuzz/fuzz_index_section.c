/*
 * fuzz_index_section.c - any bytes as the list of indexes of a version
 *
 *     | u8: the highest fragment id / 4 | an IndexSection |
 *
 * What operations do with it: columns go, fragments are folded into one, fragments are told apart by the indexes that cover them.
 * What they write must be read again. Mutations are of the message.
 */
#include "base/alloc.h"
#include "dataset/index_section.h"
#include "mutate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { N_FIELDS = 4, N_FRAGMENTS = 6, MAX_BYTES = 1 << 28 };

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    if (n < 1 || pn_rng_below(&rng, 4) == 0)
        return LLVMFuzzerMutate(bytes, n, max);
    return 1 + fuzz_mutate_message(&pn__table__index_section__descriptor, bytes + 1, n - 1, max - 1,
                                   &rng);
}

static void check_written(const pn_draft *draft, pn_status status, const pn_error *err)
{
    if (status != PN_OK) {
        must(err->message[0] != '\0');
        return;
    }
    Pn__Table__IndexSection *again =
        pn__table__index_section__unpack(NULL, draft->index_section_bytes, draft->index_section);
    must(again != NULL);
    pn__table__index_section__free_unpacked(again, NULL);
}

/* An id that is gone and one that is the highest; the fold of 0 and 1 into the highest. */
static void change(Pn__Table__Manifest *manifest, const uint8_t *section, size_t n)
{
    static const uint64_t old_ids[] = {0, 1};
    pn_arena arena;
    pn_error err = {0};
    pn_arena_init(&arena, MAX_BYTES);
    pn_draft draft = {
        .arena = &arena, .manifest = manifest, .index_section = section, .index_section_bytes = n};
    pn_status status = pn_indexes_keep_fields(&draft, &err);
    check_written(&draft, status, &err);
    for (int keeps = 0; keeps < 2; keeps++) {
        const pn_index_move move = {old_ids, PN_COUNT_OF(old_ids), manifest->max_fragment_id,
                                    keeps > 0};
        draft.index_section = section;
        draft.index_section_bytes = n;
        status = pn_indexes_move(&draft, &move, 1, &err);
        check_written(&draft, status, &err);
    }
    pn_arena_reset(&arena);
}

static void ask(Pn__Table__Manifest *manifest, const uint8_t *section, size_t n)
{
    pn_fragment fragments[N_FRAGMENTS] = {0};
    pn_arena arena;
    pn_error err = {0};
    uint64_t *classes;
    for (uint32_t i = 0; i < N_FRAGMENTS; i++)
        fragments[i].id = i * i;
    uint8_t *copy = pn_alloc(n + 1);
    must(copy != NULL);
    memcpy(copy, section, n);
    pn_dataset dataset = {
        .manifest = {manifest, copy, n, NULL}, .fragments = fragments, .n_fragments = N_FRAGMENTS};
    pn_arena_init(&arena, MAX_BYTES);
    if (pn_indexes_classes(&dataset, &arena, &classes, &err) != PN_OK)
        must(err.message[0] != '\0');
    pn_arena_reset(&arena);
    pn_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Pn__Table__Manifest manifest = PN__TABLE__MANIFEST__INIT;
    Pn__Lance__Field fields[N_FIELDS], *list[N_FIELDS];
    if (n < 1)
        return 0;
    for (int i = 0; i < N_FIELDS; i++) {
        pn__lance__field__init(&fields[i]);
        fields[i].has_id = 1;
        fields[i].id = i;
        list[i] = &fields[i];
    }
    manifest.fields = list;
    manifest.n_fields = N_FIELDS;
    manifest.has_max_fragment_id = 1;
    manifest.max_fragment_id = 1 + bytes[0] * 4u;
    change(&manifest, bytes + 1, n - 1);
    ask(&manifest, bytes + 1, n - 1);
    return 0;
}
