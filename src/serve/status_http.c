/*
 * status_http.c - the one table from pn_status to HTTP
 *
 * 4xx says "change the request", 5xx says "not your fault". A corrupt picture that was sent with the request is 422
 * and one in a format we do not read is 415; the same statuses from a request without a picture come from the table on
 * disk and are 500. Running out of memory is 503: the same request may work a second later.
 */
#include "serve/status_http.h"

typedef struct status_row {
    unsigned ours, picture;
} status_row;

static const status_row TABLE[] = {
    [PN_OK] = {200, 200},
    [PN_ERR_INVALID] = {400, 400},
    [PN_ERR_NOT_FOUND] = {404, 404},
    [PN_ERR_EXISTS] = {409, 409},
    [PN_ERR_CORRUPT] = {500, 422},
    [PN_ERR_UNSUPPORTED] = {500, 415},
    [PN_ERR_CONFLICT] = {409, 409},
    [PN_ERR_LIMIT] = {413, 413},
    [PN_ERR_IO] = {500, 500},
    [PN_ERR_NOMEM] = {503, 503},
    [PN_ERR_CANCELLED] = {503, 503},
    [PN_ERR_BUG] = {500, 500},
};

unsigned pn_http_of_status(pn_status status, pn_http_subject subject)
{
    if ((size_t)status >= PN_COUNT_OF(TABLE))
        return 500;
    const status_row *row = &TABLE[status];
    return subject == PN_HTTP_SUBJECT_PICTURE ? row->picture : row->ours;
}

const char *pn_http_code_name(unsigned http_status)
{
    static const struct {
        unsigned status;
        const char *name;
    } names[] = {
        {400, "invalid"},   {401, "unauthorized"},       {403, "forbidden"},
        {404, "not_found"}, {405, "method_not_allowed"}, {408, "timeout"},
        {413, "too_large"}, {415, "unsupported"},        {431, "too_large"},
        {503, "busy"},
    };
    for (size_t i = 0; i < PN_COUNT_OF(names); i++)
        if (names[i].status == http_status)
            return names[i].name;
    return "error";
}
