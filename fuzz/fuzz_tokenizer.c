/*
 * fuzz_tokenizer.c - any bytes as a text
 *
 * The vocabulary is the smallest there is, 512 byte symbols and a few merges, written to a temporary folder once. Whatever
 * the text, the ids begin with the start token, end with the end token, and are in the vocabulary.
 */
#include "base/arena.h"
#include "base/limits.h"
#include "clip/tokenizer.h"
#include "os/dir.h"
#include "os/fd.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static pn_tokenizer *make_tokenizer(void)
{
    static const char merges[] =
        "#version: fuzz\na a\nb c\naa a\nabc ab\na b\nab c\nabc abc\nb c</w>\n";
    pn_arena arena;
    pn_error err = {0};
    char *dir = NULL;
    pn_tokenizer *tokenizer = NULL;
    pn_arena_init(&arena, 1u << 20);
    if (pn_dir_make_temporary("fuzz", &arena, &dir, &err) != PN_OK)
        abort();
    char *path = pn_path_join(&arena, dir, "bpe_simple_vocab_16e6.txt");
    if (!path || pn_file_write_atomic(path, merges, sizeof merges - 1, &err) != PN_OK)
        abort();
    if (pn_tokenizer_load(dir, NULL, &tokenizer, &err) != PN_OK)
        abort();
    if (pn_dir_remove_all(dir, &err) != PN_OK)
        abort();
    pn_arena_reset(&arena);
    return tokenizer;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static pn_tokenizer *tokenizer;
    uint32_t ids[77];
    size_t n_ids = 0;
    pn_error err = {0};
    if (!tokenizer)
        tokenizer = make_tokenizer();
    pn_status status =
        pn_tokenizer_encode(tokenizer, pn_str_make((const char *)bytes, n), 77, ids, &n_ids, &err);
    if (n > PN_TEXT_MAX_BYTES ? status != PN_ERR_LIMIT : status != PN_OK)
        abort();
    if (status != PN_OK)
        return 0;
    if (n_ids < 2 || n_ids > 77 || ids[0] != pn_tokenizer_start_id(tokenizer) ||
        ids[n_ids - 1] != pn_tokenizer_end_id(tokenizer))
        abort();
    for (size_t i = 0; i < n_ids; i++)
        if (ids[i] >= pn_tokenizer_vocabulary(tokenizer))
            abort();
    return 0;
}
