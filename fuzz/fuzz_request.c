/*
 * fuzz_request.c - any bytes as the JSON of a search, or as one field of a form
 *
 * The first byte says which: 'j' the object of POST /search, 'f' name NUL value.
 */
#include "base/alloc.h"
#include "serve/query_json.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static void check(const pn_asked *asked, pn_status status, const pn_error *err)
{
    must(status == PN_OK || status == PN_ERR_NOT_FOUND || err->message[0] != '\0');
    must(asked->n_terms <= PN_ASKED_MAX_TERMS);
}

static void try_json(const char *bytes, size_t n, pn_arena *arena)
{
    pn_asked asked;
    pn_error err = {0};
    pn_status status = pn_asked_from_json(bytes, n, arena, &asked, &err);
    if (status == PN_OK) {
        check(&asked, status, &err);
        must(asked.query.n_terms == asked.n_terms);
    } else {
        must(err.message[0] != '\0');
    }
}

static void try_field(const char *bytes, size_t n, pn_arena *arena)
{
    char *text = pn_alloc(n + 2); /* both end, whatever was given */
    must(text != NULL);
    if (n > 0)
        memcpy(text, bytes, n);
    memset(text + n, 0, 2);
    pn_asked asked;
    pn_error err = {0};
    pn_asked_begin(&asked);
    pn_status status =
        pn_asked_field(&asked, text, text + strlen(text) + (strlen(text) < n), arena, &err);
    check(&asked, status, &err);
    if (status == PN_OK) {
        status = pn_asked_finish(&asked, &err);
        check(&asked, status, &err);
    }
    pn_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n == 0)
        return 0;
    pn_arena arena;
    pn_arena_init(&arena, 1u << 26);
    if (bytes[0] == 'j')
        try_json((const char *)bytes + 1, n - 1, &arena);
    else if (bytes[0] == 'f')
        try_field((const char *)bytes + 1, n - 1, &arena);
    pn_arena_reset(&arena);
    return 0;
}
