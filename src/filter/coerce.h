/*
 * coerce.h - bringing two sides to comparable kinds, at bind time
 * Threads: one binder each.
 */
#ifndef PN_FILTER_COERCE_H
#define PN_FILTER_COERCE_H

#include "filter/expr.h"

typedef struct pn_binder {
    const pn_filter_source *source;
    const pn_schema *schema;
    pn_arena *arena;
} pn_binder;

/* Number, text, bytes, boolean, moment: what can be compared with each other has one family. */
typedef enum pn_family {
    PN_FAMILY_NULL,
    PN_FAMILY_BOOL,
    PN_FAMILY_NUMBER,
    PN_FAMILY_TEXT,
    PN_FAMILY_BYTES,
    PN_FAMILY_MOMENT,
    PN_FAMILY_NONE
} pn_family;
pn_family pn_family_of(pn_kind kind);

/* A scalar the language can hold? INVALID names the type otherwise. */
PN_NODISCARD pn_status pn_coerce_scalar(const pn_binder *binder, const pn_expr *expr,
                                        pn_error *err);

/* Put a cast that nobody wrote above *expr. */
PN_NODISCARD pn_status pn_coerce_cast(const pn_binder *binder, pn_expr **expr, pn_type_id type,
                                      pn_cast_fault fault, pn_error *err);

/*
 * Make the two sides of a comparison comparable: a literal takes the kind of the other side, a value out of a map is read
 * as what it is compared with. INVALID at offset when they have nothing in common.
 */
PN_NODISCARD pn_status pn_coerce_pair(const pn_binder *binder, size_t offset, pn_expr **a,
                                      pn_expr **b, pn_error *err);
/* The same for several: x of BETWEEN and IN against the rest, arguments of coalesce(). */
PN_NODISCARD pn_status pn_coerce_all(const pn_binder *binder, size_t offset, pn_expr **exprs,
                                     size_t n, pn_error *err);

/* A number for arithmetic: map values are read as one. INVALID for other kinds; what says who wants it. */
PN_NODISCARD pn_status pn_coerce_number(const pn_binder *binder, pn_expr **expr, const char *what,
                                        pn_error *err);
/* A condition for AND, OR, NOT and the whole filter. */
PN_NODISCARD pn_status pn_coerce_condition(const pn_binder *binder, const pn_expr *expr,
                                           const char *what, pn_error *err);

/* Fold: a literal in place of a node whose arguments are literals, when it has a value that can be printed. */
PN_NODISCARD pn_status pn_fold(const pn_binder *binder, pn_expr *expr, pn_error *err);

#endif
