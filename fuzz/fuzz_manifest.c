/*
 * fuzz_manifest.c - any bytes as a table's manifest or transaction
 *
 * The first byte says what the rest is: 'm' a manifest file, 'p' a Manifest message and 't' a Transaction message (both are
 * wrapped into a file here, so that the fuzzer need not guess offsets, and mutated as messages). A transaction is judged against
 * everything that we could want to commit after it.
 * A manifest that is accepted must write itself back: encoded, parsed and encoded again it is the same bytes. What it says of
 * the table is then opened as a dataset in a folder that does not exist.
 */
#include "base/alloc.h"
#include "base/endian.h"
#include "dataset/internal.h"
#include "mutate.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static bool encode(pn_manifest *manifest, pn_buffer *out)
{
    Pn__Table__Transaction none = PN__TABLE__TRANSACTION__INIT;
    pn_buffer_init(out, 1u << 28);
    pn_status status = pn_manifest_encode(
        manifest->message, manifest->index_section, manifest->index_section_bytes,
        manifest->transaction ? manifest->transaction : &none, out, NULL);
    must(status == PN_OK || status == PN_ERR_CORRUPT); // not to be read again: not to be written
    return status == PN_OK;
}

static void check_round_trip(pn_manifest *manifest)
{
    pn_buffer first, second;
    pn_manifest again = {0};
    if (!encode(manifest, &first)) {
        pn_buffer_reset(&first);
        return;
    }
    must(pn_manifest_parse(first.data, first.n_bytes, "again", &again, NULL) == PN_OK);
    must(encode(&again, &second));
    must(first.n_bytes == second.n_bytes && memcmp(first.data, second.data, first.n_bytes) == 0);
    pn_manifest_free(&again);
    pn_buffer_reset(&second);
    pn_buffer_reset(&first);
}

static void open_table(pn_manifest *manifest)
{
    pn_file_cache *cache;
    pn_dataset *dataset;
    pn_error err = {0};
    must(pn_file_cache_create(&cache, NULL) == PN_OK);
    if (pn_dataset_from_manifest("/nonexistent/t.lance", manifest, PN_MANIFEST_V2, cache, &dataset,
                                 &err) == PN_OK) {
        uint64_t n_rows = 0;
        for (size_t i = 0; i < pn_dataset_n_fragments(dataset); i++) {
            pn_fragment_info info;
            pn_dataset_fragment(dataset, i, &info);
            must(info.deleted_rows <= info.physical_rows &&
                 pn_dataset_column_file(dataset, i, "vector") != NULL);
            must(pn_dataset_find_fragment(dataset, info.id) == i);
            n_rows += info.physical_rows - info.deleted_rows;
        }
        must(n_rows == pn_dataset_count_rows(dataset));
        (void)pn_dataset_timestamp_ms(dataset); // for the sanitizers
        pn_dataset_unref(dataset);
    } else {
        must(err.message[0] != '\0');
    }
    pn_file_cache_unref(cache);
}

static bool touches_low(const void *context, uint64_t fragment_id)
{
    (void)context;
    return fragment_id < 2;
}

static void judge(const Pn__Table__Transaction *theirs)
{
    must(pn_transaction_name(theirs) != NULL &&
         pn_transaction_operation(theirs) < PN_OPERATION_COUNT);
    for (int ours = 0; ours < PN_OPERATION_OURS; ours++) {
        const pn_intent intent = {(pn_operation)ours, touches_low, NULL};
        pn_verdict verdict = pn_transaction_judge(&intent, theirs);
        must(verdict == PN_VERDICT_STANDS || verdict == PN_VERDICT_REDO ||
             verdict == PN_VERDICT_FAILS);
    }
}

static void try_manifest(const uint8_t *bytes, size_t n)
{
    pn_manifest manifest = {0};
    pn_error err = {0};
    if (pn_manifest_parse(bytes, n, "fuzzed", &manifest, &err) != PN_OK) {
        must(err.message[0] != '\0');
        return;
    }
    judge(manifest.transaction);
    check_round_trip(&manifest);
    open_table(&manifest);
    pn_manifest_free(&manifest);
}

/* A file of an optional transaction (at 0) and a manifest. */
static void try_wrapped(const uint8_t *message, size_t n, bool is_transaction)
{
    /* version 1, data format "lance" "2.2", transaction section at 0 */
    static const uint8_t carrier[] = {0x18, 1,    0x7a, 12,  0x0a, 5,   'l',  'a',  'n', 'c',
                                      'e',  0x12, 3,    '2', '.',  '2', 0xa8, 0x01, 0};
    size_t at = 0, position;
    uint8_t *file = pn_alloc(n + sizeof carrier + 64);
    must(file != NULL);
    if (is_transaction) {
        pn_store_le32(file, (uint32_t)n);
        if (n > 0)
            memcpy(file + 4, message, n);
        at = n + 4;
        message = carrier;
        n = sizeof carrier;
    }
    position = at;
    pn_store_le32(file + at, (uint32_t)n);
    if (n > 0)
        memcpy(file + at + 4, message, n);
    at += n + 4;
    pn_store_le64(file + at, position);
    memcpy(file + at + 8, "\0\0\2\0LANC", 8);
    try_manifest(file, at + 16);
    pn_free(file);
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    if (n < 2 || pn_rng_below(&rng, 8) == 0 || (bytes[0] != 'p' && bytes[0] != 't'))
        return LLVMFuzzerMutate(bytes, n, max);
    return 1 + fuzz_mutate_message(bytes[0] == 'p' ? &pn__table__manifest__descriptor
                                                   : &pn__table__transaction__descriptor,
                                   bytes + 1, n - 1, max - 1, &rng);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    switch (bytes[0]) {
    case 'm':
        try_manifest(bytes + 1, n - 1);
        break;
    case 'p':
    case 't':
        try_wrapped(bytes + 1, n - 1, bytes[0] == 't');
        break;
    default:
        break;
    }
    return 0;
}
