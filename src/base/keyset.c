/*
 * keyset.c - uthash over hashes: the texts themselves are not kept
 *
 * A set of a million paths would weigh a hundred bytes each; their hashes weigh 72 with uthash's handle, and two
 * different paths share one with odds of 1e-26 at three million.
 */
#include "base/keyset.h"

#include "base/alloc.h"
#include "base/hash.h"

#define uthash_malloc(bytes) pn_alloc(bytes)
#define uthash_free(block, bytes) pn_free(block)
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->failed = true)
/* Its hash falls through a switch without saying so in clang's way. */
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#include <uthash.h>

typedef struct key {
    char text[PN_HASH_TEXT_BYTES - 1];
    bool failed;
    UT_hash_handle hh;
} key;

struct pn_keyset {
    key *keys;
};

pn_status pn_keyset_create(pn_keyset **out, pn_error *err)
{
    pn_keyset *set = pn_alloc_zero(sizeof *set);
    if (!set)
        return pn_fail_nomem(err);
    *out = set;
    return PN_OK;
}

void pn_keyset_free(pn_keyset *set)
{
    if (!set)
        return;
    key *each = set->keys;
    HASH_CLEAR(hh, set->keys);
    while (each) { // the elements stay linked in order of arrival after the table is gone
        key *next = each->hh.next;
        pn_free(each);
        each = next;
    }
    pn_free(set);
}

/* uthash's macros nest; the function does not. */
// NOLINTNEXTLINE(readability-function-size)
pn_status pn_keyset_add(pn_keyset *set, pn_str text, bool *is_new, pn_error *err)
{
    char hash[PN_HASH_TEXT_BYTES];
    pn_hash128_text(text.ptr ? text.ptr : "", text.len, hash);
    key *found = NULL;
    HASH_FIND(hh, set->keys, hash, sizeof found->text, found);
    if (!found) {
        key *added = pn_alloc_zero(sizeof *added);
        if (!added)
            return pn_fail_nomem(err);
        memcpy(added->text, hash, sizeof added->text);
        HASH_ADD(hh, set->keys, text, sizeof added->text, added);
        if (added->failed) {
            pn_free(added);
            return pn_fail_nomem(err);
        }
    }
    *is_new = !found;
    return PN_OK;
}

// NOLINTNEXTLINE(readability-function-size): as above
bool pn_keyset_has(const pn_keyset *set, pn_str text)
{
    char hash[PN_HASH_TEXT_BYTES];
    key *found = NULL;
    pn_hash128_text(text.ptr ? text.ptr : "", text.len, hash);
    HASH_FIND(hh, set->keys, hash, sizeof found->text, found);
    return found != NULL;
}

size_t pn_keyset_count(const pn_keyset *set)
{
    return HASH_COUNT(set->keys);
}
