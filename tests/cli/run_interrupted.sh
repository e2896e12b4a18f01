#!/usr/bin/env bash
# Ctrl-C keeps what was committed; so do twenty kills at random moments, and the run after them adds the rest and nothing twice.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model"
python3 - "$PENNON" "$PN_SOURCE_DIR/demo/catalogue" "$work" <<'PYTHON'
import json, os, random, signal, subprocess, sys, time
pennon, shop, work = sys.argv[1:]
ALL = 340
seed = int(os.environ.get("PN_SEED", "20"))
rng = random.Random(seed)
print(f"seed {seed}")

def start(table, *more):
    return subprocess.Popen([pennon, "ingest", f"{shop}/products.csv", "--table", table, "--commit-rows", "8", *more],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

def rows(table):
    """Paths and ids of all rows; none when there is no table yet. Each path once, each id once."""
    if not os.path.isdir(f"{table}/_versions") or not os.listdir(f"{table}/_versions"):
        return {}
    out = subprocess.run([pennon, "list", "--json", "--limit", "10000", "--table", table], capture_output=True)
    assert out.returncode == 0, out.stderr
    listed = json.loads(out.stdout)["results"]
    paths = {r["image_path"]: r["id"] for r in listed}
    assert len(paths) == len(listed) == len(set(paths.values())), "a row is there twice"
    return paths

def complete(table, kept):
    done = start(table, "--json")
    out, err = done.communicate(timeout=120)
    counts = json.loads(out)
    assert done.returncode == 0 and counts["unchanged"] == len(kept) and counts["added"] == ALL - len(kept), (counts, len(kept), err)
    now = rows(table)
    assert len(now) == ALL and all(now[p] == i for p, i in kept.items())

# Ctrl-C, and SIGTERM as service managers send it.
for number, stop in enumerate((signal.SIGINT, signal.SIGTERM)):
    table = f"{work}/int{number}.lance"
    child = start(table, "--json")
    while child.poll() is None and len(rows(table)) < 40:
        time.sleep(0.01)
    child.send_signal(stop)
    out, err = child.communicate(timeout=20)
    counts = json.loads(out)
    assert child.returncode == 130, (child.returncode, err)
    kept = rows(table)
    assert 40 <= len(kept) == counts["committed"] < ALL, (len(kept), counts)
    complete(table, kept)

# A pipe that says nothing does not keep it.
child = subprocess.Popen([pennon, "ingest", "-", "--table", f"{work}/pipe.lance", "--quiet"], stdin=subprocess.PIPE)
time.sleep(0.5)
child.send_signal(signal.SIGINT)
assert child.wait(10) == 130, child.returncode

# Kills. What a progress line or another process has once seen committed must stay.
table, seen, survived = f"{work}/kill.lance", {}, 0
for round in range(20):
    child = start(table, "--quiet")
    time.sleep(rng.uniform(0.005, 0.12))
    before = rows(table) # acknowledged: another process read them
    child.kill()
    child.communicate()
    after = rows(table)
    for earlier in (seen, before):
        assert all(after.get(p) == i for p, i in earlier.items()), f"round {round}: a row that was committed is gone"
    survived += len(after) > len(seen)
    seen = after
complete(table, seen)
print(f"20 kills, {survived} of them after new rows; {len(seen)} rows were there before the last run, {ALL} after it")
PYTHON
