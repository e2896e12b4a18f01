/*
 * id_counter.c - one line, twice, in a small file that is replaced by rename
 *
 *     ids <version> <next id> <hash>
 *
 *     ids <version> <next id> <hash>
 *
 * A digit that is read wrong would give an id a second time, so a line has the hash of what stands before it; and it is there twice, so
 * that one place of the file may be damaged and the number is still known; the empty line is for damage to the end of a line. When neither line is whole the file is refused: what
 * it said may be in no other place. Without the file, where there was one, the ids of all versions are looked at, and so they are for
 * the bare "<version> <next id>" of older programs, which nothing vouches for.
 */
#include "collection/id_counter.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "collection/ids.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_LINE_BYTES = 80, MAX_FILE_BYTES = 2 * MAX_LINE_BYTES };

typedef struct counter {
    uint64_t version; /* of which the column need not be looked at; 0: none */
    int64_t next;
    bool is_sure; /* nothing that was given can be above */
} counter;

static size_t format_counter(const counter *c, char text[MAX_FILE_BYTES])
{
    char line[MAX_LINE_BYTES];
    int n = snprintf(line, sizeof line, "ids %" PRIu64 " %" PRId64, c->version, c->next);
    uint64_t hash = pn_hash64(line, (size_t)n);
    n = snprintf(text, MAX_FILE_BYTES, "%s %016" PRIx64 "\n\n%s %016" PRIx64 "\n", line, hash, line,
                 hash);
    pn_assert(n > 0 && n < MAX_FILE_BYTES);
    return (size_t)n;
}

static pn_status write_counter(const char *path, const counter *c, pn_error *err)
{
    char text[MAX_FILE_BYTES];
    return pn_file_write_atomic(path, text, format_counter(c, text), err);
}

static bool take_number(pn_str *text, uint64_t most, uint64_t *out)
{
    pn_str digits = pn_str_split(text, ' ');
    return digits.len > 0 && digits.ptr[0] >= '0' && digits.ptr[0] <= '9' &&
           pn_str_to_u64(digits, out) && *out <= most;
}

/* "<version> <next id>", and nothing behind it. */
static bool take_numbers(pn_str text, counter *out)
{
    uint64_t next;
    if (!take_number(&text, UINT64_MAX, &out->version) || !take_number(&text, INT64_MAX, &next) ||
        text.ptr) // a space behind it, too
        return false;
    out->next = (int64_t)next;
    return true;
}

static bool take_line(pn_str line, counter *out)
{
    static const char begin[] = "ids ";
    enum { HASH_BYTES = 17, BEGIN_BYTES = sizeof begin - 1 }; /* the hash with its space */
    char text[HASH_BYTES + 1];
    if (line.len <= HASH_BYTES + BEGIN_BYTES || !pn_str_starts_with(line, begin))
        return false;
    pn_str content = pn_str_make(line.ptr, line.len - HASH_BYTES);
    (void)snprintf(text, sizeof text, " %016" PRIx64, pn_hash64(content.ptr, content.len));
    if (memcmp(text, content.ptr + content.len, HASH_BYTES) != 0)
        return false;
    out->is_sure = true;
    return take_numbers(pn_str_make(content.ptr + BEGIN_BYTES, content.len - BEGIN_BYTES), out);
}

static pn_status parse_counter(const char *path, const pn_buffer *bytes, counter *out,
                               pn_error *err)
{
    pn_str text = pn_str_make((const char *)bytes->data, bytes->n_bytes);
    bool is_ended = text.len > 0 && text.ptr[text.len - 1] == '\n';
    pn_str old = pn_str_make(text.ptr, text.len - is_ended);
    if (is_ended && take_numbers(old, out)) {
        out->version = 0;
        return PN_OK;
    }
    while (text.len > 0)
        if (take_line(pn_str_split(&text, '\n'), out))
            return PN_OK;
    return pn_fail(err, PN_ERR_CORRUPT,
                   "%s: damaged: the next id is not known; remove it to count on from the largest "
                   "id that a version of the table ever had, of those that are there",
                   path);
}

/* was_there: there must have been one. */
static pn_status read_counter(const char *path, bool was_there, counter *out, pn_error *err)
{
    pn_buffer bytes;
    *out = (counter){0};
    if (!pn_path_exists(path)) {
        out->is_sure = !was_there;
        return PN_OK;
    }
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

/* One above all that was given, as far as the counter, the table and the caller know. */
static pn_status find_next(const counter *c, pn_dataset *dataset, int64_t above, int64_t *out,
                           pn_error *err)
{
    int64_t ever = 0;
    bool current = above >= 0;
    if (!c->is_sure)
        PN_TRY(pn_next_id_ever(pn_dataset_path(dataset), &ever, err));
    if (!current)
        PN_TRY(is_current(c, dataset, &current, err));
    if (!current)
        PN_TRY(pn_next_id(dataset, 0, &above, err));
    *out = PN_MAX(PN_MAX(c->next, above), ever);
    return PN_OK;
}

static pn_status take(const char *path, pn_dataset *dataset, const pn_ids_wanted *wanted,
                      int64_t *first, pn_error *err)
{
    counter c;
    PN_TRY(read_counter(path, wanted->were_given, &c, err));
    PN_TRY(find_next(&c, dataset, wanted->above, &c.next, err));
    if (wanted->n > (uint64_t)(INT64_MAX - c.next))
        return pn_fail(err, PN_ERR_LIMIT, "%s: the table has used up its ids",
                       pn_dataset_path(dataset));
    *first = c.next;
    return write_counter(path, &(counter){.next = c.next + (int64_t)wanted->n}, err);
}

pn_status pn_id_counter_take(const char *folder, pn_dataset *dataset, const pn_ids_wanted *wanted,
                             int64_t *first, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *path = pn_path_join(&arena, folder, "next_id");
    pn_status status = path ? take(path, dataset, wanted, first, err) : pn_fail_nomem(err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status settle(const char *path, uint64_t version, int64_t next, int64_t end)
{
    counter c;
    PN_TRY(read_counter(path, true, &c, NULL));
    if (!c.is_sure || c.next != end)
        return PN_OK; // others went on from there
    /* A power cut may not leave half of it: the number would be lost. */
    return write_counter(path, &(counter){.version = version, .next = next}, NULL);
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
