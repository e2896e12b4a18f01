/*
 * standalone.c - a main() that replays files through a fuzz target
 *
 * Arguments are files and folders (one level). It is linked in libFuzzer's place, so that every ctest run tries the corpus
 * with any compiler. No argument, or a folder without files, is an error: a replay of nothing must not pass.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

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
