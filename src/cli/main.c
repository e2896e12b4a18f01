/*
 * main.c - pennon: one program, one word to say what it does
 *
 * The commands are a table, and so are the subcommands of those that have some. Each has its own options and --help, parsed by
 * argp; usage errors end with status 2 everywhere.
 */
#include "cli/cli.h"
#include "cli/config_file.h"
#include "os/process.h"

#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const pn_command commands[] = {
    {"ingest", pn_cmd_ingest, "take pictures into a table", NULL},
    {"search", pn_cmd_search, "find pictures by words, by picture, or both", NULL},
    {"serve", pn_cmd_serve, "serve the search page and the REST interface", NULL},
    {"info", pn_cmd_info, "say what a table holds", NULL},
    {"versions", pn_cmd_versions, "list the versions of a table", NULL},
    {"list", pn_cmd_list, "list rows", NULL},
    {"show", pn_cmd_show, "show rows by id", NULL},
    {"count", pn_cmd_count, "count rows", NULL},
    {"delete", pn_cmd_delete, "delete rows by id or filter", NULL},
    {"table", NULL, "look into Lance tables of any kind, and keep them in order",
     pn_table_commands},
    {"index", pn_cmd_index, "build and look after what makes searches fast", NULL},
    {"model", pn_cmd_model, "list, describe, verify or download models", NULL},
    {"embed", pn_cmd_embed, "print the vectors of texts and pictures", NULL},
    {"tokenize", pn_cmd_tokenize, "print the token ids of texts", NULL},
    {"preprocess", pn_cmd_preprocess, "write the tensor that a picture becomes", NULL},
    {NULL, NULL, NULL, NULL},
};

static void print_list(const pn_command *list, FILE *out)
{
    for (; list->name; list++)
        fprintf(out, "  %-11s %s\n", list->name, list->summary);
}

static void print_usage(FILE *out)
{
    fputs("Usage: pennon COMMAND [OPTION...]\n"
          "Search a product catalogue by words or by picture.\n\n",
          out);
    print_list(commands, out);
    fputs(
        "\nEach command explains itself: pennon COMMAND --help. The manual: man pennon\n"
        "Options may stand in a file: --config=FILE, else $PENNON_CONFIG, else pennon.yaml in the\n"
        "working folder, else ~/.config/pennon/config.yaml\n\n"
        "  pennon ingest photos/ --model path/to/clip\n"
        "  pennon search red sneakers\n"
        "  pennon serve\n",
        out);
}

static void print_subcommands(const pn_command *chosen, FILE *out)
{
    fprintf(out, "Usage: pennon %s SUBCOMMAND [OPTION...]\n%c%s.\n\n", chosen->name,
            toupper((unsigned char)chosen->summary[0]), chosen->summary + 1);
    print_list(chosen->subcommands, out);
    fprintf(out, "\nEach explains itself: pennon %s SUBCOMMAND --help\n", chosen->name);
}

static const pn_command *find(const pn_command *list, const char *name)
{
    while (list->name && strcmp(list->name, name) != 0)
        list++;
    return list->name ? list : NULL;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
           strcmp(word, "-?") == 0;
}

/* What the words of a command line begin with. */
typedef struct choice {
    const pn_command *command;    /* NULL: no word, or none that is known */
    const pn_command *subcommand; /* NULL: it has none, or no word is one */
    int n_words;                  /* that were understood */
} choice;

static choice choose(int argc, char **argv)
{
    choice c = {0};
    c.command = argc > 0 ? find(commands, argv[0]) : NULL;
    if (c.command && c.command->subcommands && argc > 1)
        c.subcommand = find(c.command->subcommands, argv[1]);
    c.n_words = (c.command != NULL) + (c.subcommand != NULL);
    return c;
}

static int complain_of(const choice *c, const char *word)
{
    if (c->command)
        pn_cli_complain("\"%s\" is not a subcommand; \"pennon %s --help\" lists them", word,
                        c->command->name);
    else
        pn_cli_complain("\"%s\" is not a command; \"pennon help\" lists them", word);
    return PN_EXIT_USAGE;
}

/* argp prints argv[0] in its messages: make it "pennon search". */
static char *title_of(const choice *c)
{
    static char title[64];
    (void)snprintf(title, sizeof title, "pennon %s%s%s", c->command->name, c->subcommand ? " " : "",
                   c->subcommand ? c->subcommand->name : ""); // fits
    return title;
}

static int explain_subcommands(const pn_command *command)
{
    print_subcommands(command, stdout);
    return pn_cli_finish(PN_EXIT_OK);
}

/* pennon help [COMMAND [SUBCOMMAND]]; words are what stands behind help. */
static int help(int n_words, char **words)
{
    static char help_option[] = "--help";
    choice c = choose(n_words, words);
    if (n_words == 0) {
        print_usage(stdout);
        return pn_cli_finish(PN_EXIT_OK);
    }
    if (!c.command)
        return complain_of(&c, words[0]);
    const pn_command *last = c.subcommand ? c.subcommand : c.command;
    if (!last->run)
        return n_words > 1 ? complain_of(&c, words[1]) : explain_subcommands(last);
    char *arguments[] = {title_of(&c), help_option, NULL};
    return last->run(2, arguments);
}

static int run(const choice *c, const char *config_file, int argc, char **argv)
{
    pn_config config = {0};
    pn_error err = {0};
    int code = PN_EXIT_USAGE;
    const pn_command *last = c->subcommand ? c->subcommand : c->command;
    argv += c->n_words;
    argv[0] = title_of(c);
    if (pn_config_apply(config_file, last->name, argc - c->n_words, argv, &config, &err) == PN_OK)
        code = last->run(config.argc, config.argv);
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
    if (asks_for_help(argv[1]))
        return help(argc - 2, argv + 2);
    choice c = choose(argc - 1, argv + 1);
    if (!c.command)
        return complain_of(&c, argv[1]);
    if (c.command->run || c.subcommand)
        return run(&c, config, argc, argv);
    if (argc == 2) {
        print_subcommands(c.command, stderr);
        return PN_EXIT_USAGE;
    }
    return asks_for_help(argv[2]) ? explain_subcommands(c.command) : complain_of(&c, argv[2]);
}
