/*
 * data_file.c - a data file on its way into a table
 *
 * Appends, updates, compactions and new columns all write their rows first, to files that nobody sees; the commit that follows
 * waits until they are on the disk, and names them. A file that no version came to name is removed here; after a crash clean-up finds it.
 */
#include "dataset/data_file.h"

#include "base/alloc.h"
#include "lance/lance_schema.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/uuid.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void pn_data_file_name(char out[PN_DATA_FILE_NAME_BYTES])
{
    uint8_t uuid[16];
    size_t at = 0;
    pn_uuid_make(uuid);
    for (unsigned bit = 0; bit < 24; bit++)
        out[at++] = (uuid[bit / 8] >> (7 - bit % 8) & 1) ? '1' : '0';
    for (unsigned i = 3; i < 16; i++, at += 2)
        (void)snprintf(out + at, PN_DATA_FILE_NAME_BYTES - at, "%02x", uuid[i]); // two digits
    (void)snprintf(out + at, PN_DATA_FILE_NAME_BYTES - at, ".lance");            // fits
}

bool pn_data_format_minor(const char *version, uint16_t *minor)
{
    static const char *const versions[] = {"2.0", "2.1", "2.2", "2.3"};
    for (size_t i = 0; i < PN_COUNT_OF(versions); i++) {
        if (strcmp(version, versions[i]) == 0) {
            *minor = (uint16_t)i;
            return true;
        }
    }
    return false;
}

pn_status pn_data_file_minor(const pn_dataset *dataset, uint16_t *minor, pn_error *err)
{
    const Pn__Table__DataFormat *format = dataset->manifest.message->data_format;
    const char *version = format && format->version ? format->version : "0.1";
    if (pn_data_format_minor(version, minor))
        return PN_OK;
    return pn_fail(err, PN_ERR_UNSUPPORTED,
                   "%s: data files of version %s cannot be added to; 2.0 to 2.3 can", dataset->path,
                   version);
}

pn_status pn_data_file_begin(const char *table, const pn_schema *schema, uint16_t minor,
                             pn_arena *arena, pn_data_file *out, pn_error *err)
{
    char name[PN_DATA_FILE_NAME_BYTES];
    pn_data_file_name(name);
    *out = (pn_data_file){.schema = schema, .minor = minor};
    out->folder = pn_path_join(arena, table, "data");
    out->name = pn_arena_strdup(arena, name);
    out->path = out->folder ? pn_path_join(arena, out->folder, name) : NULL;
    if (!out->name || !out->path)
        return pn_fail_nomem(err);
    PN_TRY(pn_dir_make(out->folder, err));
    return pn_lance_writer_create_version(out->path, schema, minor, &out->writer, err);
}

pn_status pn_data_file_write(pn_data_file *file, const pn_array *columns, size_t n_rows,
                             pn_error *err)
{
    pn_batch batch = {.schema = file->schema, .columns = columns, .n_rows = n_rows};
    return pn_lance_writer_append(file->writer, &batch, err);
}

pn_status pn_data_file_finish(pn_data_file *file, pn_sync_list *unsynced, pn_error *err)
{
    PN_TRY(pn_lance_writer_finish(file->writer, unsynced, &file->n_rows, &file->size_bytes, err));
    pn_lance_writer_close(file->writer);
    file->writer = NULL;
    if (file->n_rows > UINT32_MAX)
        return pn_fail(err, PN_ERR_LIMIT, "%" PRIu64 " rows in one fragment", file->n_rows);
    return pn_sync_list_add_folder(unsynced, file->folder, err);
}

void pn_data_file_discard(pn_data_file *file)
{
    if (file->writer)
        pn_lance_writer_close(file->writer); // which removes it
    else if (file->path && file->size_bytes > 0)
        (void)(pn_path_remove(file->path, NULL) == PN_OK); // left behind, it only takes room
    *file = (pn_data_file){0};
}

pn_status pn_data_file_describe(const pn_data_file *file, pn_arena *arena,
                                Pn__Table__DataFile **out, pn_error *err)
{
    Pn__Table__DataFile *message = PN_ARENA_NEW(arena, Pn__Table__DataFile, 1);
    if (!message)
        return pn_fail_nomem(err);
    pn__table__data_file__init(message);
    message->path = pn_arena_strdup(arena, file->name);
    PN_TRY(pn_lance_schema_column_ids(file->schema, file->minor, arena, &message->fields,
                                      &message->n_fields, err));
    message->column_indices = PN_ARENA_NEW(arena, int32_t, message->n_fields + 1);
    if (!message->path || !message->column_indices)
        return pn_fail_nomem(err);
    for (size_t i = 0; i < message->n_fields; i++)
        message->column_indices[i] = (int32_t)i;
    message->n_column_indices = message->n_fields;
    message->has_major = message->has_minor = message->has_size = 1;
    message->major = 2;
    message->minor = file->minor;
    message->size = file->size_bytes;
    *out = message;
    return PN_OK;
}

pn_status pn_data_file_fragment(const pn_data_file *file, pn_arena *arena,
                                Pn__Table__DataFragment **out, pn_error *err)
{
    Pn__Table__DataFragment *fragment = PN_ARENA_NEW(arena, Pn__Table__DataFragment, 1);
    Pn__Table__DataFile **files = PN_ARENA_NEW(arena, Pn__Table__DataFile *, 1);
    if (!fragment || !files)
        return pn_fail_nomem(err);
    PN_TRY(pn_data_file_describe(file, arena, &files[0], err));
    pn__table__data_fragment__init(fragment);
    fragment->files = files;
    fragment->n_files = 1;
    fragment->has_physical_rows = 1;
    fragment->physical_rows = file->n_rows;
    *out = fragment;
    return PN_OK;
}
