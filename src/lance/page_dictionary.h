/*
 * page_dictionary.h - the values of a page -> each of them once, and indices
 */
#ifndef PN_LANCE_PAGE_DICTIONARY_H
#define PN_LANCE_PAGE_DICTIONARY_H

#include "lance/stream.h"

typedef struct pn_page_dictionary {
    pn_field index;    /* what takes the values' place in the page */
    pn_stream indices; /* the entries with indices for values; their levels are borrowed */
    pn_buffer bytes;   /* the items' */
    pn_buffer ends;    /* where each item ends among them, int64 */
    size_t n_items;    /* one at least: nulls have an index, too */
    size_t null_item;  /* the last item is the null; SIZE_MAX: none is */
} pn_page_dictionary;

/*
 * entries    of a leaf whose field is_dictionary; they live as long as *out is used
 * null_item  nulls are an item of their own (version 2.0) or have the index of any (their level says it)
 * out        the caller's, also after an error: pn_page_dictionary_reset()
 *
 * Errors: LIMIT: more different values than its type of index counts; NOMEM.
 */
PN_NODISCARD pn_status pn_page_dictionary_make(const pn_stream *entries, const pn_leaf_path *path,
                                               bool null_item, pn_page_dictionary *out,
                                               pn_error *err);
/* The items of this leaf as the format's blocks have them, appended to out. */
PN_NODISCARD pn_status pn_page_dictionary_block(const pn_page_dictionary *dictionary,
                                                const pn_field *leaf, pn_buffer *out,
                                                pn_error *err);
void pn_page_dictionary_reset(pn_page_dictionary *dictionary);

#endif
