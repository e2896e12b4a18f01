/*
 * search_words.c - words in, product pictures out
 *
 *     search_words MODEL TABLE WORDS...
 *
 * The smallest useful program against pennon.h: open the library, a model and a table, ask one question, print what was found.
 * Everything that was opened is closed at one place, in reverse, whether the search worked or not; the closing functions
 * accept NULL.
 *
 *     cc search_words.c $(pkg-config --cflags --libs pennon)
 */
#include <pennon.h>
#include <stdio.h>
#include <string.h>

/* "red" "sneakers" -> "red sneakers"; 0 when they do not fit. */
static int join(char **words, int n_words, char *out, size_t room)
{
    size_t used = 0;
    for (int i = 0; i < n_words; i++) {
        int n = snprintf(out + used, room - used, "%s%s", i > 0 ? " " : "", words[i]);
        if (n < 0 || (size_t)n >= room - used)
            return 0;
        used += (size_t)n;
    }
    return 1;
}

static const char *value_of(const pn_result *row, const char *key)
{
    for (size_t i = 0; i < row->n_metadata; i++)
        if (strcmp(row->metadata[i].key, key) == 0)
            return row->metadata[i].value;
    return "";
}

static void print_results(const pn_results *results)
{
    pn_search_stats stats;
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row); /* row points into results */
        printf("%.4f  %s  %s\n", (double)row.score, row.path, value_of(&row, "title"));
    }
    pn_results_get_stats(results, &stats);
    printf("%u of %u rows looked at\n", (unsigned)stats.n_scanned, (unsigned)stats.n_rows);
}

int main(int argc, char **argv)
{
    char words[4096];
    if (argc < 4 || !join(argv + 3, argc - 3, words, sizeof words)) {
        fprintf(stderr, "usage: search_words MODEL TABLE WORDS...\n");
        return 2;
    }
    pn_library *library = NULL;
    pn_model *model = NULL;
    pn_table *table = NULL;
    pn_results *results = NULL;
    pn_error err = {0};

    pn_query_term term = PN_QUERY_TERM_INIT;
    term.kind = PN_TERM_TEXT;
    term.text = words;
    pn_query query = PN_QUERY_INIT;
    query.terms = &term;
    query.n_terms = 1;
    query.k = 5;

    /* The first call that fails ends the chain, and err says why. */
    int failed = pn_library_open(NULL, &library, &err) ||
                 pn_model_open(library, argv[1], NULL, &model, &err) ||
                 pn_table_open(library, argv[2], &table, &err) ||
                 pn_table_search(table, model, &query, &results, &err);
    if (failed)
        fprintf(stderr, "search_words: %s\n", err.message);
    else
        print_results(results);

    pn_results_free(results);
    pn_table_close(table);
    pn_model_close(model);
    pn_library_close(library);
    return failed ? 1 : 0;
}
