/*
 * row_writer.c - two batches, two commits
 *
 * A new picture needs no look at the table: its commit is a plain append that rebases over anything. A changed one
 * deletes the old row in the same version that adds the new one, so that nobody ever sees both or neither. The old row is
 * looked up in the newest version at commit time, by its path: whatever other writers did meanwhile, that is the row
 * to replace. A lost race looks again.
 */
#include "ingest/row_writer.h"

#include "base/alloc.h"
#include "ingest/image_row.h"
#include "os/clock.h"

/* The changed rows' paths stand in one filter, whose length is limited. */
enum { MAX_ATTEMPTS = 10, MAX_CHANGED_ROWS = 128, MAX_CHANGED_BYTES = 16 << 10 };

struct pn_row_writer {
    pn_engine *engine;
    pn_snapshot *schema_owner; /* keeps the schema that the batches borrow */
    pn_row_batch *fresh, *changed;
    pn_arena arena; /* paths of the changed rows */
    const char *changed_paths[MAX_CHANGED_ROWS];
    size_t n_changed, changed_bytes;
    int64_t first_id; /* of the new rows committed last */
};

pn_status pn_row_writer_create(pn_engine *engine, pn_row_writer **out, pn_error *err)
{
    pn_status status = PN_OK;
    pn_row_writer *writer = pn_alloc_zero(sizeof *writer);
    if (!writer)
        return pn_fail_nomem(err);
    writer->engine = engine;
    writer->first_id = -1;
    pn_arena_init(&writer->arena, SIZE_MAX);
    PN_GOTO(done, engine->pin_newest(engine->self, &writer->schema_owner, err));
    pn_engine_info info;
    engine->info(engine->self, writer->schema_owner, &info);
    PN_GOTO(done, pn_row_batch_create(info.schema, PN_ROWS_WITHOUT_IDS, &writer->fresh, err));
    PN_GOTO(done, pn_row_batch_create(info.schema, PN_ROWS_WITH_IDS, &writer->changed, err));
    *out = writer;
    writer = NULL;
done:
    pn_row_writer_free(writer);
    return status;
}

void pn_row_writer_free(pn_row_writer *writer)
{
    if (!writer)
        return;
    pn_row_batch_free(writer->fresh);
    pn_row_batch_free(writer->changed);
    if (writer->schema_owner)
        writer->engine->unpin(writer->engine->self, writer->schema_owner);
    pn_arena_reset(&writer->arena);
    pn_free(writer);
}

pn_status pn_row_writer_add(pn_row_writer *writer, const pn_ingest_item *item, int64_t id,
                            pn_error *err)
{
    int64_t now_ms = pn_clock_wall_ns() / 1000000;
    if (!item->replaces)
        return pn_row_batch_add(writer->fresh, item, -1, now_ms, err);
    pn_assert(!pn_row_writer_is_full(writer));
    char *path = pn_arena_strdup(&writer->arena, item->path);
    if (!path)
        return pn_fail_nomem(err);
    PN_TRY(pn_row_batch_add(writer->changed, item, id, now_ms, err));
    writer->changed_paths[writer->n_changed++] = path;
    writer->changed_bytes += strlen(path);
    return PN_OK;
}

bool pn_row_writer_is_full(const pn_row_writer *writer)
{
    return writer->n_changed == MAX_CHANGED_ROWS || writer->changed_bytes > MAX_CHANGED_BYTES;
}

size_t pn_row_writer_pending(const pn_row_writer *writer)
{
    return pn_row_batch_length(writer->fresh) + pn_row_batch_length(writer->changed);
}

static char *quoted(const char *text, pn_arena *arena)
{
    char *out = pn_arena_alloc(arena, 2 * strlen(text) + 3);
    if (!out)
        return NULL;
    char *at = out;
    *at++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            *at++ = '\'';
        *at++ = *text;
    }
    *at++ = '\'';
    *at = '\0';
    return out;
}

char *pn_path_filter(const char *path, pn_arena *arena)
{
    char *text = quoted(path, arena);
    return text ? pn_arena_printf(arena, PN_COLUMN_IMAGE_PATH " = %s", text) : NULL;
}

/* "image_path IN ('a', 'b', ...)" */
static pn_status changed_filter(const pn_row_writer *writer, pn_buffer *out, pn_error *err)
{
    PN_TRY(pn_buffer_append_text(out, PN_COLUMN_IMAGE_PATH " IN (", err));
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (size_t i = 0; i < writer->n_changed; i++) {
        char *text = quoted(writer->changed_paths[i], &arena);
        if (!text)
            PN_GOTO(done, pn_fail_nomem(err));
        PN_GOTO(done, pn_buffer_append_format(out, err, "%s%s", i > 0 ? ", " : "", text));
    }
    status = pn_buffer_append(out, ")", 2, err); // with its NUL
done:
    pn_arena_reset(&arena);
    return status;
}

static pn_status try_replace(pn_row_writer *writer, const char *filter, const pn_batch *batch,
                             pn_error *err)
{
    pn_engine *engine = writer->engine;
    pn_snapshot *snapshot;
    pn_rowset replaced;
    uint64_t count;
    PN_TRY(engine->pin_newest(engine->self, &snapshot, err));
    pn_rowset_init(&replaced);
    pn_status status = engine->filter(engine->self, snapshot, filter, &replaced, &count, err);
    if (status == PN_OK)
        status = engine->append(engine->self, snapshot, batch, &replaced, err);
    pn_rowset_reset(&replaced);
    engine->unpin(engine->self, snapshot);
    return status;
}

static pn_status commit_changed(pn_row_writer *writer, pn_error *err)
{
    pn_batch batch;
    PN_TRY(pn_row_batch_view(writer->changed, &batch, err));
    pn_buffer filter;
    pn_buffer_init(&filter, 16u << 20);
    pn_status status = changed_filter(writer, &filter, err);
    for (int attempt = 0; status == PN_OK; attempt++) {
        status = try_replace(writer, (const char *)filter.data, &batch, err);
        if (status != PN_ERR_CONFLICT || attempt == MAX_ATTEMPTS)
            break;
        status = PN_OK;
        pn_clock_sleep_ms(5 << attempt);
    }
    pn_buffer_reset(&filter);
    return status;
}

static pn_status commit_fresh(pn_row_writer *writer, pn_error *err)
{
    pn_engine *engine = writer->engine;
    pn_batch batch;
    PN_TRY(pn_row_batch_view(writer->fresh, &batch, err));
    return engine->insert(engine->self, &batch, &writer->first_id, err);
}

int64_t pn_row_writer_first_id(const pn_row_writer *writer)
{
    return writer->first_id;
}

pn_status pn_row_writer_commit(pn_row_writer *writer, uint64_t *n_committed, pn_error *err)
{
    *n_committed = 0;
    if (pn_row_batch_length(writer->fresh) > 0) {
        PN_TRY(commit_fresh(writer, err));
        *n_committed += pn_row_batch_length(writer->fresh);
        pn_row_batch_clear(writer->fresh);
    }
    if (writer->n_changed > 0) {
        PN_TRY(commit_changed(writer, err));
        *n_committed += writer->n_changed;
        pn_row_batch_clear(writer->changed);
        writer->n_changed = writer->changed_bytes = 0;
        pn_arena_reset(&writer->arena);
    }
    return PN_OK;
}
