/*
 * id_counter.c - "<version> <next id>" in a small file, replaced by rename
 */
#include "collection/id_counter.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "collection/ids.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FILE_BYTES = 64 };

typedef struct counter {
    uint64_t version; /* of which the column need not be looked at; 0: none */
    int64_t next;
} counter;

static pn_status write_counter(const char *path, const counter *c, pn_error *err)
{
    char text[MAX_FILE_BYTES];
    int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 "\n", c->version, c->next);
    return pn_file_write_atomic(path, text, (size_t)n, err);
}

static pn_status parse_counter(const char *path, const pn_buffer *bytes, counter *out,
                               pn_error *err)
{
    char text[MAX_FILE_BYTES], end;
    size_t n = bytes->n_bytes;
    bool fits = n > 0 && n < sizeof text;
    if (fits) {
        memcpy(text, bytes->data, n);
        text[n] = '\0';
    }
    if (!fits || strlen(text) != n || text[0] < '0' || text[0] > '9' ||
        sscanf(text, "%" SCNu64 " %" SCNd64 "%c", &out->version, &out->next, &end) != 3 ||
        end != '\n' || out->next < 0)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s: not a counter of ids; remove it to count on from the largest id in "
                       "the table",
                       path);
    return PN_OK;
}

static pn_status read_counter(const char *path, counter *out, pn_error *err)
{
    pn_buffer bytes;
    *out = (counter){0};
    if (!pn_path_exists(path))
        return PN_OK;
    pn_buffer_init(&bytes, 1u << 20);
    pn_status status = pn_file_read(path, &bytes, err);
    if (status == PN_OK)
        status = parse_counter(path, &bytes, out, err);
    pn_buffer_reset(&bytes);
    return status;
}

/* Is every id of this version below what the counter says? */
static pn_status is_current(const counter *c, const pn_dataset *dataset, bool *out, pn_error *err)
{
    pn_growth growth = PN_GROWTH_UNKNOWN;
    if (c->version > 0)
        PN_TRY(pn_dataset_growth(dataset, c->version, &growth, err));
    *out = growth == PN_GROWTH_NONE;
    return PN_OK;
}

static pn_status take(const char *path, pn_dataset *dataset, int64_t above, size_t n,
                      int64_t *first, pn_error *err)
{
    counter c;
    bool current = above >= 0;
    PN_TRY(read_counter(path, &c, err));
    if (!current)
        PN_TRY(is_current(&c, dataset, &current, err));
    if (!current)
        PN_TRY(pn_next_id(dataset, 0, &above, err));
    c.next = PN_MAX(c.next, above);
    if (n > (uint64_t)(INT64_MAX - c.next))
        return pn_fail(err, PN_ERR_LIMIT, "%s: the table has used up its ids",
                       pn_dataset_path(dataset));
    *first = c.next;
    return write_counter(path, &(counter){.next = c.next + (int64_t)n}, err);
}

pn_status pn_id_counter_take(const char *folder, pn_dataset *dataset, int64_t above, size_t n,
                             int64_t *first, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *path = pn_path_join(&arena, folder, "next_id");
    pn_status status = path ? take(path, dataset, above, n, first, err) : pn_fail_nomem(err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status settle(const char *path, uint64_t version, int64_t next, int64_t end)
{
    counter c;
    char text[MAX_FILE_BYTES];
    PN_TRY(read_counter(path, &c, NULL));
    if (c.next != end)
        return PN_OK; // others went on from there
    int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 "\n", version, next);
    return pn_file_write_soon(path, text, (size_t)n, NULL);
}

void pn_id_counter_settle(const char *folder, uint64_t version, int64_t next, int64_t end)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *path = pn_path_join(&arena, folder, "next_id");
    pn_status status = path ? settle(path, version, next, end) : PN_ERR_NOMEM;
    (void)status; // the version in the file stays 0: the next take looks at the column
    pn_arena_reset(&arena);
}
