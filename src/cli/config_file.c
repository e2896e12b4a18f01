/*
 * config_file.c - options from a YAML file
 *
 *     table: shop.lance
 *     serve:                      becomes, for `pennon serve -v`:
 *       port: 9000                pennon serve --table=shop.lance --port=9000 -v
 *
 * A key is the long name of an option; those of one command stand in its section, those of several at the top, or in a section
 * for that command alone. The file's options are put in front of the user's, so that the command line wins because it
 * comes later, and everything behind that point has one way in. What an environment variable says is left out here, so that
 * it wins, too.
 *
 * A key or a value that does not fit is an error, also for commands that have no use for it: a misspelt key would otherwise
 * be found out when it is too late.
 *
 * libyaml's documents carry line and column of each node, which is what the messages need. (libcyaml would fill structs from
 * a schema, but takes "maybe" for true, knows no ranges, and tells the line to a log function.) An alias is the node it
 * stands for, not a copy, so a bomb of aliases has nothing to blow up. But its time grows with the square of the depth (five
 * seconds for 60,000 brackets), so that a first pass over the events refuses what is nested too deep.
 */
#include "cli/config_file.h"

#include "base/buffer.h"
#include "base/str.h"
#include "cli/config_keys.h"
#include "os/dir.h"
#include "os/fd.h"
#include "os/process.h"

#include <stdarg.h>
#include <yaml.h>

/* Every key with a text of 2048 bytes would fit. Nothing of ours is deeper than 2. */
enum { MAX_FILE_BYTES = 64 << 10, MAX_DEPTH = 8 };

static const char LOCAL_FILE[] = "pennon.yaml";

typedef struct option_list {
    char *items[PN_CONFIG_KEYS_MAX]; /* no key comes twice */
    size_t n;
} option_list;

typedef struct reading {
    const char *file, *command;
    yaml_document_t document;
    pn_arena *arena;
    option_list shared, own; /* from the top; from the command's section, which wins */
} reading;

static PN_PRINTF(4, 5) pn_status
    fail_at(const reading *r, yaml_mark_t mark, pn_error *err, const char *format, ...)
{
    char text[500];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); // a long text is cut
    va_end(args);
    pn_text_trim_partial(text);
    return pn_fail(err, PN_ERR_INVALID, "%s, line %zu, column %zu: %s", r->file, mark.line + 1,
                   mark.column + 1, text);
}

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* A scalar's text; NULL when the node is a list or a mapping, has a tag of its own, or holds a control character. */
static const char *text_of(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || !same((const char *)node->tag, YAML_STR_TAG))
        return NULL;
    const unsigned char *text = node->data.scalar.value;
    for (size_t i = 0; i < node->data.scalar.length; i++)
        if (text[i] < ' ' || text[i] == 0x7f)
            return NULL;
    return (const char *)text;
}

static bool is_plain(const yaml_node_t *node)
{
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* ---- values ---- */

static bool is_null(const yaml_node_t *value, const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < PN_COUNT_OF(nulls); i++)
        if (is_plain(value) && strcmp(text, nulls[i]) == 0)
            return true;
    return false;
}

static bool is_possible(const pn_config_key *key, const yaml_node_t *value, const char *text)
{
    uint64_t number;
    double seconds;
    switch (key->kind) {
    case PN_CONFIG_TEXT:
        return text[0] != '\0' && !is_null(value, text);
    case PN_CONFIG_MODE:
    case PN_CONFIG_CREATE_MODE:
    case PN_CONFIG_BAD_VECTORS:
        return pn_config_kind_has_word(key->kind, text);
    case PN_CONFIG_WHOLE: // "8000" in quotes is a text
        return is_plain(value) && pn_str_to_u64(pn_str_of(text), &number) && number >= key->least &&
               number <= key->most;
    case PN_CONFIG_SECONDS:
        return is_plain(value) && pn_str_to_double(pn_str_of(text), &seconds) && seconds >= 0;
    case PN_CONFIG_NUMBER:
        return is_plain(value) && pn_str_to_double(pn_str_of(text), &seconds);
    case PN_CONFIG_FLAG:
        return is_plain(value) && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
    }
    return false;
}

static pn_status bad_value(const reading *r, const char *section, const pn_config_key *key,
                           const yaml_node_t *value, pn_error *err)
{
    char needed[80];
    pn_config_key_describe(key, needed, sizeof needed);
    return fail_at(r, value->start_mark, err, "%s%s%s: %s is needed", section ? section : "",
                   section ? "." : "", key->name, needed);
}

static pn_status take_value(reading *r, const char *section, const pn_config_key *key,
                            const yaml_node_t *value, pn_error *err)
{
    const char *text = text_of(value);
    if (!text || !is_possible(key, value, text))
        return bad_value(r, section, key, value, err);
    if (!pn_config_key_is_taken_by(key, r->command) || (section && !same(section, r->command)) ||
        (key->variable && pn_environment(key->variable)) ||
        (key->kind == PN_CONFIG_FLAG && strcmp(text, "false") == 0))
        return PN_OK;
    char *option = key->kind == PN_CONFIG_FLAG
                       ? pn_arena_printf(r->arena, "--%s", key->name)
                       : pn_arena_printf(r->arena, "--%s=%s", key->name, text);
    if (!option)
        return pn_fail_nomem(err);
    option_list *list = section ? &r->own : &r->shared;
    pn_assert(list->n < PN_CONFIG_KEYS_MAX);
    list->items[list->n++] = option;
    return PN_OK;
}

/* ---- keys ---- */

static pn_status unknown_key(const reading *r, const char *section, const yaml_node_t *name,
                             pn_error *err)
{
    char known[360], near[64];
    const char *text = text_of(name);
    bool is_near = text && pn_config_key_suggest(section, text, near, sizeof near);
    pn_config_key_list(section, known, sizeof known);
    return fail_at(r, name->start_mark, err, "\"%s%s%.40s\" is not a key%s%s%s There are %s",
                   section ? section : "", section ? "." : "", text ? text : "?",
                   is_near ? ": is \"" : ".", is_near ? near : "", is_near ? "\" meant?" : "",
                   known);
}

static pn_status check_once(reading *r, const yaml_node_t *mapping, const yaml_node_pair_t *at,
                            pn_error *err)
{
    const yaml_node_t *name = yaml_document_get_node(&r->document, at->key);
    const char *text = text_of(name);
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < at; pair++) {
        const yaml_node_t *earlier = yaml_document_get_node(&r->document, pair->key);
        if (text && same(text_of(earlier), text))
            return fail_at(r, name->start_mark, err, "\"%.40s\" is there already, in line %zu",
                           text, earlier->start_mark.line + 1);
    }
    return PN_OK;
}

static pn_status take_pair(reading *r, const char *section, const yaml_node_t *name,
                           const yaml_node_t *value, pn_error *err)
{
    const char *text = text_of(name);
    const pn_config_key *key = text ? pn_config_key_find(section, text) : NULL;
    return key ? take_value(r, section, key, value, err) : unknown_key(r, section, name, err);
}

/* section NULL is the file itself. One level of recursion: sections stand at the top alone. */
static pn_status take_section(reading *r, const char *section, const yaml_node_t *mapping,
                              pn_error *err)
{
    const char *text = text_of(mapping);
    if (text && is_null(mapping, text))
        return PN_OK; // "serve:" with everything below commented out
    if (mapping->type != YAML_MAPPING_NODE)
        return fail_at(r, mapping->start_mark, err, "%s: a mapping of keys is needed",
                       section ? section : "the file");
    for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(&r->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(&r->document, pair->value);
        PN_TRY(check_once(r, mapping, pair, err));
        if (!section && text_of(name) && pn_config_is_section(text_of(name)))
            PN_TRY(take_section(r, text_of(name), value, err));
        else
            PN_TRY(take_pair(r, section, name, value, err));
    }
    return PN_OK;
}

/* ---- the file ---- */

/* Bytes that are no text have an offset, but no line. */
static yaml_mark_t mark_of_byte(const pn_buffer *bytes, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < bytes->n_bytes; i++) {
        mark.column++;
        if (bytes->data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        }
    }
    return mark;
}

static pn_status syntax_error(const reading *r, const yaml_parser_t *parser, const pn_buffer *bytes,
                              pn_error *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return pn_fail_nomem(err);
    yaml_mark_t mark = parser->error == YAML_READER_ERROR
                           ? mark_of_byte(bytes, parser->problem_offset)
                           : parser->problem_mark;
    return fail_at(r, mark, err, "%s", parser->problem ? parser->problem : "not YAML");
}

typedef struct shape {
    unsigned depth, n_documents;
    bool is_end;
} shape;

static pn_status pass_event(const reading *r, const yaml_event_t *event, shape *seen, pn_error *err)
{
    seen->is_end = event->type == YAML_STREAM_END_EVENT;
    if (event->type == YAML_DOCUMENT_START_EVENT && ++seen->n_documents > 1)
        return fail_at(r, event->start_mark, err, "a second document");
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        seen->depth++;
    if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        seen->depth--;
    if (seen->depth > MAX_DEPTH)
        return fail_at(r, event->start_mark, err, "nested more than %d deep", MAX_DEPTH);
    return PN_OK;
}

/* The first pass: good YAML, one document, not deep. */
static pn_status check_shape(reading *r, yaml_parser_t *parser, const pn_buffer *bytes,
                             pn_error *err)
{
    shape seen = {0};
    while (!seen.is_end) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return syntax_error(r, parser, bytes, err);
        pn_status status = pass_event(r, &event, &seen, err);
        yaml_event_delete(&event);
        PN_TRY(status);
    }
    return PN_OK;
}

/* The second: what it says. */
static pn_status take_document(reading *r, yaml_parser_t *parser, const pn_buffer *bytes,
                               pn_error *err)
{
    if (!yaml_parser_load(parser, &r->document))
        return syntax_error(r, parser, bytes, err);
    yaml_node_t *root = yaml_document_get_root_node(&r->document);
    pn_status status = root ? take_section(r, NULL, root, err) : PN_OK; // none: an empty file
    yaml_document_delete(&r->document);
    return status;
}

typedef pn_status (*parse_pass)(reading *r, yaml_parser_t *parser, const pn_buffer *bytes,
                                pn_error *err);

static pn_status parse(reading *r, const pn_buffer *bytes, parse_pass pass, pn_error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return pn_fail_nomem(err);
    const uint8_t *text = bytes->data ? bytes->data : (const uint8_t *)"";
    yaml_parser_set_input_string(&parser, text, bytes->n_bytes);
    pn_status status = pass(r, &parser, bytes, err);
    yaml_parser_delete(&parser);
    return status;
}

static pn_status read_file(reading *r, pn_error *err)
{
    pn_buffer bytes;
    pn_buffer_init(&bytes, MAX_FILE_BYTES);
    pn_status status = pn_file_read(r->file, &bytes, err);
    if (status == PN_OK)
        status = parse(r, &bytes, check_shape, err);
    if (status == PN_OK)
        status = parse(r, &bytes, take_document, err);
    pn_buffer_reset(&bytes);
    return status;
}

/* The user's own file; NULL when there is no place for one. An XDG folder that is not absolute does not count. */
static pn_status home_file(pn_arena *arena, const char **out, pn_error *err)
{
    const char *folder = pn_environment("XDG_CONFIG_HOME"), *home = pn_environment("HOME");
    *out = NULL;
    if (folder && folder[0] == '/')
        *out = pn_arena_printf(arena, "%s/pennon/config.yaml", folder);
    else if (home)
        *out = pn_arena_printf(arena, "%s/.config/pennon/config.yaml", home);
    else
        return PN_OK;
    return *out ? PN_OK : pn_fail_nomem(err);
}

static pn_status choose_file(const char *named, pn_arena *arena, const char **out, pn_error *err)
{
    const char *file = named ? named : pn_environment("PENNON_CONFIG");
    if (!file && pn_path_exists(LOCAL_FILE))
        file = LOCAL_FILE;
    if (!file) {
        PN_TRY(home_file(arena, &file, err));
        if (file && !pn_path_exists(file))
            file = NULL;
    }
    *out = file;
    return PN_OK;
}

pn_status pn_config_apply(const char *named, const char *command, int argc, char **argv,
                          pn_config *out, pn_error *err)
{
    pn_arena_init(&out->arena, SIZE_MAX);
    reading r = {.command = command, .arena = &out->arena};
    PN_TRY(choose_file(named, &out->arena, &r.file, err));
    if (r.file)
        PN_TRY(read_file(&r, err));
    char **all = PN_ARENA_NEW(&out->arena, char *, (size_t)argc + r.shared.n + r.own.n + 1);
    if (!all)
        return pn_fail_nomem(err);
    int n = 0;
    all[n++] = argv[0];
    for (size_t i = 0; i < r.shared.n; i++)
        all[n++] = r.shared.items[i];
    for (size_t i = 0; i < r.own.n; i++)
        all[n++] = r.own.items[i];
    for (int i = 1; i < argc; i++)
        all[n++] = argv[i];
    out->argv = all;
    out->argc = n;
    return PN_OK;
}

void pn_config_end(pn_config *config)
{
    pn_arena_reset(&config->arena);
    config->argv = NULL;
    config->argc = 0;
}
