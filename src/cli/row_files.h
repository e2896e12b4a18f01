/*
 * row_files.h - which form a file of rows has, and its bytes in and out
 */
#ifndef PN_CLI_ROW_FILES_H
#define PN_CLI_ROW_FILES_H

#include "base/arena.h"
#include "os/fd.h"

#include <argp.h>
#include <pennon.h>
#include <stdbool.h>

/* The form that a word names, or argp_error(). */
pn_format pn_row_format_of(const char *word, struct argp_state *state);
/*
 * Complete the form of a command that moves rows: when no word named it, *format becomes what the file's name ends in, NDJSON for - and
 * for names that tell nothing. False, and a message: rows_file, of the other columns, was given for a form that holds them all, or
 * is the file of the vectors.
 */
bool pn_row_format_complete(pn_format *format, bool is_named, const char *file,
                            const char *rows_file);

/* A file on its way; zero it first. */
typedef struct pn_row_file {
    const char *path; /* "-": standard input or output */
    pn_arena arena;
    char *part;   /* the name it has until it is complete; NULL: it has its name */
    char *target; /* which then becomes this */
    pn_fd fd;
    bool is_open;
    uint64_t n_bytes; /* moved so far */
} pn_row_file;

pn_status pn_row_file_open(pn_row_file *file, const char *path, pn_error *err);
/* Written under the name path.part, which it has until it is finished. A device or a pipe is written to as it is. */
pn_status pn_row_file_create(pn_row_file *file, const char *path, pn_error *err);
/* The size of an opened file; 0 when nobody knows. */
uint64_t pn_row_file_size(const pn_row_file *file);
/* Everything was written: wait until the disk has it, and give it its name. */
pn_status pn_row_file_finish(pn_row_file *file, pn_error *err);
/* In every case; what was not finished is removed. */
void pn_row_file_close(pn_row_file *file);

#endif
