/*
 * ann_peer.hpp - how a C++ library of nearest neighbours is measured beside pennon
 *
 *     PEER DATA ROWS INDEX build  --config CONFIG [--threads N]
 *     PEER DATA ROWS INDEX search --config CONFIG --kind i|t --settings S,... [--queries N]
 *
 * DATA is a folder made by bench_vectors. The lines are those of bench_index: values between tabs,
 *
 *     peer  rows  setting  image|text  recall@10  queries/s  p50 us  p99 us  queries/s on 2 threads
 *
 * and lines with # in front tell of building and size. What is timed, and how often, is what bench_index times: every query once to warm up
 * and for the recall, then turns of all queries for a second and a half (1 to 5 of them, the best counts), then four turns' queries, one where it took
 * more than a second, on two threads. A returned row is right when its score reaches that of the true tenth less 1e-6: twins cost nobody anything.
 */
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace ann
{
constexpr int DIM = 512, K = 10, MOST_TURNS = 5;
constexpr double TURNS_S = 1.5;

[[noreturn]] inline void stop(const std::string &what)
{
    fprintf(stderr, "%s\n", what.c_str());
    exit(1);
}

inline double seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double cpu_seconds()
{
    rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + 1e-6 * (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

inline const void *map(const std::string &path)
{
    struct stat st;
    int fd = open(path.c_str(), O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        stop(path + " cannot be read");
    void *bytes = mmap(nullptr, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        stop(path + " cannot be mapped");
    return bytes;
}

/* Memory of the process that no file backs. */
inline double own_mib()
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = atol(line + 8);
    if (f)
        fclose(f);
    return kib / 1024.0;
}

struct options {
    std::string data, index, config, kind = "i", settings;
    long n_rows = 0;
    size_t n_queries = 1000;
    int threads = 2;
    bool build = false;
    const float *base = nullptr;
};

inline options parse(int argc, char **argv)
{
    options o;
    if (argc < 5)
        stop("usage: PEER DATA ROWS INDEX build|search --config C [--kind i|t] [--settings S,...]");
    o.data = argv[1], o.n_rows = atol(argv[2]), o.index = argv[3];
    o.build = strcmp(argv[4], "build") == 0;
    for (int i = 5; i + 1 < argc; i += 2) {
        std::string name = argv[i], value = argv[i + 1];
        if (name == "--config")
            o.config = value;
        else if (name == "--kind")
            o.kind = value;
        else if (name == "--settings")
            o.settings = value;
        else if (name == "--queries")
            o.n_queries = strtoul(value.c_str(), nullptr, 10);
        else if (name == "--threads")
            o.threads = atoi(value.c_str());
        else
            stop("no such option: " + name);
    }
    o.base = (const float *)map(o.data + "/base.f32");
    return o;
}

/* "a,b:c" by one of the separators */
inline std::vector<std::string> split(const std::string &text, char separator)
{
    std::vector<std::string> parts;
    for (size_t at = 0; at <= text.size();) {
        size_t end = std::min(text.find(separator, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

inline void note(const std::string &peer, const options &o, const char *what, double value)
{
    printf("#\t%s\t%ld\t%s\t%.3f\n", peer.c_str(), o.n_rows, what, value);
    fflush(stdout);
}

inline void note_build(const std::string &peer, const options &o, double start, double cpu)
{
    note(peer, o, "build_s", seconds() - start);
    note(peer, o, "build_cpu_s", cpu_seconds() - cpu);
    note(peer, o, "build_own_mib", own_mib());
}

inline void note_disk(const std::string &peer, const options &o)
{
    struct stat st;
    if (stat(o.index.c_str(), &st) == 0)
        note(peer, o, "disk_mib", st.st_size / 1048576.0);
}

struct queries {
    const float *vectors, *scores; /* [n][DIM]; [n][k], of the truth */
    size_t n, k;
};

inline queries load_queries(const options &o)
{
    const int32_t *truth =
        (const int32_t *)map(o.data + "/gt" + o.kind + "." + std::to_string(o.n_rows));
    queries q;
    q.n = std::min((size_t)truth[0], o.n_queries), q.k = truth[1];
    q.vectors = (const float *)map(o.data + "/q" + o.kind + ".f32");
    q.scores = (const float *)(truth + 2 + (size_t)truth[0] * q.k);
    return q;
}

inline int count_right(const options &o, const queries &q, size_t query, const int64_t *ids)
{
    const float *x = q.vectors + query * DIM;
    int right = 0;
    for (int i = 0; i < K; i++) {
        if (ids[i] < 0 || std::find(ids, ids + i, ids[i]) != ids + i)
            continue;
        const float *row = o.base + ids[i] * DIM;
        double score = 0;
        for (int d = 0; d < DIM; d++)
            score += (double)x[d] * row[d];
        right += score >= q.scores[query * q.k + K - 1] - 1e-6;
    }
    return right;
}

/* ids [K], -1 behind the last; thread is 0 or 1. */
using search_fn = std::function<void(int thread, const float *query, int64_t *ids)>;

inline void measure(const std::string &peer, const options &o, const std::string &setting,
                    const queries &q, const search_fn &search)
{
    int64_t ids[K];
    double right = 0, best = 1e9;
    for (size_t i = 0; i < q.n; i++) {
        std::fill(ids, ids + K, -1);
        search(0, q.vectors + i * DIM, ids);
        right += count_right(o, q, i, ids);
    }
    std::vector<double> times(q.n), best_times;
    double start = seconds();
    for (int turn = 0; turn < MOST_TURNS && (turn == 0 || seconds() - start < TURNS_S); turn++) {
        double t = seconds(), last = t;
        for (size_t i = 0; i < q.n; i++) {
            search(0, q.vectors + i * DIM, ids);
            double now = seconds();
            times[i] = now - last, last = now;
        }
        if (last - t < best)
            best = last - t, best_times = times;
    }
    std::sort(best_times.begin(), best_times.end());
    std::atomic<size_t> next{0};
    size_t n_two = q.n * (best > 1 ? 1 : 4);
    auto work = [&](int thread) {
        int64_t own[K];
        for (size_t i; (i = next++) < n_two;)
            search(thread, q.vectors + i % q.n * DIM, own);
    };
    double two = seconds();
    std::thread other(work, 1);
    work(0);
    other.join();
    two = seconds() - two;
    printf("%s\t%ld\t%s\t%s\t%.4f\t%.0f\t%.0f\t%.0f\t%.0f\n", peer.c_str(), o.n_rows,
           setting.c_str(), o.kind == "i" ? "image" : "text", right / (K * q.n), q.n / best,
           best_times[q.n / 2] * 1e6, best_times[q.n * 99 / 100] * 1e6, n_two / two);
    fflush(stdout);
}
} // namespace ann
