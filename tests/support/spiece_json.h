/*
 * spiece_json.h - a sentencepiece model as the tokenizer.json that converters make of it
 */
#ifndef PN_TESTS_SPIECE_JSON_H
#define PN_TESTS_SPIECE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The whole file, to be changed at will and written by spiece_json_write(); json_decref() it. Models with unused pieces or blanks
 * at the ends of words cannot be told in it. */
json_t *spiece_json_make(const uint8_t *model, size_t n);
void spiece_json_write(const json_t *json, const char *path);

#endif
