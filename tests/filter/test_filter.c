/*
 * test_filter.c - the cases of tests/filter/ *.test and the examples of docs/FILTER.md
 *
 * A case is three lines:    the filter
 *                           the rows as JSON, or @name of rows that a line "@name = [...]" gave before
 *                           the numbers of the rows that match, [0, 2], or  error: a part of the message
 * Blank lines and lines that begin with # are passed over. Every filter that compiles is printed and compiled again: the text
 * must be the same, and so must the answer. The schema is that of json_rows_shop_schema().
 *
 * In docs/FILTER.md the block ```json has the example's rows, each line of a ```sql block is a filter with the ids it finds
 * behind "--", and a ```error block is a whole message, whose second line is the filter.
 */
#include "support/json_rows.h"

#include "filter/filter.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

enum { MAX_NAMED = 16 };

typedef struct named_rows {
    pn_str name;
    json_rows rows;
} named_rows;

typedef struct fixture {
    pn_arena arena;
    pn_schema schema;
    named_rows named[MAX_NAMED];
    size_t n_named;
} fixture;

static void fixture_make(fixture *f)
{
    *f = (fixture){0};
    pn_arena_init(&f->arena, SIZE_MAX);
    json_rows_shop_schema(&f->arena, &f->schema);
}

static void fixture_free(fixture *f)
{
    for (size_t i = 0; i < f->n_named; i++)
        json_rows_free(&f->named[i].rows);
    pn_arena_reset(&f->arena);
}

static char *text_of(fixture *f, pn_str text)
{
    return pn_arena_strndup(&f->arena, text.ptr, text.len);
}

/* Compile, evaluate, print, compile the print, evaluate again. */
static pn_status run(fixture *f, pn_str filter, const pn_batch *batch, pn_mask *out, pn_error *err)
{
    pn_filter *compiled, *again;
    char *printed, *printed_again;
    pn_mask mask;
    PN_TRY(pn_filter_compile(filter, &f->schema, &f->arena, &compiled, err));
    PN_TRY(pn_filter_eval(compiled, batch, &f->arena, out, err));
    assert_int_equal(pn_filter_print(compiled, &f->arena, &printed, err), PN_OK);
    if (pn_filter_compile(pn_str_of(printed), &f->schema, &f->arena, &again, err) != PN_OK)
        fail_msg("printed as %s\n%s", printed, err->message);
    assert_int_equal(pn_filter_print(again, &f->arena, &printed_again, err), PN_OK);
    assert_string_equal(printed, printed_again);
    assert_int_equal(pn_filter_eval(again, batch, &f->arena, &mask, err), PN_OK);
    for (size_t i = 0; i < batch->n_rows; i++)
        if (pn_word_bit_get(out->words, i) != pn_word_bit_get(mask.words, i))
            fail_msg("%s: row %zu differs after printing", printed, i);
    return PN_OK;
}

static void check_rows(const char *where, pn_str filter, pn_str expected, const pn_batch *batch,
                       const pn_mask *mask)
{
    char got[4096] = "[";
    size_t n = 1;
    for (size_t i = 0; i < batch->n_rows; i++)
        if (pn_word_bit_get(mask->words, i))
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%zu", n > 1 ? ", " : "", i);
    (void)snprintf(got + n, sizeof got - n, "]");
    if (!pn_str_is(expected, got))
        fail_msg("%s: %.*s\n  expected %.*s, got %s", where, (int)filter.len, filter.ptr,
                 (int)expected.len, expected.ptr, got);
}

static void check_error(const char *where, pn_str filter, pn_str expected, const pn_error *err)
{
    char wanted[512];
    (void)snprintf(wanted, sizeof wanted, "%.*s", (int)expected.len, expected.ptr);
    if (!strstr(err->message, wanted))
        fail_msg("%s: %.*s\n  expected an error with: %s\n  got: %s", where, (int)filter.len,
                 filter.ptr, wanted, err->message);
}

static const json_rows *find_rows(fixture *f, pn_str name)
{
    for (size_t i = 0; i < f->n_named; i++)
        if (pn_str_equal(f->named[i].name, name))
            return &f->named[i].rows;
    fail_msg("no rows are called %.*s", (int)name.len, name.ptr);
    return NULL;
}

static void name_rows(fixture *f, pn_str line)
{
    pn_str name = pn_str_split(&line, '=');
    assert_true(f->n_named < MAX_NAMED && line.ptr);
    f->named[f->n_named].name = pn_str_trim(name);
    json_rows_make(&f->schema, text_of(f, line), &f->named[f->n_named++].rows);
}

static void run_case(fixture *f, const char *where, pn_str filter, pn_str rows_text,
                     pn_str expected)
{
    json_rows own = {0};
    const json_rows *rows = &own;
    if (pn_str_starts_with(rows_text, "@"))
        rows = find_rows(f, rows_text);
    else
        json_rows_make(&f->schema, text_of(f, rows_text), &own);
    pn_error err = {0};
    pn_mask mask;
    pn_status status = run(f, filter, &rows->batch, &mask, &err);
    bool wants_error = pn_str_starts_with(expected, "error: ");
    if (wants_error && status == PN_OK)
        fail_msg("%s: %.*s: an error was expected", where, (int)filter.len, filter.ptr);
    else if (wants_error)
        check_error(where, filter, pn_str_make(expected.ptr + 7, expected.len - 7), &err);
    else if (status != PN_OK)
        fail_msg("%s: %.*s\n%s", where, (int)filter.len, filter.ptr, err.message);
    else
        check_rows(where, filter, expected, &rows->batch, &mask);
    json_rows_free(&own);
}

static char *read_text(const char *path, pn_arena *arena)
{
    pn_error err = {0};
    pn_buffer buffer;
    pn_buffer_init(&buffer, 16u << 20);
    if (pn_file_read(path, &buffer, &err) != PN_OK)
        fail_msg("%s", err.message);
    char *text = pn_arena_strndup(arena, (const char *)buffer.data, buffer.n_bytes);
    pn_buffer_reset(&buffer);
    return text;
}

static size_t run_file(const char *path)
{
    fixture f;
    fixture_make(&f);
    pn_str rest = pn_str_of(read_text(path, &f.arena)), lines[3];
    size_t n = 0, n_cases = 0, number = 0;
    while (rest.ptr) {
        pn_str line = pn_str_trim(pn_str_split(&rest, '\n'));
        number++;
        if (n == 0 && pn_str_starts_with(line, "@")) {
            name_rows(&f, line);
            continue;
        }
        if (line.len == 0 || (n == 0 && line.ptr[0] == '#'))
            continue;
        lines[n++] = line;
        if (n < 3)
            continue;
        char where[512];
        (void)snprintf(where, sizeof where, "%s:%zu", path, number - 2);
        run_case(&f, where, lines[0], lines[1], lines[2]);
        n = 0;
        n_cases++;
    }
    assert_int_equal(n, 0);
    fixture_free(&f);
    return n_cases;
}

static const char *source_dir(void)
{
    const char *dir = pn_environment("PN_SOURCE_DIR");
    return dir ? dir : ".";
}

static void filter__answers_the_cases(void **state)
{
    (void)state;
    pn_arena arena;
    pn_error err = {0};
    char **names;
    size_t n, n_cases = 0, n_files = 0;
    pn_arena_init(&arena, SIZE_MAX);
    char *folder = pn_path_join(&arena, source_dir(), "tests/filter");
    if (pn_dir_list(folder, &arena, &names, &n, &err) != PN_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++) {
        if (!pn_str_ends_with(pn_str_of(names[i]), ".test"))
            continue;
        n_cases += run_file(pn_path_join(&arena, folder, names[i]));
        n_files++;
    }
    print_message("%zu cases in %zu files\n", n_cases, n_files);
    assert_true(n_cases > 100);
    pn_arena_reset(&arena);
}

/* ---- the document */

/* "filter  -- 1, 3" against the ids of the rows that match. */
static void check_example(fixture *f, pn_str line, const json_rows *rows)
{
    pn_error err = {0};
    pn_mask mask;
    char got[512] = "";
    size_t n = 0, at = line.len;
    while (at > 1 && !(line.ptr[at - 2] == '-' && line.ptr[at - 1] == '-'))
        at--;
    if (at <= 1)
        fail_msg("docs/FILTER.md: no ids behind: %.*s", (int)line.len, line.ptr);
    pn_str expected = pn_str_trim(pn_str_make(line.ptr + at, line.len - at));
    if (run(f, line, &rows->batch, &mask, &err) != PN_OK) // the comment is part of the language
        fail_msg("docs/FILTER.md: %s", err.message);
    for (size_t i = pn_mask_next(&mask, 0); i < mask.n_rows; i = pn_mask_next(&mask, i + 1))
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%" PRId64, n > 0 ? ", " : "",
                              pn_array_i64(&rows->batch.columns[0], i));
    if (!pn_str_is(expected, n > 0 ? got : "none"))
        fail_msg("docs/FILTER.md: %.*s\n  got %s", (int)line.len, line.ptr, got);
}

static void check_message(fixture *f, pn_str block, const json_rows *rows)
{
    pn_error err = {0};
    pn_mask mask;
    pn_str rest = block;
    (void)pn_str_split(&rest, '\n');
    pn_str filter = pn_str_split(&rest, '\n');
    assert_int_not_equal(run(f, filter, &rows->batch, &mask, &err), PN_OK);
    if (!pn_str_is(block, err.message))
        fail_msg("docs/FILTER.md:\n%.*s\n  got\n%s", (int)block.len, block.ptr, err.message);
}

static void filter__does_what_the_document_says(void **state)
{
    (void)state;
    fixture f;
    json_rows rows = {0};
    fixture_make(&f);
    size_t n_examples = 0, n_messages = 0;
    pn_str rest =
        pn_str_of(read_text(pn_path_join(&f.arena, source_dir(), "docs/FILTER.md"), &f.arena));
    while (rest.ptr) {
        pn_str line = pn_str_split(&rest, '\n');
        if (!pn_str_starts_with(line, "```") || line.len == 3)
            continue;
        pn_str block = pn_str_make(rest.ptr, (size_t)(strstr(rest.ptr, "\n```") - rest.ptr));
        rest = pn_str_make(block.ptr + block.len + 4, rest.len - block.len - 4);
        if (pn_str_is(line, "```json")) {
            json_rows_make(&f.schema, text_of(&f, block), &rows);
        } else if (pn_str_is(line, "```error")) {
            check_message(&f, block, &rows);
            n_messages++;
        } else if (pn_str_is(line, "```sql")) {
            while (block.ptr) {
                check_example(&f, pn_str_split(&block, '\n'), &rows);
                n_examples++;
            }
        }
    }
    print_message("%zu examples, %zu messages\n", n_examples, n_messages);
    assert_true(n_examples > 30 && n_messages >= 3);
    json_rows_free(&rows);
    fixture_free(&f);
}

static void filter__lists_the_columns_it_reads(void **state)
{
    (void)state;
    fixture f;
    pn_error err = {0};
    pn_filter *filter;
    size_t n;
    fixture_make(&f);
    assert_int_equal(pn_filter_compile(PN_STR_LITERAL("stock > 1 AND size.width < id OR stock = 2"),
                                       &f.schema, &f.arena, &filter, &err),
                     PN_OK);
    const size_t *columns = pn_filter_columns(filter, &n);
    assert_int_equal(n, 3);
    assert_int_equal(columns[0], 0);
    assert_int_equal(columns[1], 4);
    assert_int_equal(columns[2], 12);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter__answers_the_cases),
        cmocka_unit_test(filter__does_what_the_document_says),
        cmocka_unit_test(filter__lists_the_columns_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
