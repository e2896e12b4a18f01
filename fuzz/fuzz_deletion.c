/*
 * fuzz_deletion.c - any bytes as the deletion file of a fragment
 *
 *     | 'b' a Roaring bitmap, 'a' an Arrow file | u32: rows of the fragment | the file |
 *
 * What is accepted must come back from the bitmap that we would write for it.
 */
#include "base/alloc.h"
#include "base/endian.h"
#include "dataset/deletion.h"

#include "base/bits.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEAD = 5, MAX_ROWS = 1 << 22 };

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check_round_trip(const uint64_t *words, uint32_t n_rows)
{
    size_t n_words = pn_words_for_bits(n_rows);
    uint64_t *again, count, n_set = 0;
    pn_buffer bytes;
    for (size_t i = n_rows; i < n_words * 64; i++)
        must(!pn_word_bit_get(words, i));
    for (size_t i = 0; i < n_words; i++)
        n_set += pn_popcount64(words[i]);
    pn_buffer_init(&bytes, 1u << 28);
    must(pn_bitmap_write(words, n_rows, &bytes, &count, NULL) == PN_OK && count == n_set);
    must(pn_deletion_parse(bytes.data, bytes.n_bytes, "again", true, n_rows, &again, NULL) ==
         PN_OK);
    must(n_words == 0 || memcmp(words, again, n_words * sizeof *words) == 0);
    pn_free(again);
    pn_buffer_reset(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint64_t *words;
    pn_error err = {0};
    if (n < HEAD || (bytes[0] != 'a' && bytes[0] != 'b'))
        return 0;
    uint32_t n_rows = pn_load_le32(bytes + 1) % MAX_ROWS;
    if (pn_deletion_parse(bytes + HEAD, n - HEAD, "fuzzed", bytes[0] == 'b', n_rows, &words,
                          &err) == PN_OK) {
        check_round_trip(words, n_rows);
        pn_free(words);
    } else {
        must(strstr(err.message, "fuzzed") || err.status == PN_ERR_NOMEM);
    }
    return 0;
}
