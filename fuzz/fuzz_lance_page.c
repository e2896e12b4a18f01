/*
 * fuzz_lance_page.c - a data file read as another schema than its own
 *
 * What a column is, a table's manifest says, not the file: so pages of every encoding meet every declared type.
 *
 *     | u8: the first column | u16 n | n bytes: a Schema message | a Lance data file |
 *
 * The fields of the schema take the columns of the file one after another, from the first one on.
 */
#include "base/endian.h"
#include "lance/lance_schema.h"
#include "mutate.h"
#include "read_lance.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { HEAD = 3 };

static const char *const types[] = {
    "null",
    "bool",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "halffloat",
    "float",
    "double",
    "string",
    "binary",
    "large_string",
    "large_binary",
    "struct",
    "list",
    "list.struct",
    "large_list",
    "large_list.struct",
    "map",
    "json",
    "date32:day",
    "date64:ms",
    "time32:s",
    "time64:ns",
    "timestamp:us:-",
    "timestamp:ms:Europe/Berlin",
    "duration:ns",
    "decimal:128:10:2",
    "decimal:256:40:3",
    "fixed_size_binary:5",
    "fixed_size_binary:1000000",
    "fixed_size_list:float:16",
    "fixed_size_list:halffloat:3",
    "fixed_size_list:bool:9",
    "fixed_size_list:int8:1",
    "fixed_size_list:float:2147483647",
    "fixed_size_list:fixed_size_list:double:3:2",
    "fixed_size_list:string:2",
    "dict:string:int32:false",
    "dict:int64:uint8:false",
    "dict:binary:int16:false",
};

/* A type that the schema language knows, which a mutation of texts would not find. */
static size_t change_type(uint8_t *bytes, size_t n, size_t max, pn_rng *rng)
{
    Pn__Lance__Schema *schema = pn__lance__schema__unpack(NULL, n, bytes);
    if (schema && schema->n_fields > 0) {
        Pn__Lance__Field *field = schema->fields[pn_rng_below(rng, schema->n_fields)];
        free(field->logical_type);
        field->logical_type = strdup(types[pn_rng_below(rng, PN_COUNT_OF(types))]);
        if (pn__lance__schema__get_packed_size(schema) <= max)
            n = pn__lance__schema__pack(schema, bytes);
    }
    if (schema)
        pn__lance__schema__free_unpacked(schema, NULL);
    return n;
}

static size_t change_schema(uint8_t *bytes, size_t n, size_t max, pn_rng *rng)
{
    size_t n_schema = pn_load_le16(bytes + 1), n_file = n - HEAD - n_schema;
    size_t room = PN_MIN(n_schema + 512, PN_MIN(max - HEAD - n_file, (size_t)UINT16_MAX));
    uint8_t *schema = malloc(room + 1), *file = malloc(n_file + 1);
    if (schema && file && room >= n_schema) {
        memcpy(schema, bytes + HEAD, n_schema);
        memcpy(file, bytes + HEAD + n_schema, n_file);
        n_schema = pn_rng_below(rng, 2) ? change_type(schema, n_schema, room, rng)
                                        : fuzz_mutate_message(&pn__lance__schema__descriptor,
                                                              schema, n_schema, room, rng);
        pn_store_le16(bytes + 1, (uint16_t)n_schema);
        memcpy(bytes + HEAD, schema, n_schema);
        memcpy(bytes + HEAD + n_schema, file, n_file);
        n = HEAD + n_schema + n_file;
    }
    free(schema);
    free(file);
    return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    uint64_t what = pn_rng_below(&rng, 8);
    size_t n_head = n >= HEAD ? HEAD + (size_t)pn_load_le16(bytes + 1) : 0;
    if (n < HEAD || n_head > n || n > max || what == 0)
        return LLVMFuzzerMutate(bytes, n, max);
    if (what == 1)
        bytes[0] = (uint8_t)pn_rng_below(&rng, 8);
    else if (what <= 4)
        return change_schema(bytes, n, max, &rng);
    return n_head + fuzz_mutate_lance_file(bytes + n_head, n - n_head, max - n_head, &rng);
}

static void read_columns(const fuzz_lance *lance, const pn_schema *schema, int32_t column)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        int32_t leaves[FUZZ_MAX_LEAVES];
        size_t n_leaves = pn_lance_count_leaves(&schema->fields[i]);
        if (n_leaves > FUZZ_MAX_LEAVES)
            return;
        for (size_t k = 0; k < n_leaves; k++, column++)
            leaves[k] = (size_t)column < pn_lance_file_columns(lance->file) ? column : -1;
        fuzz_read_field(lance, &schema->fields[i], leaves, n_leaves);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pn_schema schema;
    pn_error err = {0};
    fuzz_lance lance;
    pn_arena arena;
    size_t n_head = n >= HEAD ? HEAD + (size_t)pn_load_le16(bytes + 1) : 0;
    if (n < HEAD || n_head > n)
        return 0;
    Pn__Lance__Schema *message = pn__lance__schema__unpack(NULL, n_head - HEAD, bytes + HEAD);
    if (!message)
        return 0;
    pn_arena_init(&arena, 1u << 26);
    fuzz_open_lance(bytes + n_head, n - n_head, &lance);
    if (lance.file) {
        if (pn_lance_schema_decode(message->fields, message->n_fields, &arena, &schema, &err) ==
            PN_OK)
            read_columns(&lance, &schema, bytes[0]);
        else
            fuzz_must(err.message[0] != '\0');
    }
    fuzz_close_lance(&lance);
    pn_arena_reset(&arena);
    pn__lance__schema__free_unpacked(message, NULL);
    return 0;
}
