#!/usr/bin/env python3
"""Nearest neighbours: pennon's index beside other libraries, on the same vectors in the same minutes.

    ann.py [--rows N] [--data DIR] [--out DIR] [--peers NAME,...] [--queries N] [--again] [--alone COMMAND] [--npm DIR]

Makes the vectors (bench_vectors), builds every index, asks each for its curve of recall against speed, and prints it: recall@10, queries a
second on one and two threads, median and 99th percentile of one query, and what the index costs. The raw lines go to OUT/ann.tsv,
from which plot.py draws. A peer that is not installed is named, with the command that installs it.

    --data    a folder of real vectors for bench_vectors; "-": made-up ones. Default: ../shared/data where it is there
    --out     build/ann; an index and vectors that are there already are used, unless --again
    --peers   pennon, hnswlib, faiss, faisspq, usearch, lancedb, lanceflat, lancehnsw. Default: all
    --alone   a command put before everything that is timed, as "taskset -c 0,1" or one that makes the machine quiet
    --npm     a folder with node_modules; default OUT/npm
    --bench   where bench_vectors and bench_index are; default build/bench
"""
import argparse
import collections
import math
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parent
RECALL = 0.95
KINDS = {"i": "image", "t": "text"}


class Peer:
    """How one library is built, asked and installed. settings: for pictures and for texts."""

    def __init__(self, program, config, settings, install):
        self.program, self.config, self.settings, self.install = program, config, settings, install


# Of pennon, besides the recalls it is asked for: partitions as a share of all, and rows; see pn_index_effort.
EFFORTS = {"i": [(1 / 216, 2.5), (1 / 160, 2.5), (1 / 110, 2.5), (1 / 110, 3.5), (1 / 80, 4), (1 / 40, 4), (1 / 16, 5)],
           "t": [(1 / 32, 3), (1 / 16, 3.5), (1 / 10, 4), (1 / 5, 5), (1 / 3, 6)]}


def efforts_for(rows, kind):
    return ",".join(f"{max(2, int(4 * math.sqrt(rows) * share))}:{z}" for share, z in EFFORTS[kind])


def peers_for(rows):
    lists = max(16, int(4 * math.sqrt(rows)))
    apt = "apt-get install g++ libopenblas-dev "
    nprobe = {"i": "4,8,16,32,64", "t": "16,48,128,256,512"}
    return {
        "pennon": Peer("bench_index", "", {"i": ".9,.95,.99", "t": ".8,.9,.95"}, ""),
        "hnswlib": Peer("ann_hnswlib", "16:200", {"i": "16,32,64,128,256", "t": "64,128,256,512,1024"}, apt + "libhnswlib-dev"),
        "faiss": Peer("ann_faiss", f"IVF{lists},Flat", nprobe, apt + "libfaiss-dev"),
        "faisspq": Peer("ann_faiss", f"IVF{lists},PQ128x4fs,RFlat", {"i": "8:10,16:20,32:40,64:80", "t": "64:40,128:80,256:80,512:160"},
                        apt + "libfaiss-dev"),
        "usearch": Peer("ann_usearch.mjs", "f16:16:128", {"i": "16,32,64,128,256", "t": "64,128,256,512,1024"}, "usearch"),
        "lancedb": Peer("ann_lancedb.mjs", "ivf_pq", {"i": "8:5,16:10,32:20,64:40", "t": "32:20,128:40,256:80"},
                        "@lancedb/lancedb apache-arrow"),
        "lanceflat": Peer("ann_lancedb.mjs", "ivf_flat", {"i": "2:0,4:0,8:0", "t": "16:0,32:0,64:0"}, "@lancedb/lancedb apache-arrow"),
        "lancehnsw": Peer("ann_lancedb.mjs", "hnsw_sq", {"i": "2:60:2,4:100:2,8:200:4", "t": "4:200:4,8:400:8,16:800:8"},
                          "@lancedb/lancedb apache-arrow"),
    }


def parse():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--data")
    parser.add_argument("--out", type=pathlib.Path, default=SOURCE.parent / "build" / "ann")
    parser.add_argument("--bench", type=pathlib.Path, default=SOURCE.parent / "build" / "bench")
    parser.add_argument("--peers", default="")
    parser.add_argument("--queries", default="1000")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--alone", default="", type=shlex.split)
    parser.add_argument("--npm", type=pathlib.Path)
    options = parser.parse_args()
    options.npm = options.npm or options.out / "npm"
    if options.data is None:
        shared = SOURCE.parent.parent / "shared" / "data"
        options.data = str(shared) if shared.is_dir() else "-"
    options.vectors = options.out / str(options.rows)
    return options


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def compile_peer(options, name):
    """The program of a C++ peer, or None where its library is missing."""
    program, source = options.out / name, SOURCE / f"{name}.cpp"
    newest = max(source.stat().st_mtime, (SOURCE / "ann_peer.hpp").stat().st_mtime)
    if program.exists() and program.stat().st_mtime > newest:
        return [str(program)]
    libraries = ["-lfaiss", "-lopenblas"] if name == "ann_faiss" else []
    command = ["g++", "-std=c++17", "-O3", "-march=native", "-fopenmp", str(source), "-o", str(program), *libraries]
    done = subprocess.run(command, capture_output=True, text=True) if shutil.which("g++") else None
    return [str(program)] if done and done.returncode == 0 else None


def command_of(options, peer):
    if peer.program == "bench_index":
        return [str(options.bench / "bench_index")]
    if not peer.program.endswith(".mjs"):
        return compile_peer(options, peer.program)
    installed = all((options.npm / "node_modules" / package).is_dir() for package in peer.install.split())
    return ["node", str(SOURCE / peer.program)] if shutil.which("node") and installed else None


def how_to_install(options, peer):
    if not peer.program.endswith(".mjs"):
        return peer.install
    return f"apt-get install nodejs npm && npm install --prefix {options.npm} {peer.install}"


def run(options, command, tsv, alone=()):
    """Its lines of values; they also go to the file."""
    env = dict(os.environ, ANN_NPM=str(options.npm.resolve()), RUST_LOG="error")
    done = subprocess.run([*alone, *command], stdout=subprocess.PIPE, text=True, env=env)
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") >= 4]
    for row in rows:
        tsv.write("\t".join(row) + "\n")
    tsv.flush()
    if done.returncode != 0:
        say(f"{command[0]}: status {done.returncode}; what it told before counts")
    return rows


def measure(options, name, peer, command, tsv):
    index = options.vectors / f"{name}.index"
    where = [str(options.vectors), str(options.rows), str(index)]
    config = ["--config", peer.config] if peer.config else []
    if options.again and index.exists():
        shutil.rmtree(index) if index.is_dir() else index.unlink()
    rows = []
    if not index.exists():
        say(f"{name}: building")
        rows += run(options, [*command, *where, "build", *config], tsv)
    for kind, settings in peer.settings.items():
        say(f"{name}: {KINDS[kind]} queries")
        asked = ["--recalls", settings, "--efforts", efforts_for(options.rows, kind)] if name == "pennon" else ["--settings", settings]
        asked += ["--kind", kind, "--queries", options.queries]
        rows += run(options, [*command, *where, "search", *config, *asked], tsv, options.alone)
    return rows


def print_table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(w) if i < 2 else str(cell).rjust(w) for i, (cell, w) in enumerate(zip(row, widths))).rstrip())
    print()


def costs_of(rows):
    """By peer: what was noted last."""
    costs = collections.defaultdict(dict)
    for mark, peer, _, what, value in (row for row in rows if row[0] == "#"):
        costs[peer][what] = float(value)
    return costs


def speed_at(points, recall):
    """Queries a second at a recall, on the line between two settings (speed in logarithms); None where no setting reaches it."""
    best = None
    points = sorted(points)
    for (r0, q0), (r1, q1) in zip(points, points[1:]):
        if r0 < recall <= r1:
            q = math.exp(math.log(q0) + (math.log(q1) - math.log(q0)) * (recall - r0) / (r1 - r0))
            best = max(best or 0, q)
    if points and points[0][0] >= recall:
        best = max(best or 0, points[0][1])
    return best


def report(rows):
    costs = costs_of(rows)
    columns = ["build_cpu_s", "build_s", "build_own_mib", "memory_mib", "disk_mib", "open_s"]
    print_table(["index", "", "build CPU s", "wall s", "its MiB", "memory MiB", "disk MiB", "open s"],
                [[peer, "", *(f"{cost[c]:.{3 if c == 'open_s' else 0}f}" if c in cost else "-" for c in columns)]
                 for peer, cost in costs.items()])
    values = [row for row in rows if row[0] != "#"]
    for kind in KINDS.values():
        print_table([kind, "setting", "recall@10", "queries/s", "p50 us", "p99 us", "on 2 threads"],
                    [[r[0], r[2], *r[4:9]] for r in values if r[3] == kind])
    for kind in KINDS.values():
        points = collections.defaultdict(list)
        for r in values:
            if r[3] == kind:
                points[r[0]].append((float(r[4]), float(r[5])))
        speeds = {peer: speed_at(p, RECALL) for peer, p in points.items()}
        ours = speeds.get("pennon")
        print_table([f"{kind}, recall {RECALL}", "", "queries/s", "pennon's / its"],
                    [[peer, "", "not reached" if q is None else f"{q:.0f}", "-" if not (q and ours) else f"{ours / q:.2f}"]
                     for peer, q in speeds.items()])


def main():
    options = parse()
    options.out.mkdir(parents=True, exist_ok=True)
    table = peers_for(options.rows)
    wanted = [name for name in options.peers.split(",") if name] or list(table)
    for name in wanted:
        if name not in table:
            sys.exit(f"no such peer: {name}; there are {', '.join(table)}")
    if not (options.vectors / f"gtt.{options.rows}").exists():
        subprocess.run([str(options.bench / "bench_vectors"), options.data, str(options.rows), str(options.vectors)], check=True)
    rows = []
    with open(options.out / "ann.tsv", "a", encoding="utf-8") as tsv:
        for name in wanted:
            command = command_of(options, table[name])
            if command is None:
                print(f"{name} is not installed: {how_to_install(options, table[name])}")
                continue
            rows += measure(options, name, table[name], command, tsv)
    report(rows)
    if not any(row[0] == "pennon" for row in rows) and "pennon" in wanted:
        sys.exit("pennon gave no answer")


main()
