#!/usr/bin/env bash
# pennon index and what searches say of it, on a table of 24,000 made-up vectors; and that pennon serve builds what is due by itself.
set -euo pipefail
work=$(mktemp -d)
server=''
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
unset PENNON_TABLE PENNON_MODEL PENNON_TOKEN PENNON_CONFIG XDG_CONFIG_HOME
export HOME="$work/home"
cd "$work"
fail() { echo "FAILED: $1"; exit 1; }
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > out 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon $* ended with $got instead of $want: $(head -c 400 out)"
    grep -qF -- "$text" out || fail "pennon $*: no '$text' in $(head -c 400 out)"
}
value() { python3 -c 'import json, sys; print(json.load(open("out"))'"$1"')'; } # of the JSON in out

python3 - << 'END'
import json
import random
random.seed(1)
middles = [[random.gauss(0, 1) for _ in range(16)] for _ in range(300)]
with open("rows.ndjson", "w") as out:
    for i in range(24000):
        vector = [round(x + random.gauss(0, 0.3), 4) for x in middles[i % 300]]
        out.write(json.dumps({"id": i, "vector": vector, "image_path": f"{i}.jpg"}) + "\n")
with open("more.ndjson", "w") as out:
    for i in range(24000, 33000):
        vector = [round(x + random.gauss(0, 0.3), 4) for x in middles[i % 300]]
        out.write(json.dumps({"id": i, "vector": vector, "image_path": f"{i}.jpg"}) + "\n")
END
question=$(head -n 1 rows.ndjson | python3 -c 'import json, sys; print(json.load(sys.stdin)["vector"])')
expect 0 "24000 rows" table import rows.ndjson --table t.lance --mode create
expect 0 "0 rows by index, 24,000 scanned exactly; pennon index build is due" index status -t t.lance
expect 0 '"plan": "exact"' search -t t.lance --vector "$question" --json
cp out exact.json

# The vector as a NumPy file, of all types that are taken.
python3 - "$question" << 'END'
import json
import struct
import sys
vector = json.loads(sys.argv[1])
def write(name, kind, shape, letter, numbers):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(name, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        out.write(struct.pack("<%d%s" % (len(numbers), letter), *numbers))
for kind, letter in ("f2", "e"), ("f4", "f"), ("f8", "d"):
    write(kind + ".npy", "<" + kind, "(16,)", letter, vector)
write("row.npy", "<f2", "(1, 16)", "e", vector)
write("rows.npy", "<f2", "(2, 8)", "e", vector)
write("i8.npy", "<i8", "(16,)", "q", [1] * 16)
write("short.npy", "<f8", "(16,)", "d", vector[:15])
write("none.npy", "<f2", "(0,)", "e", [])
END
for kind in f2 f4 f8 row; do
    expect 0 '"id": 0,' search -t t.lance --vector "$kind.npy" --json -k 1
done
head -n 2 rows.ndjson > two.ndjson
expect 1 "float16, float32 or float64" search -t t.lance --vector two.ndjson
expect 1 "rows.npy: the NumPy file does not hold one vector alone" search -t t.lance --vector rows.npy
expect 1 "holds '<i8', not float16, float32 or float64" search -t t.lance --vector i8.npy
expect 1 "has 120 bytes behind its head, and the numbers take 128" search -t t.lance --vector short.npy
expect 1 "a vector of 0 numbers: 1 to 8192 are possible" search -t t.lance --vector none.npy

# One in LanceDB's format, which is a version of the table.
expect 2 'pennon index build --lancedb has no use for --all' index build --lancedb --all -t t.lance
expect 2 'pennon index status has no use for --lancedb' index status --lancedb -t t.lance
expect 0 "an index of 24,000 rows" index build --lancedb --partitions 30 -t t.lance
expect 0 "LanceDB's index vector_idx (IVF_PQ, cosine): 24,000 of the rows without one of pennon's, 30 partitions" index status -t t.lance
grep -q "^0 rows by index, 0 scanned exactly" out || fail "$(cat out)"
expect 0 '"plan": "index"' search -t t.lance --vector "$question" --json --min-recall 0.5
expect 0 "create index" versions -t t.lance
expect 0 "1 removed" index drop --lancedb -t t.lance
expect 0 "0 removed" index drop --lancedb -t t.lance
expect 0 '"plan": "exact"' search -t t.lance --vector "$question" --json

expect 0 "an index of 24,000 rows" index build -t t.lance
grep -q "the recall of text searches is not promised" out || fail "no word about texts: $(cat out)"
expect 0 "nothing to do" index build -t t.lance
expect 0 "24,000 rows by index, 0 scanned exactly" index status -t t.lance
expect 0 "all indexes are whole" index check -t t.lance
expect 0 '"covered": 24000' index status -t t.lance --json
[ "$(value '["indexes"][0]["rows"]')" = 24000 ] || fail "$(cat out)"
expect 0 '"plan": "index"' search -t t.lance --vector "$question" --json
python3 - << 'END' || fail "the answer by index"
import json
exact, found = (json.load(open(name)) for name in ("exact.json", "out"))
assert found["stats"]["recall"] >= 0.95 and found["stats"]["scanned"] < 12000, found["stats"]
assert found["results"][0]["id"] == exact["results"][0]["id"] == 0
assert len({r["id"] for r in found["results"]} & {r["id"] for r in exact["results"]}) >= 8
END
expect 0 '"plan": "exact"' search -t t.lance --vector "$question" --json --exact
expect 0 '"plan": "exact"' search -t t.lance --vector "$question" --json --min-recall 1
expect 0 '"plan": "index, prefiltered"' search -t t.lance --vector "$question" --json --where "id % 2 = 0"
expect 0 '"plan": "exact, prefiltered"' search -t t.lance --vector "$question" --json --where "id < 100"
expect 0 '"plan": "index"' search -t t.lance --vector "$question" --json --effort 3
expect 2 'from 0.5 to 1' search -t t.lance --vector "$question" --min-recall 0.2
expect 0 '"plan": "index"' search -t t.lance --vector "$question" --json --effort 3 --refine 20
expect 2 '--refine' search -t t.lance --vector "$question" --refine 0
expect 2 '--refine' search -t t.lance --vector "$question" --refine 101
expect 2 '--effort' search -t t.lance --vector "$question" --effort 0
expect 2 'there are build, status, check and drop' index burn -t t.lance
expect 2 'has no use for' index drop --all -t t.lance
expect 1 'none.lance' index status -t none.lance

# Rows that come later are found at once, and get an index of their own.
expect 0 "9000 rows" table import more.ndjson --table t.lance
expect 0 "24,000 rows by index, 9,000 scanned exactly; pennon index build is due" index status -t t.lance
expect 0 '"id": 32999' search -t t.lance --vector "$(tail -n 1 more.ndjson | python3 -c 'import json, sys; print(json.load(sys.stdin)["vector"])')" --json -k 1
expect 0 "an index of 9,000 rows" index build -t t.lance
expect 0 "33,000 rows by index, 0 scanned exactly" index status -t t.lance
expect 0 "an index of 33,000 rows" index build --all --low-memory --partitions 100 -t t.lance
expect 0 '"low_memory": true' index status -t t.lance --json
[ "$(value '["indexes"].__len__()')" = 1 ] || fail "$(cat out)"

# What is indexed later needs no more memory than the first.
expect 0 "9000 rows" table import more.ndjson --table t.lance
expect 0 "an index of 9,000 rows" index build -t t.lance
expect 0 '"low_memory": true' index status -t t.lance --json
[ "$(value '["indexes"].__len__()')" = 2 ] || fail "$(cat out)"
grep -q '"low_memory": false' out && fail "an index with copies beside one without: $(cat out)"
expect 0 "an index of 42,000 rows" index build --all -t t.lance
expect 0 '"low_memory": false' index status -t t.lance --json

# A damaged file is named, left out, and built again.
index=$(ls t.lance/_pennon/index/*.idx)
truncate -s -100 "$index"
expect 0 "damaged: " index status -t t.lance
grep -qF "$(basename "$index")" out || fail "which one: $(cat out)"
expect 1 "$(basename "$index")" index check -t t.lance
expect 0 '"plan": "exact"' search -t t.lance --vector "$question" --json
expect 0 "1 removed" index drop -t t.lance
expect 0 "0 rows by index" index status -t t.lance

# The catalogue of the demo, with a model: texts are embedded once, and ingest leaves a small table alone.
expect 0 "added" ingest "$PN_SOURCE_DIR/demo/catalogue/products.csv" -t shop.lance --model "$PN_SOURCE_DIR/demo/model"
expect 0 "0 rows by index" index status -t shop.lance
expect 0 "nothing to do" index build -t shop.lance

# The service builds what is due: a table of rows without words of their own, as long as the model's vectors.
python3 - << 'END'
import array
import random
import struct
random.seed(2)
dim, rows = 512, 20000
middles = [[random.gauss(0, 1) for _ in range(dim)] for _ in range(50)]
noise = [random.gauss(0, 0.5) for _ in range(10007)]
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (rows, dim)
header += " " * (63 - (10 + len(header)) % 64) + "\n"
with open("vectors.npy", "wb") as out:
    out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    for i in range(rows):
        at = i * 31 % (len(noise) - dim)
        array.array("f", (x + y for x, y in zip(middles[i % 50], noise[at:at + dim]))).tofile(out)
END
expect 0 "20000 rows" table import vectors.npy --table v.lance --mode create
"$PENNON" serve -t v.lance --port 0 --model "$PN_SOURCE_DIR/demo/model" > serve.out 2> serve.err &
server=$!
for i in $(seq 3000); do
    grep -q "an index of 20000 rows" serve.err && break
    kill -0 "$server" || fail "the service: $(cat serve.out serve.err)"
    [ "$i" -lt 3000 ] || fail "no index after five minutes: $(cat serve.err)"
    sleep 0.1
done
kill "$server"
wait "$server" || fail "the service ended badly: $(cat serve.err)"
server=''
expect 0 "20,000 rows by index, 0 scanned exactly" index status -t v.lance --model "$PN_SOURCE_DIR/demo/model"
expect 0 '"texts": 256' index status -t v.lance --json
echo "indexes are built, used, looked after and done without"
