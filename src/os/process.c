/*
 * process.c - signals as a flag and a pipe; what /proc says of us
 *
 * The handler sets the flag and writes one byte to a pipe, which is all that a handler may safely do; waiting is a poll on
 * the pipe's other end. The second signal finds the default action restored and ends the process at once: a person
 * who presses Ctrl-C twice means it.
 */
#include "os/process.h"

#include "base/str.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static atomic_bool stop_flag;
static int stop_pipe[2] = {-1, -1};

static void on_stop(int signal_number)
{
    int saved = errno;
    atomic_store(&stop_flag, true);
    ssize_t ignored = write(stop_pipe[1], "x", 1); // a full pipe says stop as well
    (void)ignored;
    struct sigaction usual = {.sa_handler = SIG_DFL};
    (void)sigaction(signal_number, &usual, NULL); // cannot fail for these signals
    errno = saved;
}

void pn_process_ignore_broken_pipes(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL); // cannot fail for this signal
}

void pn_process_catch_stop(void)
{
    if (stop_pipe[0] < 0 && pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        stop_pipe[0] = stop_pipe[1] = -1; // the flag alone works too
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    (void)sigaction(SIGINT, &action, NULL); // cannot fail for these signals
    (void)sigaction(SIGTERM, &action, NULL);
    pn_process_ignore_broken_pipes();
}

bool pn_process_stop_requested(void)
{
    return atomic_load(&stop_flag);
}

const atomic_bool *pn_process_stop_flag(void)
{
    return &stop_flag;
}

void pn_process_wait_for_stop(int64_t timeout_ms)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : pn_clock_monotonic_ns() + timeout_ms * 1000000;
    while (!atomic_load(&stop_flag)) {
        int64_t left_ms = timeout_ms < 0 ? 1000 : (until - pn_clock_monotonic_ns()) / 1000000;
        if (left_ms <= 0)
            return;
        struct pollfd waiting = {.fd = stop_pipe[0], .events = POLLIN};
        (void)poll(&waiting, 1,
                   (int)PN_MIN(left_ms, 1000)); // woken early is fine: the flag decides
    }
}

/* The number behind "Name:" in /proc/self/status, in bytes. */
static uint64_t status_bytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? (uint64_t)strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

static void read_small_file(const char *path, char *out, size_t room)
{
    size_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t got = read(fd, out, room - 1);
        n = got > 0 ? (size_t)got : 0;
        (void)close(fd); // it was only read
    }
    out[n] = '\0';
}

static double start_time_seconds(void)
{
    char stat[1024], uptime[64];
    read_small_file("/proc/self/stat", stat, sizeof stat);
    read_small_file("/proc/uptime", uptime, sizeof uptime);
    const char *at = strrchr(stat, ')'); // the name may hold blanks and brackets
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    double since_boot = (double)strtoull(at, NULL, 10) / (double)sysconf(_SC_CLK_TCK);
    return (double)pn_clock_wall_ns() * 1e-9 - strtod(uptime, NULL) + since_boot;
}

static uint64_t count_descriptors(uint64_t limit)
{
    uint64_t n = 0;
    for (uint64_t fd = 0; fd < PN_MIN(limit, (uint64_t)65536); fd++)
        n += fcntl((int)fd, F_GETFD) != -1;
    return n;
}

void pn_process_get_usage(pn_process_usage *out)
{
    char text[4096];
    struct rusage usage;
    struct rlimit limit = {0};
    *out = (pn_process_usage){0};
    read_small_file("/proc/self/status", text, sizeof text);
    out->resident_bytes = status_bytes(text, "VmRSS:");
    out->peak_resident_bytes = status_bytes(text, "VmHWM:");
    out->virtual_bytes = status_bytes(text, "VmSize:");
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
                           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->max_descriptors = limit.rlim_cur;
    out->open_descriptors = count_descriptors(out->max_descriptors);
    out->start_time_seconds = start_time_seconds();
}

uint64_t pn_process_mapped_bytes(void)
{
    char text[256];
    uint64_t all, resident, shared;
    read_small_file("/proc/self/statm", text, sizeof text);
    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &all, &resident, &shared) != 3)
        return 0;
    return shared * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool pn_terminal_is(int descriptor)
{
    return isatty(descriptor) == 1;
}

unsigned pn_terminal_columns(int descriptor, unsigned fallback)
{
    struct winsize size = {0};
    if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return fallback;
}

const char *pn_environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

void pn_process_be_patient(void)
{
    enum { LEAST_URGENT = 19 };
    /* On Linux priorities are those of threads. Nothing is lost when it fails. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LEAST_URGENT);
}
