/*
 * model_verify.c - pennon model verify: the report of a self-test
 */
#include "cli/cmd_model.h"

#include "cli/json_out.h"
#include "cli/term.h"
#include "os/process.h"

#include <inttypes.h>

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

static void on_progress(void *context, const char *precision)
{
    const pn_model_arguments *args = context;
    if (!args->common.quiet && pn_terminal_is(2))
        fprintf(stderr, "\r\033[K%s ...", precision);
}

static double real_in(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *verdict(const json_t *object)
{
    return json_is_true(json_object_get(object, "passed")) ? "ok" : "FAILED";
}

static void print_golden(const json_t *golden)
{
    if (!json_is_object(golden)) {
        puts("golden vectors: none beside the model (pennon-golden.json)");
        return;
    }
    printf("golden vectors: %" JSON_INTEGER_FORMAT " pictures, least cosine %.7f; "
           "%" JSON_INTEGER_FORMAT " texts, %.7f: %s\n",
           json_integer_value(json_object_get(golden, "pictures")), real_in(golden, "image_cosine"),
           json_integer_value(json_object_get(golden, "texts")), real_in(golden, "text_cosine"),
           verdict(golden));
}

static void print_report(const json_t *report)
{
    size_t i;
    json_t *line;
    printf("%" JSON_INTEGER_FORMAT " pictures and %" JSON_INTEGER_FORMAT
           " texts against f32; the least cosine\n",
           json_integer_value(json_object_get(report, "pictures")),
           json_integer_value(json_object_get(report, "texts")));
    puts("precision    pictures       texts   recall@10  pictures/s");
    json_array_foreach(json_object_get(report, "arithmetic"), i, line)
    {
        printf("%-9s %11.8f %11.8f       %.3f  %10.1f  %s\n",
               json_string_value(json_object_get(line, "precision")), real_in(line, "image_cosine"),
               real_in(line, "text_cosine"), real_in(line, "recall_at_10"),
               real_in(line, "images_per_second"), verdict(line));
    }
    print_golden(json_object_get(report, "golden"));
}

int pn_model_run_verify(const pn_model_arguments *args, pn_session *session, const char *spec)
{
    pn_error err = {0};
    pn_model_arguments seen = *args; // a context is not const
    pn_model_verify_options options = PN_MODEL_VERIFY_OPTIONS_INIT;
    char *text = NULL;
    options.precision = args->precision;
    options.golden = args->golden;
    options.n_pictures = args->n_pictures;
    options.pictures = args->pictures;
    options.progress = on_progress;
    options.cancelled = on_cancelled;
    options.context = &seen;
    pn_status status = pn_model_verify(session->library, spec, &options, &text, &err);
    if (!args->common.quiet && pn_terminal_is(2))
        fputs("\r\033[K", stderr);
    json_t *report = text ? json_loads(text, 0, NULL) : NULL;
    pn_memory_free(text);
    if (report && args->common.output == PN_OUTPUT_JSON) {
        (void)pn_cli_print_json(json_incref(report), JSON_INDENT(2) | JSON_REAL_PRECISION(10));
        putchar('\n');
    } else if (report) {
        print_report(report);
    }
    json_decref(report);
    if (status == PN_OK)
        return PN_EXIT_OK;
    pn_cli_error(&err);
    return status == PN_ERR_CANCELLED ? PN_EXIT_STOPPED : PN_EXIT_FAILURE;
}
