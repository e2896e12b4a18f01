/*
 * row_files.c - which form a file of rows has, and its bytes in and out
 *
 * A file that is written has another name until it is whole: nobody takes half an export for one. That is for plain files alone: a device
 * or a pipe is written to as it is, since a rename would put a file in its place.
 */
#include "cli/row_files.h"

#include "base/status.h"
#include "base/str.h"
#include "cli/cli.h"
#include "os/dir.h"

#include <stdio.h>
#include <string.h>

enum { STANDARD_INPUT = 0, STANDARD_OUTPUT = 1 };

pn_format pn_row_format_of(const char *word, struct argp_state *state)
{
    static const char *const words[] = {"ndjson", "csv", "npy"};
    for (size_t i = 0; i < PN_COUNT_OF(words); i++)
        if (strcmp(word, words[i]) == 0)
            return (pn_format)i;
    argp_error(state, "--format \"%s\": there are ndjson, csv and npy", word);
    return PN_FORMAT_NDJSON;
}

static pn_format format_of_file(const char *path)
{
    pn_str name = pn_str_of(path);
    if (pn_str_ends_with(name, ".csv"))
        return PN_FORMAT_CSV;
    return pn_str_ends_with(name, ".npy") ? PN_FORMAT_NPY : PN_FORMAT_NDJSON;
}

bool pn_row_format_complete(pn_format *format, bool is_named, const char *file,
                            const char *rows_file)
{
    if (!is_named)
        *format = format_of_file(file);
    if (rows_file && *format != PN_FORMAT_NPY)
        pn_cli_complain("--rows is for npy: the other forms hold all columns");
    else if (rows_file && strcmp(rows_file, file) == 0)
        pn_cli_complain(
            "--rows \"%s\": the vectors are there, and the rows need a file of their own",
            rows_file);
    else
        return true;
    return false;
}

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

pn_status pn_row_file_open(pn_row_file *file, const char *path, pn_error *err)
{
    file->path = path;
    file->fd = STANDARD_INPUT;
    if (!is_standard(path)) {
        pn_status status = pn_fd_open(path, PN_OPEN_READ, &file->fd, err);
        if (status != PN_OK)
            return status;
    }
    file->is_open = true;
    return PN_OK;
}

/* Is there something at path that is not a plain file? */
static bool is_special(const char *path)
{
    pn_file_info info;
    return pn_path_info(path, &info, NULL) == PN_OK && !info.is_regular;
}

/* Where the file gets its name: behind a link what it points to, so that the link stays. In file->arena. */
static pn_status choose_names(pn_row_file *file, const char *path, pn_error *err)
{
    file->target = pn_arena_strdup(&file->arena, path);
    if (pn_path_exists(path)) {
        pn_status status = pn_path_real(path, &file->arena, &file->target, err);
        if (status != PN_OK)
            return status;
    }
    char *part = file->target ? pn_arena_printf(&file->arena, "%s.part", file->target) : NULL;
    if (!part)
        return pn_fail_nomem(err);
    pn_status status = pn_fd_open(part, PN_OPEN_REPLACE, &file->fd, err);
    if (status == PN_OK)
        file->part = part; // from here on it is ours to remove
    return status;
}

pn_status pn_row_file_create(pn_row_file *file, const char *path, pn_error *err)
{
    pn_status status = PN_OK;
    pn_arena_init(&file->arena, SIZE_MAX);
    file->path = path;
    file->fd = STANDARD_OUTPUT;
    if (is_special(path))
        status = pn_fd_open(path, PN_OPEN_REPLACE, &file->fd, err);
    else if (!is_standard(path))
        status = choose_names(file, path, err);
    file->is_open = status == PN_OK;
    return status;
}

uint64_t pn_row_file_size(const pn_row_file *file)
{
    pn_file_info info;
    if (!file->is_open || pn_fd_info(file->fd, file->path, &info, NULL) != PN_OK ||
        !info.is_regular)
        return 0;
    return info.size_bytes;
}

pn_status pn_row_file_finish(pn_row_file *file, pn_error *err)
{
    if (!file->part)
        return PN_OK;
    pn_status status = pn_fd_sync(file->fd, file->part, err);
    if (status == PN_OK)
        status = pn_path_rename(file->part, file->target, err);
    if (status == PN_OK)
        file->part = NULL;
    return status;
}

void pn_row_file_close(pn_row_file *file)
{
    if (file->is_open && !is_standard(file->path))
        pn_fd_close(file->fd);
    if (file->part)
        (void)(pn_path_remove(file->part, NULL) == PN_OK); // what is left of it has a telling name
    pn_arena_reset(&file->arena);
    *file = (pn_row_file){0};
}
