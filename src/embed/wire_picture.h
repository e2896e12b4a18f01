/*
 * wire_picture.h - what of a picture is sent to a server
 * Threads: pure calls.
 */
#ifndef PN_EMBED_WIRE_PICTURE_H
#define PN_EMBED_WIRE_PICTURE_H

#include "base/buffer.h"
#include "embed/embedder.h"

enum {
    PN_WIRE_SIDE_PX = 768,           /* of what is made anew; the largest CLIP looks at 448 */
    PN_WIRE_AS_IS_BYTES = 256 << 10, /* a file up to this goes as it is... */
    PN_WIRE_AS_IS_SIDE_PX = 2048,    /* ...when its sides are no longer than this... */
    PN_WIRE_MAX_BYTES = 4 << 20
};

/* ...and every decoder sees the same in it: a JPEG of one or three channels without Exif, a PNG of 8 bits without alpha. */
bool pn_wire_is_as_is(const void *bytes, size_t n);

/* The file itself, or a JPEG of at most PN_WIRE_SIDE_PX a side. *out is the caller's: pn_embed_input_free(). */
PN_NODISCARD pn_status pn_wire_picture_make(const pn_embed_picture *picture, pn_embed_input *out,
                                            pn_error *err);

#endif
