"""kill -9 at random moments of an append, a delete or an update, again and again on one table.

After each kill the table must open and hold what it held before plus whole commits: every picture once, with the vector of its old or
its new content; a version that was seen before the kill is still there; no id is given twice. Half of the operations are then run
again to their end, the other half stay as they are, so that the next one meets the leavings.
Usage: kill.py PENNON CATALOGUE MODEL FOLDER RUNS SEED
"""
import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

PENNON, CATALOGUE, MODEL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4])
RUNS, SEED = int(sys.argv[5]), int(sys.argv[6])
COMMIT_ROWS, N_PICTURES, N_CONTENTS, MAX_ROWS = 2, 16, 48, 120
TABLE = FOLDER / "t.lance"
rng = random.Random(SEED)
contents = [CATALOGUE / "images" / f"{i + 1:04}.jpg" for i in range(N_CONTENTS)]
rows = {}  # path -> content; what the table holds
ids = {}  # path -> id
largest_id = -1


def command(*args):
    return [PENNON, args[0], "--table", str(TABLE), *args[1:]]


def pennon(*args):
    done = subprocess.run(command(*args), capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, f"{args}: {done.stderr}"
    return done.stdout


def ingest(folder):
    return command("ingest", str(folder), "--model", MODEL, "--commit-rows", str(COMMIT_ROWS), "--quiet", "--thumbnail", "0", "--threads", "1")


def embed_contents():
    args = [a for c in contents for a in ("--image", str(c))]
    out = subprocess.run([PENNON, "embed", "--model", MODEL, *args], capture_output=True, text=True, check=True).stdout
    return [json.loads(line)["embedding"] for line in out.splitlines()]


def content_of(vector, candidates):
    """Which of these contents was embedded? Batches of another size round differently in the last digits."""
    found = [c for c in candidates if max(abs(a - b) for a, b in zip(vector, vectors[c])) < 1e-4]
    assert len(found) == 1, f"the vector belongs to {found} of {candidates}"
    return found[0]


def read_table():
    listed = json.loads(pennon("list", "--json", "--with-vectors", "--limit", "10000"))["results"]
    assert len({r["id"] for r in listed}) == len(listed), "an id is there twice"
    assert len({r["image_path"] for r in listed}) == len(listed), "a picture is there twice"
    assert int(pennon("count")) == len(listed)
    return {r["image_path"]: r for r in listed}


def newest_version():
    return max((2**64 - 1 - int(n[:20]) for n in os.listdir(TABLE / "_versions") if n.endswith(".manifest")), default=0)


def put(folder, chosen):
    folder.mkdir(exist_ok=True)
    for i, content in enumerate(chosen):
        path = folder / f"{i}.jpg"
        path.unlink(missing_ok=True)
        shutil.copyfile(contents[content], path)


def take_over(name, wanted, finished):
    """Compare the table with rows (before) and wanted (after); rows and ids become what is there."""
    global largest_id
    table = read_table()
    n_new = 0
    for path in set(rows) | set(wanted):
        old, new = rows.get(path), wanted.get(path)
        if path not in table:
            assert old is None or new is None, f"{name}: {path} is lost"
            is_new = new is None
        else:
            assert old is not None or new is not None
            got = content_of(table[path]["vector"], {c for c in (old, new) if c is not None})
            is_new = got == new
        n_new += is_new and old != new
        assert is_new or not finished, f"{name} said that it was done, but {path} is not"
        if path in table and old is None:
            assert table[path]["id"] > largest_id, f"{name}: id {table[path]['id']} was given before"
    assert set(table) <= set(rows) | set(wanted), f"{name}: there are rows that nobody added"
    n_changed = sum(rows.get(p) != wanted.get(p) for p in set(rows) | set(wanted))
    if name == "delete":
        assert n_new in (0, n_changed), f"{name}: {n_new} of {n_changed} rows are half a commit"
    elif name == "append" and not finished:
        assert n_new == 0 or n_new >= COMMIT_ROWS, f"{name}: {n_new} rows are half a commit"
    largest_id = max([largest_id, *(r["id"] for r in table.values())])
    rows.clear()
    rows.update({p: content_of(r["vector"], range(N_CONTENTS)) for p, r in table.items()})
    return "before" if n_new == 0 else "after" if n_new == n_changed else "between"


def choose(run):
    """Name, arguments and the rows as they should become."""
    folders = sorted({str(pathlib.Path(p).parent) for p in rows})
    what = rng.choice(["append", "delete", "update"]) if folders else "append"
    if len(rows) > MAX_ROWS:
        what = "delete"
    wanted = dict(rows)
    if what == "append":
        folder = FOLDER / f"run{run}"
        chosen = rng.choices(range(N_CONTENTS), k=N_PICTURES)
        put(folder, chosen)
        wanted.update({str(folder / f"{i}.jpg"): c for i, c in enumerate(chosen)})
        return what, ingest(folder), wanted
    folder = rng.choice(folders)
    inside = [p for p in rows if p.startswith(folder + "/")]
    if what == "delete":
        for p in inside:
            del wanted[p]
        return what, command("delete", "--where", f"image_path LIKE '{folder}/%'", "--yes"), wanted
    chosen = [(rows.get(f"{folder}/{i}.jpg", 0) + rng.randrange(1, N_CONTENTS)) % N_CONTENTS for i in range(N_PICTURES)]
    put(pathlib.Path(folder), chosen)  # pictures that the table lacks are added
    wanted.update({f"{folder}/{i}.jpg": c for i, c in enumerate(chosen)})
    return what, ingest(folder), wanted


# How long each takes and how many files it makes, from the first and from those that come to their end.
typical = {name: [0.3, 8.0] for name in ("append", "delete", "update")}


def files_of_table():
    return sum(len(files) for _, _, files in os.walk(TABLE))


def learn(name, started, n_before):
    for i, value in enumerate((time.monotonic() - started, files_of_table() - n_before)):
        typical[name][i] = 0.5 * typical[name][i] + 0.5 * value


def run_to_end(args, name):
    started, n_before = time.monotonic(), files_of_table()
    done = subprocess.run(args, capture_output=True, text=True)
    assert done.returncode == 0, f"{name}: {done.stderr}"
    learn(name, started, n_before)


def run_and_kill(args, name):
    """Half of the kills come at a moment, the others when so many files have appeared: most of the time goes by before the first."""
    started, n_before = time.monotonic(), files_of_table()
    by_time = rng.random() < 0.5
    most_seconds = rng.uniform(0, typical[name][0] * 1.1) if by_time else 30
    most_files = 10**9 if by_time else n_before + rng.uniform(0, typical[name][1] * 1.1)
    later = 0 if by_time else rng.choice([0, 0, 0.001, 0.003])
    child = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while child.poll() is None and time.monotonic() - started < most_seconds and (by_time or files_of_table() < most_files):
        time.sleep(0.0005)
    time.sleep(later)
    seen = newest_version()
    child.kill()
    said = child.communicate()[1].decode()
    assert child.returncode in (0, -9), f"{name} ended with {child.returncode}: {said}"
    assert newest_version() >= seen, f"{name}: version {seen} was seen and is gone"
    if child.returncode == 0:
        learn(name, started, n_before)
    return child.returncode == 0


vectors = embed_contents()
outcome = collections.Counter()
TABLE.mkdir()
put(FOLDER / "first", range(N_PICTURES))
run_to_end(ingest(FOLDER / "first"), "append")
typical["update"] = list(typical["append"])
take_over("append", {str(FOLDER / "first" / f"{i}.jpg"): i for i in range(N_PICTURES)}, True)
for run in range(RUNS):
    name, args, wanted = choose(run)
    finished = run_and_kill(args, name)
    where = take_over(name, wanted, finished)
    outcome[f"{name}: {'done' if finished else 'killed ' + where}"] += 1
    if not finished and rng.random() < 0.5:
        run_to_end(args, name)
        take_over(name, wanted, True)
print(f"{RUNS} runs, seed {SEED}, {newest_version()} versions, {len(rows)} rows, largest id {largest_id}")
for key in sorted(outcome):
    print(f"  {key}: {outcome[key]}")
assert RUNS < 20 or sum(n for key, n in outcome.items() if "killed" in key) >= RUNS // 4, "the kills come too late"
