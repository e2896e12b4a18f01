/*
 * config_json.c - numbers out of JSON, with messages that name the file and the key
 */
#include "clip/internal.h"

#include "base/limits.h"
#include "os/dir.h"
#include "os/fd.h"

#include <math.h>

pn_status pn_json_read(const char *path, json_t **out, pn_error *err)
{
    pn_buffer text;
    json_error_t fault;
    pn_buffer_init(&text, PN_MODEL_MAX_JSON_BYTES);
    pn_status status = pn_file_read(path, &text, err);
    json_t *json = status == PN_OK ? json_loadb((const char *)text.data, text.n_bytes,
                                                JSON_REJECT_DUPLICATES, &fault)
                                   : NULL;
    if (json)
        *out = json;
    else if (status == PN_OK)
        status = pn_fail(err, PN_ERR_CORRUPT, "%s: line %d: %s", path, fault.line, fault.text);
    pn_buffer_reset(&text);
    return status;
}

pn_status pn_json_load(const char *dir, const char *name, json_t **out, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, 1u << 20);
    const char *path = pn_path_join(&arena, dir, name);
    pn_status status = PN_OK;
    if (!path)
        status = pn_fail_nomem(err);
    else if (pn_path_exists(path))
        status = pn_json_read(path, out, err);
    else
        *out = NULL;
    pn_arena_reset(&arena);
    return status;
}

bool pn_json_is_off(const json_t *value)
{
    return !value || json_is_null(value) || json_is_false(value);
}

/* A number without a fraction, in [least, most]. */
static bool whole(const json_t *value, double least, double most, double *out)
{
    *out = json_number_value(value);
    return json_is_number(value) && *out >= least && *out <= most && floor(*out) == *out;
}

pn_status pn_json_u32(const json_t *object, const char *file, const char *key, uint32_t least,
                      uint32_t most, uint32_t fallback, uint32_t *out, pn_error *err)
{
    const json_t *value = json_object_get(object, key);
    double number = fallback;
    if (value && !json_is_null(value) && !whole(value, least, most, &number))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %s is not a whole number from %u to %u", file, key,
                       least, most);
    *out = (uint32_t)number;
    return PN_OK;
}

pn_status pn_json_number(const json_t *object, const char *file, const char *key, double fallback,
                         double *out, pn_error *err)
{
    const json_t *value = json_object_get(object, key);
    double number = fallback;
    if (value && !json_is_null(value)) {
        if (!json_is_number(value) || !isfinite(json_number_value(value)))
            return pn_fail(err, PN_ERR_CORRUPT, "%s: %s is not a number", file, key);
        number = json_number_value(value);
    }
    *out = number;
    return PN_OK;
}

pn_status pn_json_size(const json_t *value, const char *file, const char *key, uint32_t most,
                       uint32_t *height, uint32_t *width, pn_error *err)
{
    const json_t *first = value, *second = value;
    if (json_is_array(value) && json_array_size(value) == 2) {
        first = json_array_get(value, 0);
        second = json_array_get(value, 1);
    }
    double h, w;
    if (!whole(first, 1, most, &h) || !whole(second, 1, most, &w))
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %s is not a size from 1 to %u", file, key, most);
    *height = (uint32_t)h;
    *width = (uint32_t)w;
    return PN_OK;
}

pn_status pn_json_triple(const json_t *object, const char *file, const char *key, float out[3],
                         pn_error *err)
{
    const json_t *list = json_object_get(object, key);
    if (!list || json_is_null(list))
        return PN_OK;
    float values[3];
    bool good = json_array_size(list) == 3;
    for (size_t i = 0; good && i < 3; i++) {
        const json_t *value = json_array_get(list, i);
        values[i] = (float)json_number_value(value);
        good = json_is_number(value) && isfinite(values[i]);
    }
    if (!good)
        return pn_fail(err, PN_ERR_CORRUPT, "%s: %s is not a list of three numbers", file, key);
    memcpy(out, values, sizeof values);
    return PN_OK;
}
