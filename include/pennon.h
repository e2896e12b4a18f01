/*
 * pennon.h - search a product catalogue by words or by picture
 *
 * The whole public interface, to be read from top to bottom:
 *
 *     1 library      version, start
 *     2 model        a CLIP model, of this machine or of a server: words and pictures -> vectors
 *     3 table        a Lance dataset of pictures
 *     4 ingest       pictures in
 *     5 search       pictures out
 *     6 results      what a search found
 *     7 rows         reading, deleting, listing
 *     8 index        finding the nearest of millions in a millisecond
 *     9 any table    Lance tables as such: what they are made of, export, import
 *    10 changes      of any table: versions, tags, columns, compaction, clean-up
 *
 * Every function that can fail returns a pn_status and takes a pn_error* last (NULL is welcome). An output is written
 * only on success. Texts are UTF-8. Handles are opaque; each is ended by the function named beside the one that makes it,
 * and the ending function accepts NULL. Unless said otherwise a handle may be used from several threads at once.
 * Option structs begin with their size, set by the *_INIT initialiser, so that a program built against an older header
 * keeps working with a newer library; one that was not initialised so is INVALID.
 *
 *     pn_library *library = NULL; pn_model *model = NULL; pn_table *table = NULL; pn_results *results = NULL;
 *     pn_error err = {0};
 *     pn_query query = PN_QUERY_INIT;
 *     pn_query_term term = PN_QUERY_TERM_INIT;
 *     term.kind = PN_TERM_TEXT; term.text = "red sneakers";
 *     query.terms = &term; query.n_terms = 1;
 *     if (pn_library_open(NULL, &library, &err) || pn_model_open(library, "models/clip-vit-b-32", NULL, &model, &err)
 *         || pn_table_open(library, "shop.lance", &table, &err)
 *         || pn_table_search(table, model, &query, &results, &err))
 *         fprintf(stderr, "%s\n", err.message);
 *
 * Clean as C99 and as C++11.
 */
#ifndef PENNON_H
#define PENNON_H

#include <stddef.h>
#include <stdint.h>

#include <pennon_status.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#    define PN_API __attribute__((visibility("default")))
#else
#    define PN_API
#endif

/* ---------------------------------------------------------------- 1 library */

/* "0.1.0"; the static text of the library that is loaded. */
PN_API const char *pn_version(void);

/* "ok", "invalid", "not_found", ...: a short constant name, never NULL. */
PN_API const char *pn_status_name(pn_status status);

typedef struct pn_library pn_library;

typedef struct pn_library_options {
    size_t struct_bytes;
    unsigned n_threads; /* 0: one a core this process may run on */
    /* Messages of the library for whoever listens; NULL: silence. level 0 debug, 1 info, 2 warning, 3 error. */
    void (*log)(void *context, int level, const char *message);
    void *log_context;
} pn_library_options;
#define PN_LIBRARY_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(pn_library_options), 0, NULL, NULL                                                  \
    }

/* Start worker threads and the picture decoder. One per process is usual. options NULL: the defaults.
 * It must outlive what is opened with it. */
PN_API pn_status pn_library_open(const pn_library_options *options, pn_library **out,
                                 pn_error *err);
PN_API void pn_library_close(pn_library *library);

/* The arithmetic this processor gets: "portable"; "avx2", "avx512", "avx512bf16", "amx"; "neon", "dotprod", "i8mm" (the
 * environment's PN_CPU caps it). */
PN_API const char *pn_library_cpu(const pn_library *library);

/* ---------------------------------------------------------------- 2 model */

typedef struct pn_model pn_model;

typedef struct pn_model_options {
    size_t struct_bytes;
    const char *preprocess; /* "crop", "pad", "squash"; NULL: the model's own */
    /* How weights are kept and products computed: "exact" (NULL: this; as the file has them, in f32 arithmetic), "f32", "f16"
     * (weights rounded), "bf16" (weights and the rows of the blocks' products rounded, sums in f32), "int8" (products in 8
     * bits). Vectors of one model compare with each other at any of them. */
    const char *precision;
    /* A folder where prepared weights are kept, so that the next opening takes a moment. NULL: $PENNON_CACHE, else
     * $XDG_CACHE_HOME/pennon, else ~/.cache/pennon; "": none. Weights of less than 32 MiB are never kept. */
    const char *cache;
    /* Not 0: large JPEGs are decoded in full. 0: at the half, quarter or eighth whose shorter side still has twice the pixels
     * that the model looks at, which takes a fraction of the time and changes vectors a little (docs/MODELS.md). */
    int exact_decode;

    /* The rest is for "roboflow:VERSION" alone, of which precision and cache have no meaning. */
    const char *url; /* of the server, without parameters; NULL: https://infer.roboflow.com */
    /* Sent to the scheme, host and port of url and nowhere else; in no message. NULL: none. */
    const char *api_key;
    int allow_http; /* not 0: http to another machine, too, where everybody on the way can read along */
    uint32_t n_requests;  /* at a time, at most 32; 0: 4 */
    uint32_t deadline_ms; /* for a request with all its attempts, at most an hour; 0: a minute */
    uint32_t dim; /* of the vectors, where a table says it; 0: opening asks the server for one */
    int (*cancelled)(void *context); /* polled while opening waits for the server; nonzero: stop */
    void *context;
} pn_model_options;
#define PN_MODEL_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_model_options), NULL, NULL, NULL, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL          \
    }

/*
 * spec: a directory with safetensors, or a Hugging Face name looked up in the local cache: nothing is downloaded. Or
 * "roboflow:VERSION", as in "roboflow:ViT-B-16": a server computes it, one that speaks Roboflow Inference's CLIP API. Then pictures and
 * texts are sent there, eight a request. A request that fails in passing (no connection, 408, 429, 5xx) is tried again, up to 3 times for
 * a question and 6 for ingestion, with growing pauses or what Retry-After says; after three given up in a row the server is left alone
 * for 5 s, growing to a minute, while everything that needs it fails at once.
 * Errors: NOT_FOUND, CORRUPT (names the tensor), UNSUPPORTED (names the architecture or setting), INVALID (an option); of a server
 *         also IO, here and wherever the model is used (what went wrong, with the server's words), INVALID (it refuses the input).
 */
PN_API pn_status pn_model_open(pn_library *library, const char *spec,
                               const pn_model_options *options, pn_model **out, pn_error *err);
PN_API void pn_model_close(pn_model *model);

typedef struct pn_model_info {
    const char *name; /* as given to open */
    const char *
        directory; /* where it was found; "" of a server's, as are the other texts but for the next one */
    const char *layout;       /* "huggingface", "open_clip", "openai", "roboflow" */
    const char *weights_type; /* "f32", "f16", "bf16" */
    const char *activation;
    const char *preprocess; /* "crop", "pad", "squash"; "server" */
    const char
        *identity; /* fingerprint of model and preprocessing: vectors of equal identity compare */
    uint32_t dim;  /* floats in a vector */
    uint32_t context; /* tokens in a text; 0 of a server's, as are the other numbers */
    uint32_t image_width, image_height;
    uint64_t n_parameters;
    uint64_t weights_bytes;
    const char *precision; /* as it was opened */
} pn_model_info;
/* The texts live with the model. */
PN_API void pn_model_get_info(const pn_model *model, pn_model_info *out);

typedef enum pn_server_state {
    PN_SERVER_ASKED = 0,      /* all is well */
    PN_SERVER_LEFT_ALONE = 1, /* it has failed three times in a row */
    PN_SERVER_TRIED = 2       /* one request is on its way, to see whether it is back */
} pn_server_state;

/* How the server of a model does, since it was opened. */
typedef struct pn_model_server {
    size_t struct_bytes;
    pn_server_state state;
    double retry_seconds; /* how long it is still left alone */
    uint64_t n_requests;  /* sent, each attempt */
    uint64_t n_retries;   /* of them, second and later attempts */
    uint64_t n_failures;  /* given up, or refused by the server */
    uint64_t n_rejected;  /* not made, because the server is left alone */
    double seconds;       /* that all requests took together */
} pn_model_server;
#define PN_MODEL_SERVER_INIT                                                                       \
    {                                                                                              \
        sizeof(pn_model_server), PN_SERVER_ASKED, 0.0, 0, 0, 0, 0, 0.0                             \
    }
/* UNSUPPORTED: a model of this machine. */
PN_API pn_status pn_model_get_server(const pn_model *model, pn_model_server *out, pn_error *err);

/* out [dim], unit length. */
PN_API pn_status pn_model_embed_text(pn_model *model, const char *text, float *out, pn_error *err);
/* The bytes of a picture file; name is for messages. out [dim], unit length. */
PN_API pn_status pn_model_embed_image(pn_model *model, const void *bytes, size_t n_bytes,
                                      const char *name, float *out, pn_error *err);
/* Token ids of a text, cut to the model's context: *n_ids of at most max_ids (>= context) written. UNSUPPORTED: a server's. */
PN_API pn_status pn_model_tokenize(pn_model *model, const char *text, size_t text_bytes,
                                   uint32_t *ids, size_t max_ids, size_t *n_ids, pn_error *err);
/* The tensor a picture becomes: out [3][image_height][image_width]. UNSUPPORTED: a server's. */
PN_API pn_status pn_model_preprocess(pn_model *model, const void *bytes, size_t n_bytes,
                                     const char *name, float *out, pn_error *err);

/* Everything about an open model as JSON: {"name","directory","family","layout","weights_type","precision","parameters",
 * "weights_bytes","dim","image":{...},"vision":{...},"text":{...},"preprocess","tokenizer":{...},"fingerprint","identity",
 * "files":[{"name","bytes"}]}. Freed with pn_memory_free(). UNSUPPORTED: a server's. */
PN_API pn_status pn_model_describe_json(const pn_model *model, char **out, pn_error *err);

/* The models of the local hub cache and of n_folders folders (each a model, or a folder with models right in it), as JSON:
 * [{"spec","directory","where":"cache"|"folder","family","layout","dim","weights_bytes","problem"}]. "spec" is for
 * pn_model_open(); "problem" says why that would fail. Only headers are read. NOT_FOUND (a folder). Freed with pn_memory_free(). */
PN_API pn_status pn_models_list_json(const char *const *folders, size_t n_folders, char **out,
                                     pn_error *err);

typedef struct pn_model_pull_progress {
    const char *file;
    size_t file_i, n_files;
    uint64_t done_bytes, total_bytes; /* of all files */
    uint64_t came_bytes;              /* by this call, without what was there before */
    double seconds;
} pn_model_pull_progress;

typedef struct pn_model_pull_options {
    size_t struct_bytes;
    const char *base;     /* the hub's URL; NULL: https://huggingface.co */
    const char *revision; /* branch, tag or commit; NULL: "main" */
    const char *
        directory; /* a folder for the files; NULL: the local hub cache, where pn_model_open() finds the name */
    const char
        *token; /* sent to the base's own scheme, host and port and nowhere else; NULL: none */
    void (*progress)(void *context, const pn_model_pull_progress *progress);
    int (*cancelled)(void *context); /* polled at least once a second; nonzero: stop */
    void *context;
} pn_model_pull_options;
#define PN_MODEL_PULL_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(pn_model_pull_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL                    \
    }

/*
 * Download what pennon reads of the repository "owner/model": safetensors, configuration, tokenizer, preprocessing. Beside models of a
 * server this is the only function of the library that goes to the network, and nothing calls it but you. Sizes and digests (SHA-256; git's for small files)
 * are checked before a file gets its name. When it fails what has come stays, and the next call goes on from there.
 *
 * *directory  the folder to open; freed with pn_memory_free()
 *
 * Errors: INVALID (name, revision, URL), NOT_FOUND (no such model, or none with safetensors), CORRUPT (size, digest, a file name
 *         that leaves the folder), CONFLICT (the same pull is running elsewhere), CANCELLED, LIMIT, IO.
 */
PN_API pn_status pn_model_pull(const char *name, const pn_model_pull_options *options,
                               char **directory, pn_error *err);

typedef struct pn_model_verify_options {
    size_t struct_bytes;
    const char *precision; /* only this one; NULL: all, and golden vectors at "exact" */
    const char *
        golden; /* file of golden vectors; NULL: pennon-golden.json of the model, when it is there */
    uint32_t n_pictures; /* 20 to 10000; 0: 200, or all of the folder */
    const char *cache;   /* as in pn_model_options */
    void (*progress)(void *context, const char *precision); /* before each */
    int (*cancelled)(void *context);
    void *context;
    const char *pictures; /* a folder of your own; NULL: generated ones */
} pn_model_verify_options;
#define PN_MODEL_VERIFY_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(pn_model_verify_options), NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL               \
    }

/*
 * Does this model compute here what it should? (a) Pictures, generated or your own, and fixed texts at each precision against f32: the least cosine,
 * and the share of the 10 nearest pictures that stay. (b) Golden vectors, computed elsewhere and kept beside the model: when they
 * differ, the message says what it looks like (order of the channels, filter, normalisation, tokenizer, weights).
 *
 * *report  JSON, freed with pn_memory_free(); may be NULL. Unlike other outputs it is also written when the status is CORRUPT
 *          because a check failed: {"passed","problem","pictures","texts","arithmetic":[{"precision","image_cosine",
 *          "text_cosine","recall_at_10","needs_cosine","needs_recall","images_per_second","passed"}],
 *          "golden":null|{"pictures","texts","image_cosine","text_cosine","passed","problem"}}. NULL on every other failure.
 *
 * Errors: CORRUPT (a check failed; the message is the first one's); those of pn_model_open(); INVALID (an option), CANCELLED.
 * Cost:   n_pictures pictures for f32 and for each precision: a minute for ViT-B/32 on two cores.
 */
PN_API pn_status pn_model_verify(pn_library *library, const char *spec,
                                 const pn_model_verify_options *options, char **report,
                                 pn_error *err);

/* ---------------------------------------------------------------- 3 table */

typedef struct pn_table pn_table;

/* A folder that holds a Lance dataset ("shop.lance"). NOT_FOUND, CORRUPT, UNSUPPORTED, INVALID (no vector column). */
PN_API pn_status pn_table_open(pn_library *library, const char *path, pn_table **out,
                               pn_error *err);

/* As it was at one of its versions (pn_table_list_versions), whatever is committed later: to read, INVALID to change.
 * Also when the newest version is damaged. NOT_FOUND when there is no such version. */
PN_API pn_status pn_table_open_version(pn_library *library, const char *path, uint64_t version,
                                       pn_table **out, pn_error *err);

/* Open it, or make an empty one for the vectors of this model. INVALID when the table's vectors come from another model
 * or preprocessing; the message says how to go on. */
PN_API pn_status pn_table_open_or_create(pn_library *library, const char *path,
                                         const pn_model *model, pn_table **out, pn_error *err);
PN_API void pn_table_close(pn_table *table);

/* Is this the model whose vectors the table holds? INVALID with both identities and the way out when not; a table without
 * a recorded identity (written by another program) passes when the dimensions agree. */
PN_API pn_status pn_table_check_model(pn_table *table, const pn_model *model, pn_error *err);

/* How many seconds a read (a search, rows, counts) may be answered from a version after it was seen to be the newest: 0, as every table is
 * opened, looks for a newer one each time, which is one look at the file system. What this table's own handle commits is seen at once, and
 * ingests always decide on the newest version. INVALID: negative, or over 86400. */
PN_API pn_status pn_table_set_read_consistency_interval(pn_table *table, double seconds,
                                                        pn_error *err);

/*
 * How many GB (2^30 bytes) of the table's indexes and vectors lie in memory. They are mapped files: with 0, as every table is opened, what was
 * read stays as long as the system has room for it. With a size, what searches read first (codes and lists of the indexes, then their 8-bit copies, then vectors)
 * is read into memory in the background, now and when the table changes, and what is read beyond the size is let go again, from the memory of
 * the machine as well: searches of a size that is too small wait for the disk. While a search runs it may be passed for some
 * milliseconds. INVALID: negative, or over 1048576.
 */
PN_API pn_status pn_table_set_index_cache_size(pn_table *table, double gigabytes, pn_error *err);

/*
 * A table that is written to row by row stays one of few files: inserts fold the smallest as they come, pn_table_upkeep() the rest. A file
 * of half of this many MB (2^20 bytes) or more is left alone, and small neighbours become one as soon as they amount to it: 1024 as every
 * table is opened. 0: nothing is folded unasked. INVALID: negative, or over 1048576.
 */
PN_API pn_status pn_table_set_compaction_size(pn_table *table, double megabytes, pn_error *err);

typedef struct pn_upkeep_options {
    size_t struct_bytes;
    int all; /* fold all small neighbours, instead of what is due */
    /* Versions older than this go, but for the newest 100 and those that have a tag or are open in this program. Of thousands made within
     * hours only the last of each minute stays, after two minutes. 0: all versions stay. */
    double retention_days;
    int (*cancelled)(void *context); /* polled; nonzero: stop, and keep what is done. May be NULL */
    void *context;
} pn_upkeep_options;
#define PN_UPKEEP_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(pn_upkeep_options), 0, 7.0, 0, 0                                                    \
    }

typedef struct pn_upkeep_report {
    size_t struct_bytes;
    uint64_t n_folded, n_made; /* fragments that went, and those that came for them */
    uint64_t n_versions_removed, n_files_removed, bytes_removed;
} pn_upkeep_report;
#define PN_UPKEEP_REPORT_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_upkeep_report), 0, 0, 0, 0, 0                                                    \
    }

/* What is due: cheap to call every second while rows come. Searches and writers go on meanwhile, and indexes cover what they did.
 * options and out may be NULL. Errors: INVALID, CANCELLED, IO, and UNSUPPORTED: a column that is not written, by name. */
PN_API pn_status pn_table_upkeep(pn_table *table, const pn_upkeep_options *options,
                                 pn_upkeep_report *out, pn_error *err);

/* What a table is made of, and what upkeep did since it was opened here. */
typedef struct pn_upkeep_status {
    size_t struct_bytes;
    uint64_t n_versions, n_fragments, n_small;    /* small: of fewer than 1000 rows */
    uint64_t n_indexes, index_bytes, n_uncovered; /* rows that no index covers */
    uint64_t n_folds, n_versions_removed, n_failures;
    int failed; /* the last time */
    char last_error[512];
} pn_upkeep_status;
#define PN_UPKEEP_STATUS_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_upkeep_status), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                                    \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
PN_API pn_status pn_table_get_upkeep_status(pn_table *table, pn_upkeep_status *out, pn_error *err);

typedef struct pn_table_info {
    char model[256];     /* as recorded; empty when unknown */
    char preprocess[16]; /* as recorded; empty when unknown */
    char identity[128];  /* as recorded; empty when unknown */
    uint64_t version;
    int64_t timestamp_ms; /* of this version's commit, since 1970 */
    uint64_t n_rows, n_fragments, data_bytes;
    uint32_t dim;
} pn_table_info;
PN_API pn_status pn_table_get_info(pn_table *table, pn_table_info *out, pn_error *err);

typedef struct pn_version_entry {
    uint64_t version;
    int64_t timestamp_ms;
    uint64_t n_rows;
    char operation[32]; /* "append", ...; "damaged": it cannot be read, and time and rows are 0 */
} pn_version_entry;
/* Ascending; *out is freed with pn_memory_free(). */
PN_API pn_status pn_table_list_versions(pn_table *table, pn_version_entry **out, size_t *n,
                                        pn_error *err);

/* The columns as JSON: [{"name","type","nullable"},...]; freed with pn_memory_free(). */
PN_API pn_status pn_table_schema_json(pn_table *table, char **out, pn_error *err);

/* What a search page can filter by: the metadata keys of the table with their most frequent values (at most max_values each)
 * or, for keys whose values are all numbers, their range, as JSON:
 * [{"key":"category","kind":"text","n_values":7,"values":[{"value":"footwear","count":63},...]},
 *  {"key":"price","kind":"number","min":4.5,"max":249}]
 * Keys by descending number of rows. Freed with pn_memory_free(). Cost: one scan of the metadata, kept for the version. */
PN_API pn_status pn_table_facets_json(pn_table *table, size_t max_values, char **out,
                                      pn_error *err);

PN_API void pn_memory_free(void *memory);

/* ---------------------------------------------------------------- 4 ingest */

typedef struct pn_ingest_progress {
    uint64_t n_found; /* work items seen so far; final once sources_done */
    int sources_done;
    uint64_t n_added, n_updated, n_unchanged, n_failed;
    uint64_t n_committed; /* added or updated rows that no crash can lose any more */
    uint64_t bytes_read;
    double seconds;
} pn_ingest_progress;

typedef struct pn_ingest_options {
    size_t struct_bytes;
    uint32_t thumbnail_px; /* longer side; 0: no thumbnails */
    uint32_t commit_rows;  /* commit after this many rows; 0: 1024 */
    double commit_seconds; /* or this much time, whichever comes first; 0: 10 */
    const char *
        path_column; /* of CSV/JSONL lists; NULL: path, image_path, image, file, filename, first found */
    const char *
        timestamp_column; /* metadata column with the row's time; NULL: timestamp, date, created_at when present */
    const char *base_folder; /* that relative paths in a list start from; NULL: the list's folder */
    unsigned n_decoders;     /* 0: as many as the library has threads */
    /* Called now and then from one thread, and once at the end. */
    void (*progress)(void *context, const pn_ingest_progress *progress);
    /* One call for each file that was not taken, with the reason; from any thread, one at a time. */
    void (*failed)(void *context, const char *path, pn_status status, const char *reason);
    void *context;
    /* Polled; nonzero: stop soon, keeping what was committed. */
    int (*cancelled)(void *context);
    /* Pictures outside of this folder are refused, whatever a list or a symbolic link says; NULL: none are. */
    const char *root_folder;
} pn_ingest_options;
#define PN_INGEST_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(pn_ingest_options), 320, 0, 0.0, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL  \
    }

/*
 * Take pictures into the table: each source is a folder (walked), a picture file, a .csv or .jsonl list with a path column
 * and any metadata columns, or "-" (paths, one a line, from standard input; lines that begin with { are JSON rows of a list).
 * A picture is named by its path: the same path with the same content and metadata is skipped, with another is replaced.
 * A bad file is reported and passed over.
 *
 * Errors: INVALID (options, the wrong model for the table), NOT_FOUND (a source), IO (the disk is full: what was committed
 *         stays), CANCELLED (stopped; *out is filled). A failed picture is no error.
 */
PN_API pn_status pn_table_ingest(pn_table *table, pn_model *model, const char *const *sources,
                                 size_t n_sources, const pn_ingest_options *options,
                                 pn_ingest_progress *out, pn_error *err);

/* One picture whose bytes are in memory (an upload). metadata: n pairs of key and value. The path names it; *id its row.
 * Of the options thumbnail_px counts, and progress is called once when it is done: it was added, updated or unchanged. */
typedef struct pn_pair {
    const char *key;
    const char *value;
} pn_pair;
PN_API pn_status pn_table_ingest_bytes(pn_table *table, pn_model *model, const char *path,
                                       const void *bytes, size_t n_bytes, const pn_pair *metadata,
                                       size_t n_metadata, const pn_ingest_options *options,
                                       int64_t *id, pn_error *err);

/* ---------------------------------------------------------------- 5 search */

typedef enum pn_term_kind {
    PN_TERM_TEXT = 0,
    PN_TERM_IMAGE = 1,
    PN_TERM_ID = 2,
    PN_TERM_VECTOR = 3
} pn_term_kind;

/* One part of a question. The query vector is the unit vector of the sum of weight * unit vector over the terms. */
typedef struct pn_query_term {
    size_t struct_bytes;
    pn_term_kind kind;
    double weight;     /* may be negative: away from this. Not 0 */
    const char *text;  /* TEXT */
    const void *image; /* IMAGE: the bytes of a picture file */
    size_t image_bytes;
    const char *image_name; /* IMAGE: for messages; may be NULL */
    int64_t id;             /* ID: more like this row, which is itself left out of the answer */
    const float *vector;    /* VECTOR: need not be of unit length */
    size_t vector_dim;
} pn_query_term;
#define PN_QUERY_TERM_INIT                                                                         \
    {                                                                                              \
        sizeof(pn_query_term), PN_TERM_TEXT, 1.0, NULL, NULL, 0, NULL, 0, NULL, 0                  \
    }

typedef struct pn_query {
    size_t struct_bytes;
    const pn_query_term *terms; /* n_terms of 1 to 32 */
    size_t n_terms;
    const char *where; /* SQL-like predicate, applied before the search; NULL or empty: every row */
    uint32_t k;        /* 1 to 10000; 0: 10 */
    int include_vectors;
    int (*cancelled)(void *context);
    void *context;
    int exact; /* look at every row that passes, whatever indexes there are */
    double
        min_recall; /* of the k nearest so many at least, on average, 0.5 to 1; 0: 0.95; 1: exact */
    uint32_t effort; /* partitions of each index to look at, instead of min_recall; 0: as it asks */
    uint32_t refine; /* 1 to 100: look for so many times k, of which the nearest come back; 0: 1 */
} pn_query;
#define PN_QUERY_INIT                                                                              \
    {                                                                                              \
        sizeof(pn_query), NULL, 0, NULL, 0, 0, NULL, NULL, 0, 0.0, 0, 0                            \
    }

typedef struct pn_results pn_results;

/*
 * The k best rows: k whenever k rows pass `where`. Order: distance (1 - cosine), then row address: total and repeatable.
 * model may be NULL when no term needs one (ID, VECTOR).
 * Errors: INVALID (the filter: three lines with a caret; the weights cancel each other out; another model's vectors),
 *         NOT_FOUND (an id), CORRUPT or UNSUPPORTED (the picture), LIMIT, CANCELLED.
 */
PN_API pn_status pn_table_search(pn_table *table, pn_model *model, const pn_query *query,
                                 pn_results **out, pn_error *err);

/* ---------------------------------------------------------------- 6 results */

PN_API void pn_results_free(pn_results *results);
PN_API size_t pn_results_count(const pn_results *results);

typedef struct pn_result {
    int64_t id;           /* the id column; the row address where the table has none of integers */
    uint64_t row_addr;    /* fragment << 32 | offset, in the version that was searched */
    float distance;       /* 1 - cosine, in [0, 2]; 0 for rows that were only listed */
    float score;          /* 1 - distance: the cosine; more is better */
    const char *path;     /* image_path; "" where the table has none */
    int64_t timestamp_ms; /* INT64_MIN where the table has none */
    const pn_pair *metadata;
    size_t n_metadata;
    int has_thumbnail;
    const float *vector; /* when asked for; otherwise NULL */
    uint32_t vector_dim;
} pn_result;
/* i < pn_results_count(). Pointers live with the results. */
PN_API void pn_results_get(const pn_results *results, size_t i, pn_result *out);

typedef struct pn_search_stats {
    uint64_t table_version, n_rows, n_matching, n_scanned;
    const char *plan;
    double embed_seconds, filter_seconds, scan_seconds, fetch_seconds, total_seconds;
} pn_search_stats;
PN_API void pn_results_get_stats(const pn_results *results, pn_search_stats *out);

/* How hard the search looked. */
typedef struct pn_search_effort {
    size_t struct_bytes;
    double
        recall; /* expected share of the k nearest; 1: exact; 0: not known (an effort below all measured ones) */
    uint64_t n_partitions; /* looked at, in all indexes */
    size_t n_indexes;      /* asked; 0: every row was looked at */
} pn_search_effort;
#define PN_SEARCH_EFFORT_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_search_effort), 0.0, 0, 0                                                        \
    }
/* INVALID: struct_bytes is not set. */
PN_API pn_status pn_results_get_effort(const pn_results *results, pn_search_effort *out,
                                       pn_error *err);

/* ---------------------------------------------------------------- 7 rows */

/* The rows of these ids, in order. NOT_FOUND names the id. */
PN_API pn_status pn_table_get(pn_table *table, const int64_t *ids, size_t n, int include_vectors,
                              pn_results **out, pn_error *err);
/* Rows in table order that pass `where` (NULL: all), from the offset-th, at most limit. */
PN_API pn_status pn_table_list(pn_table *table, const char *where, uint64_t offset, uint32_t limit,
                               int include_vectors, pn_results **out, pn_error *err);
PN_API pn_status pn_table_count(pn_table *table, const char *where, uint64_t *out, pn_error *err);
/* The row's thumbnail (JPEG); *bytes freed with pn_memory_free(). NOT_FOUND: no such row, or it has none. */
PN_API pn_status pn_table_thumbnail(pn_table *table, int64_t id, unsigned char **bytes,
                                    size_t *n_bytes, pn_error *err);
/* Delete by filter, or by ids. *n_deleted may be NULL. Deleting an id that is not there is no error; UNSUPPORTED: the table has no column
 * "id" of integers. */
PN_API pn_status pn_table_delete_where(pn_table *table, const char *where, uint64_t *n_deleted,
                                       pn_error *err);
PN_API pn_status pn_table_delete_ids(pn_table *table, const int64_t *ids, size_t n,
                                     uint64_t *n_deleted, pn_error *err);

/* ---------------------------------------------------------------- 8 index */

/*
 * An index is a file in the folder _pennon/index of the table. It makes searches of large tables fast, and nothing depends on it: rows
 * that came after it are scanned, deleted ones are never returned, and without any index every search is exact. Several share a table: new
 * rows get a small one, which a later one takes over. Where the largest is of low memory, so are those that come later, until all rows
 * are indexed without it.
 */
typedef struct pn_index_options {
    size_t struct_bytes;
    int all;               /* one index of the whole table, instead of what is due */
    int low_memory;        /* 80 bytes a row instead of 600: searches read the vectors; see above */
    uint32_t n_partitions; /* 0: four times the square root of the number of rows */
    const char *const
        *texts;     /* [n_texts] texts as your customers type them; NULL: typical ones of a shop */
    size_t n_texts; /* 20 to 4096 */
    /* From the calling thread; stage is a constant, done goes from 0 to 1 within it. */
    void (*progress)(void *context, const char *stage, double done);
    int (*cancelled)(void *context); /* polled with each progress; nonzero: stop */
    void *context;
    int one_thread; /* leave the other processors alone */
    int if_due; /* nothing while the table is small and few rows came: what a chore in the background asks for */
    /* An index in LanceDB's own format (IVF_PQ, cosine) of all rows, committed as a version of the table: LanceDB searches by it,
     * too, and keeps it up. n_partitions 0: one for 1,024 rows. Not with the others above but one_thread. */
    int lancedb;
} pn_index_options;
#define PN_INDEX_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_index_options), 0, 0, 0, NULL, 0, NULL, NULL, NULL, 0, 0, 0                      \
    }

typedef struct pn_index_report {
    size_t struct_bytes;
    uint64_t n_rows;     /* of the index that was built; 0: there was nothing to do */
    uint64_t n_replaced; /* indexes that it took over */
    double seconds;
} pn_index_report;
#define PN_INDEX_REPORT_INIT                                                                       \
    {                                                                                              \
        sizeof(pn_index_report), 0, 0, 0.0                                                         \
    }

/*
 * Build an index of the rows that have none (at least 1000), together with older ones that are not much larger. Searches go on meanwhile.
 *
 * model  embeds the texts that text searches are calibrated with, once for a table: they are kept beside its indexes. NULL:
 *        those that are kept; when there are none the recall of text searches is not promised
 * out    may be NULL
 *
 * Errors:  CONFLICT (another one is being built), INVALID (options, another model, a table opened at
 *          a version), LIMIT (vectors of over 2,048 numbers), IO (the disk is full: nothing is left of it), CANCELLED, and those of the
 *          model.
 * Cost:    40 microseconds a row of 512 numbers, on one core.
 */
PN_API pn_status pn_table_index_build(pn_table *table, pn_model *model,
                                      const pn_index_options *options, pn_index_report *out,
                                      pn_error *err);

/* {"covered","uncovered","due","texts","damaged","damage","indexes":[{"file","bytes","table_version","rows","rows_built",
 * "partitions","calibrated_for_texts","low_memory"}],"lancedb":[{"name","kind","distance","rows","partitions","bytes"} or
 * {"name","refused"}]}; freed with pn_memory_free(). lancedb: indexes that LanceDB made; rows: that one answers for and none of
 * pennon's does; refused: why it is not used. */
PN_API pn_status pn_table_index_status_json(pn_table *table, char **out, pn_error *err);
/* Read all indexes whole and compare their hashes. CORRUPT names the first that is damaged: build it again. */
PN_API pn_status pn_table_index_check(pn_table *table, pn_error *err);
/* Remove all indexes: searches are exact. *n_dropped may be NULL. CONFLICT: one is being built. */
PN_API pn_status pn_table_index_drop(pn_table *table, size_t *n_dropped, pn_error *err);
/* Commit a version without indexes of LanceDB's format of the vectors, whoever built them. *n_dropped may be NULL. */
PN_API pn_status pn_table_index_drop_lancedb(pn_table *table, size_t *n_dropped, pn_error *err);

/* ---------------------------------------------------------------- 9 any table */

/* Lance tables as such, by their folder: also those without vectors. version 0: the newest. Errors of all: NOT_FOUND (the table, or the
 * version), CORRUPT, UNSUPPORTED, IO. */

/* What one version is made of, as JSON: {"table","version","timestamp_ms","operation","rows","deleted_rows","fragments","data_files",
 * "deletion_files","data_bytes","data_format","writer","writer_version","reader_flags","writer_flags","columns"}; the last is their
 * number. Freed with pn_memory_free(). */
PN_API pn_status pn_lance_info_json(const char *path, uint64_t version, char **out, pn_error *err);

/* The columns with all that is below them, and the table's metadata, as JSON: {"columns":[{"name","type","nullable","children"?:[...],
 * "dictionary"?,"metadata"?},...],"metadata":{...}}. Freed with pn_memory_free(). */
PN_API pn_status pn_lance_schema_json(const char *path, uint64_t version, char **out,
                                      pn_error *err);

/* The versions, ascending, as JSON: [{"version","timestamp_ms","operation","rows","problem":null|"..."}]; the three in the middle are null
 * where a problem says why that version cannot be read. Freed with pn_memory_free(). */
PN_API pn_status pn_lance_versions_json(const char *path, char **out, pn_error *err);

/* How the rows are spread, and what takes how much room, as JSON: {"version","rows","deleted_rows","versions",
 * "fragments":{"count","small","rows":{"min","max","mean","p25","p50","p75","p99"}},"columns":[{"name","type","bytes"},...],
 * "data_bytes","disk_bytes":{"data","deletions","versions","transactions","indices","other"}}. A fragment is small below 100,000 rows.
 * Data bytes are this version's, disk bytes those of the folder with all its versions. Freed with pn_memory_free(). */
PN_API pn_status pn_lance_stats_json(const char *path, uint64_t version, char **out, pn_error *err);

/* Rows as text: NDJSON, an object a line; CSV (RFC 4180) with a line of names; a NumPy file, float32[rows][dim], of one column of vectors.
 * What is written of a table reads back as an equal table. Numbers are decimals that read back the same, NaN and infinities are the texts
 * "NaN", "Infinity", "-Infinity", bytes are base64, times ISO 8601 in UTC, decimals texts. A map is an object, or pairs where it has a key twice. In
 * CSV a null is nothing, an empty text is "", and what has parts (a vector) is JSON. In a NumPy file a null vector is a row of NaN.
 * An import takes one of float16 and float64, too. */
typedef enum pn_format { PN_FORMAT_NDJSON = 0, PN_FORMAT_CSV = 1, PN_FORMAT_NPY = 2 } pn_format;

typedef struct pn_export_options {
    size_t struct_bytes;
    pn_format format;
    uint64_t version;           /* 0: the newest */
    const char *where;          /* only rows that pass; NULL: all */
    uint64_t limit;             /* at most so many; 0: all */
    const char *const *columns; /* n_columns of them; NULL: all */
    size_t n_columns;
    const char *vector_column; /* of a NumPy file; NULL: "vector" */
    /* Takes the bytes, in order; a status other than PN_OK ends the export with it. */
    pn_status (*write)(void *context, const void *bytes, size_t n, pn_error *err);
    /* Beside a NumPy file: the other columns as NDJSON; NULL: they are left out. */
    pn_status (*write_rest)(void *context, const void *bytes, size_t n, pn_error *err);
    void (*progress)(void *context, uint64_t n_rows, uint64_t n_all); /* n_all 0: not known */
    int (*cancelled)(void *context);                                  /* polled; nonzero: stop */
    void *context;
} pn_export_options;
#define PN_EXPORT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(pn_export_options), PN_FORMAT_NDJSON, 0, NULL, 0, NULL, 0, NULL, NULL, NULL, NULL,  \
            NULL, NULL                                                                             \
    }

/* *n_rows (may be NULL) is filled on failure, too. Memory: a batch of rows and its text, however long the table.
 * Errors: INVALID (an option, a column, the filter; a text that is not UTF-8), UNSUPPORTED (a struct with two members of one name),
 *         CANCELLED; what write returns. */
PN_API pn_status pn_lance_export(const char *path, const pn_export_options *options,
                                 uint64_t *n_rows, pn_error *err);

typedef enum pn_create_mode {
    PN_MODE_APPEND = 0,   /* to a table that is there */
    PN_MODE_CREATE = 1,   /* a new one; EXISTS when there is one */
    PN_MODE_EXIST_OK = 2, /* a new one, or append to the one that is there */
    PN_MODE_OVERWRITE =
        3 /* these rows, with columns of their own, in the place of what is there; its versions stay */
} pn_create_mode;

/* What becomes of a row whose vector has another length than the column's, a NaN, or is null where that is not allowed. */
typedef enum pn_bad_vectors {
    PN_BAD_VECTORS_ERROR = 0, /* the import fails */
    PN_BAD_VECTORS_DROP = 1,  /* the row is left out */
    PN_BAD_VECTORS_FILL = 2,  /* all numbers of the vector are fill_value */
    PN_BAD_VECTORS_NULL = 3   /* the vector is null; INVALID where the column may not be */
} pn_bad_vectors;

typedef struct pn_import_options {
    size_t struct_bytes;
    pn_format format;
    pn_create_mode mode;
    /* The columns of a table that is made, as pn_lance_schema_json() writes them. NULL: guessed from the first 4 MiB: whole numbers are int64,
     * others double, arrays lists, objects of texts map<string, string>, other objects structs, the vector column fixed_size_list<float>. */
    const char *schema_json;
    const char *vector_column; /* of a NumPy file, and when guessing; NULL: "vector" */
    pn_bad_vectors on_bad_vectors;
    double fill_value;
    /* Up to n bytes into out; *n_read 0 is the end. A status other than PN_OK ends the import with it. */
    pn_status (*read)(void *context, void *out, size_t n, size_t *n_read, pn_error *err);
    /* Beside a NumPy file: the other columns as NDJSON, as many rows; NULL: none. */
    pn_status (*read_rest)(void *context, void *out, size_t n, size_t *n_read, pn_error *err);
    void (*progress)(void *context, uint64_t n_rows, uint64_t n_bytes); /* so far */
    int (*cancelled)(void *context);                                    /* polled; nonzero: stop */
    void *context;
    /*
     * Upsert: instead of being appended, a row takes the place of the rows that have the same values in these n_keys columns (numbers,
     * texts, bytes, times, decimals, booleans), and is added when there is none. NULL: append. The columns that come are those of the CSV's
     * first line or of the first 4 MiB of NDJSON; others keep their value, and are null in added rows. A key with a null matches nothing.
     */
    const char *const *keys;
    size_t n_keys;
    int leave_matched;        /* not 0: rows whose key is in the table change nothing */
    int leave_unmatched;      /* not 0: rows whose key is not in the table are not added */
    int delete_missing;       /* not 0: rows of the table whose key did not come are deleted */
    const char *delete_where; /* of them only those that pass; NULL: all */
    /* Of a table that is made: the version of its data files, "2.0", "2.1", "2.2" or "2.3" (which LanceDB calls unstable); NULL: "2.2". */
    const char *data_format;
} pn_import_options;
#define PN_IMPORT_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(pn_import_options), PN_FORMAT_NDJSON, PN_MODE_APPEND, NULL, NULL,                   \
            PN_BAD_VECTORS_ERROR, 0.0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL  \
    }

typedef struct pn_import_report {
    size_t struct_bytes;
    uint64_t n_rows;                           /* added; of an upsert: that came */
    uint64_t n_bad_vectors;                    /* dropped, filled, or made null */
    uint64_t n_dropped;                        /* rows */
    uint64_t version;                          /* of the table that has the rows */
    uint64_t n_inserted, n_updated, n_deleted; /* rows of the table, by an upsert */
} pn_import_report;
#define PN_IMPORT_REPORT_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_import_report), 0, 0, 0, 0, 0, 0, 0                                              \
    }

/* Rows from text into a table. They become visible with one commit, all or none. report may be NULL. Memory: as of an export; an upsert
 * keeps the keys that come, and 64 bytes for each.
 * Errors: NOT_FOUND (no table to append to), EXISTS, INVALID (an option, the schema, a row: line, column and reason; a key that comes
 *         twice, by name), UNSUPPORTED (a column that is not written, or is no key, by name), CONFLICT (another writer replaced the table),
 *         CANCELLED, LIMIT; what read returns. A table that was made may stay, without rows, when a row fails. */
PN_API pn_status pn_lance_import(const char *path, const pn_import_options *options,
                                 pn_import_report *report, pn_error *err);

typedef struct pn_check_options {
    size_t struct_bytes;
    uint64_t version; /* only this one; 0: all */
    int newest_only;  /* not 0: only the newest */
    int record; /* not 0: when nothing is found, keep checksums of all files beside the table, for later checks */
    void (*progress)(void *context, uint64_t n_files, uint64_t n_bytes); /* so far */
    int (*cancelled)(void *context);                                     /* polled; nonzero: stop */
    void *context;
} pn_check_options;
#define PN_CHECK_OPTIONS_INIT                                                                      \
    {                                                                                              \
        sizeof(pn_check_options), 0, 0, 0, NULL, NULL, NULL                                        \
    }

/*
 * Is anything damaged? Of every version: its manifest and transaction, the size and footer of each data file, every page of every column
 * decoded, rows counted, texts UTF-8, deletions within range; and the checksums of all files that have one. Lance files have none of their own: a
 * number that became another number is seen only in files whose checksums were recorded.
 *
 * *report  JSON, freed with pn_memory_free(); also written when the status is CORRUPT because something was found:
 *          {"state":"sound"|"no damage found"|"damaged","newest","last_good":N|null,"versions","good_versions","files","bytes",
 *          "files_without_checksum","checksums_recorded","findings":[{"version","file","reason"}]}. "sound" means that every file is what it was
 *          when its checksum was recorded; "no damage found" that some have none. last_good is the highest version without a finding.
 *
 * Errors: CORRUPT (the message is the first finding), NOT_FOUND (no table, no such version), INVALID, CANCELLED, IO.
 */
PN_API pn_status pn_lance_check_json(const char *path, const pn_check_options *options,
                                     char **report, pn_error *err);

/* ---------------------------------------------------------------- 10 changes */

/* Of any table, by its folder. Each is one commit, which other writers see whole or not at all; the versions before it stay until they are
 * cleaned up. What another writer commits meanwhile is neither lost nor undone: the change is decided again on top of it. *version, where
 * there is one, is the table's newest then; it may be NULL. Errors of all: NOT_FOUND (the table), CORRUPT, UNSUPPORTED (data files of
 * a version that is not written; a feature, by name), CONFLICT (others were faster again and again), IO (the folder cannot be written to). */

/* The version that a text names: its number, or a tag. A number is not looked up, and wins over a tag that looks like one, which others may
 * have made; "tag:7" is that tag, and "tag:" may stand before any. NOT_FOUND: no such tag; INVALID: neither. With it every function here and pn_table_open_version() takes tags. */
PN_API pn_status pn_lance_find_version(const char *path, const char *name, uint64_t *version,
                                       pn_error *err);

/* Make the content of an old version the newest version. A newest version that is damaged is gone back from, too. NOT_FOUND: no such version;
 * CORRUPT: a file of it is missing. */
PN_API pn_status pn_lance_restore(const char *path, uint64_t old_version, uint64_t *version,
                                  pn_error *err);

/* Tags are names for versions: letters, digits, '.', '-', '_', not digits alone. A tagged version is never cleaned up. As JSON, by name:
 * [{"name","version"},...]. Freed with pn_memory_free(). */
PN_API pn_status pn_lance_tags_json(const char *path, char **out, pn_error *err);
/* version 0: the newest. INVALID: the name; EXISTS; NOT_FOUND: the version. */
PN_API pn_status pn_lance_tag_create(const char *path, const char *name, uint64_t version,
                                     pn_error *err);
/* Let a tag name another version. NOT_FOUND: the tag, or the version. */
PN_API pn_status pn_lance_tag_update(const char *path, const char *name, uint64_t version,
                                     pn_error *err);
PN_API pn_status pn_lance_tag_delete(const char *path, const char *name, pn_error *err);

/*
 * Add a column.
 *
 * column_json  one as pn_lance_schema_json() writes them: {"name": "stock", "type": "int32"}
 * value_json   what all rows have there, as JSON; NULL: null, which writes no data at all
 *
 * Errors: EXISTS; INVALID (the column, the value; a column that cannot be null, without a value).
 */
PN_API pn_status pn_lance_add_column(const char *path, const char *column_json,
                                     const char *value_json, uint64_t *version, pn_error *err);
/* Columns at the top, by name. Their bytes stay until compaction. INVALID: one that an index of LanceDB or a search of pennon needs, unless
 * force is not 0 (the index goes, too); or none would be left. NOT_FOUND: a column. */
PN_API pn_status pn_lance_drop_columns(const char *path, const char *const *names, size_t n,
                                       int force, uint64_t *version, pn_error *err);
/* INVALID: the new name; a column that a search of pennon needs, unless force is not 0. NOT_FOUND; EXISTS. */
PN_API pn_status pn_lance_rename_column(const char *path, const char *from, const char *to,
                                        int force, uint64_t *version, pn_error *err);

typedef struct pn_compact_table_options {
    size_t struct_bytes;
    int if_due; /* not 0: only what is due, which is cheap to ask for after every insert */
    uint64_t target_rows;  /* of a fragment that is left alone; 0: 1,048,576 */
    uint64_t target_bytes; /* or of these; 0: 4 GiB */
    uint32_t
        deleted_percent; /* of a fragment's rows, from which on it is rewritten, 1 to 100; 0: 10 */
    int dry_run;         /* not 0: only count what a first round would do */
    void (*progress)(void *context, uint64_t n_rows,
                     uint64_t n_all); /* rows rewritten; of so many */
    int (*cancelled)(void *context);  /* polled; nonzero: stop, keeping what was committed */
    void *context;
} pn_compact_table_options;
#define PN_COMPACT_TABLE_OPTIONS_INIT                                                              \
    {                                                                                              \
        sizeof(pn_compact_table_options), 0, 0, 0, 0, 0, NULL, NULL, NULL                          \
    }

typedef struct pn_compact_table_report {
    size_t struct_bytes;
    uint64_t n_old_fragments; /* were rewritten; 0: there was nothing to do */
    uint64_t n_new_fragments; /* came of them */
    uint64_t n_rows;          /* in those */
    uint64_t version;         /* the newest */
} pn_compact_table_report;
#define PN_COMPACT_TABLE_REPORT_INIT                                                               \
    {                                                                                              \
        sizeof(pn_compact_table_report), 0, 0, 0, 0                                                \
    }

/* Write small fragments into large ones, without their deleted rows. Rows and their order stay; row addresses change, so an index of pennon's
 * has to be built again for what moved (pn_table_index_build()). report may be NULL. Errors: INVALID, CANCELLED; UNSUPPORTED names a column that is
 * not written. */
PN_API pn_status pn_lance_compact(const char *path, const pn_compact_table_options *options,
                                  pn_compact_table_report *report, pn_error *err);

typedef struct pn_cleanup_table_options {
    size_t struct_bytes;
    double older_than_seconds; /* versions committed longer ago go; negative: none */
    uint64_t keep_newest;      /* but so many stay in any case; 0: 1 */
    double
        orphans_seconds; /* files that no version names go when they are older; negative: a week */
    int dry_run;         /* not 0: only count */
    int damaged_too; /* not 0: versions that cannot be read or lack a file go, but for the newest and
                        tagged ones */
} pn_cleanup_table_options;
#define PN_CLEANUP_TABLE_OPTIONS_INIT                                                              \
    {                                                                                              \
        sizeof(pn_cleanup_table_options), 604800.0, 1, -1.0, 0, 0                                  \
    }

typedef struct pn_cleanup_table_report {
    size_t struct_bytes;
    uint64_t n_versions; /* removed */
    uint64_t n_kept;     /* versions that stay, tagged ones among them */
    uint64_t n_files;    /* removed */
    uint64_t n_orphans;  /* of them, named by no version at all */
    uint64_t n_bytes;
} pn_cleanup_table_report;
#define PN_CLEANUP_TABLE_REPORT_INIT                                                               \
    {                                                                                              \
        sizeof(pn_cleanup_table_report), 0, 0, 0, 0, 0                                             \
    }

/*
 * Remove old versions, never the newest nor a tagged one, and the files that no version left names. Who has an old version open may find its
 * files gone; a file without a version may be a commit in the making, so orphans of less than some minutes are not for the taking.
 * Stopped at any moment the table is whole. report may be NULL. Errors: CORRUPT: a version that stays cannot be read or lacks a file, or a tag
 * does not fit: nothing is removed; UNSUPPORTED: a table with branches, or a version with what is not known.
 */
PN_API pn_status pn_lance_cleanup(const char *path, const pn_cleanup_table_options *options,
                                  pn_cleanup_table_report *report, pn_error *err);

#ifdef __cplusplus
}
#endif

#endif
