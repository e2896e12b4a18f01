/*
 * data_file.h - a data file on its way into a table
 *
 * Written under its final name in data/, where nobody looks for it until a version names it.
 * Threads: one at a time.
 */
#ifndef PN_DATASET_DATA_FILE_H
#define PN_DATASET_DATA_FILE_H

#include "dataset/internal.h"
#include "lance/lance_writer.h"

/* 16 random bytes as Lance names data files: 24 binary digits, 26 hex digits, ".lance". */
#define PN_DATA_FILE_NAME_BYTES 64
void pn_data_file_name(char out[PN_DATA_FILE_NAME_BYTES]);

typedef struct pn_data_file {
    const pn_schema *schema; /* borrowed */
    uint16_t minor;          /* of the version, 2.minor */
    char *name, *folder, *path;
    pn_lance_writer *writer; /* NULL once finished */
    uint64_t n_rows, size_bytes;
} pn_data_file;

/* "2.1": 1. False: data files of that version are not written. */
bool pn_data_format_minor(const char *version, uint16_t *minor);
/* The minor version of a table's data files. UNSUPPORTED names one that is not written. */
PN_NODISCARD pn_status pn_data_file_minor(const pn_dataset *dataset, uint16_t *minor,
                                          pn_error *err);

/* schema and arena live as long as the file is being made. */
PN_NODISCARD pn_status pn_data_file_begin(const char *table, const pn_schema *schema,
                                          uint16_t minor, pn_arena *arena, pn_data_file *out,
                                          pn_error *err);
/* Columns in the order of the schema. */
PN_NODISCARD pn_status pn_data_file_write(pn_data_file *file, const pn_array *columns,
                                          size_t n_rows, pn_error *err);
/* Written to the end; file and name are on the disk once unsynced is settled. LIMIT: more rows than a fragment takes. */
PN_NODISCARD pn_status pn_data_file_finish(pn_data_file *file, pn_sync_list *unsynced,
                                           pn_error *err);
/* Remove it, finished or not. A zeroed one is welcome. */
void pn_data_file_discard(pn_data_file *file);

/* The finished file as fragments list it; in arena. */
PN_NODISCARD pn_status pn_data_file_describe(const pn_data_file *file, pn_arena *arena,
                                             Pn__Table__DataFile **out, pn_error *err);
/* A fragment of this file alone, without an id. */
PN_NODISCARD pn_status pn_data_file_fragment(const pn_data_file *file, pn_arena *arena,
                                             Pn__Table__DataFragment **out, pn_error *err);

#endif
