/*
 * array_leaf.h - a leaf of a file of version 2.0: columns of lists and of values -> entries of a stream
 */
#ifndef PN_LANCE_ARRAY_LEAF_H
#define PN_LANCE_ARRAY_LEAF_H

#include "lance/container.h"

/*
 * Append the entries of rows to stream.
 *
 * file     all of it: blobs lie anywhere
 * columns  [path->n] of the nodes of the path: such a file has one for each, also for structs and lists
 */
PN_NODISCARD pn_status pn_array_leaf_read(pn_decoder *d, pn_slice file, const pn_leaf_path *path,
                                          const pn_file_column *const *columns,
                                          const pn_row_range *ranges, size_t n_ranges,
                                          pn_stream *stream);

#endif
