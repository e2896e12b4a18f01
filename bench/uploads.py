#!/usr/bin/env python3
"""How many uploads does the service take? Usage: uploads.py PENNON MODEL PICTURE [SECONDS] [CLIENTS...]

Starts `pennon serve` on a new table in a folder of its own (below $TMPDIR), and lets 1, 8 and 32 clients upload the picture under ever new paths for
SECONDS (5) each: every answer says that the row is on the disk. The table stays between the series and grows. Clients are threads of
one process with a connection each that is kept open. One JSON line per series.
"""
import http.client, json, os, pathlib, re, subprocess, sys, tempfile, threading, time


def start(pennon, table, model):
    process = subprocess.Popen([pennon, "serve", "--table", table, "--model", model, "--port", "0", "--no-index"], stdout=subprocess.PIPE)
    return process, int(re.search(rb":(\d+)$", process.stdout.readline().strip())[1])


def body_of(path, picture):
    head = f'--xyz\r\nContent-Disposition: form-data; name="path"\r\n\r\n{path}\r\n--xyz\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n\r\n'
    return head.encode() + picture + b"\r\n--xyz--\r\n"


def client(port, prefix, picture, end, times):
    c, i = http.client.HTTPConnection("127.0.0.1", port), 0
    while (begin := time.perf_counter()) < end:
        c.request("POST", "/ingest", body_of(f"{prefix}/{i}.jpg", picture), {"Content-Type": "multipart/form-data; boundary=xyz"})
        answer = c.getresponse()
        text = answer.read()
        assert answer.status == 201, text
        times.append(time.perf_counter() - begin)
        i += 1


def series(port, n_clients, picture, seconds):
    times, end = [[] for _ in range(n_clients)], time.perf_counter() + seconds
    clients = [threading.Thread(target=client, args=(port, f"{n_clients}-{k}-{end}", picture, end, times[k])) for k in range(n_clients)]
    begin = time.perf_counter()
    for t in clients:
        t.start()
    for t in clients:
        t.join()
    took = time.perf_counter() - begin
    sorted_times = sorted(t for one in times for t in one)
    return {"clients": n_clients, "uploads_per_s": round(len(sorted_times) / took, 1), "p50_ms": round(sorted_times[len(sorted_times) // 2] * 1e3, 2),
            "p99_ms": round(sorted_times[len(sorted_times) * 99 // 100] * 1e3, 2), "n": len(sorted_times)}


def main():
    pennon, model, picture = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).read_bytes()
    seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 5
    counts = [int(n) for n in sys.argv[5:]] or [1, 8, 32]
    with tempfile.TemporaryDirectory() as folder:
        first = os.path.join(folder, "first")
        os.mkdir(first)
        pathlib.Path(first, "0.jpg").write_bytes(picture)
        table = os.path.join(folder, "t.lance")
        subprocess.run([pennon, "ingest", first, "--table", table, "--model", model, "--quiet", "--no-index"], check=True)
        process, port = start(pennon, table, model)
        try:
            for n in counts:
                print(json.dumps(series(port, n, picture, seconds)), flush=True)
        finally:
            process.terminate()
            process.wait()


main()
