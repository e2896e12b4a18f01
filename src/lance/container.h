/*
 * container.h - the outer shape of a data file: footer, column metadata, pages
 */
#ifndef PN_LANCE_CONTAINER_H
#define PN_LANCE_CONTAINER_H

#include "lance/page.h"
#include "os/mapping.h"

typedef struct pn_file_page {
    Pn__Lance__PageLayout *layout;   /* since 2.1; NULL before */
    Pn__Lance__ArrayEncoding *array; /* of 2.0 */
    pn_slice *buffers;
    size_t n_buffers;
    uint64_t first_row, n_rows;
} pn_file_page;

typedef struct pn_file_column {
    Pn__Lance__ColumnMetadata *metadata;
    pn_file_page *pages;
    size_t n_pages;
    uint64_t n_rows;
    pn_slice *buffers; /* that all pages share; of 2.0 */
    size_t n_buffers;
    bool is_blob; /* of 2.0: positions and sizes of bytes that lie elsewhere */
} pn_file_column;

typedef struct pn_container {
    char *path;
    pn_mapping mapping;
    uint16_t major, minor; /* 2.0 to 2.3 */
    pn_arena arena;
    Pn__Lance__FileDescriptor *descriptor;
    uint64_t n_rows;
    pn_file_column *columns;
    size_t n_columns;
    uint64_t global_table_off;
    uint32_t n_globals;
} pn_container;

/* Parse the mapped file of container->path. Close it in every case. */
PN_NODISCARD pn_status pn_container_open(pn_container *container, const char *path, pn_error *err);
void pn_container_close(pn_container *container);

/* Global buffer i < n_globals, which nobody has looked at before: 0 is the descriptor, the others are the writer's own. */
PN_NODISCARD pn_status pn_container_global(const pn_container *container, uint32_t i, pn_slice *out,
                                           pn_error *err);

#define PN_LANCE_MAGIC "LANC"
#define PN_LANCE_FOOTER_BYTES 40
#define PN_LANCE_PAGE_LAYOUT_URL "/lance.encodings21.PageLayout"
#define PN_LANCE_ARRAY_URL "/lance.encodings.ArrayEncoding"

#endif
