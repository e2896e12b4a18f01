/*
 * id_source.c - ids for one process's rows
 */
#include "collection/id_source.h"

#include "collection/id_counter.h"
#include "collection/ids.h"
#include "os/clock.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/lockfile.h"

static uint32_t first_new_fragment(const pn_dataset *dataset)
{
    uint32_t next = 0;
    for (size_t i = 0; i < pn_dataset_n_fragments(dataset); i++) {
        pn_fragment_info info;
        pn_dataset_fragment(dataset, i, &info);
        next = PN_MAX(next, info.id + 1);
    }
    return next;
}

static void know(pn_id_source *s, const pn_dataset *dataset, int64_t above)
{
    s->version = pn_dataset_version(dataset);
    s->first_fragment = first_new_fragment(dataset);
    s->above = PN_MAX(s->above, above);
}

/* What came since the last look. */
static pn_status look(pn_id_source *s, pn_dataset *dataset, pn_error *err)
{
    pn_growth growth;
    int64_t above = 0;
    if (s->version == 0 || s->version == pn_dataset_version(dataset))
        return PN_OK;
    PN_TRY(pn_dataset_growth(dataset, s->version, &growth, err));
    if (growth == PN_GROWTH_UNKNOWN) {
        s->version = 0;
        return PN_OK;
    }
    if (growth == PN_GROWTH_ADDED) {
        PN_TRY(pn_next_id(dataset, s->first_fragment, &above, err));
        s->n_taken = 0; // somebody else inserts, too: what is put aside would often be left over
    }
    know(s, dataset, above);
    return PN_OK;
}

/* Other processes wait, too; the lock goes with its holder. Its file stays: *was_there says that ids were given before. */
static pn_status lock_ids(const char *folder, pn_lockfile **out, bool *was_there, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, SIZE_MAX);
    const char *path = pn_path_join(&arena, folder, "ids.lock");
    pn_status status = path ? pn_dir_make(folder, err) : pn_fail_nomem(err);
    *was_there = path && pn_path_exists(path);
    if (status == PN_OK)
        status = PN_ERR_CONFLICT;
    for (int waited_ms = 0; status == PN_ERR_CONFLICT && waited_ms <= 60000; waited_ms += 2) {
        if (waited_ms > 0)
            pn_clock_sleep_ms(2);
        status = pn_lockfile_take(path, out, err);
    }
    pn_arena_reset(&arena);
    return status;
}

static pn_status put_aside(pn_id_source *s, const char *folder, pn_dataset *dataset, size_t n,
                           pn_error *err)
{
    pn_lockfile *lock;
    int64_t first;
    size_t more = PN_MIN(s->n_taken, (size_t)PN_IDS_ASIDE_MAX);
    pn_ids_wanted wanted = {.n = n + more, .above = s->version > 0 ? s->above : -1};
    PN_TRY(lock_ids(folder, &lock, &wanted.were_given, err));
    pn_status status = pn_id_counter_take(folder, dataset, &wanted, &first, err);
    pn_lockfile_release(lock);
    PN_TRY(status);
    bool goes_on = first == s->end && s->version > 0 && s->above <= s->next;
    s->next = goes_on ? s->next : first; // nobody took ids since: those that are left are no gap
    s->end = first + (int64_t)(n + more);
    know(s, dataset, s->next);
    return PN_OK;
}

pn_status pn_id_source_take(pn_id_source *source, const char *folder, pn_dataset *dataset, size_t n,
                            int64_t *first, pn_error *err)
{
    PN_TRY(look(source, dataset, err));
    bool there = source->version > 0 && source->above <= source->next &&
                 n <= (uint64_t)(source->end - source->next);
    if (!there)
        PN_TRY(put_aside(source, folder, dataset, n, err));
    *first = source->next;
    source->next += (int64_t)n;
    source->n_taken += n;
    return PN_OK;
}

void pn_id_source_settle(pn_id_source *source, const pn_dataset *read, const pn_dataset *made)
{
    bool alone = pn_dataset_version(read) == source->version &&
                 pn_dataset_version(made) == pn_dataset_version(read) + 1;
    if (alone)
        know(source, made, source->next);
}

void pn_id_source_end(pn_id_source *source, const char *folder)
{
    pn_lockfile *lock;
    bool was_there;
    if (source->version == 0 || source->above > source->next)
        return;
    if (lock_ids(folder, &lock, &was_there, NULL) != PN_OK)
        return; // a gap, and a look at the column
    pn_id_counter_settle(folder, source->version, source->next, source->end);
    pn_lockfile_release(lock);
}
