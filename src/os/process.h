/*
 * process.h - what a program asks of its own process: stop signals, memory, the terminal, the environment
 *
 * Handlers set atomic flags and nothing else. Threads: any; pn_process_catch_stop() once at start.
 */
#ifndef PN_OS_PROCESS_H
#define PN_OS_PROCESS_H

#include "base/compiler.h"

#include <stdatomic.h>

/* Turn SIGINT and SIGTERM into a flag; the second one ends the process as usual. SIGPIPE is ignored. */
void pn_process_catch_stop(void);
/* Writing to a pipe that nobody reads any more is an error that can be told, not the end of the process. */
void pn_process_ignore_broken_pipes(void);
/* True after the first of them. The flag itself, for code that polls a cancel flag. */
bool pn_process_stop_requested(void);
const atomic_bool *pn_process_stop_flag(void);
/* Sleep until a stop signal arrives or timeout_ms (-1: for ever) is over. */
void pn_process_wait_for_stop(int64_t timeout_ms);

/* Resident and peak memory in bytes (0 when unknown), CPU seconds, start time, open descriptors: for /metrics. */
typedef struct pn_process_usage {
    uint64_t resident_bytes, peak_resident_bytes, virtual_bytes;
    double cpu_seconds;
    double start_time_seconds;
    uint64_t open_descriptors, max_descriptors;
} pn_process_usage;
void pn_process_get_usage(pn_process_usage *out);

/* Bytes of files that are mapped and lie in this process's memory: one short read, to be asked often. 0 when unknown. */
uint64_t pn_process_mapped_bytes(void);

/* The calling thread gives way to all others from now on. */
void pn_process_be_patient(void);

/* Is the descriptor (1 = standard output, 2 = standard error) a terminal, and how wide? */
bool pn_terminal_is(int descriptor);
unsigned pn_terminal_columns(int descriptor, unsigned fallback);

/* NULL when unset or empty. The text lives until the environment changes. */
const char *pn_environment(const char *name);

#endif
