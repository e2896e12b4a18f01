/*
 * rows_handler.c - GET /rows: the table to leaf through, newest rows first
 *
 * Rows come in the order in which they were written, and later versions write behind earlier ones: the newest are the last.
 * So a page is the same distance from the end, turned round.
 *
 *     row      0 1 2 ... 311 312 ... 335 | 336 ... 339        340 rows, offset 4, limit 24:
 *                        \____ page ___/   \ passed over      list(312, 24), last one first
 *
 * The count and the page may see two versions when somebody writes in between; a reader then gets a row twice or misses one,
 * as with every list that grows while it is read.
 */
#include "serve/query_json.h"
#include "serve/request.h"

enum { LIMIT_DEFAULT = 24, LIMIT_MAX = 1000 };

typedef struct page {
    const char *where;
    uint64_t offset, limit, n_matching;
} page;

static pn_status take_number(const char *name, const char *text, int64_t min, int64_t max,
                             uint64_t *out, pn_error *err)
{
    int64_t number;
    if (!pn_str_to_i64(pn_str_of(text), &number) || number < min || number > max)
        return pn_fail(err, PN_ERR_INVALID, "%s: a whole number, %lld to %lld", name,
                       (long long)min, (long long)max);
    *out = (uint64_t)number;
    return PN_OK;
}

static pn_status read_page(pn_request *request, pn_asked *asked, page *out, pn_error *err)
{
    pn_asked_begin(asked);
    *out = (page){.limit = LIMIT_DEFAULT};
    for (pn_form_field *field = request->fields; field; field = field->next) {
        const char *text = pn_buffer_text(&field->value);
        if (!text)
            return pn_fail_nomem(err);
        if (strcmp(field->name, "offset") == 0)
            PN_TRY(take_number("offset", text, 0, INT64_MAX, &out->offset, err));
        else if (strcmp(field->name, "limit") == 0)
            PN_TRY(take_number("limit", text, 1, LIMIT_MAX, &out->limit, err));
        else if (strcmp(field->name, "filters") == 0 || strcmp(field->name, "where") == 0)
            PN_TRY(pn_asked_field(asked, field->name, text, &request->arena, err));
        else
            return pn_fail(err, PN_ERR_INVALID, "\"%.60s\": not a field of a list", field->name);
    }
    out->where = asked->query.where;
    return PN_OK;
}

static pn_status read_rows(pn_table *table, page *p, pn_results **out, pn_error *err)
{
    PN_TRY(pn_table_count(table, p->where, &p->n_matching, err));
    uint64_t end = p->n_matching - PN_MIN(p->offset, p->n_matching);
    p->limit = PN_MIN(p->limit, end);
    *out = NULL;
    if (p->limit == 0)
        return PN_OK;
    return pn_table_list(table, p->where, end - p->limit, (uint32_t)p->limit, 0, out, err);
}

void pn_handle_rows(pn_request *request)
{
    pn_error err = {0};
    pn_asked asked;
    page p;
    pn_results *results = NULL;
    pn_json_writer json;
    pn_status status = read_page(request, &asked, &p, &err);
    if (status == PN_OK)
        status = read_rows(request->service->table, &p, &results, &err);
    if (status != PN_OK) {
        pn_request_fail_status(request, status, &err, false);
        return;
    }
    size_t n = results ? pn_results_count(results) : 0;
    pn_json_begin(&json, &request->answer);
    pn_json_open(&json, '{');
    pn_json_key(&json, "count");
    pn_json_u64(&json, n);
    pn_json_key(&json, "matching");
    pn_json_u64(&json, p.n_matching);
    pn_json_key(&json, "results");
    pn_json_open(&json, '[');
    for (size_t i = n; i-- > 0;) {
        pn_result row;
        pn_results_get(results, i, &row);
        pn_write_row(&json, &row, false);
    }
    pn_json_close(&json, ']');
    pn_json_close(&json, '}');
    pn_request_finish_json(request, &json, 200);
    pn_results_free(results);
}
