/*
 * term.c - what fits on a line
 *
 * Widths come from wcwidth(), so main() sets the character type of the locale (and nothing else of it: numbers keep
 * their point). In the C locale every byte counts as one column, which is at worst too careful.
 */
#include "cli/term.h"

#include "base/str.h"
#include "os/process.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* The next character of *text: its bytes, its columns. An invalid byte is one column, printed as '?'. */
static size_t next_character(const char *text, unsigned *columns, bool *printable)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t n = mbrtowc(&wide, text, MB_CUR_MAX, &state);
    if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
        *columns = 1;
        *printable = false;
        return 1;
    }
    int width = wcwidth(wide);
    *printable = width >= 0;
    *columns = width < 0 ? 1 : (unsigned)width;
    return n;
}

unsigned pn_term_width(const char *text)
{
    unsigned total = 0, columns;
    bool printable;
    while (*text) {
        text += next_character(text, &columns, &printable);
        total += columns;
    }
    return total;
}

void pn_term_print(FILE *out, const char *text, unsigned width)
{
    unsigned used = 0, columns;
    bool printable;
    unsigned room = pn_term_width(text) <= width ? width : (width > 3 ? width - 3 : width);
    while (*text) {
        size_t n = next_character(text, &columns, &printable);
        if (used + columns > room)
            break;
        if (printable)
            (void)fwrite(text, 1, n, out); // checked when standard output is flushed
        else
            fputc('?', out);
        used += columns;
        text += n;
    }
    for (; *text && used < width; used++)
        fputc('.', out);
    for (; used < width; used++)
        fputc(' ', out);
}

/* Bytes of the character at text, or 0 when it must not reach a terminal: the controls of ASCII, those of Latin-1 (U+009B
 * begins a command like ESC [ does), and bytes that are not UTF-8. */
static size_t harmless(const char *text)
{
    unsigned char c = (unsigned char)text[0];
    if (c < 0x80)
        return c >= 0x20 && c != 0x7F;
    if (c == 0xC2 && (unsigned char)text[1] < 0xA0)
        return 0;
    size_t left = strnlen(text, 4);
    for (size_t n = 2; n <= left; n++)
        if (pn_str_is_utf8((pn_str){text, n}))
            return n;
    return 0;
}

void pn_term_print_text(FILE *out, const char *text, bool lines)
{
    while (*text) {
        size_t n = lines && *text == '\n' ? 1 : harmless(text);
        if (n > 0)
            (void)fwrite(text, 1, n, out);
        else
            fprintf(out, "\\x%02X", (unsigned)(unsigned char)*text);
        text += n > 0 ? n : 1;
    }
}

void pn_term_print_tsv(FILE *out, const char *text)
{
    static const char special[] = "\t\n\r\\", letters[] = "tnr\\";
    while (*text) {
        const char *at = strchr(special, *text);
        size_t n = at ? 0 : harmless(text);
        if (at)
            fprintf(out, "\\%c", letters[at - special]);
        else if (n > 0)
            (void)fwrite(text, 1, n, out);
        else
            fprintf(out, "\\x%02X", (unsigned)(unsigned char)*text);
        text += n > 0 ? n : 1;
    }
}

const char *pn_term_count(uint64_t n)
{
    static char text[40];
    char digits[24];
    int n_digits = snprintf(digits, sizeof digits, "%" PRIu64, n);
    size_t at = 0;
    for (int i = 0; i < n_digits; i++) {
        if (i > 0 && (n_digits - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

const char *pn_term_bytes(uint64_t n)
{
    static char text[32];
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)n;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value,
                   units[unit]); // fits
    return text;
}

const char *pn_term_time(int64_t ms)
{
    static char text[32];
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        text[0] = '\0';
    return text;
}

const char *pn_term_duration(double seconds)
{
    static char text[32];
    uint64_t whole = seconds > 0 && seconds < 1e9 ? (uint64_t)llround(seconds) : 0;
    if (whole >= 3600)
        (void)snprintf(text, sizeof text, "%" PRIu64 ":%02u:%02u", whole / 3600, // fits
                       (unsigned)(whole / 60 % 60), (unsigned)(whole % 60));
    else
        (void)snprintf(text, sizeof text, "%u:%02u", (unsigned)(whole / 60),
                       (unsigned)(whole % 60)); // fits
    return text;
}

void pn_progress_begin(pn_progress *progress, bool quiet)
{
    *progress = (pn_progress){.is_terminal = pn_terminal_is(2), .quiet = quiet};
}

void pn_progress_clear(pn_progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

/* "\r[####....] ", at a fraction of the whole; negative: not known. */
static void draw_begin(double fraction)
{
    enum { BAR_COLUMNS = 24 };
    unsigned filled = fraction > 0 ? (unsigned)(fraction * BAR_COLUMNS) : 0;
    fputs("\r\033[K[", stderr);
    for (unsigned i = 0; i < BAR_COLUMNS; i++)
        fputc(i < filled ? '#' : fraction >= 0 ? '.' : ' ', stderr);
    fputs("] ", stderr);
}

static void draw_bar(const pn_ingest_progress *counts, uint64_t done, double rate)
{
    bool known = counts->sources_done && counts->n_found > 0;
    draw_begin(known ? (double)done / (double)counts->n_found : -1);
    fprintf(stderr, "%" PRIu64 "/%" PRIu64 "%s  %.1f/s", done, counts->n_found, known ? "" : "+",
            rate);
    if (known && rate > 0 && done < counts->n_found)
        fprintf(stderr, "  %s left", pn_term_duration((double)(counts->n_found - done) / rate));
    if (counts->n_failed > 0)
        fprintf(stderr, "  %" PRIu64 " failed", counts->n_failed);
    (void)fflush(stderr); // a bar that is not seen harms nothing
}

/* Ten times a second on a terminal, every ten seconds elsewhere. */
static bool is_due(pn_progress *progress, double seconds)
{
    if (progress->quiet ||
        seconds - progress->last_line_seconds < (progress->is_terminal ? 0.1 : 10))
        return false;
    progress->last_line_seconds = seconds;
    return true;
}

void pn_progress_show_files(pn_progress *progress, uint64_t n_files, uint64_t n_bytes,
                            double seconds)
{
    if (!is_due(progress, seconds))
        return;
    if (progress->is_terminal)
        draw_begin(-1);
    fprintf(stderr, "%" PRIu64 " files, %s", n_files, pn_term_bytes(n_bytes));
    progress->drawn = progress->is_terminal;
    if (!progress->is_terminal)
        fputc('\n', stderr);
    (void)fflush(stderr);
}

void pn_progress_show_rows(pn_progress *progress, uint64_t n_rows, double fraction, double seconds)
{
    double rate = seconds > 0 ? (double)n_rows / seconds : 0;
    if (!is_due(progress, seconds))
        return;
    if (!progress->is_terminal) {
        fprintf(stderr, "%" PRIu64 " rows, %.0f/s\n", n_rows, rate);
        return;
    }
    draw_begin(fraction);
    fprintf(stderr, "%s rows  %.0f/s", pn_term_count(n_rows), rate);
    if (fraction > 0.01 && fraction < 1)
        fprintf(stderr, "  %s left", pn_term_duration(seconds / fraction - seconds));
    (void)fflush(stderr);
    progress->drawn = true;
}

void pn_progress_show(pn_progress *progress, const pn_ingest_progress *counts)
{
    uint64_t done = counts->n_added + counts->n_updated + counts->n_unchanged + counts->n_failed;
    double rate = counts->seconds > 0 ? (double)done / counts->seconds : 0;
    if (progress->quiet)
        return;
    if (progress->is_terminal) {
        draw_bar(counts, done, rate);
        progress->drawn = true;
    } else if (counts->seconds - progress->last_line_seconds >= 10) {
        progress->last_line_seconds = counts->seconds;
        fprintf(stderr,
                "%" PRIu64 " of %" PRIu64 "%s pictures, %.1f/s, %" PRIu64 " committed, %" PRIu64
                " failed\n",
                done, counts->n_found, counts->sources_done ? "" : " so far", rate,
                counts->n_committed, counts->n_failed);
    }
}
