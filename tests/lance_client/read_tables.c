/*
 * read_tables.c - what pennon reads from tables, against what LanceDB read from them
 *
 *     read_tables FOLDER SEED < names
 *
 * A line of names is NAME: the table is FOLDER/NAME.lance and LanceDB's answer FOLDER/NAME.answer (answer_text.mjs says in which
 * form). Every row is scanned in batches of a size that the seed chooses, written as text and compared; then rows are taken by
 * address, in no order, and compared with the same text. The last line of the output counts: tables, values, differences, refusals.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "dataset/dataset.h"

enum { MAX_COLUMNS = 64, MAX_TEXT_BYTES = 1 << 30, N_TAKEN = 40 };

typedef struct answer {
    char *text;
    size_t n_rows, n_columns;
    char **lines; /* for each column its name and its rows */
} answer;

typedef struct counts {
    size_t tables, values, differences, refusals;
} counts;

static _Noreturn void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "read_tables: %s: %s\n", what, why);
    exit(2);
}

/* ---- a value as text ---- */

static void put(pn_buffer *out, const char *text, size_t n)
{
    if (pn_buffer_append(out, text, n, NULL) != PN_OK)
        give_up("text", "too long");
}

static void put_char(pn_buffer *out, char c)
{
    put(out, &c, 1);
}

static void put_hex(pn_buffer *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *at = bytes;
    put_char(out, 'x');
    for (size_t i = 0; i < n; i++) {
        char two[2] = {digits[at[i] >> 4], digits[at[i] & 15]};
        put(out, two, 2);
    }
}

static void put_number(pn_buffer *out, const pn_array *array, size_t i)
{
    char text[32];
    int n = array->field->type == PN_TYPE_UINT64
                ? snprintf(text, sizeof text, "%" PRIu64, pn_array_u64(array, i))
                : snprintf(text, sizeof text, "%" PRId64, pn_array_i64(array, i));
    put(out, text, (size_t)n);
}

static void put_value(pn_buffer *out, const pn_array *array, size_t i);

static void put_list(pn_buffer *out, const pn_array *item, size_t first, size_t n)
{
    put_char(out, '[');
    for (size_t k = 0; k < n; k++) {
        if (k > 0)
            put_char(out, ',');
        put_value(out, item, first + k);
    }
    put_char(out, ']');
}

static void put_map(pn_buffer *out, const pn_array *entries, size_t first, size_t n)
{
    put_char(out, '<');
    for (size_t k = 0; k < n; k++) {
        if (k > 0)
            put_char(out, ',');
        put_value(out, &entries->children[0], first + k);
        put_char(out, ':');
        put_value(out, &entries->children[1], first + k);
    }
    put_char(out, '>');
}

static void put_struct(pn_buffer *out, const pn_array *array, size_t i)
{
    put_char(out, '{');
    for (size_t c = 0; c < array->n_children; c++) {
        if (c > 0)
            put_char(out, ',');
        put_value(out, &array->children[c], i);
    }
    put_char(out, '}');
}

/* LanceDB tells only where a blob lies and how long it is. */
static bool is_blob(const pn_field *field)
{
    for (size_t i = 0; i < field->n_metadata; i++)
        if (strcmp(field->metadata[i].key, "lance-encoding:blob") == 0)
            return field->type == PN_TYPE_LARGE_BINARY;
    return false;
}

static void put_value(pn_buffer *out, const pn_array *array, size_t i)
{
    const pn_field *field = array->field;
    size_t width = pn_type_width(field);
    if (field->type == PN_TYPE_NULL || !pn_array_is_valid(array, i)) {
        put_char(out, 'N');
        return;
    }
    if (is_blob(field)) {
        char text[32];
        int n = snprintf(text, sizeof text, "blob %zu", pn_array_bytes(array, i).len);
        put(out, text, (size_t)n);
        return;
    }
    switch ((int)field->type) {
    case PN_TYPE_BOOL:
        put_char(out, pn_array_u64(array, i) ? 'T' : 'F');
        return;
    case PN_TYPE_HALF:
    case PN_TYPE_FLOAT:
    case PN_TYPE_DOUBLE:
    case PN_TYPE_DECIMAL128:
    case PN_TYPE_DECIMAL256:
    case PN_TYPE_FIXED_SIZE_BINARY:
        put_hex(out, (const uint8_t *)array->values + i * width, width);
        return;
    case PN_TYPE_STRING:
    case PN_TYPE_LARGE_STRING:
    case PN_TYPE_BINARY:
    case PN_TYPE_LARGE_BINARY:
        put_hex(out, pn_array_bytes(array, i).ptr, pn_array_bytes(array, i).len);
        return;
    case PN_TYPE_FIXED_SIZE_LIST:
        put_list(out, &array->children[0], i * (size_t)field->size, (size_t)field->size);
        return;
    case PN_TYPE_LIST:
    case PN_TYPE_LARGE_LIST:
        put_list(out, &array->children[0], (size_t)array->offsets[i],
                 (size_t)(array->offsets[i + 1] - array->offsets[i]));
        return;
    case PN_TYPE_MAP:
        put_map(out, &array->children[0], (size_t)array->offsets[i],
                (size_t)(array->offsets[i + 1] - array->offsets[i]));
        return;
    case PN_TYPE_STRUCT:
        put_struct(out, array, i);
        return;
    default:
        put_number(out, array, i);
    }
}

/* ---- the answer ---- */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        give_up(path, "cannot be read");
    long n = ftell(file);
    rewind(file);
    char *text = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (!text || fread(text, 1, (size_t)n, file) != (size_t)n)
        give_up(path, "cannot be read");
    (void)fclose(file); // it was read
    text[n] = '\0';
    return text;
}

static void load_answer(const char *path, answer *out)
{
    out->text = read_text(path);
    char *end = NULL, *at = out->text;
    out->n_rows = strtoull(at, &end, 10);
    out->n_columns = strtoull(end, &at, 10);
    size_t n_lines = out->n_columns * (out->n_rows + 1);
    out->lines = malloc((n_lines + 1) * sizeof *out->lines);
    if (!out->lines || *at != '\n')
        give_up(path, "is not an answer");
    for (size_t i = 0; i < n_lines; i++) {
        *at++ = '\0';
        out->lines[i] = at;
        at += strcspn(at, "\n");
        if (*at == '\0')
            give_up(path, "ends too soon");
    }
    *at = '\0';
}

static const char *answer_name(const answer *a, size_t column)
{
    return a->lines[column * (a->n_rows + 1)];
}

static const char *answer_value(const answer *a, size_t column, size_t row)
{
    return a->lines[column * (a->n_rows + 1) + 1 + row];
}

/* ---- comparing ---- */

static bool is_equal(const answer *want, size_t column, size_t row, const pn_array *got, size_t i,
                     const char *table, const char *how)
{
    pn_buffer text;
    pn_buffer_init(&text, MAX_TEXT_BYTES);
    put_value(&text, got, i);
    put_char(&text, '\0');
    bool equal = strcmp((const char *)text.data, answer_value(want, column, row)) == 0;
    if (!equal) {
        pn_arena arena;
        pn_arena_init(&arena, SIZE_MAX);
        const char *type = pn_type_text(got->field, &arena);
        (void)printf("%s: %s: column \"%s\" (%s), row %zu of %zu: %.300s, LanceDB: %.300s\n", table,
                     how, answer_name(want, column), type ? type : "", row, want->n_rows,
                     (const char *)text.data, answer_value(want, column, row));
        pn_arena_reset(&arena);
    }
    pn_buffer_reset(&text);
    return equal;
}

static void report(pn_status status, const char *table, const pn_error *err, counts *counted)
{
    (void)printf("%s: %s\n", table, err->message);
    if (status == PN_ERR_UNSUPPORTED)
        counted->refusals++;
    else
        counted->differences++;
}

/* One column alone, so that a column that is refused hides no other. False: a difference was told. */
static bool scan_column(pn_dataset *dataset, const answer *want, size_t column, size_t batch_rows,
                        const char *table, pn_row_addr *all, counts *counted)
{
    pn_error err = {0};
    pn_scan *scan;
    pn_batch batch;
    const pn_row_addr *addrs;
    const char *name = answer_name(want, column);
    pn_scan_options options = PN_SCAN_OPTIONS_INIT;
    options.columns = &name;
    options.n_columns = 1;
    options.batch_rows = batch_rows;
    size_t row = 0;
    bool equal = true;
    pn_status status = pn_scan_begin(dataset, &options, &scan, &err);
    if (status != PN_OK) {
        report(status, table, &err, counted);
        return false;
    }
    while (equal && (status = pn_scan_next(scan, &batch, &addrs, &err)) == PN_OK &&
           batch.n_rows > 0) {
        if (batch.n_rows > want->n_rows - row)
            break;
        for (size_t i = 0; i < batch.n_rows && equal; i++, row++) {
            all[row] = addrs[i];
            equal = is_equal(want, column, row, &batch.columns[0], i, table, "scan");
        }
    }
    pn_scan_end(scan);
    counted->values += row;
    if (status != PN_OK) {
        report(status, table, &err, counted);
        return false;
    }
    if (equal && row != want->n_rows) {
        (void)printf("%s: column \"%s\": another number of rows than %zu\n", table, name,
                     want->n_rows);
        equal = false;
    }
    counted->differences += !equal;
    return equal;
}

static void take_column(pn_dataset *dataset, const answer *want, size_t column, pn_rng *rng,
                        const char *table, const pn_row_addr *all, counts *counted)
{
    pn_row_addr addrs[N_TAKEN];
    size_t rows[N_TAKEN];
    pn_arena arena;
    pn_error err = {0};
    pn_batch batch;
    bool equal = true;
    const char *name = answer_name(want, column);
    for (size_t i = 0; i < N_TAKEN; i++) {
        rows[i] = (size_t)pn_rng_below(rng, want->n_rows);
        addrs[i] = all[rows[i]];
    }
    pn_arena_init(&arena, SIZE_MAX);
    pn_status status = pn_dataset_take(dataset, addrs, N_TAKEN, &name, 1, &arena, &batch, &err);
    if (status != PN_OK)
        report(status, table, &err, counted);
    for (size_t i = 0; i < N_TAKEN && status == PN_OK && equal; i++)
        equal = is_equal(want, column, rows[i], &batch.columns[0], i, table, "take");
    counted->differences += !equal;
    pn_arena_reset(&arena);
}

static void compare_table(const char *folder, const char *name, pn_rng *rng, counts *counted)
{
    char path[4096];
    pn_error err = {0};
    pn_dataset *dataset;
    answer want = {0};
    (void)snprintf(path, sizeof path, "%s/%s.answer", folder, name);
    load_answer(path, &want);
    (void)snprintf(path, sizeof path, "%s/%s.lance", folder, name);
    counted->tables++;
    pn_status status = pn_dataset_open(path, 0, &dataset, &err);
    if (status != PN_OK) {
        report(status, name, &err, counted);
    } else {
        const pn_schema *schema = pn_dataset_schema(dataset);
        pn_row_addr *all = malloc((want.n_rows + 1) * sizeof *all);
        if (!all)
            give_up(name, "no memory");
        if (want.n_rows != pn_dataset_count_rows(dataset) || want.n_columns != schema->n_fields) {
            (void)printf("%s: %zu rows of %zu columns, LanceDB: %zu of %zu\n", name,
                         (size_t)pn_dataset_count_rows(dataset), schema->n_fields, want.n_rows,
                         want.n_columns);
            counted->differences++;
            want.n_columns = 0;
        }
        for (size_t c = 0; c < want.n_columns; c++) {
            static const size_t sizes[] = {0, 0, 1, 7, 100, 1000};
            size_t size = want.n_rows < 3000 ? sizes[pn_rng_below(rng, PN_COUNT_OF(sizes))] : 0;
            if (scan_column(dataset, &want, c, size, name, all, counted) && want.n_rows > 0)
                take_column(dataset, &want, c, rng, name, all, counted);
        }
        free(all);
        pn_dataset_unref(dataset);
    }
    free(want.lines);
    free(want.text);
}

int main(int argc, char **argv)
{
    char name[256];
    counts counted = {0};
    if (argc != 3)
        give_up("usage", "read_tables FOLDER SEED < names");
    pn_rng rng = pn_rng_seed(strtoull(argv[2], NULL, 10));
    while (scanf("%255s", name) == 1)
        compare_table(argv[1], name, &rng, &counted);
    (void)printf("%zu tables, %zu values, %zu differences, %zu refused\n", counted.tables,
                 counted.values, counted.differences, counted.refusals);
    return counted.differences > 0;
}
