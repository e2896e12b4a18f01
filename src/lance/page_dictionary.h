/*
 * page_dictionary.h - the values of a page -> each of them once, and indices
 */
#ifndef PN_LANCE_PAGE_DICTIONARY_H
#define PN_LANCE_PAGE_DICTIONARY_H

#include "lance/stream.h"

typedef struct pn_page_dictionary {
    pn_field index;    /* what takes the values' place in the page */
    pn_stream indices; /* the entries with indices for values; their levels are borrowed */
    pn_buffer block;   /* the items, as the format's blocks have them */
    size_t n_items;    /* one at least: nulls have an index, too */
} pn_page_dictionary;

/*
 * entries  of a leaf whose field is_dictionary; they live as long as *out is used
 * out      the caller's, also after an error: pn_page_dictionary_reset()
 *
 * Errors: LIMIT: more different values than its type of index counts; NOMEM.
 */
PN_NODISCARD pn_status pn_page_dictionary_make(const pn_stream *entries, const pn_leaf_path *path,
                                               pn_page_dictionary *out, pn_error *err);
void pn_page_dictionary_reset(pn_page_dictionary *dictionary);

#endif
