/*
 * expr.h - the tree of a filter, and the values that flow through it
 *
 *     parser  ->  pn_expr, names as text         lives in the filter's arena
 *     bind    ->  the same nodes with kinds, columns and functions resolved; implicit conversions inserted
 *     eval    ->  one pn_vec per node and batch   lives in the scratch arena
 *
 * AND and OR have any number of arguments, so that a filter of a thousand ORs is flat. Every other chain makes the tree
 * higher, and the height is limited to PN_FILTER_MAX_DEPTH: everything that walks a tree may recurse.
 *
 * Threads: a bound tree is immutable.
 */
#ifndef PN_FILTER_EXPR_H
#define PN_FILTER_EXPR_H

#include "base/buffer.h"
#include "base/limits.h"
#include "column/array.h"
#include "filter/filter.h"

/* What a value is to the language. Columns of many types become few kinds. */
typedef enum pn_kind {
    PN_KIND_NULL, /* of the literal NULL: fits everywhere */
    PN_KIND_BOOL,
    PN_KIND_INT,    /* int64: INT8..INT64, UINT8..UINT32, decimals of scale 0 */
    PN_KIND_UINT,   /* uint64 */
    PN_KIND_DOUBLE, /* HALF, FLOAT, DOUBLE, other decimals */
    PN_KIND_TEXT,
    PN_KIND_BYTES,
    PN_KIND_DATE, /* days since 1970 */
    PN_KIND_TIME, /* a timestamp: value and unit */
    PN_KIND_LIST,
    PN_KIND_MAP,
    PN_KIND_STRUCT,
    PN_KIND_OTHER /* a column whose values the language cannot hold: only IS NULL */
} pn_kind;

/* One value. text of TEXT and BYTES is borrowed. */
typedef struct pn_value {
    pn_kind kind; /* NULL: no value */
    pn_time_unit unit;
    union {
        bool b;
        int64_t i; /* INT, DATE, TIME */
        uint64_t u;
        double f;
        pn_str text;
    };
} pn_value;

/*
 * The values of one node for all rows of a batch. A vec that is_const holds one value for all of them.
 *
 *     BOOL                  yes, no: words of bits; a row in neither is NULL
 *     INT UINT DATE TIME    i (UINT as the bits of a uint64)
 *     DOUBLE                f
 *     TEXT BYTES            text
 *     LIST                  the items [starts[i], starts[i] + lens[i]) of array; starts < 0: NULL
 *     MAP STRUCT OTHER      row starts[i] of array; starts < 0: NULL
 *     NULL                  nothing
 *
 * valid has the words of all kinds but BOOL; NULL: every row is valid. Bits past n are 0.
 */
typedef struct pn_vec {
    pn_kind kind;
    pn_time_unit unit;
    bool is_const;
    size_t n;
    uint64_t *valid;
    union {
        int64_t *i;
        double *f;
        pn_str *text;
        uint64_t *yes;
        int64_t *starts;
    };
    union {
        uint64_t *no;
        int64_t *lens;
    };
    const pn_array *array;
} pn_vec;

typedef enum pn_expr_op {
    PN_EXPR_LITERAL,
    PN_EXPR_NAME,   /* before bind; text */
    PN_EXPR_COLUMN, /* column, field */
    PN_EXPR_FIELD,  /* args[0].text; bind sets index and field */
    PN_EXPR_INDEX,  /* args[0][args[1]]: of a map by key, of a list by place counted from 1 */
    PN_EXPR_AND,    /* n args */
    PN_EXPR_OR,     /* n args */
    PN_EXPR_NOT,
    PN_EXPR_EQ,
    PN_EXPR_NE,
    PN_EXPR_LT,
    PN_EXPR_LE,
    PN_EXPR_GT,
    PN_EXPR_GE,
    PN_EXPR_IS_DISTINCT,
    PN_EXPR_IN,      /* args[0] in args[1..] */
    PN_EXPR_BETWEEN, /* args[0] between args[1] and args[2] */
    PN_EXPR_LIKE,    /* args[0] like args[1]; text: the escape, empty for none */
    PN_EXPR_ILIKE,
    PN_EXPR_REGEXP, /* args[0] matches args[1] with flags text */
    PN_EXPR_IS_NULL,
    PN_EXPR_IS_TRUE,
    PN_EXPR_IS_FALSE,
    PN_EXPR_NEGATE,
    PN_EXPR_ADD,
    PN_EXPR_SUBTRACT,
    PN_EXPR_MULTIPLY,
    PN_EXPR_DIVIDE,
    PN_EXPR_REMAINDER,
    PN_EXPR_CONCAT, /* || */
    PN_EXPR_CALL,   /* text: the name; bind sets function */
    PN_EXPR_CAST    /* args[0] as cast_type */
} pn_expr_op;

typedef enum pn_cast_fault {
    PN_CAST_FAILS,     /* CAST: a value that does not fit ends the evaluation */
    PN_CAST_GIVES_NULL /* TRY_CAST */
} pn_cast_fault;

typedef struct pn_function pn_function;
typedef struct pn_like pn_like;
typedef struct pn_regexp pn_regexp;

typedef struct pn_expr pn_expr;
struct pn_expr {
    pn_expr_op op;
    size_t offset; /* in the filter's text: where errors point */
    size_t n_args;
    pn_expr **args;
    pn_str text;
    pn_value literal; /* LITERAL */
    unsigned height;  /* of the tree below, itself included */

    /* from here on set by bind */
    pn_kind kind;
    pn_time_unit unit; /* TIME */
    bool is_const;     /* no column below */
    bool
        is_map_value; /* text that came out of a map: compares with numbers and times as one of them */
    bool is_implicit;   /* a CAST that nobody wrote: not printed */
    pn_type_id rounded; /* FLOAT or HALF: the values are rounded to that type; otherwise DOUBLE */
    const pn_field *field; /* the type of LIST (its item), MAP, STRUCT, and of columns */
    size_t index;          /* COLUMN: in the schema; FIELD: in the struct */
    pn_type_id cast_type;
    pn_cast_fault cast_fault;
    const pn_function *function;
    const pn_like *like;
    const pn_regexp *regexp;
    const pn_value *set; /* IN: the literals, sorted, when all of args[1..] are literals */
    size_t n_set;
    bool set_has_null;
};

/* The text, for messages that point into it. */
typedef struct pn_filter_source {
    pn_str text;
} pn_filter_source;

/* Fill err with the message, the line of the text around offset and a caret. Returns status. */
PN_PRINTF(5, 6)
pn_status pn_filter_fail(const pn_filter_source *source, size_t offset, pn_status status,
                         pn_error *err, const char *format, ...);
#ifdef __clang_analyzer__ // as base/status.h does it
#    define pn_filter_fail(source, offset, status, err, ...)                                       \
        ((pn_filter_fail)((source), (offset), (status), (err), __VA_ARGS__), (status))
#endif

/* Names in messages are cut to this many bytes, so that three lines always fit. */
#define PN_FILTER_NAME_FORMAT "%.*s%s"
#define PN_FILTER_NAME_BYTES 60
#define PN_FILTER_NAME_ARG(s)                                                                      \
    (int)pn_filter_name_cut(s), (s).ptr ? (s).ptr : "", (s).len > PN_FILTER_NAME_BYTES ? "..." : ""
/* At most PN_FILTER_NAME_BYTES, ending at a character's end. */
size_t pn_filter_name_cut(pn_str name);

/* The candidate most like name (edit distance, or equal but for case), or NULL when none is near. */
const char *pn_filter_nearest(pn_str name, const char *const *candidates, size_t n);

/* Parse the text into a tree of unbound nodes. */
PN_NODISCARD pn_status pn_expr_parse(const pn_filter_source *source, pn_arena *arena, pn_expr **out,
                                     pn_error *err);

/* Resolve names and kinds against a schema; *expr may be replaced. */
PN_NODISCARD pn_status pn_expr_bind(const pn_filter_source *source, const pn_schema *schema,
                                    pn_arena *arena, pn_expr **expr, pn_error *err);

/* Evaluate a bound tree. */
typedef struct pn_eval {
    const pn_filter_source *source;
    const pn_batch *batch; /* NULL while folding constants */
    pn_arena *scratch;
    uint64_t like_steps; /* work left for LIKE patterns in this batch */
} pn_eval;

/* Rows to evaluate: the values of rows that are not active may be anything, and cause no error. */
typedef struct pn_rows {
    size_t n;
    const uint64_t *active; /* [pn_words_for_bits(n)] */
} pn_rows;

PN_NODISCARD pn_status pn_expr_eval(pn_eval *eval, const pn_expr *expr, const pn_rows *rows,
                                    pn_vec *out, pn_error *err);

/* Canonical text, appended to out. */
PN_NODISCARD pn_status pn_expr_print(const pn_expr *expr, pn_buffer *out, pn_error *err);

/* Can the printer write this value so that it comes back the same? */
bool pn_value_is_printable(const pn_value *value);

/* "number", "text", "timestamp", ...: for messages. */
const char *pn_kind_text(pn_kind kind);

#endif
