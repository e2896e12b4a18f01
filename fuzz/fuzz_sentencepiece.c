/*
 * fuzz_sentencepiece.c - any bytes as a model, and any bytes as a text for it
 *
 *     u16 n | text of n bytes (or of what there is) | model
 *
 * A model is refused with a reason, or works: ids are in the vocabulary, the same for the same text, and with less room a
 * beginning of them. Sizes in the input decide neither memory nor time: a model costs 32 times its bytes at most.
 */
#include "base/alloc.h"
#include "base/endian.h"
#include "clip/sentencepiece.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { ROOM = 512 };

static void check_encode(const pn_sentencepiece *model, pn_str text)
{
    uint32_t ids[ROOM], again[ROOM];
    size_t n = 0, n_again = 0, less;
    pn_error err = {0};
    pn_status status = pn_sentencepiece_encode(model, text, ids, ROOM, &n, &err);
    if (status != PN_OK) {
        if (status != PN_ERR_LIMIT || err.message[0] == '\0')
            abort();
        return;
    }
    less = n / 2;
    if (n > ROOM || pn_sentencepiece_encode(model, text, again, less, &n_again, &err) != PN_OK ||
        n_again != less || memcmp(ids, again, less * sizeof *ids) != 0)
        abort();
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= pn_sentencepiece_get_traits(model)->n_pieces)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_sentencepiece *model = NULL;
    pn_error err = {0};
    if (n < 2)
        return 0;
    size_t n_text = PN_MIN((size_t)pn_load_le16(bytes), n - 2);
    pn_str text = {(const char *)bytes + 2, n_text}, file = {text.ptr + n_text, n - 2 - n_text};
    pn_status status =
        pn_sentencepiece_parse("fuzz", file, PN_SENTENCEPIECE_AS_TRAINED, &model, &err);
    if (status == PN_OK)
        check_encode(model, text);
    else if (err.message[0] == '\0' || status == PN_ERR_BUG)
        abort();
    pn_sentencepiece_free(model);
    if (pn_alloc_live() != 0)
        abort();
    return 0;
}
