#!/usr/bin/env python3
"""How fast does the service start and answer? Usage: serve.py PENNON TABLE MODEL [SECONDS]

Starts `pennon serve` on the table ten times (median time until /readyz answers), then asks it: one and eight clients, each with a
connection of its own that is kept open, one question after the other for SECONDS (5). Clients are Python processes on the same
machine and take part of it, eight more than one: requests/s are a lower bound, latency is what such a client sees. Each series runs
three times, the best is told. One JSON line per result.
"""
import http.client, json, multiprocessing, os, re, statistics, subprocess, sys, time

QUESTIONS = {
    "text": ("POST", "/search", lambda i: json.dumps({"query": WORDS[i % len(WORDS)], "k": 20})),
    "like": ("POST", "/search", lambda i: json.dumps({"like": i % 300, "k": 20})),
    "text, where": ("POST", "/search", lambda i: json.dumps({"query": WORDS[i % len(WORDS)], "k": 20, "where": "metadata['price'] < 50"})),
    "healthz": ("GET", "/healthz", lambda i: None),
}
WORDS = [f"{c} {t}" for c in ("red", "blue", "black", "white", "green") for t in ("sneakers", "dress", "boots", "bag", "coat", "hat", "mug")]


def start(pennon, table, model):
    """The process, its port, and seconds until /readyz answered."""
    begin = time.perf_counter()
    process = subprocess.Popen([pennon, "serve", "--table", table, "--model", model, "--port", "0"], stdout=subprocess.PIPE)
    port = int(re.search(rb":(\d+)$", process.stdout.readline().strip())[1])
    c = http.client.HTTPConnection("127.0.0.1", port)
    c.request("GET", "/readyz")
    assert c.getresponse().read()
    return process, port, time.perf_counter() - begin


def client(port, name, seconds, number, out):
    method, path, body = QUESTIONS[name]
    c, times = http.client.HTTPConnection("127.0.0.1", port), []
    i, end = number * 1000, time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        c.request(method, path, body(i), {"Content-Type": "application/json"})
        answer = c.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        times.append(time.perf_counter() - begin)
        i += 1
    out.put(times)


def series(port, name, n_clients, seconds):
    out = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=client, args=(port, name, seconds, n, out)) for n in range(n_clients)]
    for p in clients:
        p.start()
    times = sorted(t for _ in clients for t in out.get())
    for p in clients:
        p.join()
    return {"what": name, "clients": n_clients, "requests_per_s": round(len(times) / seconds, 1), "p50_ms": round(times[len(times) // 2] * 1e3, 3),
            "p99_ms": round(times[len(times) * 99 // 100] * 1e3, 3), "n": len(times)}


def status_kib(process, field):
    return int(re.search(rf"{field}:\s+(\d+)", open(f"/proc/{process.pid}/status").read())[1])


def main():
    pennon, table, model = sys.argv[1:4]
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 5
    times = []
    for i in range(10):
        process, port, took = start(pennon, table, model)
        times.append(took)
        if i < 9:
            process.terminate()
            process.wait()
    rest = status_kib(process, "VmRSS")
    print(json.dumps({"what": "start to ready", "median_ms": round(statistics.median(times) * 1e3, 1), "min_ms": round(min(times) * 1e3, 1),
                      "load": os.getloadavg()[0], "cores": os.cpu_count()}), flush=True)
    for name in QUESTIONS:
        for n_clients in (1, 8):
            runs = [series(port, name, n_clients, seconds / 3) for _ in range(3)]
            print(json.dumps(max(runs, key=lambda r: r["requests_per_s"])), flush=True)
    print(json.dumps({"what": "resident memory", "at_rest_mib": round(rest / 1024, 1), "after_mib": round(status_kib(process, "VmRSS") / 1024, 1),
                      "peak_mib": round(status_kib(process, "VmHWM") / 1024, 1), "load": os.getloadavg()[0]}))
    process.terminate()
    assert process.wait(15) == 0


main()
