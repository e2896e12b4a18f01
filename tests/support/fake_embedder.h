/*
 * fake_embedder.h - an embedder without a model: vectors from the mean colour of a picture and the letters of a text
 *
 * Quick and repeatable, so that tests of what is around an embedder know every vector. It counts, dawdles and fails on demand.
 */
#ifndef PN_TESTS_SUPPORT_FAKE_EMBEDDER_H
#define PN_TESTS_SUPPORT_FAKE_EMBEDDER_H

#include "embed/embedder.h"

#include <stdatomic.h>

enum { FAKE_DIM = 8 };

typedef struct fake_embedder {
    pn_embedder door;
    _Atomic uint64_t n_images;
    int sleep_ms; /* before each batch of pictures */
    uint64_t
        fail_from_images; /* embed_images fails with BUG once so many pictures were embedded; 0: never */
    unsigned
        refused; /* pictures of so much red, of 255, are refused, and whatever comes with them; 0: none */
} fake_embedder;

void fake_embedder_make(fake_embedder *fake);

/* The vector of a text, [FAKE_DIM]. */
void fake_text_vector(pn_str text, float *out);

#endif
