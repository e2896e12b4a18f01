/*
 * list_row.c - a line of a list becomes a named picture with metadata
 *
 *     path,title,category,price              {"path": "a.jpg", "title": "Red sneakers", "price": 59.9}
 *     a.jpg,Red sneakers,footwear,59.90
 *
 * The path column is found by name; the time column too, and becomes the row's timestamp; all other columns are metadata,
 * texts as they stand, numbers and booleans as JSON writes them, nested JSON as JSON text, nulls and empty cells left
 * out. The separator of a CSV is what its header line has most of: comma, semicolon or tab.
 *
 * libcsv calls back for each cell and each row end. The callbacks cannot return an error, so the first one is kept in
 * the reader and ends the feeding.
 */
#include "ingest/list_row.h"

#include "base/alloc.h"
#include "os/dir.h"

#include <csv.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum {
    MAX_COLUMNS = 1024,
    MAX_ROW_BYTES = 4 << 20,
    MAX_HEADER_BYTES = 1 << 16,
    CELL_STEP_BYTES = 1 << 16
};

struct pn_list_reader {
    const char *name;
    pn_list_kind kind;
    const pn_source_options *options;
    const pn_source_sink *sink;
    char *folder; /* that relative paths start from */
    uint64_t line;
    pn_status status; /* the first failure inside a callback */
    pn_error *err;

    /* Lines of JSON and of paths; of a CSV the beginning, until its first line is whole. */
    pn_buffer text;

    /* CSV. */
    struct csv_parser csv;
    bool csv_is_open;
    bool has_header, knows_separator;
    pn_arena header_arena;
    const char *columns[MAX_COLUMNS];
    size_t n_columns, path_i, time_i;
    pn_arena row_arena;
    const char *cells[MAX_COLUMNS];
    size_t n_cells;
    size_t row_bytes;
};

static const char *const path_names[] = {"path", "image_path", "image",
                                         "file", "filename",   "filepath"};
static const char *const time_names[] = {"timestamp", "date", "created_at", "taken_at"};

static bool is_named(const char *column, const char *wanted)
{
    return pn_str_equal_ignore_case(pn_str_of(column), pn_str_of(wanted));
}

static void bad_row(pn_list_reader *reader, pn_status status, const char *reason)
{
    char where[PN_ERROR_MESSAGE_BYTES];
    pn_error text;
    (void)pn_fail(&text, status, "%s, %s %" PRIu64, // the status is passed on below
                  strcmp(reader->name, "-") == 0 ? "standard input" : reader->name,
                  reader->kind == PN_LIST_CSV ? "row" : "line", reader->line);
    memcpy(where, text.message, sizeof where);
    reader->sink->bad_row(reader->sink->context, where, status, reason);
}

/* The item of a row whose path is known; NULL: no memory. */
static pn_ingest_item *make_item(pn_list_reader *reader, const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    pn_arena arena;
    pn_arena_init(&arena, 1u << 20);
    char *file = pn_path_join(&arena, reader->folder, path);
    pn_ingest_item *item = file ? pn_ingest_item_create(path, file) : NULL;
    pn_arena_reset(&arena);
    return item;
}

static bool has_key(const pn_ingest_item *item, const char *key)
{
    for (size_t i = 0; i < item->n_metadata; i++)
        if (strcmp(item->metadata[i].key, key) == 0)
            return true;
    return false;
}

static bool add_pair(pn_ingest_item *item, pn_kv *pairs, const char *key, const char *value,
                     size_t n)
{
    pn_kv *pair = &pairs[item->n_metadata];
    pair->key = pn_arena_strdup(&item->arena, key);
    pair->value = pn_arena_strndup(&item->arena, value, n);
    if (!pair->key || !pair->value)
        return false;
    item->metadata = pairs;
    item->n_metadata++;
    return true;
}

static void deliver(pn_list_reader *reader, pn_ingest_item *item)
{
    reader->status = reader->sink->item(reader->sink->context, item, reader->err);
}

/* ---- CSV ---- */

static void take_header(pn_list_reader *reader)
{
    reader->path_i = reader->time_i = SIZE_MAX;
    reader->n_columns = reader->n_cells;
    for (size_t i = 0; i < reader->n_cells; i++) {
        pn_str name = pn_str_trim(pn_str_of(reader->cells[i]));
        reader->columns[i] = pn_arena_strndup(&reader->header_arena, name.ptr, name.len);
        if (!reader->columns[i]) {
            reader->status = pn_fail_nomem(reader->err);
            return;
        }
    }
    const char *const *paths =
        reader->options->path_column ? &reader->options->path_column : path_names;
    size_t n_paths = reader->options->path_column ? 1 : PN_COUNT_OF(path_names);
    const char *const *times =
        reader->options->timestamp_column ? &reader->options->timestamp_column : time_names;
    size_t n_times = reader->options->timestamp_column ? 1 : PN_COUNT_OF(time_names);
    for (size_t w = 0; w < n_paths && reader->path_i == SIZE_MAX; w++)
        for (size_t i = 0; i < reader->n_columns; i++)
            if (is_named(reader->columns[i], paths[w]))
                reader->path_i = i;
    for (size_t w = 0; w < n_times && reader->time_i == SIZE_MAX; w++)
        for (size_t i = 0; i < reader->n_columns; i++)
            if (is_named(reader->columns[i], times[w]))
                reader->time_i = i;
    reader->has_header = true;
    if (reader->path_i == SIZE_MAX)
        reader->status = pn_fail(reader->err, PN_ERR_INVALID,
                                 "%s: the header has no column \"%s\" with the pictures' paths",
                                 reader->name, paths[0]);
    else if (reader->options->timestamp_column && reader->time_i == SIZE_MAX)
        reader->status = pn_fail(reader->err, PN_ERR_INVALID, "%s: the header has no column \"%s\"",
                                 reader->name, times[0]);
}

static bool add_cell(pn_list_reader *reader, pn_ingest_item *item, pn_kv *pairs, size_t i)
{
    const char *cell = reader->cells[i];
    if (i == reader->path_i || cell[0] == '\0' || reader->columns[i][0] == '\0')
        return true; // a column without a name says nothing
    if (i == reader->time_i && pn_source_parse_time(pn_str_of(cell), &item->timestamp_ms))
        return true;
    if (has_key(item, reader->columns[i]))
        return true; // two columns of one name: the first that is not empty
    return add_pair(item, pairs, reader->columns[i], cell, strlen(cell));
}

static void take_csv_row(pn_list_reader *reader)
{
    if (reader->n_cells == 0 || (reader->n_cells == 1 && reader->cells[0][0] == '\0'))
        return; // an empty line
    if (reader->n_cells != reader->n_columns) {
        char reason[96];
        pn_error text;
        (void)pn_fail(&text, PN_ERR_CORRUPT, "%zu cells, the header has %zu",
                      reader->n_cells, // text only
                      reader->n_columns);
        memcpy(reason, text.message, sizeof reason - 1);
        reason[sizeof reason - 1] = '\0';
        bad_row(reader, PN_ERR_CORRUPT, reason);
        return;
    }
    if (reader->cells[reader->path_i][0] == '\0') {
        bad_row(reader, PN_ERR_CORRUPT, "no path");
        return;
    }
    pn_ingest_item *item = make_item(reader, reader->cells[reader->path_i]);
    pn_kv *pairs = item ? PN_ARENA_NEW(&item->arena, pn_kv, reader->n_columns) : NULL;
    bool ok = pairs != NULL;
    for (size_t i = 0; ok && i < reader->n_columns; i++)
        ok = add_cell(reader, item, pairs, i);
    if (ok) {
        deliver(reader, item);
        return;
    }
    pn_ingest_item_free(item);
    reader->status = pn_fail_nomem(reader->err);
}

static void csv_cell(void *cell, size_t n, void *context)
{
    pn_list_reader *reader = context;
    if (reader->status != PN_OK)
        return;
    reader->row_bytes += n;
    if (reader->n_cells == MAX_COLUMNS || reader->row_bytes > MAX_ROW_BYTES) {
        reader->status =
            pn_fail(reader->err, PN_ERR_LIMIT,
                    "%s, row %" PRIu64
                    ": a row has at most %d cells and %d bytes (a quote that never ends?)",
                    reader->name, reader->line, MAX_COLUMNS, MAX_ROW_BYTES);
        return;
    }
    char *copy = pn_arena_strndup(&reader->row_arena, cell ? cell : "", cell ? n : 0);
    if (!copy)
        reader->status = pn_fail_nomem(reader->err);
    else
        reader->cells[reader->n_cells++] = copy;
}

static void csv_row_end(int terminator, void *context)
{
    pn_list_reader *reader = context;
    (void)terminator;
    reader->line++;
    if (reader->status == PN_OK) {
        if (!reader->has_header)
            take_header(reader);
        else
            take_csv_row(reader);
    }
    reader->n_cells = 0;
    reader->row_bytes = 0;
    pn_arena_reset(&reader->row_arena);
}

static unsigned char guess_separator(const char *bytes, size_t n)
{
    const char *end = memchr(bytes, '\n', n);
    size_t length = end ? (size_t)(end - bytes) : n;
    size_t commas = 0, semicolons = 0, tabs = 0;
    for (size_t i = 0; i < length; i++) {
        commas += bytes[i] == ',';
        semicolons += bytes[i] == ';';
        tabs += bytes[i] == '\t';
    }
    if (tabs > commas && tabs >= semicolons)
        return '\t';
    return semicolons > commas ? ';' : ',';
}

static pn_str without_mark(pn_str text)
{
    bool marked = text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0;
    return marked ? (pn_str){text.ptr + 3, text.len - 3} : text;
}

static pn_status parse_csv(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err);

/* The first line tells the separator: keep what came until it is whole, then parse it. */
static pn_status begin_csv(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err)
{
    size_t taken = bytes ? PN_MIN(n, (size_t)MAX_HEADER_BYTES) : 0;
    if (taken > 0)
        PN_TRY(pn_buffer_append(&reader->text, bytes, taken, err));
    if (bytes && !memchr(bytes, '\n', taken) && reader->text.n_bytes < MAX_HEADER_BYTES)
        return PN_OK;
    pn_str text = {reader->text.data ? (const char *)reader->text.data : "", reader->text.n_bytes};
    text = without_mark(text);
    csv_set_delim(&reader->csv, guess_separator(text.ptr, text.len));
    reader->knows_separator = true;
    PN_TRY(parse_csv(reader, text.ptr, text.len, err));
    return n > taken ? parse_csv(reader, bytes + taken, n - taken, err) : PN_OK;
}

static pn_status feed_csv(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err)
{
    if (!reader->knows_separator) {
        PN_TRY(begin_csv(reader, bytes, n, err));
        if (bytes)
            return PN_OK;
    }
    if (!bytes) {
        (void)csv_fini(&reader->csv, csv_cell, csv_row_end,
                       reader); // a missing last line break is no fault
        return reader->status;
    }
    return parse_csv(reader, bytes, n, err);
}

static pn_status parse_csv(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err)
{
    if (csv_get_buffer_size(&reader->csv) > MAX_ROW_BYTES)
        return pn_fail(err, PN_ERR_LIMIT,
                       "%s, row %" PRIu64 ": a cell of over %d bytes (a quote that never ends?)",
                       reader->name, reader->line, MAX_ROW_BYTES);
    if (csv_parse(&reader->csv, bytes, n, csv_cell, csv_row_end, reader) != n &&
        reader->status == PN_OK)
        return pn_fail(err, PN_ERR_CORRUPT, "%s, row %" PRIu64 ": %s", reader->name, reader->line,
                       csv_strerror(csv_error(&reader->csv)));
    return reader->status;
}

/* ---- lines: JSON objects, paths ---- */

static bool is_wanted(const char *key, const char *chosen, const char *const *names, size_t n)
{
    if (chosen)
        return strcmp(key, chosen) == 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(key, names[i]) == 0)
            return true;
    return false;
}

static bool add_json_value(pn_ingest_item *item, pn_kv *pairs, const char *key, const json_t *value)
{
    if (json_is_null(value))
        return true;
    if (json_is_string(value))
        return add_pair(item, pairs, key, json_string_value(value), json_string_length(value));
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15);
    size_t n = json_dumpb(value, NULL, 0, flags);
    char *text = n > 0 ? pn_arena_alloc(&item->arena, n) : NULL;
    return text && json_dumpb(value, text, n, flags) == n && add_pair(item, pairs, key, text, n);
}

/* Is this the row's time? Then it is set. */
static bool take_json_time(const pn_list_reader *reader, pn_ingest_item *item, const char *key,
                           const json_t *value)
{
    if (item->timestamp_ms != PN_INGEST_NO_TIME ||
        !is_wanted(key, reader->options->timestamp_column, time_names, PN_COUNT_OF(time_names)))
        return false;
    char number[32];
    if (json_is_string(value))
        return pn_source_parse_time((pn_str){json_string_value(value), json_string_length(value)},
                                    &item->timestamp_ms);
    if (!json_is_integer(value))
        return false;
    (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
                   json_integer_value(value)); // 20 digits
    return pn_source_parse_time(pn_str_of(number), &item->timestamp_ms);
}

static const char *json_path(const pn_list_reader *reader, const json_t *row, const char **key)
{
    const char *const *names =
        reader->options->path_column ? &reader->options->path_column : path_names;
    size_t n = reader->options->path_column ? 1 : PN_COUNT_OF(path_names);
    for (size_t i = 0; i < n; i++) {
        const char *path = json_string_value(json_object_get(row, names[i]));
        *key = names[i];
        if (path && path[0] != '\0')
            return path;
    }
    return NULL;
}

static void take_json_row(pn_list_reader *reader, const json_t *row)
{
    const char *path_key;
    const char *path = json_path(reader, row, &path_key);
    if (!path) {
        bad_row(reader, PN_ERR_CORRUPT, "no path");
        return;
    }
    pn_ingest_item *item = make_item(reader, path);
    pn_kv *pairs = item ? PN_ARENA_NEW(&item->arena, pn_kv, json_object_size(row)) : NULL;
    bool ok = pairs != NULL;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)row, key, value)
    {
        if (ok && strcmp(key, path_key) != 0 && !take_json_time(reader, item, key, value))
            ok = add_json_value(item, pairs, key, value);
    }
    if (ok) {
        deliver(reader, item);
        return;
    }
    pn_ingest_item_free(item);
    reader->status = pn_fail_nomem(reader->err);
}

static void take_line(pn_list_reader *reader, pn_str line)
{
    reader->line++;
    if (reader->line == 1)
        line = without_mark(line);
    line = pn_str_trim(line);
    if (line.len == 0)
        return;
    if (reader->kind == PN_LIST_PATHS && line.ptr[0] != '{') {
        char *path = pn_strndup(line.ptr, line.len);
        pn_ingest_item *item = path ? make_item(reader, path) : NULL;
        pn_free(path);
        if (item)
            deliver(reader, item);
        else
            reader->status = pn_fail_nomem(reader->err);
        return;
    }
    json_error_t fault;
    json_t *row = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, &fault);
    if (json_is_object(row))
        take_json_row(reader, row);
    else
        bad_row(reader, PN_ERR_CORRUPT, row ? "not a JSON object" : fault.text);
    json_decref(row);
}

static pn_status feed_lines(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err)
{
    pn_str rest = {bytes, bytes ? n : 0};
    if (!bytes && reader->text.n_bytes > 0)
        take_line(reader, (pn_str){(char *)reader->text.data, reader->text.n_bytes});
    while (rest.len > 0 && reader->status == PN_OK) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t length = end ? (size_t)(end - rest.ptr) : rest.len;
        if (pn_buffer_append(&reader->text, rest.ptr, length, err) != PN_OK)
            return pn_fail_wrap(err, err ? err->status : PN_ERR_LIMIT, "%s, line %" PRIu64 ": ",
                                reader->name, reader->line + 1);
        if (!end)
            break;
        take_line(reader, (pn_str){(char *)reader->text.data, reader->text.n_bytes});
        pn_buffer_clear(&reader->text);
        rest.ptr += length + 1;
        rest.len -= length + 1;
    }
    return reader->status;
}

/* ---- the reader ---- */

static char *folder_of(const char *name, const pn_source_options *options)
{
    if (options->base_folder)
        return pn_strdup(options->base_folder);
    const char *slash = strrchr(name, '/');
    if (!slash)
        return pn_strdup("");
    return slash == name ? pn_strdup("/") : pn_strndup(name, (size_t)(slash - name));
}

pn_status pn_list_reader_create(const char *name, pn_list_kind kind,
                                const pn_source_options *options, const pn_source_sink *sink,
                                pn_list_reader **out, pn_error *err)
{
    pn_list_reader *reader = pn_alloc_zero(sizeof *reader);
    if (!reader)
        return pn_fail_nomem(err);
    reader->name = name;
    reader->kind = kind;
    reader->options = options;
    reader->sink = sink;
    pn_buffer_init(&reader->text, MAX_ROW_BYTES);
    pn_arena_init(&reader->header_arena, (size_t)MAX_ROW_BYTES * 2);
    pn_arena_init(&reader->row_arena, (size_t)MAX_ROW_BYTES * 4);
    reader->folder = folder_of(name, options);
    reader->csv_is_open = csv_init(&reader->csv, 0) == 0;
    if (!reader->folder || !reader->csv_is_open) {
        pn_list_reader_free(reader);
        return pn_fail_nomem(err);
    }
    csv_set_blk_size(&reader->csv,
                     CELL_STEP_BYTES); // 128 by itself: a long cell is copied 30,000 times
    *out = reader;
    return PN_OK;
}

pn_status pn_list_reader_feed(pn_list_reader *reader, const char *bytes, size_t n, pn_error *err)
{
    reader->err = err;
    return reader->kind == PN_LIST_CSV ? feed_csv(reader, bytes, n, err)
                                       : feed_lines(reader, bytes, n, err);
}

void pn_list_reader_free(pn_list_reader *reader)
{
    if (!reader)
        return;
    if (reader->csv_is_open)
        csv_free(&reader->csv);
    pn_buffer_reset(&reader->text);
    pn_arena_reset(&reader->header_arena);
    pn_arena_reset(&reader->row_arena);
    pn_free(reader->folder);
    pn_free(reader);
}
