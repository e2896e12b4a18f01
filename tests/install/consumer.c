/*
 * consumer.c - the smallest program that uses libpennon, as its user would write it
 *
 * run_install.sh builds it against the installed files in every way there is, and compares what it prints with what the
 * installed program finds. Usage: consumer TABLE MODEL WORDS
 */
#include <pennon.h>
#include <stdio.h>

static int search(pn_table *table, pn_model *model, const char *words, pn_error *err)
{
    pn_results *results = NULL;
    pn_query query = PN_QUERY_INIT;
    pn_query_term term = PN_QUERY_TERM_INIT;
    term.text = words;
    query.terms = &term;
    query.n_terms = 1;
    query.k = 3;
    if (pn_table_search(table, model, &query, &results, err) != PN_OK)
        return 1;
    for (size_t i = 0; i < pn_results_count(results); i++) {
        pn_result row;
        pn_results_get(results, i, &row);
        printf("%s\n", row.path);
    }
    pn_results_free(results);
    return 0;
}

int main(int argc, char **argv)
{
    pn_error err = {PN_OK, ""};
    pn_library *library = NULL;
    pn_model *model = NULL;
    pn_table *table = NULL;
    if (argc != 4)
        return 2;
    int failed = pn_library_open(NULL, &library, &err) != PN_OK ||
                 pn_model_open(library, argv[2], NULL, &model, &err) != PN_OK ||
                 pn_table_open(library, argv[1], &table, &err) != PN_OK ||
                 search(table, model, argv[3], &err);
    if (failed)
        fprintf(stderr, "%s\n", err.message);
    pn_table_close(table);
    pn_model_close(model);
    pn_library_close(library);
    return failed;
}
