/*
 * source.c - where pictures come from
 *
 * One function per kind of source, all ending in sink->item(). CSV is parsed by libcsv (RFC 4180: quotes, line breaks
 * inside quotes, CRLF), JSON rows by jansson. Lists are streamed: memory is one row, whatever the list's length.
 *
 * A row that makes no sense (no path, no JSON, too large) is reported with its line and passed over; a list that cannot
 * be one at all (no path column in the header) is an error, because every row of it would fail.
 */
#include "ingest/source.h"

#include "base/alloc.h"
#include "column/calendar.h"
#include "ingest/list_row.h"
#include "os/dir.h"
#include "os/fd.h"

static const char *const picture_endings[] = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",
                                              ".webp", ".gif",  ".avif", ".heic", ".heif",
                                              ".tif",  ".tiff", ".bmp"};

static bool ends_with_any(pn_str text, const char *const *endings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(endings[i]);
        if (text.len > length &&
            pn_str_equal_ignore_case((pn_str){text.ptr + text.len - length, length},
                                     pn_str_of(endings[i])))
            return true;
    }
    return false;
}

bool pn_source_parse_time(pn_str text, int64_t *ms)
{
    int64_t number;
    text = pn_str_trim(text);
    if (pn_calendar_parse_ms(text, ms))
        return true;
    if (!pn_str_to_i64(text, &number) || number <= -INT64_MAX / 1000 || number >= INT64_MAX / 1000)
        return false;
    /* Ten digits are seconds until the year 5138; a bare year or a price is no time. */
    if (number < 100000000)
        return false;
    *ms = number < 100000000000 ? number * 1000 : number;
    return true;
}

typedef struct folder_walk {
    const pn_source_sink *sink;
} folder_walk;

static pn_status visit_file(void *context, const char *path, pn_error *err)
{
    const folder_walk *walk = context;
    if (!ends_with_any(pn_str_of(path), picture_endings, PN_COUNT_OF(picture_endings)))
        return PN_OK;
    while (path[0] == '.' && path[1] == '/')
        path += 2; // "./a.jpg" and "a.jpg" are one picture
    pn_ingest_item *item = pn_ingest_item_create(path, path);
    if (!item)
        return pn_fail_nomem(err);
    return walk->sink->item(walk->sink->context, item, err);
}

static pn_status read_folder(const char *folder, const pn_source_sink *sink, pn_error *err)
{
    folder_walk walk = {sink};
    char *clean = pn_strdup(folder);
    if (!clean)
        return pn_fail_nomem(err);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
        clean[n - 1] = '\0';
    pn_status status = pn_dir_walk(clean, visit_file, &walk, err);
    pn_free(clean);
    return status;
}

/* Read a file or standard input in pieces and hand them to feed; at the end feed(NULL, 0). */
static pn_status stream(const char *path,
                        pn_status (*feed)(pn_list_reader *, const char *, size_t, pn_error *),
                        pn_list_reader *reader, const pn_source_sink *sink, pn_error *err)
{
    enum { PIECE_BYTES = 1 << 16, WAIT_MS = 100 };
    bool is_input = strcmp(path, "-") == 0;
    pn_fd fd = 0; // standard input
    char *piece = pn_alloc(PIECE_BYTES);
    if (!piece)
        return pn_fail_nomem(err);
    pn_status status = is_input ? PN_OK : pn_fd_open(path, PN_OPEN_READ, &fd, err);
    bool is_open = status == PN_OK && !is_input;
    while (status == PN_OK) {
        size_t n;
        while (!pn_fd_wait_input(fd, WAIT_MS))
            if (sink->stopped && sink->stopped(sink->context))
                PN_GOTO(done, pn_fail(err, PN_ERR_CANCELLED, "stopped"));
        status = pn_fd_read_some(fd, path, piece, PIECE_BYTES, &n, err);
        if (status == PN_OK)
            status = feed(reader, n > 0 ? piece : NULL, n, err);
        if (status == PN_OK && n == 0)
            break;
    }
done:
    if (is_open)
        pn_fd_close(fd);
    pn_free(piece);
    return status;
}

static pn_status read_list(const char *source, pn_list_kind kind, const pn_source_options *options,
                           const pn_source_sink *sink, pn_error *err)
{
    pn_list_reader *reader;
    PN_TRY(pn_list_reader_create(source, kind, options, sink, &reader, err));
    pn_status status = stream(source, pn_list_reader_feed, reader, sink, err);
    pn_list_reader_free(reader);
    return status;
}

pn_status pn_source_read(const char *source, const pn_source_options *options,
                         const pn_source_sink *sink, pn_error *err)
{
    static const char *const json_endings[] = {".jsonl", ".ndjson"};
    static const char *const csv_endings[] = {".csv", ".tsv"};
    if (strcmp(source, "-") == 0)
        return read_list(source, PN_LIST_PATHS, options, sink, err);
    pn_file_info info;
    PN_TRY(pn_path_info(source, &info, err));
    if (info.is_folder)
        return read_folder(source, sink, err);
    if (ends_with_any(pn_str_of(source), csv_endings, PN_COUNT_OF(csv_endings)))
        return read_list(source, PN_LIST_CSV, options, sink, err);
    if (ends_with_any(pn_str_of(source), json_endings, PN_COUNT_OF(json_endings)))
        return read_list(source, PN_LIST_JSON, options, sink, err);
    pn_ingest_item *item = pn_ingest_item_create(source, source);
    if (!item)
        return pn_fail_nomem(err);
    return sink->item(sink->context, item, err);
}
