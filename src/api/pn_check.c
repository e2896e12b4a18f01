/*
 * pn_check.c - section 9 of pennon.h: is a table damaged?
 */
#include "api/internal.h"

#include "api/facets.h"
#include "dataset/check.h"

static bool on_progress(void *context, uint64_t n_files, uint64_t n_bytes)
{
    const pn_check_options *options = context;
    if (options->progress)
        options->progress(options->context, n_files, n_bytes);
    return !options->cancelled || !options->cancelled(options->context);
}

static json_t *findings_to_json(const pn_check_result *result)
{
    json_t *all = json_array();
    for (size_t i = 0; all && i < result->n_findings; i++) {
        const pn_check_finding *f = &result->findings[i];
        json_t *version = f->version > 0 ? json_integer((json_int_t)f->version) : json_null();
        json_t *one =
            json_pack("{s:o, s:s, s:s}", "version", version, "file", f->file, "reason", f->reason);
        if (json_array_append_new(all, one) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static json_t *result_to_json(const pn_check_result *result)
{
    const char *state = result->n_findings > 0       ? "damaged"
                        : result->n_without_sum == 0 ? "sound"
                                                     : "no damage found";
    json_t *last_good =
        result->last_good > 0 ? json_integer((json_int_t)result->last_good) : json_null();
    return json_pack("{s:s, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "state", state, "newest",
                     (json_int_t)result->newest, "last_good", last_good, "versions",
                     (json_int_t)result->n_versions, "good_versions", (json_int_t)result->n_good,
                     "files", (json_int_t)result->n_files, "bytes", (json_int_t)result->n_bytes,
                     "files_without_checksum", (json_int_t)result->n_without_sum,
                     "checksums_recorded", (json_int_t)result->n_recorded, "findings",
                     findings_to_json(result));
}

pn_status pn_lance_check_json(const char *path, const pn_check_options *options, char **report,
                              pn_error *err)
{
    pn_check_options ours = PN_CHECK_OPTIONS_INIT;
    pn_arena arena;
    pn_check_result result;
    PN_TRY(pn_check_path(path, err));
    PN_TAKE_OPTIONS(ours, options, err);
    const pn_check_plan plan = {.version = ours.version,
                                .newest_only = ours.newest_only != 0,
                                .record = ours.record != 0,
                                .progress = on_progress,
                                .progress_context = &ours};
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_check(path, &plan, &arena, &result, err);
    if (status == PN_OK)
        status = pn_json_detach(result_to_json(&result), report, err);
    if (status == PN_OK && result.n_findings > 0)
        status = pn_fail(err, PN_ERR_CORRUPT, "%s/%s: %s", path, result.findings[0].file,
                         result.findings[0].reason);
    pn_arena_reset(&arena);
    return status;
}
