/*
 * mutate_message.c - one change somewhere in a protobuf message
 *
 * protobuf-c describes each message it generates: fields, types, where they lie in the struct. So one walk serves all: count the
 * fields of the whole tree, draw one, and change it as its type allows.
 *
 *     a number     a neighbour, another power of two, a flipped bit, zero, a number from elsewhere in the message
 *     bytes        libFuzzer's own mutations
 *     a message    goes, comes (empty), or becomes a copy of another one of its type in the tree
 *     a list       an element more (twice the same), one less, two change places
 *     a oneof      another branch
 */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SPOTS = 1 << 14, MAX_GROWTH = 64 };

typedef struct spot {
    ProtobufCMessage *message;
    const ProtobufCFieldDescriptor *field;
} spot;

typedef struct tree {
    spot spots[MAX_SPOTS];
    size_t n;
} tree;

static void *member(const spot *s)
{
    return (char *)s->message + s->field->offset;
}

/* The count of a list, whether an optional number is there, or which branch of a oneof is. */
static void *quantifier(const spot *s)
{
    return (char *)s->message + s->field->quantifier_offset;
}

static bool is_branch(const spot *s)
{
    return (s->field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static bool is_here(const spot *s)
{
    if (s->field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(size_t *)quantifier(s) > 0;
    if (is_branch(s))
        return *(uint32_t *)quantifier(s) == s->field->id;
    if (s->field->type == PROTOBUF_C_TYPE_MESSAGE || s->field->type == PROTOBUF_C_TYPE_STRING)
        return *(void **)member(s) != NULL;
    return *(protobuf_c_boolean *)quantifier(s);
}

/* The formats here have no numbers of 64 bits but these two. */
static size_t width_of(const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return sizeof(ProtobufCBinaryData);
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
        return sizeof(void *);
    return field->type == PROTOBUF_C_TYPE_INT64 || field->type == PROTOBUF_C_TYPE_UINT64
               ? sizeof(uint64_t)
               : sizeof(uint32_t);
}

static void walk(tree *t, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields && t->n < MAX_SPOTS; i++) {
        spot s = {message, &message->descriptor->fields[i]};
        t->spots[t->n++] = s;
        if (s.field->type != PROTOBUF_C_TYPE_MESSAGE || !is_here(&s))
            continue;
        if (s.field->label != PROTOBUF_C_LABEL_REPEATED) {
            walk(t, *(ProtobufCMessage **)member(&s));
            continue;
        }
        ProtobufCMessage **list = *(ProtobufCMessage ***)member(&s);
        for (size_t k = 0; k < *(size_t *)quantifier(&s); k++)
            walk(t, list[k]);
    }
}

/* ---- copies ---- */

static ProtobufCMessage *copy_message(const ProtobufCMessage *message)
{
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(n + 1);
    ProtobufCMessage *copy = NULL;
    if (bytes) {
        (void)protobuf_c_message_pack(message, bytes); // n bytes
        copy = protobuf_c_message_unpack(message->descriptor, NULL, n, bytes);
    }
    free(bytes);
    return copy;
}

static ProtobufCMessage *empty_message(const ProtobufCMessageDescriptor *type)
{
    return protobuf_c_message_unpack(type, NULL, 0, (const uint8_t *)"");
}

/* One of this type from somewhere in the tree, or an empty one. */
static ProtobufCMessage *draw_message(const tree *t, const ProtobufCMessageDescriptor *type,
                                      pn_rng *rng)
{
    const ProtobufCMessage *chosen = NULL;
    uint64_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->spots[i].message->descriptor == type &&
            (i == 0 || t->spots[i - 1].message != t->spots[i].message) &&
            pn_rng_below(rng, ++n) == 0)
            chosen = t->spots[i].message;
    return chosen && pn_rng_below(rng, 4) > 0 ? copy_message(chosen) : empty_message(type);
}

/* ---- numbers ---- */

static uint64_t load(const void *at, size_t width)
{
    uint64_t value = 0;
    memcpy(&value, at, width); // little-endian machines only, as the fuzzers are
    return value;
}

/* A number that stands somewhere else in the message: counts and sizes repeat each other. */
static uint64_t draw_number(const tree *t, pn_rng *rng)
{
    for (int tries = 0; tries < 20; tries++) {
        const spot *s = &t->spots[pn_rng_below(rng, t->n)];
        if (width_of(s->field) != sizeof(uint64_t) || s->field->type == PROTOBUF_C_TYPE_STRING ||
            s->field->type == PROTOBUF_C_TYPE_MESSAGE || !is_here(s))
            continue;
        if (s->field->label != PROTOBUF_C_LABEL_REPEATED)
            return load(member(s), sizeof(uint64_t));
        return (*(uint64_t **)member(s))[pn_rng_below(rng, *(size_t *)quantifier(s))];
    }
    return pn_rng_below(rng, 100);
}

static uint64_t other_number(const tree *t, uint64_t old, pn_rng *rng)
{
    switch (pn_rng_below(rng, 9)) {
    case 0:
        return old + 1;
    case 1:
        return old - 1;
    case 2:
        return old ^ UINT64_C(1) << pn_rng_below(rng, 64);
    case 3:
        return 0;
    case 4:
        return UINT64_C(1) << pn_rng_below(rng, 64);
    case 5:
        return (UINT64_C(1) << pn_rng_below(rng, 64)) - 1;
    case 6:
        return UINT64_MAX;
    case 7:
        return pn_rng_below(rng, 300);
    default:
        return draw_number(t, rng) + pn_rng_below(rng, 3) - 1;
    }
}

static void change_number(const tree *t, void *at, size_t width, bool is_bool, pn_rng *rng)
{
    uint64_t value = is_bool ? !load(at, width) : other_number(t, load(at, width), rng);
    memcpy(at, &value, width);
}

/* ---- bytes ---- */

static void change_bytes(ProtobufCBinaryData *data, pn_rng *rng)
{
    size_t max = data->len + MAX_GROWTH;
    uint8_t *bytes = malloc(max);
    if (!bytes)
        return;
    if (data->len > 0)
        memcpy(bytes, data->data, data->len);
    data->len = pn_rng_below(rng, 16) == 0 ? 0 : LLVMFuzzerMutate(bytes, data->len, max);
    free(data->data);
    data->data = bytes;
}

static void change_text(char **text, pn_rng *rng)
{
    size_t n = *text ? strlen(*text) : 0;
    ProtobufCBinaryData data = {n, (uint8_t *)*text};
    change_bytes(&data, rng);
    char *ended = realloc(data.data, data.len + 1);
    if (!ended) // as it was would be best, but the old bytes are gone
        abort();
    ended[data.len] = '\0';
    *text = ended;
}

/* ---- fields ---- */

static void change_value(const tree *t, const spot *s, void *at, pn_rng *rng)
{
    if (s->field->type == PROTOBUF_C_TYPE_BYTES) {
        change_bytes(at, rng);
    } else if (s->field->type == PROTOBUF_C_TYPE_STRING) {
        change_text(at, rng);
    } else if (s->field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage **message = at, *next = draw_message(t, s->field->descriptor, rng);
        if (!next) // a message whose copy is refused: without a field that it must have
            return;
        if (*message)
            protobuf_c_message_free_unpacked(*message, NULL);
        *message = next;
    } else {
        change_number(t, at, width_of(s->field), s->field->type == PROTOBUF_C_TYPE_BOOL, rng);
    }
}

static void free_value(const spot *s, void *at)
{
    if (s->field->type == PROTOBUF_C_TYPE_MESSAGE)
        protobuf_c_message_free_unpacked(*(ProtobufCMessage **)at, NULL);
    else if (s->field->type == PROTOBUF_C_TYPE_BYTES)
        free(((ProtobufCBinaryData *)at)->data);
    else if (s->field->type == PROTOBUF_C_TYPE_STRING)
        free(*(char **)at);
    memset(at, 0, width_of(s->field));
}

/* A copy of an element, or a new one. */
static void fill_element(const tree *t, const spot *s, const void *model, void *at, pn_rng *rng)
{
    if (model && s->field->type == PROTOBUF_C_TYPE_MESSAGE)
        *(ProtobufCMessage **)at = copy_message(*(ProtobufCMessage *const *)model);
    else if (model && s->field->type != PROTOBUF_C_TYPE_BYTES &&
             s->field->type != PROTOBUF_C_TYPE_STRING)
        memcpy(at, model, width_of(s->field));
    else
        change_value(t, s, at, rng);
}

static void lengthen(const tree *t, const spot *s, pn_rng *rng)
{
    size_t *n = quantifier(s), width = width_of(s->field), new_n = *n + 1;
    char *list = calloc(new_n, width), **old = member(s);
    if (!list)
        return;
    if (*n > 0)
        memcpy(list, *old, *n * width);
    fill_element(t, s, *n > 0 ? list + pn_rng_below(rng, *n) * width : NULL, list + *n * width,
                 rng);
    if (s->field->type == PROTOBUF_C_TYPE_MESSAGE && !((void **)(void *)list)[*n]) {
        free(list);
        return;
    }
    free(*old);
    *old = list;
    *n = new_n;
}

static void change_list(const tree *t, const spot *s, pn_rng *rng)
{
    size_t *n = quantifier(s), width = width_of(s->field);
    char *list = *(char **)member(s), swap[sizeof(ProtobufCBinaryData)];
    uint64_t what = pn_rng_below(rng, 6);
    if (*n == 0 || what == 0) {
        lengthen(t, s, rng);
        return;
    }
    size_t i = pn_rng_below(rng, *n), k = pn_rng_below(rng, *n);
    if (what == 1) {
        free_value(s, list + i * width);
        memmove(list + i * width, list + (i + 1) * width, (*n - i - 1) * width);
        (*n)--;
    } else if (what == 2) {
        memcpy(swap, list + i * width, width);
        memmove(list + i * width, list + k * width, width);
        memcpy(list + k * width, swap, width);
    } else if (s->field->type != PROTOBUF_C_TYPE_MESSAGE || what == 3) {
        change_value(t, s, list + i * width, rng);
    }
}

/* The branch that is there now; false: none. */
static bool find_branch(const spot *s, spot *out)
{
    const ProtobufCMessageDescriptor *type = s->message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        *out = (spot){s->message, &type->fields[i]};
        if (is_branch(out) && quantifier(out) == quantifier(s) && is_here(out))
            return true;
    }
    return false;
}

/* The old branch is freed last: what takes its place may be a copy of something in it. */
static void enter_branch(const tree *t, const spot *s, pn_rng *rng)
{
    spot old;
    ProtobufCBinaryData value = {0, NULL}; // the largest that a member can be
    bool had_one = find_branch(s, &old);
    if (had_one) {
        memcpy(&value, member(&old), width_of(old.field));
        memset(member(&old), 0, width_of(old.field));
    }
    *(uint32_t *)quantifier(s) = s->field->id;
    change_value(t, s, member(s), rng);
    if (had_one)
        free_value(&old, &value);
}

static void change(const tree *t, const spot *s, pn_rng *rng)
{
    if (s->field->label == PROTOBUF_C_LABEL_REPEATED) {
        change_list(t, s, rng);
        return;
    }
    bool here = is_here(s), scalar = s->field->type != PROTOBUF_C_TYPE_MESSAGE &&
                                     s->field->type != PROTOBUF_C_TYPE_STRING;
    if (is_branch(s) && !here) {
        enter_branch(t, s, rng);
    } else if (here && !is_branch(s) && pn_rng_below(rng, 8) == 0) {
        free_value(s, member(s));
        if (scalar)
            *(protobuf_c_boolean *)quantifier(s) = 0;
    } else {
        if (scalar && !is_branch(s))
            *(protobuf_c_boolean *)quantifier(s) = 1;
        change_value(t, s, member(s), rng);
    }
}

/* Most fields of a tree are not there; those that are are the more interesting ones. */
static const spot *draw_spot(const tree *t, pn_rng *rng)
{
    const spot *s = &t->spots[pn_rng_below(rng, t->n)];
    for (int i = 0; i < 6 && !is_here(s) && pn_rng_below(rng, 8) > 0; i++)
        s = &t->spots[pn_rng_below(rng, t->n)];
    return s;
}

size_t fuzz_mutate_message(const ProtobufCMessageDescriptor *type, uint8_t *bytes, size_t n,
                           size_t max, pn_rng *rng)
{
    static tree t; // too large for a stack; the fuzzers have one thread
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, n, bytes);
    if (!message)
        return n;
    t.n = 0;
    walk(&t, message);
    if (t.n > 0)
        change(&t, draw_spot(&t, rng), rng);
    size_t new_n = protobuf_c_message_get_packed_size(message);
    if (new_n <= max)
        n = protobuf_c_message_pack(message, bytes);
    protobuf_c_message_free_unpacked(message, NULL);
    return n;
}
