/*
 * fuzz_hosted_answer.c - any bytes as the answer of a server that embeds, and as its refusal
 *
 * The first byte says how many vectors were asked for (1 to 8) and whether their dimension is known (3) or not. What is taken is of
 * unit length; what is told has no control character and not the key.
 */
#include "base/alloc.h"
#include "embed/hosted_wire.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void try_answer(const uint8_t *bytes, size_t n, size_t n_vectors, uint32_t dim)
{
    float *vectors = NULL;
    uint32_t found = 0;
    pn_error err = {0};
    if (pn_hosted_read_answer(bytes, n, n_vectors, dim, &vectors, &found, &err) != PN_OK) {
        must(err.message[0] != '\0' && vectors == NULL);
        return;
    }
    must(found >= 1 && (dim == 0 || found == dim));
    for (size_t i = 0; i < n_vectors; i++) {
        double sum = 0;
        for (size_t j = 0; j < found; j++)
            sum += (double)vectors[i * found + j] * (double)vectors[i * found + j];
        must(fabs(sum - 1) < 1e-4);
    }
    pn_free(vectors);
}

static void try_refusal(const uint8_t *bytes, size_t n)
{
    static const char key[] = "k+Y";
    char said[PN_HOSTED_REFUSAL_BYTES];
    pn_hosted_read_refusal(bytes, n, key, said);
    must(strlen(said) < sizeof said && pn_str_is_utf8(pn_str_of(said)));
    must(!strstr(said, key) && !strstr(said, "k%2BY") && !strstr(said, "k%2bY"));
    for (const char *c = said; *c != '\0'; c++)
        must((unsigned char)*c >= ' ' && *c != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    try_answer(bytes + 1, n - 1, 1 + (bytes[0] & 7), bytes[0] & 8 ? 3 : 0);
    try_refusal(bytes + 1, n - 1);
    return 0;
}
