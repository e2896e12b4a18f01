/*
 * index_progress.c - building an index with a word about how far it is
 */
#include "cli/index_progress.h"

#include "cli/term.h"
#include "os/process.h"

#include <string.h>

typedef struct teller {
    bool is_terminal, drawn;
    const char *stage; /* the last that was told of */
    int percent;
} teller;

static void on_progress(void *context, const char *stage, double done)
{
    teller *t = context;
    int percent = (int)(done * 100);
    if (!t->is_terminal || (t->stage == stage && t->percent == percent))
        return;
    t->stage = stage;
    t->percent = percent;
    t->drawn = true;
    fprintf(stderr, "\r\033[Kindex: %s %d %%", stage, percent);
    (void)fflush(stderr);
}

static int on_cancelled(void *context)
{
    (void)context;
    return pn_process_stop_requested();
}

pn_status pn_cli_build_index(pn_session *session, const pn_index_options *options, bool quiet,
                             pn_index_report *out)
{
    pn_error err = {0};
    teller t = {.is_terminal = !quiet && pn_terminal_is(2)};
    pn_index_options told = *options;
    told.progress = on_progress;
    told.cancelled = on_cancelled;
    told.context = &t;
    pn_status status = pn_table_index_build(session->table, session->model, &told, out, &err);
    if (t.drawn)
        fputs("\r\033[K", stderr);
    if (status == PN_ERR_CONFLICT && options->if_due)
        return PN_OK;
    if (status != PN_OK)
        pn_cli_error(&err);
    return status;
}
