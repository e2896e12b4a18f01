/*
 * show.c - the same rows for a person, a script, and a spreadsheet
 *
 * The table is as wide as the terminal (or 100 columns in a pipe): rank, score and id are narrow, path and title share what
 * is left with the other metadata. JSON is one object, with everything. TSV has a header and one column a metadata key of
 * the first row's keys and all later ones.
 */
#include "cli/show.h"

#include "base/alloc.h"
#include "base/str.h"
#include "cli/json_out.h"
#include "cli/term.h"
#include "os/process.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static void time_text(int64_t ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm utc;
    out[0] = '\0';
    if (ms == INT64_MIN || !gmtime_r(&seconds, &utc))
        return;
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &utc); // 19 characters, or 0
    if (n > 0)
        (void)snprintf(out + n, 32 - n, ".%03dZ", (int)(ms - (int64_t)seconds * 1000)); // 5 more
}

static json_t *float_to_json(float value)
{
    char text[PN_NUMBER_TEXT_BYTES];
    double shortest;
    pn_format_float(value, text); // 0.31, not 0.31000000238418579
    return json_real(pn_str_to_double(pn_str_of(text), &shortest) ? shortest : (double)value);
}

static json_t *row_to_json(const pn_result *row, pn_ranked ranked)
{
    char time[32];
    json_t *out = json_object(), *metadata = json_object();
    time_text(row->timestamp_ms, time);
    json_object_set_new(out, "id", json_integer(row->id));
    if (ranked == PN_RANKED) {
        json_object_set_new(out, "score", float_to_json(row->score));
        json_object_set_new(out, "distance", float_to_json(row->distance));
    }
    json_object_set_new(out, "image_path", pn_cli_json_text(row->path));
    json_object_set_new(out, "timestamp", time[0] ? json_string(time) : json_null());
    for (size_t i = 0; i < row->n_metadata; i++) {
        json_t *key = pn_cli_json_text(row->metadata[i].key);
        if (key)
            json_object_set_new(metadata, json_string_value(key),
                                pn_cli_json_text(row->metadata[i].value));
        json_decref(key);
    }
    json_object_set_new(out, "metadata", metadata);
    if (row->vector) {
        json_t *vector = json_array();
        for (uint32_t i = 0; i < row->vector_dim; i++)
            json_array_append_new(vector, float_to_json(row->vector[i]));
        json_object_set_new(out, "vector", vector);
    }
    return out;
}

static json_t *stats_to_json(const pn_results *results)
{
    pn_search_stats stats;
    pn_search_effort effort = PN_SEARCH_EFFORT_INIT;
    pn_results_get_stats(results, &stats);
    (void)pn_results_get_effort(results, &effort, NULL); // its size is set
    return json_pack("{s:I, s:I, s:I, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "table_version",
                     (json_int_t)stats.table_version, "rows", (json_int_t)stats.n_rows, "matching",
                     (json_int_t)stats.n_matching, "scanned", (json_int_t)stats.n_scanned, "plan",
                     stats.plan, "recall", effort.recall, "embed_ms", stats.embed_seconds * 1e3,
                     "filter_ms", stats.filter_seconds * 1e3, "scan_ms", stats.scan_seconds * 1e3,
                     "fetch_ms", stats.fetch_seconds * 1e3, "total_ms", stats.total_seconds * 1e3);
}

static bool show_json(const pn_results *results, pn_ranked ranked)
{
    json_t *all = json_object(), *rows = json_array();
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        json_array_append_new(rows, row_to_json(&row, ranked));
    }
    json_object_set_new(all, "results", rows);
    if (ranked == PN_RANKED)
        json_object_set_new(all, "stats", stats_to_json(results));
    bool ok = pn_cli_print_json(all, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    return ok;
}

static const char *value_of(const pn_result *row, const char *key)
{
    for (size_t i = 0; i < row->n_metadata; i++)
        if (strcmp(row->metadata[i].key, key) == 0)
            return row->metadata[i].value;
    return "";
}

/* All metadata keys, in order of first appearance. */
static const char **collect_keys(const pn_results *results, size_t *n)
{
    const char **keys = NULL;
    *n = 0;
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        for (size_t m = 0; m < row.n_metadata; m++) {
            size_t k = 0;
            while (k < *n && strcmp(keys[k], row.metadata[m].key) != 0)
                k++;
            if (k < *n)
                continue;
            const char **more = pn_realloc(keys, (*n + 1) * sizeof *keys);
            if (!more)
                return keys;
            keys = more;
            keys[(*n)++] = row.metadata[m].key;
        }
    }
    return keys;
}

static void show_tsv(const pn_results *results, pn_ranked ranked)
{
    size_t n_keys;
    const char **keys = collect_keys(results, &n_keys);
    fputs(ranked == PN_RANKED ? "rank\tscore\tdistance\tid\timage_path\ttimestamp"
                              : "id\timage_path\ttimestamp",
          stdout);
    for (size_t k = 0; k < n_keys; k++) {
        fputc('\t', stdout);
        pn_term_print_tsv(stdout, keys[k]);
    }
    fputc('\n', stdout);
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        char time[32];
        pn_results_get(results, i, &row);
        time_text(row.timestamp_ms, time);
        if (ranked == PN_RANKED)
            printf("%zu\t%.6f\t%.6f\t", i + 1, (double)row.score, (double)row.distance);
        printf("%" PRId64 "\t", row.id);
        pn_term_print_tsv(stdout, row.path);
        printf("\t%s", time);
        for (size_t k = 0; k < n_keys; k++) {
            fputc('\t', stdout);
            pn_term_print_tsv(stdout, value_of(&row, keys[k]));
        }
        fputc('\n', stdout);
    }
    pn_free(keys);
}

/* "colour=red category=footwear": what is left of the metadata beside the title. */
static void print_rest(const pn_result *row, unsigned width)
{
    char text[512];
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < row->n_metadata && at < sizeof text - 1; i++) {
        if (strncmp(row->metadata[i].key, "title", 5) == 0)
            continue;
        int n = snprintf(text + at, sizeof text - at, "%s%s=%s", at > 0 ? " " : "",
                         row->metadata[i].key, row->metadata[i].value);
        if (n < 0 || (size_t)n >= sizeof text - at)
            break;
        at += (size_t)n;
    }
    pn_term_print(stdout, text, width);
}

static unsigned widest(const pn_results *results, bool title, unsigned most)
{
    unsigned width = title ? 5 : 4;
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        unsigned w = pn_term_width(title ? value_of(&row, "title") : row.path);
        width = w > width ? w : width;
    }
    return width > most ? most : width;
}

static void show_table(const pn_results *results, pn_ranked ranked)
{
    unsigned columns = pn_terminal_columns(1, 100);
    unsigned fixed = ranked == PN_RANKED ? 24 : 11;
    unsigned left = columns > fixed + 40 ? columns - fixed : 40;
    unsigned path_width = widest(results, false, left * 2 / 5),
             title_width = widest(results, true, left / 3);
    unsigned rest = left > path_width + title_width + 5 ? left - path_width - title_width - 5 : 0;
    if (ranked == PN_RANKED)
        printf("%4s  %7s  ", "rank", "score");
    printf("%9s  ", "id");
    pn_term_print(stdout, "path", path_width);
    fputs("  ", stdout);
    pn_term_print(stdout, "title", title_width);
    fputc('\n', stdout);
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        if (ranked == PN_RANKED)
            printf("%4zu  %7.4f  ", i + 1, (double)row.score);
        printf("%9" PRId64 "  ", row.id);
        pn_term_print(stdout, row.path, path_width);
        fputs("  ", stdout);
        pn_term_print(stdout, value_of(&row, "title"), title_width);
        if (rest > 10) {
            fputs("  ", stdout);
            print_rest(&row, rest);
        }
        fputc('\n', stdout);
    }
}

bool pn_show_results(const pn_results *results, pn_output output, pn_ranked ranked)
{
    switch (output) {
    case PN_OUTPUT_JSON:
        return show_json(results, ranked);
    case PN_OUTPUT_TSV:
        show_tsv(results, ranked);
        return true;
    case PN_OUTPUT_TABLE:
        break;
    }
    if (pn_results_count(results) == 0)
        puts(ranked == PN_RANKED ? "nothing found" : "no rows");
    else
        show_table(results, ranked);
    return true;
}
