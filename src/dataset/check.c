/*
 * check.c - is anything of a table damaged?
 *
 *     version -> manifest, transaction -> fragments -> data files -> columns -> pages
 *                                                   -> deletion file
 *
 * Data files are shared by versions and never change, so each is looked at once, as long as the versions say the same of it; a later version
 * that needs a bad one is bad for the same reason. Pages are decoded as a scan does it, window by window, and in each some rows by themselves.
 *
 * What the format cannot tell: it has no checksums, so a number that became another number, or a file that became another good file of as many
 * rows, is seen only where the table has checksums of ours. How many files have none is part of the answer.
 *
 * A manifest that is gone altogether leaves no trace in those before it; the hint file and the checksums may know of it.
 */
#include "dataset/check.h"

#include "base/alloc.h"
#include "base/keyset.h"
#include "base/limits.h"
#include "dataset/checksums.h"
#include "dataset/internal.h"
#include "dataset/tags.h"
#include "os/dir.h"
#include "os/fd.h"

#include <inttypes.h>
#include <stdio.h>

enum { WINDOW_ROWS = 8192, TAKEN_ROWS = 32 };
#define WRONG_SIZE "has %" PRIu64 " bytes, the manifest says %" PRIu64

typedef struct checker {
    const char *table;
    const pn_check_plan *plan;
    pn_arena *arena; /* of findings */
    pn_checksums *sums, *fresh;
    pn_keyset *seen, *bad; /* files; seen has parts of files, too: "path#..." */
    pn_manifest_scheme scheme;
    uint64_t version; /* in hand */
    bool is_bad;      /* that version */
    pn_check_finding *findings;
    pn_check_result result;
} checker;

/* ---- findings ---- */

static pn_status find_fault(checker *c, const char *file, const char *reason, pn_error *err)
{
    c->is_bad = true;
    if (c->result.n_findings == PN_CHECK_MAX_FINDINGS)
        return PN_OK;
    pn_check_finding *finding = &c->findings[c->result.n_findings];
    *finding = (pn_check_finding){.version = c->version,
                                  .file = pn_arena_strdup(c->arena, file),
                                  .reason = pn_arena_strdup(c->arena, reason)};
    bool is_new;
    if (!finding->file || !finding->reason)
        return pn_fail_nomem(err);
    c->result.n_findings++;
    return pn_keyset_add(c->bad, pn_str_of(file), &is_new, err);
}

/* A call that failed on a file: no memory is our fault, everything else is the file's. */
static pn_status judge(checker *c, const char *file, pn_status status, const pn_error *why,
                       pn_error *err)
{
    if (status == PN_OK)
        return PN_OK;
    if (status == PN_ERR_NOMEM || status == PN_ERR_CANCELLED)
        return pn_fail(err, status, "%s", why->message);
    return find_fault(c, file, why->message, err);
}

/* ---- files ---- */

/* *is_new: the file is to be looked at. One that was found bad before makes this version bad, too. */
static pn_status meet(checker *c, const char *file, bool *is_new, pn_error *err)
{
    PN_TRY(pn_keyset_add(c->seen, pn_str_of(file), is_new, err));
    if (!*is_new && pn_keyset_has(c->bad, pn_str_of(file)))
        c->is_bad = true;
    return PN_OK;
}

static pn_status compare_sum(checker *c, const char *file, const pn_checksum *now, pn_error *err)
{
    const pn_checksum *then = pn_checksums_find(c->sums, file);
    c->result.n_without_sum += !then;
    if (then && (then->n_bytes != now->n_bytes || strcmp(then->hash, now->hash) != 0))
        return find_fault(c, file, "is not what it was when its checksum was recorded", err);
    return c->fresh ? pn_checksums_add(c->fresh, now, err) : PN_OK;
}

/* Is it there, of this size (0: any), and what it was? *is_good false: it is of no use to look inside. */
static pn_status check_bytes(checker *c, const char *file, uint64_t n_bytes, bool *is_good,
                             pn_error *err)
{
    char reason[160];
    pn_error why = {0};
    pn_checksum now = {.path = file};
    pn_arena arena;
    size_t n_before = c->result.n_findings;
    pn_arena_init(&arena, SIZE_MAX);
    char *path = pn_path_join(&arena, c->table, file);
    pn_status status = path ? pn_checksum_file(path, &now, &why) : pn_fail_nomem(&why);
    pn_arena_reset(&arena);
    c->result.n_files++;
    c->result.n_bytes += now.n_bytes;
    if (status == PN_ERR_NOT_FOUND) {
        PN_TRY(find_fault(c, file, "is missing", err));
    } else if (status != PN_OK) {
        PN_TRY(judge(c, file, status, &why, err));
    } else if (n_bytes != 0 && n_bytes != now.n_bytes) {
        (void)snprintf(reason, sizeof reason, WRONG_SIZE, now.n_bytes, n_bytes); // fits
        PN_TRY(find_fault(c, file, reason, err));
    } else {
        PN_TRY(compare_sum(c, file, &now, err));
    }
    *is_good = c->result.n_findings == n_before;
    if (c->plan->progress &&
        !c->plan->progress(c->plan->progress_context, c->result.n_files, c->result.n_bytes))
        return pn_fail(err, PN_ERR_CANCELLED, "stopped after %" PRIu64 " files", c->result.n_files);
    return PN_OK;
}

/* ---- values ---- */

static bool is_text(pn_type_id type)
{
    return type == PN_TYPE_STRING || type == PN_TYPE_LARGE_STRING;
}

/* Fixed-width values are good whatever they are. */
static bool has_texts(const pn_field *field)
{
    bool any = is_text(field->type);
    for (size_t i = 0; i < field->n_children && !any; i++)
        any = has_texts(&field->children[i]);
    return any;
}

static bool texts_are_good(const pn_array *array, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        if (array->field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i))
            continue;
        if (is_text(array->field->type) && !pn_str_is_utf8(pn_array_bytes(array, i)))
            return false;
        for (size_t k = 0; k < array->n_children; k++) {
            size_t from = i, to = i + 1;
            if (pn_type_is_list(array->field->type)) {
                from = (size_t)array->offsets[i];
                to = (size_t)array->offsets[i + 1];
            } else if (array->field->type == PN_TYPE_FIXED_SIZE_LIST) {
                from = i * (size_t)array->field->size;
                to = from + (size_t)array->field->size;
            }
            if (has_texts(array->children[k].field) &&
                !texts_are_good(&array->children[k], from, to))
                return false;
        }
    }
    return true;
}

static pn_status check_values(const pn_array *array, const pn_field *field, pn_error *why)
{
    if (!field->nullable && pn_array_count_nulls(array) > 0)
        return pn_fail(why, PN_ERR_CORRUPT, "column \"%s\": a null, and it cannot be null",
                       field->name);
    if (has_texts(field) && !texts_are_good(array, 0, array->length))
        return pn_fail(why, PN_ERR_CORRUPT, "column \"%s\": a text that is not UTF-8", field->name);
    return PN_OK;
}

/* Some of the rows by themselves: pages have more to say of where a row lies than one needs who reads all of them. */
static pn_status take_some(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                           uint64_t first, uint64_t n, pn_lance_memo *memo, pn_arena *arena,
                           pn_error *why)
{
    uint64_t rows[TAKEN_ROWS] = {first};
    pn_array array;
    size_t n_rows = 1;
    for (uint64_t i = 1; i < TAKEN_ROWS; i++) {
        uint64_t row = first + (n - 1) * i / (TAKEN_ROWS - 1);
        if (row > rows[n_rows - 1])
            rows[n_rows++] = row;
    }
    return pn_fragment_take(dataset, fragment_i, field, rows, n_rows, memo, arena, &array, why);
}

/* Every page of a column of one fragment. */
static pn_status decode_column(pn_dataset *dataset, size_t fragment_i, const pn_field *field,
                               pn_error *why)
{
    pn_arena arena;
    pn_lance_memo *memo;
    uint64_t n_rows = dataset->fragments[fragment_i].n_rows;
    PN_TRY(pn_lance_memo_create(&memo, why));
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = PN_OK;
    for (uint64_t first = 0; first < n_rows && status == PN_OK; first += WINDOW_ROWS) {
        pn_array array;
        uint64_t n = PN_MIN((uint64_t)WINDOW_ROWS, n_rows - first);
        status = pn_fragment_read(dataset, fragment_i, field, first, n, memo, &arena, &array, why);
        if (status == PN_OK)
            status = check_values(&array, field, why);
        if (status == PN_OK)
            status = take_some(dataset, fragment_i, field, first, n, memo, &arena, why);
        pn_arena_reset(&arena);
    }
    pn_lance_memo_free(memo);
    pn_arena_reset(&arena);
    return status;
}

/* ---- one fragment ---- */

/* The file of the fragment that has the column's first leaf; NULL: none. */
static const Pn__Table__DataFile *file_of(const pn_fragment *fragment, int32_t field_id)
{
    for (size_t f = 0; f < fragment->message->n_files; f++)
        for (size_t i = 0; i < fragment->message->files[f]->n_fields; i++)
            if (fragment->message->files[f]->fields[i] == field_id)
                return fragment->message->files[f];
    return NULL;
}

static int32_t first_leaf(const pn_field *field)
{
    bool is_leaf = field->n_children == 0 ||
                   (field->type == PN_TYPE_FIXED_SIZE_LIST && field->children[0].n_children == 0);
    return is_leaf ? field->id : first_leaf(&field->children[0]);
}

/* Of a field and all below it, what pages are decoded by. 0: no memory. */
static uint64_t hash_field(const pn_field *field, pn_arena *arena)
{
    const char *type = pn_type_text(field, arena);
    if (!type)
        return 0;
    uint64_t hash = pn_hash64(type, strlen(type));
    for (size_t i = 0; i < field->n_children && hash != 0; i++) {
        const uint64_t parts[] = {hash, hash_field(&field->children[i], arena)};
        hash = parts[1] != 0 ? pn_hash64(parts, sizeof parts) : 0;
    }
    const uint64_t parts[] = {hash, (uint64_t)(uint32_t)field->id << 1 | field->nullable};
    return hash != 0 ? pn_hash64(parts, sizeof parts) | 1 : 0;
}

/*
 * A file is what it is, but a damaged manifest may look for something else in it: so what was decoded is told by all that the decoding
 * goes by. NULL: no memory.
 */
static char *name_column(const pn_fragment *fragment, const Pn__Table__DataFile *file,
                         const pn_field *field, pn_arena *arena)
{
    const uint64_t parts[] = {
        hash_field(field, arena),
        pn_hash64(file->fields, file->n_fields * sizeof *file->fields),
        pn_hash64(file->column_indices, file->n_column_indices * sizeof *file->column_indices),
        (uint64_t)file->major << 32 | file->minor,
        fragment->n_rows,
    };
    return parts[0] == 0 ? NULL
                         : pn_arena_printf(arena, "data/%s#%" PRId32 "#%016" PRIx64, file->path,
                                           field->id, pn_hash64(parts, sizeof parts));
}

static pn_status check_columns(checker *c, pn_dataset *dataset, size_t fragment_i, pn_error *err)
{
    for (size_t i = 0; i < dataset->schema.n_fields; i++) {
        const pn_field *field = &dataset->schema.fields[i];
        const pn_fragment *fragment = &dataset->fragments[fragment_i];
        const Pn__Table__DataFile *file = file_of(fragment, first_leaf(field));
        pn_arena arena;
        pn_error why = {0};
        bool is_new = true;
        if (!file && field->nullable)
            continue; // null for all rows: there is nothing to decode
        pn_arena_init(&arena, SIZE_MAX);
        char *name = pn_arena_printf(&arena, "data/%s", file ? file->path : "");
        const char *column = file ? name_column(fragment, file, field, &arena) : "";
        pn_status status = name && column ? PN_OK : pn_fail_nomem(err);
        if (status == PN_OK && file)
            status = pn_keyset_add(c->seen, pn_str_of(column), &is_new, err);
        if (status == PN_OK && is_new && !pn_keyset_has(c->bad, pn_str_of(name)))
            status = judge(c, name, decode_column(dataset, fragment_i, field, &why), &why, err);
        pn_arena_reset(&arena);
        PN_TRY(status);
    }
    return PN_OK;
}

/* A file that was looked at, and that this version says is of another size. */
static pn_status check_size(checker *c, const char *name, uint64_t n_bytes, pn_arena *arena,
                            pn_error *err)
{
    pn_file_info info;
    bool is_new;
    char *path = pn_path_join(arena, c->table, name);
    char *key = pn_arena_printf(arena, "%s##%" PRIu64, name, n_bytes);
    if (!path || !key)
        return pn_fail_nomem(err);
    PN_TRY(pn_keyset_add(c->seen, pn_str_of(key), &is_new, err));
    if (!is_new || n_bytes == 0 || pn_path_info(path, &info, NULL) != PN_OK ||
        info.size_bytes == n_bytes)
        return PN_OK;
    const char *reason = pn_arena_printf(arena, WRONG_SIZE, info.size_bytes, n_bytes);
    return reason ? find_fault(c, name, reason, err) : pn_fail_nomem(err);
}

static pn_status check_data_file(checker *c, const Pn__Table__DataFile *file, pn_error *err)
{
    pn_arena arena;
    bool is_new, is_good;
    pn_arena_init(&arena, SIZE_MAX);
    char *name = pn_arena_printf(&arena, "data/%s", file->path);
    pn_status status = name ? meet(c, name, &is_new, err) : pn_fail_nomem(err);
    if (status == PN_OK && is_new)
        status = check_bytes(c, name, file->size, &is_good, err);
    else if (status == PN_OK)
        status = check_size(c, name, file->size, &arena, err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status check_deletions(checker *c, pn_dataset *dataset, size_t fragment_i, pn_error *err)
{
    const pn_fragment *fragment = &dataset->fragments[fragment_i];
    const Pn__Table__DeletionFile *file = fragment->message->deletion_file;
    pn_arena arena;
    pn_error why = {0};
    bool is_new, is_good = true;
    const uint64_t *words;
    if (!file)
        return PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    char *name =
        pn_arena_printf(&arena, "_deletions/%" PRIu32 "-%" PRIu64 "-%" PRIu64 ".%s", fragment->id,
                        file->read_version, file->id, file->file_type == 1 ? "bin" : "arrow");
    char *key = name ? pn_arena_printf(&arena, "%s#%" PRIu32 "#%" PRIu64, name, fragment->n_rows,
                                       file->num_deleted_rows)
                     : NULL;
    pn_status status = key ? meet(c, name, &is_new, err) : pn_fail_nomem(err);
    if (status == PN_OK && is_new)
        status = check_bytes(c, name, 0, &is_good, err);
    if (status == PN_OK)
        status = pn_keyset_add(c->seen, pn_str_of(key), &is_new, err);
    if (status == PN_OK && is_new && is_good)
        status = judge(c, name, pn_dataset_deletions(dataset, fragment_i, &words, &why), &why, err);
    pn_arena_reset(&arena);
    return status;
}

static pn_status check_fragments(checker *c, pn_dataset *dataset, pn_error *err)
{
    for (size_t i = 0; i < dataset->n_fragments; i++) {
        const Pn__Table__DataFragment *message = dataset->fragments[i].message;
        for (size_t f = 0; f < message->n_files; f++)
            PN_TRY(check_data_file(c, message->files[f], err));
        PN_TRY(check_columns(c, dataset, i, err));
        PN_TRY(check_deletions(c, dataset, i, err));
    }
    return PN_OK;
}

/* ---- one version ---- */

/* The transaction stands in the manifest, or in a file of its own, or both. */
static pn_status check_transaction(checker *c, const pn_manifest *manifest, pn_error *err)
{
    const char *file = manifest->message->transaction_file;
    pn_arena arena;
    pn_buffer bytes;
    bool is_new = false, is_good = false;
    if (!file || file[0] == '\0' || strchr(file, '/'))
        return PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    pn_buffer_init(&bytes, PN_MANIFEST_MAX_BYTES);
    char *name = pn_arena_printf(&arena, "_transactions/%s", file);
    char *path = name ? pn_path_join(&arena, c->table, name) : NULL;
    pn_status status = path ? PN_OK : pn_fail_nomem(err);
    bool is_needed = !manifest->message->has_transaction_section;
    if (status == PN_OK && (is_needed || pn_path_exists(path)))
        status = meet(c, name, &is_new, err);
    if (status == PN_OK && is_new)
        status = check_bytes(c, name, 0, &is_good, err);
    if (status == PN_OK && is_good) {
        pn_error why = {0};
        Pn__Table__Transaction *txn = NULL;
        status = judge(c, name, pn_file_read(path, &bytes, &why), &why, err);
        txn = pn__table__transaction__unpack(NULL, bytes.n_bytes, bytes.data);
        if (status == PN_OK && !txn)
            status = find_fault(c, name, "is not a transaction, or damaged", err);
        if (txn)
            pn__table__transaction__free_unpacked(txn, NULL);
    }
    pn_buffer_reset(&bytes);
    pn_arena_reset(&arena);
    return status;
}

static pn_status check_content(checker *c, const char *name, pn_error *err)
{
    pn_manifest manifest = {0};
    pn_dataset *dataset;
    pn_error why = {0};
    pn_status status = pn_manifest_read(c->table, c->version, c->scheme, &manifest, &why);
    if (status != PN_OK)
        return judge(c, name, status, &why, err);
    status = check_transaction(c, &manifest, err);
    pn_manifest_free(&manifest);
    PN_TRY(status);
    status = pn_dataset_open(c->table, c->version, &dataset, &why);
    if (status != PN_OK)
        return judge(c, name, status, &why, err);
    status = check_fragments(c, dataset, err);
    pn_dataset_unref(dataset);
    return status;
}

static const char *manifest_name(const checker *c, uint64_t version, pn_arena *arena)
{
    const char *path = pn_manifest_path(c->table, version, c->scheme, arena);
    return path ? path + strlen(c->table) + 1 : NULL;
}

static pn_status check_version(checker *c, uint64_t version, pn_error *err)
{
    pn_arena arena;
    bool is_new, is_good = false;
    c->version = version;
    c->is_bad = false;
    pn_arena_init(&arena, SIZE_MAX);
    const char *name = manifest_name(c, version, &arena);
    pn_status status = name ? meet(c, name, &is_new, err) : pn_fail_nomem(err);
    if (status == PN_OK)
        status = check_bytes(c, name, 0, &is_good, err);
    if (status == PN_OK && is_good)
        status = check_content(c, name, err);
    pn_arena_reset(&arena);
    PN_TRY(status);
    c->result.n_versions++;
    c->result.n_good += !c->is_bad;
    if (!c->is_bad)
        c->result.last_good = version;
    return PN_OK;
}

/* ---- the table ---- */

/* The version of a manifest by its name in the table's folder; 0: it is none. */
static uint64_t version_of(const checker *c, const char *file)
{
    pn_str name = pn_str_of(file);
    uint64_t number;
    if (!pn_str_starts_with(name, "_versions/") || !pn_str_ends_with(name, ".manifest"))
        return 0;
    name = pn_str_make(name.ptr + strlen("_versions/"),
                       name.len - strlen("_versions/") - strlen(".manifest"));
    if (!pn_str_to_u64(name, &number))
        return 0;
    return c->scheme == PN_MANIFEST_V2 ? UINT64_MAX - number : number;
}

/* A newer version that somebody knows of, and that is not there. */
static pn_status look_for_lost(checker *c, pn_error *err)
{
    pn_arena arena;
    uint64_t hint = pn_manifest_hint(c->table);
    pn_status status = PN_OK;
    pn_arena_init(&arena, SIZE_MAX);
    const char *name = hint > c->result.newest ? manifest_name(c, hint, &arena) : NULL;
    c->version = hint;
    if (name)
        status = find_fault(c, name, "is missing, and latest_version_hint.json names it", err);
    for (size_t i = 0; i < pn_checksums_count(c->sums) && status == PN_OK; i++) {
        name = pn_checksums_get(c->sums, i)->path;
        c->version = version_of(c, name);
        if (c->version > c->result.newest && c->version != hint)
            status = find_fault(c, name, "is missing, and its checksum was recorded", err);
    }
    pn_arena_reset(&arena);
    return status;
}

static pn_status judge_tag(void *context, const char *file, pn_status status, const pn_error *why,
                           pn_error *err)
{
    return judge(context, file, status, why, err);
}

static bool is_wanted(const checker *c, uint64_t version)
{
    if (c->plan->version != 0)
        return version == c->plan->version;
    return !c->plan->newest_only || version == c->result.newest;
}

static pn_status run(checker *c, pn_arena *scratch, pn_error *err)
{
    pn_version_list list;
    PN_TRY(pn_manifest_list(c->table, scratch, &list, err));
    c->scheme = list.scheme;
    c->result.newest = list.versions[list.n - 1];
    pn_error why = {0};
    pn_status status = pn_checksums_load(c->table, &c->sums, &why);
    if (status != PN_OK)
        PN_TRY(judge(c, PN_CHECKSUMS_FILE, status, &why, err));
    if (!c->sums)
        PN_TRY(pn_checksums_create(&c->sums, err));
    for (size_t i = 0; i < list.n && c->result.n_findings < PN_CHECK_MAX_FINDINGS; i++)
        if (is_wanted(c, list.versions[i]))
            PN_TRY(check_version(c, list.versions[i], err));
    if (c->result.n_versions == 0)
        return pn_fail(err, PN_ERR_NOT_FOUND, "%s: there is no version %" PRIu64, c->table,
                       c->plan->version);
    if (c->plan->version == 0)
        PN_TRY(look_for_lost(c, err));
    c->version = 0;
    if (c->plan->version == 0 && !c->plan->newest_only)
        PN_TRY(pn_dataset_tags_check(c->table, c->scheme, judge_tag, c, err));
    if (!c->fresh || c->result.n_findings > 0)
        return PN_OK;
    PN_TRY(pn_checksums_save(c->fresh, c->table, err));
    c->result.n_recorded = pn_checksums_count(c->fresh);
    return PN_OK;
}

pn_status pn_dataset_check(const char *table, const pn_check_plan *plan, pn_arena *arena,
                           pn_check_result *out, pn_error *err)
{
    pn_arena scratch;
    checker c = {.table = table, .plan = plan, .arena = arena};
    pn_status status = PN_OK;
    pn_arena_init(&scratch, SIZE_MAX);
    c.findings = PN_ARENA_NEW(arena, pn_check_finding, PN_CHECK_MAX_FINDINGS);
    if (!c.findings)
        PN_GOTO(done, pn_fail_nomem(err));
    if (plan->record && (plan->newest_only || plan->version != 0))
        PN_GOTO(done,
                pn_fail(err, PN_ERR_INVALID,
                        "checksums are recorded of all versions, or the others would lose theirs"));
    PN_GOTO(done, pn_keyset_create(&c.seen, err));
    PN_GOTO(done, pn_keyset_create(&c.bad, err));
    if (plan->record)
        PN_GOTO(done, pn_checksums_create(&c.fresh, err));
    PN_GOTO(done, run(&c, &scratch, err));
    c.result.findings = c.findings;
    *out = c.result;
done:
    pn_keyset_free(c.seen);
    pn_keyset_free(c.bad);
    pn_checksums_free(c.sums);
    pn_checksums_free(c.fresh);
    pn_arena_reset(&scratch);
    return status;
}
