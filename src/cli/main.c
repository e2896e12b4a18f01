/*
 * main.c - pennon: one program, one word to say what it does
 *
 * The commands are a table. Each has its own options and --help, parsed by argp; usage errors end with status 2 everywhere.
 */
#include "cli/cli.h"
#include "cli/config_file.h"
#include "os/process.h"

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
    {"index", pn_cmd_index, "build and look after what makes searches fast"},
    {"model", pn_cmd_model, "list, describe, verify or download models"},
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
    fputs(
        "\nEach command explains itself: pennon COMMAND --help. The manual: man pennon\n"
        "Options may stand in a file: --config=FILE, else $PENNON_CONFIG, else pennon.yaml in the\n"
        "working folder, else ~/.config/pennon/config.yaml\n\n"
        "  pennon ingest photos/ --model path/to/clip\n"
        "  pennon search red sneakers\n"
        "  pennon serve\n",
        out);
}

/* argp prints argv[0] in its messages: make it "pennon search". */
static char *title_of(const command *chosen)
{
    static char title[64];
    (void)snprintf(title, sizeof title, "pennon %s", chosen->name); // fits
    return title;
}

static int help(int argc, char **argv)
{
    static char help_option[] = "--help";
    if (argc < 3) {
        print_usage(stdout);
        return pn_cli_finish(PN_EXIT_OK);
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char *arguments[] = {title_of(&commands[i]), help_option, NULL};
        if (strcmp(argv[2], commands[i].name) == 0)
            return commands[i].run(2, arguments);
    }
    pn_cli_complain("\"%s\" is not a command; \"pennon help\" lists them", argv[2]);
    return PN_EXIT_USAGE;
}

static int run(const command *chosen, const char *config_file, int argc, char **argv)
{
    pn_config config = {0};
    pn_error err = {0};
    int code = PN_EXIT_USAGE;
    argv[1] = title_of(chosen);
    if (pn_config_apply(config_file, chosen->name, argc - 1, argv + 1, &config, &err) == PN_OK)
        code = chosen->run(config.argc, config.argv);
    else
        pn_cli_error(&err);
    pn_config_end(&config);
    return code;
}

/*
 * Take "--config FILE" or "--config=FILE" out of the command line, wherever it stands in front of "--"; the last one counts.
 * (Who looks for pictures of "--config" says --text=--config.) False: no file behind it.
 */
static bool take_config(int *argc, char **argv, const char **file)
{
    static const char option[] = "--config";
    const size_t n = sizeof option - 1;
    int n_kept = 1, i = 1;
    for (; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        bool is_joined = strncmp(argv[i], option, n) == 0 && argv[i][n] == '=';
        if (is_joined)
            *file = argv[i] + n + 1;
        else if (strcmp(argv[i], option) != 0)
            argv[n_kept++] = argv[i];
        else if (++i < *argc)
            *file = argv[i];
        else
            return false;
    }
    while (i < *argc)
        argv[n_kept++] = argv[i++];
    argv[n_kept] = NULL;
    *argc = n_kept;
    return !*file || (*file)[0] != '\0';
}

/* argp exits by itself behind --help, and its text may have gone nowhere. Everything else has been told by then. */
static void check_output(void)
{
    if (!ferror(stdout) && pn_cli_finish(PN_EXIT_OK) != PN_EXIT_OK)
        _Exit(PN_EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    /* For the width of characters only. Containers often have no locale, and people there Chinese titles all the same. */
    if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1)
        (void)setlocale(LC_CTYPE, "C.UTF-8"); // without that one too, bytes count
    pn_process_ignore_broken_pipes();
    argp_err_exit_status = PN_EXIT_USAGE;
    if (atexit(check_output) != 0)
        return PN_EXIT_FAILURE; // no memory at all
    const char *config = NULL;
    if (!take_config(&argc, argv, &config)) {
        pn_cli_complain("--config: which file?");
        return PN_EXIT_USAGE;
    }
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
            return run(&commands[i], config, argc, argv);
    pn_cli_complain("\"%s\" is not a command; \"pennon help\" lists them", argv[1]);
    return PN_EXIT_USAGE;
}
