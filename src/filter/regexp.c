/*
 * regexp.c - PCRE2 behind two calls
 *
 * The compiled pattern goes into the filter's arena (PCRE2 asks us for memory; freeing is a no-op there), and is shared by
 * all threads; the scratch of a match is made per call and freed. A pattern such as (a+)+b can take exponential time, so
 * every match has a limit of steps, depth and memory, and reaching it ends the filter with LIMIT: the row would
 * otherwise be neither a match nor none. Patterns match anywhere in the text; ^ and $ tie them down. Broken UTF-8 in a
 * column never matches a character and is no error.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "filter/regexp.h"

#include "base/alloc.h"
#include "filter/vec.h"

#include <pcre2.h>
#include <stdio.h>

enum {
    MATCH_STEPS = 1000000,
    MATCH_DEPTH = 10000,
    MATCH_HEAP_KIB = 16384,
    PARENTHESES = 100 /* PCRE2's compiler recurses over them */
};

struct pn_regexp {
    pcre2_code *code;
};

static void *arena_malloc(PCRE2_SIZE bytes, void *arena)
{
    return pn_arena_alloc(arena, bytes);
}

static void arena_free(void *block, void *arena)
{
    (void)block; // goes with the arena
    (void)arena;
}

static void *counted_malloc(PCRE2_SIZE bytes, void *context)
{
    (void)context;
    return pn_alloc(bytes);
}

static void counted_free(void *block, void *context)
{
    (void)context;
    pn_free(block);
}

static bool read_flags(pn_str flags, uint32_t *options)
{
    static const struct {
        char flag;
        uint32_t option;
    } known[] = {
        {'i', PCRE2_CASELESS}, {'m', PCRE2_MULTILINE}, {'s', PCRE2_DOTALL}, {'x', PCRE2_EXTENDED}};
    for (size_t i = 0; i < flags.len; i++) {
        size_t k = 0;
        while (k < PN_COUNT_OF(known) && known[k].flag != flags.ptr[i])
            k++;
        if (k == PN_COUNT_OF(known))
            return false;
        *options |= known[k].option;
    }
    return true;
}

pn_status pn_regexp_compile(pn_str pattern, pn_str flags, pn_arena *arena, const pn_regexp **out,
                            char *message, size_t message_bytes)
{
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    if (!read_flags(flags, &options)) {
        (void)snprintf(message, message_bytes, "the flags of a pattern are of i, m, s and x");
        return PN_ERR_INVALID;
    }
    pn_regexp *regexp = PN_ARENA_NEW(arena, pn_regexp, 1);
    pcre2_general_context *memory = pcre2_general_context_create(arena_malloc, arena_free, arena);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    if (!regexp || !context)
        return PN_ERR_NOMEM;
    (void)pcre2_set_parens_nest_limit(context, PARENTHESES); // always 0
    int fault;
    PCRE2_SIZE place;
    regexp->code =
        pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, options, &fault, &place, context);
    if (!regexp->code && fault == PCRE2_ERROR_HEAP_FAILED)
        return PN_ERR_NOMEM;
    if (!regexp->code) {
        PCRE2_UCHAR text[128] = "";
        (void)pcre2_get_error_message(fault, text, sizeof text); // cut texts are fine
        (void)snprintf(message, message_bytes, "%s at byte %zu of the pattern", (char *)text,
                       (size_t)place);
        return PN_ERR_INVALID;
    }
    *out = regexp;
    return PN_OK;
}

static pn_status match_rows(const pn_regexp *regexp, const pn_vec *text, const pn_rows *rows,
                            pcre2_match_data *data, pcre2_match_context *context, pn_vec *out,
                            int *fault)
{
    for (size_t i = 0; i < rows->n; i++) {
        pn_value value;
        if (!pn_word_bit_get(rows->active, i))
            continue;
        pn_vec_get(text, i, &value);
        if (value.kind == PN_KIND_NULL)
            continue;
        int n = pcre2_match(regexp->code, (PCRE2_SPTR)(value.text.ptr ? value.text.ptr : ""),
                            value.text.len, 0, 0, data, context);
        if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
            *fault = n;
            return n == PCRE2_ERROR_NOMEMORY ? PN_ERR_NOMEM : PN_ERR_LIMIT;
        }
        pn_word_bit_set(n == PCRE2_ERROR_NOMATCH ? out->no : out->yes, i);
    }
    return PN_OK;
}

pn_status pn_regexp_eval(const pn_regexp *regexp, const pn_vec *text, const pn_rows *rows,
                         pn_vec *out, char *message, size_t message_bytes)
{
    pn_status status = PN_ERR_NOMEM;
    int fault = 0;
    pcre2_match_context *context = NULL;
    pcre2_match_data *data = NULL;
    pcre2_general_context *memory =
        pcre2_general_context_create(counted_malloc, counted_free, NULL);
    if (!memory)
        goto done;
    context = pcre2_match_context_create(memory);
    data = pcre2_match_data_create(1, memory);
    if (!context || !data)
        goto done;
    (void)pcre2_set_match_limit(context, MATCH_STEPS); // these always return 0
    (void)pcre2_set_depth_limit(context, MATCH_DEPTH);
    (void)pcre2_set_heap_limit(context, MATCH_HEAP_KIB);
    status = match_rows(regexp, text, rows, data, context, out, &fault);
    if (status == PN_ERR_LIMIT)
        (void)snprintf(message, message_bytes,
                       "the pattern takes too long on one of the rows (limit %d steps, error %d)",
                       MATCH_STEPS, fault);
done:
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_general_context_free(memory);
    return status;
}
