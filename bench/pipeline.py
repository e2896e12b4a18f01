#!/usr/bin/env python3
"""pipeline.py - from picture files to rows, and from a query to an answer, beside ONNX Runtime's bare tower

    bench/pipeline.py PENNON BENCH_EMBED FOLDER PICTURES [ROUNDS]

FOLDER is embed_peer.sh's (the ViT-B/32 of random weights, its ONNX twin, onnxruntime-node); PICTURES a folder or list that
pennon ingests. Every round runs, one after the other: `pennon ingest` of all pictures into a new table (reading, decoding,
resizing, the tower, the commit), the peer's image tower alone on tensors that are ready, batches of 8; then 200 text queries
over HTTP to `pennon serve` on that table (of 8 tokens; tokenizing, tower, exact search, JSON) and the peer's
text tower alone, 8 tokens. bench_pixels, beside BENCH_EMBED, tells what a picture takes of one core before the tower,
from which the shares of the stages follow. The comparison is in the peer's favour: it decodes nothing and answers nobody. One JSON
line, medians over the rounds; ratio above 1: pennon is faster. $PENNON_PRECISION is pennon's; the peer's is f32.
"""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
QUERY = "redbag"  # the random model's vocabulary is bytes: 6 and the two ends, as the peer's text-8
PORT = 18432


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def ingest(pennon, model, pictures, table):
    shutil.rmtree(table, ignore_errors=True)
    summary = json.loads(run([pennon, "ingest", pictures, "--table", table, "--model", model, "--json"]))
    return summary["committed"] / summary["seconds"]


def peer(folder, bench, threads, case):
    out = run(["node", os.path.join(HERE, "embed_peer.mjs"), folder, bench, str(threads), "1", "4", "", "", case + ":f32"])
    return json.loads(out.strip().splitlines()[-1])["ms_med"]


def tower(bench, folder, threads):
    """Pictures a second of pennon's own tower, at the precision that it ingests with."""
    out = run([bench, "--model", folder, "--threads", str(threads), "--seconds", "4", "--case", "image-8",
               "--precision", os.environ.get("PENNON_PRECISION", "exact")])
    rows = {row["case"]: row for row in map(json.loads, out.splitlines())}
    return 1000 / rows["image-8"]["ms_item_med"]


def pixels(bench, folder, pictures):
    """Milliseconds of one core that a picture takes before the tower, stage by stage."""
    out = run([os.path.join(os.path.dirname(bench), "bench_pixels"), "--model", folder, pictures])
    return json.loads(out)


def shares(row, threads):
    """The stages' parts of an ingest. other: writing, waiting, whatever the stages take more than alone."""
    whole = threads * 1000 / row["ingest_per_s"]
    stages = {"read_hash": row["read_ms"] + row["hash_ms"], "entropy": row["entropy_ms"],
              "transform": row["decode_ms"] - row["entropy_ms"], "prepare": row["prepare_ms"],
              "thumbnail": row["thumbnail_ms"], "tower": threads * 1000 / row["tower_per_s"]}
    stages["other"] = whole - sum(stages.values())
    return {"share_" + name: ms / whole for name, ms in stages.items()}


def memory_mib(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name + ":"))


def ask():
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/search", json.dumps({"query": QUERY, "top_k": 10}).encode(),
                                     {"Content-Type": "application/json"})
    start = time.perf_counter()
    with urllib.request.urlopen(request) as answer:
        rows = json.load(answer)["results"]
    assert len(rows) == 10, rows
    return (time.perf_counter() - start) * 1000


def serve(pennon, model, table):
    start = time.perf_counter()
    server = subprocess.Popen([pennon, "serve", "--table", table, "--model", model, "--port", str(PORT)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz").read()
                break
            except OSError:
                if server.poll() is not None:
                    sys.exit("pennon serve did not start")
                time.sleep(0.002)
        ready = time.perf_counter() - start
        first = memory_mib(server.pid, "VmRSS")
        times = sorted(ask() for _ in range(200))
        return {"ready_s": ready, "text_ms": times[100], "text_p99_ms": times[198], "rss_ready_mib": first,
                "rss_after_mib": memory_mib(server.pid, "VmRSS"), "anonymous_mib": memory_mib(server.pid, "RssAnon")}
    finally:
        server.terminate()
        server.wait()


def main():
    pennon, bench, folder, pictures = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    threads = len(os.sched_getaffinity(0))
    tokens = json.loads(subprocess.run([pennon, "tokenize", "--model", folder, "--json"], input=json.dumps(QUERY),
                                       capture_output=True, text=True, check=True).stdout)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        table = os.path.join(scratch, "bench.lance")
        for _ in range(rounds):
            row = {"ingest_per_s": ingest(pennon, folder, pictures, table),
                   "tower_per_s": tower(bench, folder, threads),
                   "peer_images_per_s": 1000 / (peer(folder, bench, threads, "image-8") / 8)}
            row.update(pixels(bench, folder, pictures))
            row.update(shares(row, threads))
            row.update(serve(pennon, folder, table))
            row["peer_text_ms"] = peer(folder, bench, threads, "text-8")
            rows.append(row)
    out = {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
    out["share_of_tower"] = round(statistics.median(r["ingest_per_s"] / r["tower_per_s"] for r in rows), 3)
    out["ingest_ratio"] = round(statistics.median(r["ingest_per_s"] / r["peer_images_per_s"] for r in rows), 3)
    out["text_ratio"] = round(statistics.median(r["peer_text_ms"] / r["text_ms"] for r in rows), 3)
    print(json.dumps({"threads": threads, "rounds": rounds, "query_tokens": len(tokens), **out}))


main()
