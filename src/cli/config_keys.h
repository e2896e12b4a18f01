/*
 * config_keys.h - which options a configuration file can set
 * Threads: all functions are pure.
 */
#ifndef PN_CLI_CONFIG_KEYS_H
#define PN_CLI_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum pn_config_kind {
    PN_CONFIG_TEXT,
    PN_CONFIG_WHOLE,
    PN_CONFIG_SECONDS,
    PN_CONFIG_FLAG,
    PN_CONFIG_MODE,
    PN_CONFIG_CREATE_MODE,
    PN_CONFIG_BAD_VECTORS,
    PN_CONFIG_NUMBER
} pn_config_kind;

typedef struct pn_config_key {
    const char *section; /* the command's name; NULL: an option that several commands share */
    const char *name;    /* of the option */
    pn_config_kind kind;
    uint32_t least, most; /* of WHOLE */
    const char *commands; /* of a shared option: who takes it, between blanks; NULL otherwise */
    const char *variable; /* of the environment, which wins; NULL: none */
} pn_config_key;

/* More than there are keys. */
enum { PN_CONFIG_KEYS_MAX = 56 };

/* The key of that name in a section, where the shared ones may stand as well, or at the top (section NULL). NULL: none. */
const pn_config_key *pn_config_key_find(const char *section, const char *name);

bool pn_config_key_is_taken_by(const pn_config_key *key, const char *command);
bool pn_config_is_section(const char *name);

/* The key or section whose name is nearest to a wrong one, as "serve.port", and false when none is near. */
bool pn_config_key_suggest(const char *section, const char *name, char *out, size_t out_bytes);

/* "host, port, ...": the names that can stand in a section, or at the top. */
void pn_config_key_list(const char *section, char *out, size_t out_bytes);

/* Is text one of the words that a key of this kind can have? (MODE, CREATE_MODE, BAD_VECTORS) */
bool pn_config_kind_has_word(pn_config_kind kind, const char *text);

/* What a key holds, for messages: "a whole number from 0 to 65535". */
void pn_config_key_describe(const pn_config_key *key, char *out, size_t out_bytes);

#endif
