/*
 * term.h - tables and progress for people
 */
#ifndef PN_CLI_TERM_H
#define PN_CLI_TERM_H

#include <pennon.h>
#include <stdbool.h>
#include <stdio.h>

/* Columns a text takes on a terminal (Chinese characters take two). */
unsigned pn_term_width(const char *text);
/* Print text cut ("...") or padded with blanks to exactly width columns. Control characters become '?'. */
void pn_term_print(FILE *out, const char *text, unsigned width);
/* Print all of text; what a terminal could take for a command, and what is not UTF-8, becomes \\x1B and so on. Line breaks stay
 * where lines is true. */
void pn_term_print_text(FILE *out, const char *text, bool lines);
/* The same for TSV: tabs, line breaks and backslashes are escaped too, so that nothing is lost. */
void pn_term_print_tsv(FILE *out, const char *text);

/* "1,234"; "12.3 MB"; "1:05"; "2026-11-26T09:30:00Z": in static buffers of their own, one use at a time. */
const char *pn_term_count(uint64_t n);
const char *pn_term_bytes(uint64_t n);
const char *pn_term_duration(double seconds);
const char *pn_term_time(int64_t ms); /* since 1970, in UTC */

/* A progress bar on standard error when that is a terminal, a plain line every ten seconds otherwise. */
typedef struct pn_progress {
    bool is_terminal, quiet, drawn;
    double last_line_seconds;
    uint64_t first_done;
} pn_progress;
void pn_progress_begin(pn_progress *progress, bool quiet);
void pn_progress_show(pn_progress *progress, const pn_ingest_progress *counts);
/* The same of rows: fraction of the whole in [0, 1], negative when that is not known. */
void pn_progress_show_rows(pn_progress *progress, uint64_t n_rows, double fraction, double seconds);
/* The same of files, of which nobody knows how many there will be. */
void pn_progress_show_files(pn_progress *progress, uint64_t n_files, uint64_t n_bytes,
                            double seconds);
/* Take the bar off the screen, so that another line can be printed. */
void pn_progress_clear(pn_progress *progress);

#endif
