/*
 * hosted.h - a CLIP model of a Roboflow Inference compatible server behind the embedder's door
 *
 * The server is the hosted one or one's own; which, is no part of the identity: the same version of the model makes the same
 * vectors. Pictures are sent as files (wire_picture.h), eight a request, several requests at once; attempts, pauses and the breaker
 * are embed_service.h's.
 *
 * The key is a parameter of the URL, as this API wants it. It goes to the origin that was named and nowhere else: no redirect is
 * followed, certificates are verified, http needs this very machine or the caller's word. No message holds it.
 */
#ifndef PN_EMBED_HOSTED_H
#define PN_EMBED_HOSTED_H

#include "embed/embed_service.h"
#include "embed/embedder.h"

#define PN_HOSTED_PREFIX "roboflow:" /* of a model's name: "roboflow:ViT-B-16" */
#define PN_HOSTED_BASE_DEFAULT "https://infer.roboflow.com"

typedef enum pn_hosted_http { PN_HOSTED_HTTP_LOCAL, PN_HOSTED_HTTP_ANYWHERE } pn_hosted_http;

typedef struct pn_hosted_options {
    const char *model; /* PN_HOSTED_PREFIX and the version, of letters, digits and -._ */
    const char *
        base; /* NULL: PN_HOSTED_BASE_DEFAULT; a path is kept, parameters and passwords are refused */
    const char *key; /* NULL: none, which one's own server may not mind */
    pn_hosted_http plain_http;
    uint32_t
        dim; /* of the vectors, when it is known, from a table say; 0: the server is asked at once, with a word */
    uint32_t n_parallel, deadline_ms; /* 0: the defaults of embed_service.h */
    const pn_embed_how *how;          /* for that question; may be NULL */
} pn_hosted_options;

/* Is this the name of a hosted model? */
bool pn_hosted_is_name(const char *model);

/* Errors: INVALID (the name, the URL, the key), LIMIT (a number), and with dim 0 those of pn_embed_service_run(). */
PN_NODISCARD pn_status pn_hosted_embedder_create(const pn_hosted_options *options,
                                                 pn_embedder **out, pn_error *err);

/* NULL for another kind of embedder. */
pn_embed_service *pn_hosted_embedder_service(const pn_embedder *embedder);

#endif
