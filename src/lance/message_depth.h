/*
 * message_depth.h - how deep a packed message is nested, and whether its texts are C's, before it is unpacked
 */
#ifndef PN_LANCE_MESSAGE_DEPTH_H
#define PN_LANCE_MESSAGE_DEPTH_H

#include "base/compiler.h"

#include <protobuf-c/protobuf-c.h>

/* Messages within messages, at most; the format's own nest a handful, PN_ENCODING_MAX_DEPTH encodings at the most. */
#define PN_MESSAGE_MAX_DEPTH 64

/* False: it is nested deeper, and unpacking it would take stack without a bound. What is damaged may pass: unpacking will tell. */
bool pn_message_depth_is_fine(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                              size_t n);
/* False: a text in it has a NUL byte, and would be cut there. What is damaged may pass. */
bool pn_message_texts_are_whole(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                                size_t n);

#endif
