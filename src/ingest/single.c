/*
 * single.c - one uploaded picture, committed before the answer
 *
 * The same steps as the pipeline's, in a row: hash, known? decode, embed, commit. The table is asked for the path with a
 * filter, because reading what all rows are, as the pipeline does once, is too much for one picture. It is asked again
 * holding the path, after the slow part: two uploads of one new path at once must not both find it free. Uploads of other paths
 * go on meanwhile, and what they add is committed together (collection/insert_queue.h).
 */
#include "ingest/ingest.h"

#include "base/alloc.h"
#include "ingest/prepare.h"
#include "ingest/row_writer.h"

typedef struct known_row {
    bool found;
    int64_t id;
    char content_hash[PN_HASH_TEXT_BYTES];
} known_row;

static pn_status take_known(void *context, const pn_batch *batch, const pn_row_addr *addrs,
                            pn_error *err)
{
    known_row *known = context;
    (void)addrs;
    (void)err;
    const pn_array *id = pn_batch_column(batch, PN_COLUMN_ID);
    const pn_array *hash = pn_batch_column(batch, PN_COLUMN_CONTENT_HASH);
    for (size_t i = 0; i < batch->n_rows; i++) {
        known->found = true;
        known->id = id && pn_array_is_valid(id, i) ? pn_array_i64(id, i) : -1;
        known->content_hash[0] = '\0';
        pn_str text =
            hash && pn_array_is_valid(hash, i) ? pn_array_bytes(hash, i) : (pn_str){NULL, 0};
        if (text.len == PN_HASH_TEXT_BYTES - 1) {
            memcpy(known->content_hash, text.ptr, text.len);
            known->content_hash[text.len] = '\0';
        }
    }
    return PN_OK;
}

static pn_status look_up(pn_engine *engine, const char *path, known_row *known, pn_error *err)
{
    static const char *const wanted[] = {PN_COLUMN_IMAGE_PATH, PN_COLUMN_ID,
                                         PN_COLUMN_CONTENT_HASH};
    pn_snapshot *snapshot;
    *known = (known_row){.id = -1};
    PN_TRY(engine->pin_newest(engine->self, &snapshot, err));
    pn_engine_info info;
    engine->info(engine->self, snapshot, &info);
    const char *columns[PN_COUNT_OF(wanted)];
    size_t n = 0;
    for (size_t i = 0; i < PN_COUNT_OF(wanted); i++)
        if (pn_schema_find(info.schema, pn_str_of(wanted[i])) >= 0)
            columns[n++] = wanted[i];
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    char *filter = pn_path_filter(path, &arena);
    pn_status status = filter ? PN_OK : pn_fail_nomem(err);
    if (status == PN_OK && n > 0 && strcmp(columns[0], PN_COLUMN_IMAGE_PATH) == 0)
        status = engine->scan(engine->self, snapshot, columns, n, filter, take_known, known, err);
    pn_arena_reset(&arena);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status copy_metadata(pn_ingest_item *item, const pn_kv *metadata, size_t n, pn_error *err)
{
    pn_kv *pairs = PN_ARENA_NEW(&item->arena, pn_kv, n);
    for (size_t i = 0; pairs && i < n; i++) {
        pairs[i].key = pn_arena_strdup(&item->arena, metadata[i].key);
        pairs[i].value = pn_arena_strdup(&item->arena, metadata[i].value);
        if (!pairs[i].key || !pairs[i].value)
            return pn_fail_nomem(err);
    }
    item->metadata = pairs;
    item->n_metadata = n;
    return pairs ? PN_OK : pn_fail_nomem(err);
}

static pn_status embed(pn_embedder *embedder, pn_ingest_item *item,
                       const pn_ingest_picture *picture, const pn_ingest_settings *settings,
                       pn_error *err)
{
    const pn_embed_how how = {PN_EMBED_QUERY, settings->cancelled, settings->context};
    PN_TRY(pn_prepare_picture(item, picture->bytes, picture->n_bytes, embedder,
                              settings->thumbnail_px, err));
    item->vector = pn_alloc_array(embedder->dim, sizeof *item->vector);
    if (!item->vector)
        return pn_fail_nomem(err);
    return embedder->embed_images(embedder->self, &item->input, 1, &how, item->vector, err);
}

/* *id: that of the row that is replaced, or the new one's. */
static pn_status commit(pn_engine *engine, const pn_ingest_item *item, int64_t *id, pn_error *err)
{
    pn_row_writer *writer;
    uint64_t n_committed;
    PN_TRY(pn_row_writer_create(engine, &writer, err));
    pn_status status = pn_row_writer_add(writer, item, item->id, err);
    if (status == PN_OK)
        status = pn_row_writer_commit(writer, &n_committed, err);
    if (status == PN_OK)
        *id = item->replaces ? item->id : pn_row_writer_first_id(writer);
    pn_row_writer_free(writer);
    return status;
}

/* Add the embedded picture, or put it in the place of the row that has its path now. */
static pn_status place(pn_engine *engine, pn_ingest_item *item, pn_ingest_outcome *outcome,
                       int64_t *id, pn_error *err)
{
    known_row known;
    PN_TRY(look_up(engine, item->path, &known, err));
    if (known.found && strcmp(known.content_hash, item->content_hash) == 0) {
        *outcome = PN_INGEST_UNCHANGED; // another upload of the same was faster
        *id = known.id;
        return PN_OK;
    }
    item->replaces = known.found;
    item->id = known.id;
    PN_TRY(commit(engine, item, id, err));
    *outcome = item->replaces ? PN_INGEST_UPDATED : PN_INGEST_ADDED;
    return PN_OK;
}

/* While nobody else places this path. */
static pn_status place_alone(pn_engine *engine, pn_ingest_item *item, pn_path_locks *paths,
                             pn_ingest_outcome *outcome, int64_t *id, pn_error *err)
{
    pn_path_lock lock;
    if (!paths)
        return place(engine, item, outcome, id, err);
    pn_path_lock_take(paths, &lock, item->path);
    pn_status status = place(engine, item, outcome, id, err);
    pn_path_lock_release(paths, &lock);
    return status;
}

pn_status pn_ingest_one(pn_engine *engine, pn_embedder *embedder, const pn_ingest_picture *picture,
                        const pn_ingest_settings *settings, pn_ingest_outcome *outcome, int64_t *id,
                        pn_error *err)
{
    if (picture->path[0] == '\0')
        return pn_fail(err, PN_ERR_INVALID, "the picture needs a path to be named by");
    pn_status status = PN_OK;
    pn_ingest_item *item = pn_ingest_item_create(picture->path, picture->path);
    if (!item)
        return pn_fail_nomem(err);
    known_row known;
    PN_GOTO(done, copy_metadata(item, picture->metadata, picture->n_metadata, err));
    PN_GOTO(done, pn_ingest_item_check(item, err));
    PN_GOTO(done, pn_prepare_hash(item, picture->bytes, picture->n_bytes, err));
    PN_GOTO(done, look_up(engine, picture->path, &known, err));
    if (known.found && strcmp(known.content_hash, item->content_hash) == 0) {
        *outcome = PN_INGEST_UNCHANGED;
        *id = known.id;
        goto done;
    }
    PN_GOTO(done, embed(embedder, item, picture, settings, err));
    status = place_alone(engine, item, settings->paths, outcome, id, err);
done:
    pn_ingest_item_free(item);
    return status;
}
