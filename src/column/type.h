/*
 * type.h - what a column is: its type, name and nesting
 *
 * A pn_field describes one node of the schema tree; a pn_schema the list of top-level columns. Both live in the
 * arena of whoever made them and are immutable afterwards, so they may be shared between threads.
 *
 * Children:  STRUCT: its members. LIST, LARGE_LIST, FIXED_SIZE_LIST: exactly one, the item.
 *            MAP: exactly one, a non-nullable STRUCT "entries" of a non-nullable key and a value.
 *            Everything else: none. (The Lance schema writes a fixed-size list of a primitive as one field; in
 *            memory it has an item child like every list.)
 */
#ifndef PN_COLUMN_TYPE_H
#define PN_COLUMN_TYPE_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

typedef enum pn_type_id {
    PN_TYPE_NULL,
    PN_TYPE_BOOL,
    PN_TYPE_INT8,
    PN_TYPE_INT16,
    PN_TYPE_INT32,
    PN_TYPE_INT64,
    PN_TYPE_UINT8,
    PN_TYPE_UINT16,
    PN_TYPE_UINT32,
    PN_TYPE_UINT64,
    PN_TYPE_HALF,
    PN_TYPE_FLOAT,
    PN_TYPE_DOUBLE,
    PN_TYPE_STRING,
    PN_TYPE_LARGE_STRING,
    PN_TYPE_BINARY,
    PN_TYPE_LARGE_BINARY,
    PN_TYPE_DATE32,
    PN_TYPE_DATE64,
    PN_TYPE_TIME32,
    PN_TYPE_TIME64,
    PN_TYPE_TIMESTAMP,
    PN_TYPE_DURATION,
    PN_TYPE_DECIMAL128,
    PN_TYPE_DECIMAL256,
    PN_TYPE_FIXED_SIZE_BINARY,
    PN_TYPE_FIXED_SIZE_LIST,
    PN_TYPE_LIST,
    PN_TYPE_LARGE_LIST,
    PN_TYPE_STRUCT,
    PN_TYPE_MAP
} pn_type_id;

typedef enum pn_time_unit {
    PN_UNIT_SECOND,
    PN_UNIT_MILLI,
    PN_UNIT_MICRO,
    PN_UNIT_NANO
} pn_time_unit;

typedef struct pn_field pn_field;
struct pn_field {
    const char *name;
    pn_type_id type;
    bool nullable;
    bool is_json;   /* a STRING/LARGE_BINARY column that holds JSON (extension lance.json) */
    bool is_blob;   /* a STRUCT of LanceDB's type for large values: a leaf that we do not read */
    bool is_packed; /* STRUCT: a file keeps its members together, as one column */
    bool is_dictionary; /* logical dict:<value>:<index>:<ordered>: values are plain in memory */
    bool is_ordered;    /* of a dictionary, as its index type kept only to write the schema back */
    pn_type_id index_type;
    pn_time_unit unit;        /* TIME32, TIME64, TIMESTAMP, DURATION */
    const char *timezone;     /* TIMESTAMP; NULL: none */
    int32_t size;             /* FIXED_SIZE_LIST: items; FIXED_SIZE_BINARY: bytes */
    int32_t precision, scale; /* decimals */
    int32_t id;               /* Lance field id; -1 while unassigned */
    pn_field *children;
    size_t n_children;
    const pn_kv *metadata;
    size_t n_metadata;
};

typedef struct pn_schema {
    pn_field *fields;
    size_t n_fields;
    const pn_kv *metadata; /* of the table */
    size_t n_metadata;
} pn_schema;

/* Bytes of one value of a fixed-width type (BOOL: 0, it is packed in bits; FIXED_SIZE_LIST: items times the item's
 * width when that is fixed); 0 for everything else. */
size_t pn_type_width(const pn_field *field);
bool pn_type_is_integer(pn_type_id type); /* INT8..UINT64 */
bool pn_type_is_decimal(pn_type_id type);
bool pn_type_is_variable(pn_type_id type); /* STRING, LARGE_STRING, BINARY, LARGE_BINARY */
bool pn_type_is_list(pn_type_id type);     /* LIST, LARGE_LIST, MAP: rows of varying length */

/* "int32", "timestamp[ms]", "fixed_size_list<float>[512]", "map<string, string>": for messages and `schema`. */
PN_NODISCARD char *pn_type_text(const pn_field *field, pn_arena *arena);

/* The type that pn_type_text() begins with this word for; false: none. */
PN_NODISCARD bool pn_type_of_name(pn_str name, pn_type_id *out);

/* Index of the column of that name, or -1. */
ptrdiff_t pn_schema_find(const pn_schema *schema, pn_str name);
const char *pn_schema_metadata(const pn_schema *schema, const char *key); /* NULL: absent */

/* Deep copy into arena. */
PN_NODISCARD pn_status pn_schema_copy(const pn_schema *schema, pn_arena *arena, pn_schema *out,
                                      pn_error *err);
PN_NODISCARD pn_status pn_field_copy(const pn_field *field, pn_arena *arena, pn_field *out,
                                     pn_error *err);

/* The frequent shapes. Names are borrowed; children are made in arena; false when there is no memory. */
void pn_field_init(pn_field *field, const char *name, pn_type_id type, bool nullable);
PN_NODISCARD bool pn_field_init_vector(pn_field *field, const char *name, int32_t dim,
                                       pn_arena *arena);
PN_NODISCARD bool pn_field_init_string_map(pn_field *field, const char *name, bool nullable,
                                           pn_arena *arena);
PN_NODISCARD bool pn_field_init_list(pn_field *field, const char *name, const pn_field *item,
                                     bool nullable, pn_arena *arena);

#endif
