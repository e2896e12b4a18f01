/*
 * precheck.h - limits that the decoders do not have, read from a file's own skeleton
 *
 * Before a decoder has told us a picture's size it may already have spent half a minute or two gigabytes. Only the chain of
 * a file's blocks is walked here, never their content; a chain that breaks is left to the decoder, which says why.
 */
#ifndef PN_IMAGE_PRECHECK_H
#define PN_IMAGE_PRECHECK_H

#include "base/status.h"

/* LIMIT for too many scans (JPEG), frames (WebP) or pages (TIFF). */
PN_NODISCARD pn_status pn_picture_precheck(const void *bytes, size_t n, const char *name,
                                           pn_error *err);

/*
 * A PNG without what we do not look at: texts, profiles, times. libpng unpacks them all before it tells the size.
 *
 * out  a copy for pn_free(), or NULL when the file is no PNG or has nothing to leave out
 *
 * Errors: NOMEM.
 */
PN_NODISCARD pn_status pn_png_essentials(const void *bytes, size_t n, uint8_t **out, size_t *n_out,
                                         pn_error *err);

/* Do the bytes say that they are AVIF or HEIC? */
bool pn_heif_is(const void *bytes, size_t n);

#endif
