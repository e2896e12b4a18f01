/*
 * mixed_query.c - words, a picture and a filter in one question; the thumbnails of the answer as files
 *
 *     mixed_query MODEL TABLE PICTURE WORDS AWAY WHERE FOLDER
 *
 *     mixed_query path/to/clip shop.lance shoe.jpg "red sneakers" leather "metadata['price'] < 90" found/
 *
 * The question is 0.7 of the words and 0.3 of the picture, turned away from AWAY; WHERE is applied before the search, so that
 * there are five answers whenever five rows pass it. Each answer's thumbnail is written to FOLDER/<rank>.jpg.
 */
#include <pennon.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PICTURE_BYTES = 64 << 20, N_TERMS = 3, N_RESULTS = 5 };

/* A whole file; NULL (and a message) when that is not possible. The caller frees it. */
static unsigned char *read_file(const char *path, size_t *n_bytes)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = file ? malloc(MAX_PICTURE_BYTES) : NULL;
    *n_bytes = bytes ? fread(bytes, 1, MAX_PICTURE_BYTES, file) : 0;
    if (!bytes || ferror(file)) {
        perror(path);
        free(bytes);
        bytes = NULL;
    }
    if (file)
        fclose(file);
    return bytes;
}

static int write_file(const char *path, const unsigned char *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    int ok = file && fwrite(bytes, 1, n_bytes, file) == n_bytes;
    if (file)
        ok = fclose(file) == 0 && ok;
    if (!ok)
        perror(path);
    return ok;
}

static pn_query_term text_term(const char *text, double weight)
{
    pn_query_term term = PN_QUERY_TERM_INIT;
    term.kind = PN_TERM_TEXT;
    term.text = text;
    term.weight = weight;
    return term;
}

static pn_query_term picture_term(const char *name, const unsigned char *bytes, size_t n_bytes)
{
    pn_query_term term = PN_QUERY_TERM_INIT;
    term.kind = PN_TERM_IMAGE;
    term.image = bytes;
    term.image_bytes = n_bytes;
    term.image_name = name; /* for messages */
    term.weight = 0.3;
    return term;
}

/* A row of another program's table may have no thumbnail: that is no reason to stop. */
static int save_thumbnail(pn_table *table, const pn_result *row, size_t rank, const char *folder)
{
    unsigned char *jpeg = NULL;
    size_t n_bytes;
    char path[4096];
    pn_error err = {0};
    if (!row->has_thumbnail)
        return 1;
    if (pn_table_thumbnail(table, row->id, &jpeg, &n_bytes, &err) != PN_OK) {
        fprintf(stderr, "mixed_query: %s\n", err.message);
        return 0;
    }
    int n = snprintf(path, sizeof path, "%s/%u.jpg", folder, (unsigned)rank);
    int ok = n > 0 && (size_t)n < sizeof path && write_file(path, jpeg, n_bytes);
    pn_memory_free(jpeg);
    return ok;
}

static int show(pn_table *table, const pn_results *results, const char *folder)
{
    pn_search_stats stats;
    int ok = 1;
    pn_results_get_stats(results, &stats);
    printf("%u of %u rows pass the filter\n", (unsigned)stats.n_matching, (unsigned)stats.n_rows);
    for (size_t i = 0; ok && i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        printf("%u  %.4f  %s\n", (unsigned)i + 1, (double)row.score, row.path);
        ok = save_thumbnail(table, &row, i + 1, folder);
    }
    return ok;
}

int main(int argc, char **argv)
{
    if (argc != 8) {
        fprintf(stderr, "usage: mixed_query MODEL TABLE PICTURE WORDS AWAY WHERE FOLDER\n");
        return 2;
    }
    size_t n_bytes;
    unsigned char *picture = read_file(argv[3], &n_bytes);
    if (!picture)
        return 1;
    const pn_query_term terms[N_TERMS] = {
        text_term(argv[4], 0.7), picture_term(argv[3], picture, n_bytes), text_term(argv[5], -0.5)};
    pn_query query = PN_QUERY_INIT;
    query.terms = terms;
    query.n_terms = N_TERMS;
    query.where = argv[6];
    query.k = N_RESULTS;

    pn_library *library = NULL;
    pn_model *model = NULL;
    pn_table *table = NULL;
    pn_results *results = NULL;
    pn_error err = {0};
    int ok = pn_library_open(NULL, &library, &err) == PN_OK &&
             pn_model_open(library, argv[1], NULL, &model, &err) == PN_OK &&
             pn_table_open(library, argv[2], &table, &err) == PN_OK &&
             pn_table_search(table, model, &query, &results, &err) == PN_OK;
    if (!ok) /* a fault in the filter has three lines: what, the filter, and a caret under the place */
        fprintf(stderr, "mixed_query: %s\n", err.message);
    else
        ok = show(table, results, argv[7]);

    pn_results_free(results);
    pn_table_close(table);
    pn_model_close(model);
    pn_library_close(library);
    free(picture);
    return ok ? 0 : 1;
}
