/*
 * main.c - pennon: one program, one word to say what it does
 *
 * The commands are a table. Each has its own options and --help, parsed by argp; usage errors end with status 2 everywhere.
 */
#include "cli/cli.h"
#include "os/fd.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"ingest", pn_cmd_ingest, "take pictures into a table"},
    {"search", pn_cmd_search, "find pictures by words, by picture, or both"},
    {"serve", pn_cmd_serve, "serve the search page and the REST interface"},
    {"info", pn_cmd_info, "say what a table holds"},
    {"versions", pn_cmd_versions, "list the versions of a table"},
    {"list", pn_cmd_list, "list rows"},
    {"show", pn_cmd_show, "show rows by id"},
    {"count", pn_cmd_count, "count rows"},
    {"delete", pn_cmd_delete, "delete rows by id or filter"},
    {"embed", pn_cmd_embed, "print the vectors of texts and pictures"},
    {"tokenize", pn_cmd_tokenize, "print the token ids of texts"},
    {"preprocess", pn_cmd_preprocess, "write the tensor that a picture becomes"},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *out)
{
    fputs("Usage: pennon COMMAND [OPTION...]\n"
          "Search a product catalogue by words or by picture.\n\n",
          out);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
    fputs("\nEach command explains itself: pennon COMMAND --help. The manual: man pennon\n\n"
          "  pennon ingest photos/ --model path/to/clip\n"
          "  pennon search red sneakers\n"
          "  pennon serve\n",
          out);
}

static int help(int argc, char **argv)
{
    static char help_option[] = "--help";
    if (argc < 3) {
        print_usage(stdout);
        return pn_cli_finish(PN_EXIT_OK);
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char *arguments[] = {argv[2], help_option, NULL};
        if (strcmp(argv[2], commands[i].name) == 0)
            return commands[i].run(2, arguments);
    }
    pn_cli_complain("\"%s\" is not a command; \"pennon help\" lists them", argv[2]);
    return PN_EXIT_USAGE;
}

/* argp prints argv[0] in its messages: make it "pennon search". */
static int run(const command *chosen, int argc, char **argv)
{
    static char name[64];
    (void)snprintf(name, sizeof name, "pennon %s", chosen->name); // fits
    argv[1] = name;
    return chosen->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    (void)setlocale(LC_CTYPE, ""); // for the width of characters only; without one, bytes count
    pn_fd_fault_from_environment();
    argp_err_exit_status = PN_EXIT_USAGE;
    if (argc < 2) {
        print_usage(stderr);
        return PN_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("pennon %s\n", pn_version());
        return pn_cli_finish(PN_EXIT_OK);
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(argc, argv);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc, argv);
    pn_cli_complain("\"%s\" is not a command; \"pennon help\" lists them", argv[1]);
    return PN_EXIT_USAGE;
}
