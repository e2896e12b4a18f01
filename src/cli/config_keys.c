/*
 * config_keys.c - which options a configuration file can set
 *
 * One table says which keys there are, what they hold and who takes them. It has the options that describe a way of working: where the
 * table is, how large a thumbnail, which port. What describes one question or one order (--text, --where, --id, --yes, --json)
 * has no business in a file: nobody would find out why every search is filtered.
 *
 * A wrong name is compared with every name by the number of letters to insert, remove, replace or swap (Damerau's distance,
 * adjacent swaps only). A name of another section costs one more: "port" at the top is "serve.port".
 */
#include "cli/config_keys.h"

#include "base/compiler.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME = 32, MAX_DISTANCE = 2 };

static const pn_config_key keys[] = {
    {NULL, "table", PN_CONFIG_TEXT, 0, 0,
     " ingest search serve info versions list show count delete index schema stats "
     "head check export import upsert checkout restore tag column compact cleanup ",
     "PENNON_TABLE"},
    {NULL, "model", PN_CONFIG_TEXT, 0, 0, " ingest search serve index embed tokenize preprocess ",
     "PENNON_MODEL"},
    {NULL, "preprocess", PN_CONFIG_MODE, 0, 0, " ingest embed ", NULL},
    {NULL, "precision", PN_CONFIG_TEXT, 0, 0, " ingest search serve index embed ",
     "PENNON_PRECISION"},
    {NULL, "exact-decode", PN_CONFIG_FLAG, 0, 0, " ingest search serve ", NULL},
    {NULL, "model-url", PN_CONFIG_TEXT, 0, 0, " ingest search serve index embed ",
     "PENNON_MODEL_URL"},
    {NULL, "api-key-file", PN_CONFIG_TEXT, 0, 0, " ingest search serve index embed ",
     "PENNON_API_KEY"},
    {NULL, "allow-http", PN_CONFIG_FLAG, 0, 0, " ingest search serve index embed ", NULL},
    {NULL, "model-requests", PN_CONFIG_WHOLE, 1, 32, " ingest search serve index embed ", NULL},
    {NULL, "model-timeout", PN_CONFIG_WHOLE, 1, 3600, " ingest search serve index embed ", NULL},
    {NULL, "threads", PN_CONFIG_WHOLE, 1, 256, " ingest search serve index embed ", NULL},
    {NULL, "compaction-size", PN_CONFIG_NUMBER, 0, 0, " ingest serve import upsert ",
     "PENNON_COMPACTION_SIZE"},
    {NULL, "version-retention", PN_CONFIG_NUMBER, 0, 0, " ingest serve import upsert ",
     "PENNON_VERSION_RETENTION"},
    {NULL, "index-cache-size", PN_CONFIG_NUMBER, 0, 0, " search serve ", "PENNON_INDEX_CACHE_SIZE"},
    {"ingest", "thumbnail", PN_CONFIG_WHOLE, 0, 2048, NULL, NULL},
    {"ingest", "commit-rows", PN_CONFIG_WHOLE, 1, 65536, NULL, NULL},
    {"ingest", "commit-seconds", PN_CONFIG_SECONDS, 0, 0, NULL, NULL},
    {"ingest", "path-column", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"ingest", "timestamp-column", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"ingest", "base", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"ingest", "no-index", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"ingest", "quiet", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"import", "mode", PN_CONFIG_CREATE_MODE, 0, 0, NULL, NULL},
    {"import", "on-bad-vectors", PN_CONFIG_BAD_VECTORS, 0, 0, NULL, NULL},
    {"import", "fill-value", PN_CONFIG_NUMBER, 0, 0, NULL, NULL},
    {"import", "vector-column", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"import", "quiet", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"export", "vector-column", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"export", "quiet", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"search", "count", PN_CONFIG_WHOLE, 1, 10000, NULL, NULL},
    {"search", "min-recall", PN_CONFIG_NUMBER, 0, 0, NULL, NULL},
    {"list", "limit", PN_CONFIG_WHOLE, 1, 10000, NULL, NULL},
    {"serve", "host", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"serve", "port", PN_CONFIG_WHOLE, 0, 65535, NULL, NULL},
    {"serve", "token", PN_CONFIG_TEXT, 0, 0, NULL, "PENNON_TOKEN"},
    {"serve", "read-only", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"serve", "no-index", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"serve", "ingest-root", PN_CONFIG_TEXT, 0, 0, NULL, NULL},
    {"serve", "max-body", PN_CONFIG_WHOLE, 1, 1024, NULL, NULL},
    {"serve", "max-connections", PN_CONFIG_WHOLE, 1, 10000, NULL, NULL},
    {"serve", "timeout", PN_CONFIG_WHOLE, 1, 3600, NULL, NULL},
    {"serve", "drain", PN_CONFIG_WHOLE, 0, 3600, NULL, NULL},
    {"serve", "read-consistency-interval", PN_CONFIG_SECONDS, 0, 0, NULL, NULL},
    {"serve", "verbose", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
    {"serve", "log-json", PN_CONFIG_FLAG, 0, 0, NULL, NULL},
};
_Static_assert(PN_COUNT_OF(keys) <= PN_CONFIG_KEYS_MAX, "the limit of config_keys.h");

static const char *const sections[] = {"ingest", "import", "export", "search", "list", "serve"};

bool pn_config_is_section(const char *name)
{
    for (size_t i = 0; i < PN_COUNT_OF(sections); i++)
        if (strcmp(sections[i], name) == 0)
            return true;
    return false;
}

bool pn_config_key_is_taken_by(const pn_config_key *key, const char *command)
{
    if (key->section)
        return strcmp(key->section, command) == 0;
    size_t n = strlen(command);
    for (const char *at = strstr(key->commands, command); at; at = strstr(at + 1, command))
        if (at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

/* Can the key stand in the section? NULL is the top. */
static bool is_at_home(const pn_config_key *key, const char *section)
{
    return section ? pn_config_key_is_taken_by(key, section) : !key->section;
}

const pn_config_key *pn_config_key_find(const char *section, const char *name)
{
    for (size_t i = 0; i < PN_COUNT_OF(keys); i++)
        if (is_at_home(&keys[i], section) && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* ---- near names ---- */

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    size_t d[MAX_NAME + 1][MAX_NAME + 1];
    if (n_a > MAX_NAME || n_b > MAX_NAME)
        return MAX_NAME;
    for (size_t i = 0; i <= n_a; i++)
        for (size_t j = 0; j <= n_b; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = least_of(replaced, 1 + least_of(d[i - 1][j], d[i][j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n_a][n_b];
}

bool pn_config_key_suggest(const char *section, const char *name, char *out, size_t out_bytes)
{
    size_t best = MAX_DISTANCE + 1;
    for (size_t i = 0; i < PN_COUNT_OF(keys); i++) {
        bool at_home = is_at_home(&keys[i], section);
        const char *where = at_home ? section : keys[i].section;
        size_t cost = distance(name, keys[i].name) + !at_home;
        if (cost >= best || cost >= strlen(name)) // every short name is near to every other
            continue;
        best = cost;
        (void)snprintf(out, out_bytes, "%s%s%s", where ? where : "", where ? "." : "",
                       keys[i].name);
    }
    for (size_t i = 0; i < PN_COUNT_OF(sections) && !section; i++)
        if (distance(name, sections[i]) < best) {
            best = distance(name, sections[i]);
            (void)snprintf(out, out_bytes, "%s", sections[i]);
        }
    return best <= MAX_DISTANCE;
}

/* ---- words for messages ---- */

static size_t add_name(const char *name, size_t used, char *out, size_t out_bytes)
{
    if (used >= out_bytes)
        return used;
    return used +
           (size_t)snprintf(out + used, out_bytes - used, "%s%s", used > 0 ? ", " : "", name);
}

void pn_config_key_list(const char *section, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < PN_COUNT_OF(keys); i++)
        if (is_at_home(&keys[i], section))
            used = add_name(keys[i].name, used, out, out_bytes);
    for (size_t i = 0; i < PN_COUNT_OF(sections) && !section; i++)
        used = add_name(sections[i], used, out, out_bytes);
}

static const char *const modes[] = {"crop", "pad", "squash", NULL};
static const char *const create_modes[] = {"append", "create", "exist_ok", "overwrite", NULL};
static const char *const bad_vectors[] = {"error", "drop", "fill", "null", NULL};

static const char *const *words_of(pn_config_kind kind)
{
    switch (kind) {
    case PN_CONFIG_MODE:
        return modes;
    case PN_CONFIG_CREATE_MODE:
        return create_modes;
    case PN_CONFIG_BAD_VECTORS:
        return bad_vectors;
    case PN_CONFIG_TEXT:
    case PN_CONFIG_WHOLE:
    case PN_CONFIG_SECONDS:
    case PN_CONFIG_FLAG:
    case PN_CONFIG_NUMBER:
        break;
    }
    return NULL;
}

bool pn_config_kind_has_word(pn_config_kind kind, const char *text)
{
    const char *const *words = words_of(kind);
    for (; words && *words; words++)
        if (strcmp(*words, text) == 0)
            return true;
    return false;
}

/* "crop, pad or squash" */
static void list_words(const char *const *words, char *out, size_t out_bytes)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; words[i] && used < out_bytes; i++)
        used += (size_t)snprintf(out + used, out_bytes - used, "%s%s",
                                 i == 0         ? ""
                                 : words[i + 1] ? ", "
                                                : " or ",
                                 words[i]);
}

void pn_config_key_describe(const pn_config_key *key, char *out, size_t out_bytes)
{
    static const char *const words[] = {[PN_CONFIG_TEXT] = "a text",
                                        [PN_CONFIG_WHOLE] = "a whole number",
                                        [PN_CONFIG_SECONDS] = "a number of seconds",
                                        [PN_CONFIG_FLAG] = "true or false",
                                        [PN_CONFIG_NUMBER] = "a number"};
    if (words_of(key->kind))
        list_words(words_of(key->kind), out, out_bytes);
    else if (key->kind == PN_CONFIG_WHOLE)
        (void)snprintf(out, out_bytes, "%s from %" PRIu32 " to %" PRIu32, words[key->kind],
                       key->least, key->most);
    else
        (void)snprintf(out, out_bytes, "%s", words[key->kind]);
}
