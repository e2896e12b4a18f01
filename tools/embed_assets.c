/*
 * embed_assets.c - files -> one C source: embed_assets OUT FILE...
 *
 * Run by the build. Each file becomes an array of bytes and a row of pn_assets[] with its name, type and size.
 */
#include <stdio.h>
#include <string.h>

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot && strcmp(dot, ".html") == 0)
        return "text/html; charset=utf-8";
    if (dot && strcmp(dot, ".css") == 0)
        return "text/css; charset=utf-8";
    if (dot && strcmp(dot, ".js") == 0)
        return "text/javascript; charset=utf-8";
    if (dot && strcmp(dot, ".svg") == 0)
        return "image/svg+xml";
    if (dot && strcmp(dot, ".json") == 0)
        return "application/json";
    return "application/octet-stream";
}

int main(int argc, char **argv)
{
    FILE *out = argc > 2 ? fopen(argv[1], "w") : NULL;
    if (!out) {
        fprintf(stderr, "usage: embed_assets OUT FILE...\n");
        return 2;
    }
    fputs("#include \"serve/assets.h\"\n", out);
    for (int i = 2; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (!in) {
            fprintf(stderr, "embed_assets: cannot open %s\n", argv[i]);
            return 1;
        }
        fprintf(out, "static const unsigned char file_%d[] = {", i);
        int c;
        for (long n = 0; (c = fgetc(in)) != EOF; n++)
            fprintf(out, "%s%d,", n % 24 == 0 ? "\n" : "", c);
        fputs("0};\n", out); // never empty
        fclose(in);
    }
    fputs("const pn_asset pn_assets[] = {\n", out);
    for (int i = 2; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        fprintf(out, "    {\"/%s\", \"%s\", file_%d, sizeof file_%d - 1},\n",
                strcmp(name, "index.html") == 0 ? "" : name, type_of(name), i, i);
    }
    fprintf(out, "};\nconst size_t pn_n_assets = %d;\n", argc - 2);
    return fclose(out) == 0 ? 0 : 1;
}
