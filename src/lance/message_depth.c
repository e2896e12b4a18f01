/*
 * message_depth.c - a look at a packed message before it is unpacked
 *
 * protobuf-c unpacks messages within messages by recursion, a kilobyte of stack each, and has no limit: a data file of 150 KB whose page
 * layout is an encoding in an encoding in an encoding ended the process. So the layouts of files, which are the only messages here
 * that may hold themselves, are walked first, with a depth; a few varints a field, nothing is allocated.
 */
#include "lance/message_depth.h"

#include <string.h>

typedef struct walk {
    const uint8_t *at, *end;
} walk;

static bool take_varint(walk *w, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        uint8_t byte = *w->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The next field's number, and its bytes when it has a length. False: there is none, or it is damaged. */
static bool take_field(walk *w, uint64_t *number, walk *bytes)
{
    enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };
    uint64_t key, n = 0;
    if (w->at == w->end || !take_varint(w, &key))
        return false;
    uint64_t type = key & 7;
    *number = key >> 3;
    *bytes = (walk){w->end, w->end};
    if (type == VARINT)
        return take_varint(w, &n);
    if (type == FIXED64 || type == FIXED32)
        n = type == FIXED64 ? 8 : 4;
    else if (type != BYTES || !take_varint(w, &n))
        return false;
    if (n > (uint64_t)(w->end - w->at))
        return false;
    if (type == BYTES)
        *bytes = (walk){w->at, w->at + n};
    w->at += n;
    return true;
}

static const ProtobufCFieldDescriptor *describe(const ProtobufCMessageDescriptor *type,
                                                uint64_t number)
{
    return number <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(type, (unsigned)number)
                                : NULL;
}

static bool is_fine(const ProtobufCMessageDescriptor *type, walk w, unsigned depth)
{
    uint64_t number;
    walk inner;
    if (depth > PN_MESSAGE_MAX_DEPTH)
        return false;
    while (take_field(&w, &number, &inner)) {
        const ProtobufCFieldDescriptor *field = describe(type, number);
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
            !is_fine(field->descriptor, inner, depth + 1))
            return false;
    }
    return true;
}

bool pn_message_depth_is_fine(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                              size_t n)
{
    return n == 0 || is_fine(type, (walk){bytes, bytes + n}, 0);
}

static bool is_whole(const ProtobufCMessageDescriptor *type, walk w, unsigned depth)
{
    uint64_t number;
    walk inner;
    while (depth <= PN_MESSAGE_MAX_DEPTH && take_field(&w, &number, &inner)) {
        const ProtobufCFieldDescriptor *field = describe(type, number);
        size_t n = (size_t)(inner.end - inner.at);
        if (field && field->type == PROTOBUF_C_TYPE_STRING && memchr(inner.at, '\0', n))
            return false;
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
            !is_whole(field->descriptor, inner, depth + 1))
            return false;
    }
    return true;
}

bool pn_message_texts_are_whole(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                                size_t n)
{
    return n == 0 || is_whole(type, (walk){bytes, bytes + n}, 0);
}
