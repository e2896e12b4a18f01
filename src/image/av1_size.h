/*
 * av1_size.h - how large are the frames inside an AVIF really?
 *
 * The boxes of an AVIF say one size (ispe), its AV1 stream says another; the decoder takes memory for the second before
 * anybody compares: 1.3 KB that claim 16 x 16 took 470 MB.
 */
#ifndef PN_IMAGE_AV1_SIZE_H
#define PN_IMAGE_AV1_SIZE_H

#include "base/status.h"

/*
 * Check every sequence header that a decoder of these bytes would see: of items of type av01, and of the configuration boxes.
 * Bytes that are no AVIF pass, as does what breaks its format: the decoder says why.
 *
 * Errors: LIMIT, for frames over PN_IMAGE_MAX_SIDE_PX or PN_IMAGE_MAX_PIXELS; NOMEM.
 */
PN_NODISCARD pn_status pn_av1_check_size(const void *bytes, size_t n, const char *name,
                                         pn_error *err);

#endif
