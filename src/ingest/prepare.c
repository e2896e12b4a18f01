/*
 * prepare.c - the work of a decoding thread on one picture
 *
 * The hash covers the metadata too: a new price in the list is a change of the row as much as a new photo is. A picture
 * without a date of its own hashes the same tomorrow, because the time of ingestion is not part of it.
 */
#include "ingest/prepare.h"

#include "base/endian.h"
#include "image/decode.h"
#include "image/thumbnail.h"

static void hash_text(pn_hasher *hasher, const char *text)
{
    pn_hasher_update(hasher, text, strlen(text) + 1); // with its NUL: "ab","c" is not "a","bc"
}

pn_status pn_prepare_hash(pn_ingest_item *item, const void *bytes, size_t n, pn_error *err)
{
    pn_hasher *hasher = pn_hasher_create();
    if (!hasher)
        return pn_fail_nomem(err);
    uint8_t time[8];
    pn_store_le64(time, (uint64_t)item->timestamp_ms);
    pn_hasher_update(hasher, bytes, n);
    pn_hasher_update(hasher, time, sizeof time);
    for (size_t i = 0; i < item->n_metadata; i++) {
        hash_text(hasher, item->metadata[i].key);
        hash_text(hasher, item->metadata[i].value);
    }
    pn_hasher_text(hasher, item->content_hash);
    pn_hasher_free(hasher);
    return PN_OK;
}

/* The thumbnail is made of the same pixels: its longer side has to be in them. */
pn_decode_options pn_prepare_decoding(const pn_embedder *embedder, uint32_t thumbnail_px)
{
    return (pn_decode_options){.shrink_to_px = embedder->shrink_to_px,
                               .shrink_long_px = thumbnail_px};
}

pn_status pn_prepare_picture(pn_ingest_item *item, const void *bytes, size_t n,
                             pn_embedder *embedder, uint32_t thumbnail_px, pn_error *err)
{
    pn_image image = {0};
    const pn_decode_options options = pn_prepare_decoding(embedder, thumbnail_px);
    pn_status status = pn_image_decode(bytes, n, item->file, &options, &image, err);
    if (status != PN_OK)
        return status;
    const pn_embed_picture picture = {bytes, n, &image};
    PN_GOTO(done, embedder->prepare_image(embedder->self, &picture, &item->input, err));
    if (thumbnail_px > 0)
        PN_GOTO(done, pn_thumbnail_make(&image, thumbnail_px, &item->thumbnail, err));
done:
    pn_image_free(&image);
    return status;
}
