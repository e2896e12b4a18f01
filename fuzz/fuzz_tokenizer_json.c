/*
 * fuzz_tokenizer_json.c - any bytes as a tokenizer.json, and any bytes as a text for it
 *
 *     u8 class | u8 n | text of n bytes (or of what there is) | tokenizer.json
 *
 * The class is what tokenizer_config.json says beside it: nothing, which means byte-level BPE, or one of those that are sentencepiece. A
 * byte-level vocabulary needs 512 symbols and two special tokens before it is one: the first byte 1 in the file, which JSON does not
 * know, stands for them, so that the inputs stay small.
 *
 * A file is refused with a reason, or works: ids are in the vocabulary, the same for the same text, start and end where they have to.
 * Files of several folders lead to one file in memory, which is what changes.
 */
#include "base/alloc.h"
#include "clip/tokenizer.h"
#include "os/dir.h"
#include "os/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { ROOM = 64, MAX_BYTES = 1 << 20 };

static const char *const classes[] = {NULL, "SiglipTokenizer", "T5Tokenizer", "GemmaTokenizer"};

static char *root, *folders[PN_COUNT_OF(classes)];
static int memory; /* tokenizer.json */
static char symbols[16384];
static pn_arena arena;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void remove_folders(void)
{
    pn_error err = {0};
    if (pn_dir_remove_all(root, &err) != PN_OK)
        return; // at the end of the program: they stay
    pn_arena_reset(&arena);
}

static bool is_plain(unsigned b)
{
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
}

/* GPT-2's letters for bytes, alone and with </w>: "!":0,"!</w>":1, ... */
static void make_symbols(void)
{
    unsigned shifted = 256, id = 0;
    size_t n = 0;
    for (unsigned b = 0; b < 256; b++) {
        unsigned letter = is_plain(b) ? b : shifted++;
        for (int last = 0; last < 2; last++)
            n += (size_t)snprintf(symbols + n, sizeof symbols - n, "\"\\u%04X%s\":%u,", letter,
                                  last ? "</w>" : "", id++);
    }
    (void)snprintf(symbols + n, sizeof symbols - n, "\"<|startoftext|>\":%u,\"<|endoftext|>\":%u",
                   id, id + 1);
}

static void make_folders(void)
{
    pn_error err = {0};
    char target[64], config[64];
    pn_arena_init(&arena, 1u << 20);
    memory = memfd_create("tokenizer.json", 0);
    must(memory >= 0);
    (void)snprintf(target, sizeof target, "/proc/self/fd/%d", memory);
    must(pn_dir_make_temporary("fuzz", &arena, &root, &err) == PN_OK);
    for (size_t i = 0; i < PN_COUNT_OF(classes); i++) {
        (void)snprintf(config, sizeof config, "%zu", i);
        folders[i] = pn_path_join(&arena, root, config);
        must(folders[i] && pn_dir_make(folders[i], &err) == PN_OK);
        char *json = pn_path_join(&arena, folders[i], "tokenizer.json");
        must(json && symlink(target, json) == 0);
        char *path = pn_path_join(&arena, folders[i], "tokenizer_config.json");
        (void)snprintf(config, sizeof config, "{\"tokenizer_class\":\"%s\"}",
                       classes[i] ? classes[i] : "");
        if (classes[i])
            must(path && pn_file_write_atomic(path, config, strlen(config), &err) == PN_OK);
    }
    make_symbols();
    (void)atexit(remove_folders); // else they stay, which harms nobody
}

static void write_file(const uint8_t *bytes, size_t n)
{
    const uint8_t *mark = n > 0 ? memchr(bytes, 1, n) : NULL;
    size_t before = mark ? (size_t)(mark - bytes) : n;
    must(ftruncate(memory, 0) == 0 && lseek(memory, 0, SEEK_SET) == 0);
    must(write(memory, bytes, before) == (ssize_t)before);
    if (!mark)
        return;
    must(write(memory, symbols, strlen(symbols)) == (ssize_t)strlen(symbols));
    must(write(memory, mark + 1, n - before - 1) == (ssize_t)(n - before - 1));
}

static void check_encode(const pn_tokenizer *t, pn_str text)
{
    uint32_t ids[ROOM], again[ROOM];
    size_t n = 0, n_again = 0;
    pn_error err = {0};
    const uint32_t start = pn_tokenizer_start_id(t), n_ids = pn_tokenizer_vocabulary(t);
    pn_status status = pn_tokenizer_encode(t, text, ROOM, ids, &n, &err);
    if (status != PN_OK) {
        must(status == PN_ERR_LIMIT && err.message[0] != '\0');
        return;
    }
    must(n >= 1 && n <= ROOM && (!pn_tokenizer_pads(t) || n == ROOM));
    must(start == PN_TOKENIZER_NO_ID || ids[0] == start);
    must(pn_tokenizer_pads(t) || ids[n - 1] == pn_tokenizer_end_id(t));
    for (size_t i = 0; i < n; i++)
        must(ids[i] < n_ids);
    must(pn_tokenizer_encode(t, text, ROOM, again, &n_again, &err) == PN_OK && n_again == n);
    must(memcmp(ids, again, n * sizeof *ids) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_tokenizer *tokenizer = NULL;
    pn_error err = {0};
    if (n < 2 || n > MAX_BYTES)
        return 0;
    if (!root)
        make_folders();
    const int64_t live = pn_alloc_live();
    size_t n_text = PN_MIN((size_t)bytes[1], n - 2);
    pn_str text = {(const char *)bytes + 2, n_text};
    write_file(bytes + 2 + n_text, n - 2 - n_text);
    pn_status status =
        pn_tokenizer_load(folders[bytes[0] % PN_COUNT_OF(classes)], NULL, &tokenizer, &err);
    if (status == PN_OK)
        check_encode(tokenizer, text);
    else
        must(err.message[0] != '\0' && status != PN_ERR_BUG);
    pn_tokenizer_free(tokenizer);
    must(pn_alloc_live() == live);
    return 0;
}
