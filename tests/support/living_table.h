/*
 * living_table.h - a table that everything is done to, and a model that knows what it should be
 *
 *     id          int64, not null     the engine's, or -1 - key
 *     vector      float[8]            of the key and the value
 *     image_path  string              "<key>"
 *     value       int64               what changes when a row is updated
 *     x<number>   int64, nullable     up to three columns that come, go and change their names
 *
 * A step is one change of any kind, made from a seed, a number and the model as it is before. So whoever has the model knows what each
 * step will do, and one who only hears that a step was begun knows the two tables that there may be. A model is plain data: copy it.
 */
#ifndef PN_TESTS_SUPPORT_LIVING_TABLE_H
#define PN_TESTS_SUPPORT_LIVING_TABLE_H

#include "collection/engine.h"
#include "dataset/dataset.h"

enum { LIVING_DIM = 8, LIVING_MAX_ROWS = 2400, LIVING_MAX_EXTRAS = 3, LIVING_TAGS = 2 };
#define LIVING_NULL INT64_MIN

typedef struct living_row {
    int64_t key, value, extras[LIVING_MAX_EXTRAS];
} living_row;

typedef struct living_content {
    living_row rows[LIVING_MAX_ROWS];
    size_t n_rows;
    char extras[LIVING_MAX_EXTRAS][16];
    size_t n_extras;
} living_content;

typedef struct living_model {
    living_content now;
    living_content tagged[LIVING_TAGS];
    bool has_tag[LIVING_TAGS];
    int64_t next_key, next_name;
} living_model;

typedef enum living_kind {
    LIVING_APPEND,
    LIVING_INSERT, /* one row, by the engine, which folds small files now and then */
    LIVING_DELETE,
    LIVING_REPLACE,
    LIVING_UPSERT,
    LIVING_UPDATE, /* an upsert of some columns, and only of rows that are there */
    LIVING_OVERWRITE,
    LIVING_ADD_COLUMN,
    LIVING_DROP_COLUMN,
    LIVING_RENAME_COLUMN,
    LIVING_TAG,
    LIVING_RESTORE,
    LIVING_FOLD,
    LIVING_CLEAN,
    LIVING_INDEX,
    LIVING_DROP_INDEX,
    LIVING_RECORD, /* checksums */
    LIVING_KINDS
} living_kind;

typedef struct living_step {
    living_kind kind;
    uint64_t seed; /* of what the step needs */
    size_t n;      /* rows, or which */
} living_step;

const char *living_kind_name(living_kind kind);

/* Make the table, with 1200 rows. */
void living_create(const char *table, living_model *out);

/* What step number i is, and what it makes of the model. */
living_step living_plan(const living_model *model, uint64_t seed, uint64_t i);
void living_foresee(living_model *model, const living_step *step);
/* Do it to the table. model: before it. *first_id: that the engine gave, or -1. */
pn_status living_do(const char *table, pn_engine *engine, const living_model *model,
                    const living_step *step, int64_t *first_id, pn_error *err);

/* Is the table, with its tags, what the model says? Whatever cannot be read fails the running test. */
bool living_is(const char *table, const living_model *model);
/* Fails the running test unless no id is there twice; returns the largest one. */
int64_t living_check_ids(const char *table);
/* Search for rows of the model: what is found is there, and as far away as the answer says; of an exact search the row itself. */
void living_check_searches(pn_engine *engine, const living_model *model, uint64_t seed);

#endif
