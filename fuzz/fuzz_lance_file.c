/*
 * fuzz_lance_file.c - any bytes as a Lance data file
 *
 * A file in memory is opened by path; what opens is read column by column as the file itself tells its schema: whole, in windows,
 * chosen rows, and as mapped vectors. Most mutations keep the file's shape (mutate.h) and so reach the pages.
 */
#include "lance/lance_schema.h"
#include "mutate.h"
#include "read_lance.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max, unsigned seed)
{
    pn_rng rng = pn_rng_seed(seed);
    size_t changed = pn_rng_below(&rng, 8) > 0 ? fuzz_mutate_lance_file(bytes, n, max, &rng) : 0;
    return changed > 0 ? changed : LLVMFuzzerMutate(bytes, n, max);
}

static void read_columns(const fuzz_lance *lance)
{
    const pn_schema *schema = pn_lance_file_schema(lance->file);
    size_t next = 0;
    for (size_t i = 0; i < schema->n_fields; i++) {
        int32_t leaves[FUZZ_MAX_LEAVES];
        size_t n_leaves = pn_lance_count_leaves(&schema->fields[i]);
        if (n_leaves > FUZZ_MAX_LEAVES)
            return;
        for (size_t k = 0; k < n_leaves; k++)
            leaves[k] = pn_lance_file_leaf_column(lance->file, next++);
        fuzz_read_field(lance, &schema->fields[i], leaves, n_leaves);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    fuzz_lance lance;
    fuzz_open_lance(bytes, n, &lance);
    if (lance.file)
        read_columns(&lance);
    fuzz_close_lance(&lance);
    return 0;
}
