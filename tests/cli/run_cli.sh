#!/usr/bin/env bash
# The program at work: ingest, resume, update, delete, search, usage errors, a kill in the middle, the demo's recall.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue" model="$PN_SOURCE_DIR/demo/model" table="$work/t.lance"
export PENNON_TABLE="$table" PENNON_MODEL="$model"
fail() { echo "FAILED: $1"; exit 1; }
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > "$work/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon $* ended with $got instead of $want: $(head -c 400 "$work/out")"
    grep -q -- "$text" "$work/out" || fail "pennon $*: no '$text' in $(head -c 400 "$work/out")"
}
expect 2 'Usage: pennon'
expect 2 'not a command' frobnicate
expect 0 'pennon 0.1.0' --version
for command in ingest search serve info versions list show count delete table embed tokenize preprocess; do
    expect 0 'Usage: pennon' "$command" --help
    grep -q "pennon $command" "$PN_SOURCE_DIR/man/pennon.1" || fail "the manual says nothing of $command"
done
expect 1 'no table here' search shoes
expect 2 'whole number' search shoes -k 0
expect 1 'does not exist\|No such file' ingest "$work/nowhere"

# Bad files are reported and passed over.
mkdir "$work/photos" && cp "$shop"/images/000[1-9].jpg "$work/photos" && head -c 3000 "$shop/images/0010.jpg" > "$work/photos/cut.jpg" && : > "$work/photos/empty.png"
expect 0 '9 added, 0 updated, 0 unchanged, 2 failed' ingest "$work/photos"
{ grep -q 'cut.jpg: ' "$work/out" && grep -q 'empty.png: ' "$work/out"; } || fail "failed pictures are named"
expect 0 '0 added, 0 updated, 9 unchanged' ingest "$work/photos"
cp "$shop/images/0020.jpg" "$work/photos/0001.jpg"
expect 0 '0 added, 1 updated, 8 unchanged' ingest "$work/photos"
expect 0 '^9$' count
expect 0 '1 rows deleted' delete --id 0 --yes
expect 0 '^8$' count
expect 0 'update' versions

# The table as it was, also when what came later is damaged.
expect 0 '^9$' count --at-version 2
# The ingest that replaced one row in nine rewrote the rest, which is version 4.
expect 0 '^8$' count --at-version 5
expect 0 '"rows": 9' info --at-version 2 --json
expect 0 '^0[[:space:]]' show 0 --at-version 3 --tsv
expect 1 'no row' show 0
expect 0 '"results"' search --like 0 -k 1 --at-version 2 --json
expect 1 'version 99' count --at-version 99
expect 2 'whole number' list --at-version 0
cp -r "$table" "$work/damaged.lance"
newest=$(cd "$work/damaged.lance/_versions" && printf "%s\n" *.manifest | LC_ALL=C sort | head -1)
head -c 100 "$work/damaged.lance/_versions/$newest" > "$work/cut" && mv "$work/cut" "$work/damaged.lance/_versions/$newest"
expect 1 "$newest" count --table "$work/damaged.lance"
expect 0 '^9$' count --table "$work/damaged.lance" --at-version 3

# A list with metadata, killed in the middle and begun again: every committed row is there once.
rm -rf "$table"
"$PENNON" ingest "$shop/products.csv" --commit-rows 20 --quiet & victim=$!
for _ in $(seq 200); do [ "$("$PENNON" count 2>/dev/null || echo 0)" -ge 40 ] && break; sleep 0.01; done
kill -9 $victim 2>/dev/null || true
wait $victim 2>/dev/null || true
kept=$("$PENNON" count)
"$PENNON" ingest "$shop/products.csv" --json > "$work/out"
python3 - "$kept" "$work/out" <<'PYTHON' || fail "rows after a kill: $kept, then $(cat "$work/out")"
import json, sys
kept, done = int(sys.argv[1]), json.load(open(sys.argv[2]))
assert done["unchanged"] == kept and done["added"] == 340 - kept and done["failed"] == 0
PYTHON
expect 0 '^340$' count
expect 0 '^32$' count --where "metadata['category'] = 'footwear'"
expect 1 '\^' search shoes --where "metadata['category' = 'footwear'"
expect 0 'sneakers' search red sneakers -k 1
expect 0 'sneakers' search 红色运动鞋 -k 1
expect 0 '"score"' search --like 3 -k 2 --json
expect 0 'rank' search --text "red sneakers" --weight 0.7 --image "$shop/images/0005.jpg" --weight 0.3 --not leather -k 3 --tsv
"$PENNON" ingest "$work/photos" --preprocess pad > "$work/out" 2>&1 && fail 'vectors of two preprocessings were mixed'
grep -q 'do not compare' "$work/out" || fail "mixing is refused with the way out: $(cat "$work/out")"
expect 0 'fixed_size_list<float>\[512\]' info

# Held-out products are found by their captions.
python3 - "$PENNON" "$shop" <<'PYTHON' || fail "recall on held-out products"
import csv, json, subprocess, sys
pennon, shop = sys.argv[1:]
rows = list(csv.DictReader(open(f"{shop}/heldout.csv", encoding="utf-8")))
args = [a for r in rows for a in ("--text", r["caption"], "--image", f"{shop}/{r['path']}")]
out = subprocess.run([pennon, "embed", "--json", *args], capture_output=True, text=True, check=True).stdout
found = [json.loads(line) for line in out.splitlines()]
texts = [f["embedding"] for f in found if f["kind"] == "text"]
images = [f["embedding"] for f in found if f["kind"] == "image"]
hits = 0
for i, t in enumerate(texts):
    scores = [sum(a * b for a, b in zip(t, v)) for v in images]
    hits += max(range(len(scores)), key=scores.__getitem__) == i
print(f"recall@1 on {len(rows)} held-out products: {hits / len(rows):.3f}")
assert len(rows) == 200 and hits / len(rows) >= 0.8
PYTHON
echo "the program does as it says"
