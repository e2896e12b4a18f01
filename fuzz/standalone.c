/*
 * standalone.c - a main() that replays files through a fuzz target
 *
 * Arguments are files and folders (one level). It is linked in libFuzzer's place, so that every ctest run tries the corpus
 * with any compiler. No argument, or a folder without files, is an error: a replay of nothing must not pass.
 *
 * A target with a mutator of its own (mutate.h) is also given some of its mutations of each file: PN_FUZZ_MUTATIONS (10) of them, the same
 * ones every time.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Where libFuzzer is not: one byte becomes another, or comes, or goes. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t max);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t max)
{
    static unsigned seed = 1;
    seed = seed * 1664525u + 1013904223u;
    if (n < max && seed >> 30 == 0)
        bytes[n++] = 0;
    if (n > 1 && seed >> 30 == 1)
        n--;
    if (n > 0)
        bytes[(seed >> 8) % n] ^= (uint8_t)(1u << (seed >> 5) % 8);
    return n;
}

__attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t max,
                                                     unsigned seed);

/* Each is one change further away from the file than the last. */
static void mutate(const uint8_t *bytes, size_t n)
{
    enum { MOST_GROWTH = 4096, AGAIN = 8 };
    const char *text = getenv("PN_FUZZ_MUTATIONS");
    long n_mutations = text ? strtol(text, NULL, 10) : 10;
    uint8_t *work = malloc(n + MOST_GROWTH);
    if (!LLVMFuzzerCustomMutator || !work)
        n_mutations = 0;
    size_t n_work = 0;
    for (long i = 0; i < n_mutations; i++) {
        if (i % AGAIN == 0) {
            memcpy(work, bytes, n);
            n_work = n;
        }
        n_work = LLVMFuzzerCustomMutator(work, n_work, n + MOST_GROWTH, (unsigned)i);
        uint8_t *exact = malloc(n_work + 1);
        if (!exact)
            break;
        memcpy(exact, work, n_work);
        (void)LLVMFuzzerTestOneInput(exact, n_work);
        free(exact);
    }
    free(work);
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    long n = ftell(file);
    rewind(file);
    uint8_t *bytes =
        malloc(n > 0 ? (size_t)n : 1); // no byte behind the end, so that reads there are seen
    if (n < 0 || !bytes || fread(bytes, 1, (size_t)n, file) != (size_t)n) {
        perror(path);
        exit(2);
    }
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(bytes, (size_t)n); // it aborts when something is wrong
    mutate(bytes, (size_t)n);
    free(bytes);
    return 1;
}

static int replay(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int n = 0;
    if (!dir)
        return replay_file(path);
    while ((entry = readdir(dir)) != NULL) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        n += replay_file(name);
    }
    (void)closedir(dir);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;
    for (int i = 1; i < argc; i++)
        n += replay(argv[i]);
    (void)printf("%d files replayed\n", n);
    return n > 0 ? 0 : 1;
}
