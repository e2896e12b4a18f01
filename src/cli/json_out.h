/*
 * json_out.h - JSON on standard output, whatever the texts in it hold
 */
#ifndef PN_CLI_JSON_OUT_H
#define PN_CLI_JSON_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A text as a JSON value; bytes that are not UTF-8 become U+FFFD. NULL: no memory. */
json_t *pn_cli_json_text(const char *text);

/* Print value (which is released; NULL means there was no memory), without a line break behind it. flags as json_dumps()
 * takes them. False: no memory, and a message said so. */
bool pn_cli_print_json(json_t *value, size_t flags);

/* What the library reported under a key: 0 and "" when it is not there. */
uint64_t pn_cli_json_number(const json_t *object, const char *key);
const char *pn_cli_json_string(const json_t *object, const char *key);

#endif
