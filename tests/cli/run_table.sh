#!/usr/bin/env bash
# pennon table ...: any Lance table, by the program.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue" table="$work/t.lance"
export PENNON_TABLE="$table" PENNON_MODEL="$PN_SOURCE_DIR/demo/model"
fail() { echo "FAILED: $1"; exit 1; }
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > "$work/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon $* ended with $got instead of $want: $(head -c 400 "$work/out")"
    grep -q -- "$text" "$work/out" || fail "pennon $*: no '$text' in $(head -c 400 "$work/out")"
}

# The words of the command line.
expect 2 'Usage: pennon table SUBCOMMAND' table
expect 0 '^  info ' table --help
expect 0 '^  schema ' help table
expect 0 'Usage: pennon table info' help table info
expect 0 'Usage: pennon table info' table info --help
expect 2 '"frobnicate" is not a subcommand' table frobnicate
expect 2 '"frobnicate" is not a subcommand' help table frobnicate
expect 2 'is not a subcommand' table --json info
expect 1 'no table here' table info

mkdir "$work/photos" && cp "$shop"/images/000[1-9].jpg "$work/photos"
expect 0 '9 added' ingest "$work/photos"
expect 0 '1 rows deleted' delete --id 8 --yes
expect 0 '^rows        8, and 1 deleted$' table info
expect 0 '^operation   delete$' table info
expect 0 '^rows        0$' table info --version 1
expect 0 '^rows        0$' table info --at-version 1
expect 1 'no version 99' table info --version 99
expect 0 '"rows": 8' table info --json
expect 0 '^metadata pennon.model = ' table schema
expect 0 '^  key  *string, not null$' table schema
printf 'table: %s\n' "$work/elsewhere" > "$work/c.yaml"
PENNON_TABLE='' expect 1 "$work/elsewhere" table info --config "$work/c.yaml"
"$PENNON" table schema --json > "$work/out"
python3 - "$work/out" <<'PYTHON' || fail "the schema as JSON: $(cat "$work/out")"
import json, sys
schema = json.load(open(sys.argv[1]))
columns = {c["name"]: c for c in schema["columns"]}
assert columns["vector"] == {"name": "vector", "type": "fixed_size_list<float>[512]", "nullable": False}
assert [c["name"] for c in columns["metadata"]["children"]] == ["key", "value"]
assert schema["metadata"]["pennon.format"] == "1"
PYTHON

# Statistics and versions, also behind damage.
expect 0 '^fragments   1, 1 of them small$' table stats
expect 0 '^  vector  *[0-9.]* kB$' table stats
expect 0 '"deleted_rows": 1' table stats --json
expect 0 '^     3  .* 8 rows  delete$' table versions
cp -r "$table" "$work/damaged.lance"
newest=$(cd "$work/damaged.lance/_versions" && printf "%s\n" *.manifest | LC_ALL=C sort | head -1)
head -c 100 "$work/damaged.lance/_versions/$newest" > "$work/cut" && mv "$work/cut" "$work/damaged.lance/_versions/$newest"
expect 0 "$newest: does not end" table versions -t "$work/damaged.lance"
expect 0 '^     2  .* 9 rows  append$' table versions -t "$work/damaged.lance"
expect 0 '"problem": null' table versions -t "$work/damaged.lance" --json

# Back from a newest version that is damaged; to a tag as well as to a number.
cp -r "$work/damaged.lance" "$work/back.lance"
"$PENNON" table tag create good 2 -t "$work/back.lance"
expect 1 "$newest: does not end" table info -t "$work/back.lance"
expect 1 "$newest: does not end" list -t "$work/back.lance"
expect 1 '^the last good version is 2$' table check -t "$work/back.lance"
expect 0 '^version 2 of ' table checkout 2 -t "$work/back.lance"
expect 0 '"id": 8,' show 8 --json -t "$work/back.lance" --at-version 2
expect 1 "$newest: does not end" ingest "$work/photos" -t "$work/back.lance"
expect 1 'no version 7' table restore 7 -t "$work/back.lance"
expect 1 "$newest: does not end" table restore 3 -t "$work/back.lance"
expect 0 '^version 4 is version 2 again$' table restore good -t "$work/back.lance"
expect 0 '"id": 8,' show 8 --json -t "$work/back.lance"
expect 0 '^     3  damaged$' versions -t "$work/back.lance"
expect 0 '^     4  .* 9 rows  restore$' versions -t "$work/back.lance"
expect 1 "$newest: does not end" table cleanup -t "$work/back.lance"
expect 0 '^1 versions and 0 files would go, ' table cleanup --damaged --dry-run -t "$work/back.lance"
expect 0 '^1 versions and [0-9]* files are gone, .*; 3 versions stay$' table cleanup --damaged --orphans 0 -t "$work/back.lance"
expect 0 '^[0-9]* versions, .*: no damage found$' table check -t "$work/back.lance"
expect 0 '"id": 8,' show 8 --json -t "$work/back.lance"

# A clean-up does not take for unneeded what a version needs by a name that is damaged.
cp -r "$work/back.lance" "$work/name.lance"
for manifest in "$work"/name.lance/_versions/*.manifest; do
    python3 - "$manifest" <<'EOF'
import sys
bytes = bytearray(open(sys.argv[1], "rb").read())
at = bytes.rfind(b".lance")
if at > 0:
    bytes[at - 3] ^= 1
    open(sys.argv[1], "wb").write(bytes)
EOF
done
find "$work/name.lance/data" -type f | sort > "$work/before"
expect 1 'names a file that is not there: data/' table cleanup --orphans 0 --older-than 0s -t "$work/name.lance"
grep -q "with --damaged such versions go" "$work/out" || fail "what to do: $(cat "$work/out")"
expect 1 'it stays: ' table cleanup --damaged --orphans 0 --older-than 0s -t "$work/name.lance"
find "$work/name.lance/data" -type f | sort | cmp - "$work/before" || fail "a data file is gone"

# Export, import: every form gives the same rows again, and a table that can be searched.
expect 0 '^0 ' table head --limit 2
expect 0 '"image_path": ' table head --limit 2 --column image_path --json
[ "$(grep -c '"' "$work/out")" = 2 ] || fail "one column of two rows: $(cat "$work/out")"
"$PENNON" table schema --json > "$work/schema.json"
"$PENNON" table export - > "$work/rows" 2> "$work/err" || fail "export to standard output"
[ ! -s "$work/err" ] || fail "an export that says something: $(cat "$work/err")"
[ "$(wc -l < "$work/rows")" = 8 ] || fail "8 rows: $(wc -l < "$work/rows")"
for format in ndjson csv npy; do
    rest=(); [ $format != npy ] || rest=(--rows "$work/rest.ndjson")
    expect 0 '^8 rows, ' table export "$work/x.$format" "${rest[@]}"
    expect 0 ': 8 rows added in' table import "$work/x.$format" "${rest[@]}" --mode create --schema "$work/schema.json" --table "$work/$format.lance"
    "$PENNON" table export "$work/again" --table "$work/$format.lance" --quiet
    cmp "$work/rows" "$work/again" || fail "$format: other rows"
    "$PENNON" search --like 3 -k 3 --tsv > "$work/a"
    "$PENNON" search --like 3 -k 3 --tsv --table "$work/$format.lance" > "$work/b"
    cmp "$work/a" "$work/b" || fail "$format: other neighbours"
done
[ -z "$(find "$work" -name '*.part')" ] || fail "a part was left"
expect 0 '^{"rows":2,' table export "$work/y.ndjson" --where 'id >= 6' --json
expect 0 '"rows":8,"bad_vectors":0,"dropped":0,"version":2' table import --mode exist_ok "$work/rows" --json --table "$work/csv.lance"
expect 1 'there is a table already' table import --mode create "$work/rows"
expect 1 'no table here' table import "$work/rows" --table "$work/nowhere.lance"
expect 1 'line 1: the table has no column "x"' table import - <<< '{"x":1}'
expect 1 'line 2, field 1: a quote that is never closed' table import --format csv --mode exist_ok -t "$work/new.lance" - <<< $'a\n"b'
expect 2 'where to?' table export
expect 2 'one argument too many' table import a b
expect 2 'there are ndjson, csv and npy' table export --format xml -
expect 2 'is for npy' table export --rows r x.csv
expect 2 'on-bad-vectors "keep"' table import --on-bad-vectors keep x
expect 1 'No such file\|does not exist' table import "$work/nothing.csv"

# What is not a plain file stays what it is.
ln -s x.csv "$work/link.csv"
expect 0 '8 rows' table export "$work/link.csv"
[ -L "$work/link.csv" ] || fail "a link was replaced"
mkfifo "$work/pipe"; cat "$work/pipe" > "$work/piped" & reader=$!
expect 0 '8 rows' table export "$work/pipe"
wait "$reader"; cmp "$work/rows" "$work/piped" || fail "through a pipe"
[ -p "$work/pipe" ] || fail "a pipe was replaced"
if mknod "$work/full" c 1 7 2> /dev/null; then # needs root
    expect 1 'No space left' table export "$work/full"
    [ -c "$work/full" ] || fail "a device was replaced"
fi

expect 2 'the rows need a file of their own' table export "$work/x.npy" --rows "$work/x.npy"
expect 2 'the rows need a file of their own' table export --format npy - --rows -

# Bad vectors, by the command line and by the file.
printf '{"vector":[1,2]}\n{"vector":[1]}\n{"vector":[3,"NaN"]}\n{"vector":[5,6]}\n' > "$work/bad"
expect 1 'line 2: column "vector": the vector has another length (it takes 2 numbers)' table import --mode create "$work/bad" -t "$work/v1"
expect 1 'there is no table here' table info -t "$work/v1"
expect 0 '"rows":2,"bad_vectors":2,"dropped":2' table import --mode exist_ok --on-bad-vectors drop --json "$work/bad" -t "$work/v1"
expect 0 '"rows":4,"bad_vectors":2,"dropped":0' table import --mode create --on-bad-vectors fill --fill-value 0.5 --json "$work/bad" -t "$work/v2"
[ "$("$PENNON" table export - -t "$work/v2" | tr -d '\n')" = '{"vector":[1,2]}{"vector":[0.5,0.5]}{"vector":[0.5,0.5]}{"vector":[5,6]}' ] || fail "filled vectors"
echo '[{"name":"id","type":"int64"},{"name":"v","type":"fixed_size_list<float>[2]"}]' > "$work/reals.json"
printf '{"id":1,"v":[1,2]}\n{"id":2,"v":[1e300,0]}\n' > "$work/reals"
expect 1 'line 2: column "v": the vector has a number that does not fit' table import --mode create --schema "$work/reals.json" "$work/reals" -t "$work/v5"
expect 0 '"rows":1,"bad_vectors":1,"dropped":1' table import --mode create --on-bad-vectors drop --schema "$work/reals.json" --json "$work/reals" -t "$work/v5"
printf 'import:\n  mode: create\n  on-bad-vectors: "null"\n' > "$work/c.yaml"
expect 0 '4 rows added, 2 bad vectors, 0 rows dropped' table import --config "$work/c.yaml" "$work/bad" -t "$work/v3"
[ "$("$PENNON" table export - -t "$work/v3" | tr -d '\n')" = '{"vector":[1,2]}{"vector":null}{"vector":null}{"vector":[5,6]}' ] || fail "null vectors"
expect 0 '2 rows added' table import --config "$work/c.yaml" --mode append --on-bad-vectors drop "$work/bad" -t "$work/v3"
printf 'import:\n  on-bad-vectors: keep\n' > "$work/c.yaml"
expect 2 'import.on-bad-vectors: error, drop, fill or null is needed' table import --config "$work/c.yaml" "$work/bad"

# Stopped: nothing is added, nothing is left, not even a table.
{ yes '{"vector":[1,2]}' || true; } | "$PENNON" table import --mode create - -t "$work/v4" > "$work/out" 2>&1 & victim=$!
for _ in $(seq 100); do [ -d "$work/v4/data" ] && break; sleep 0.05; done
kill -TERM $victim
wait $victim || code=$?
[ "${code:-0}" = 130 ] || fail "a stopped import ends with 130, not ${code:-0}: $(cat "$work/out")"
expect 1 'there is no table here' table info -t "$work/v4"
[ -z "$(ls "$work/v4/data")" ] || fail "a data file was left"

# Damage is found and named; what is damaged is never called sound.
expect 0 ': no damage found$' table check
expect 0 ' files have no checksum' table check --newest
expect 2 'is for all versions' table check --record --newest
expect 0 '^checksums of [0-9]* files are recorded$' table check --record
expect 0 ': sound$' table check
expect 0 '"state": "sound"' table check --json
expect 1 "$newest: does not end" table check -t "$work/damaged.lance"
expect 1 '^the last good version is 2$' table check -t "$work/damaged.lance"
expect 0 '"last_good": 2' table check -t "$work/damaged.lance" --version 2 --json
cp -r "$table" "$work/flipped.lance"
file=$(cd "$work/flipped.lance" && printf "%s\n" data/*.lance | head -1)
printf 'X' | dd of="$work/flipped.lance/$file" bs=1 seek=4200 conv=notrunc 2> /dev/null
expect 1 "^$file: is not what it was when its checksum was recorded (version 2)$" table check -t "$work/flipped.lance"
expect 1 '^the last good version is 1$' table check -t "$work/flipped.lance"
[ "$("$PENNON" table check -q -t "$work/flipped.lance" | wc -l)" = 1 ] || fail "quiet is not quiet"
rm "$work/flipped.lance/$file"
expect 1 "^$file: is missing (version 2)$" table check -t "$work/flipped.lance"
expect 1 'no table here' table check -t "$work/nowhere"

# A table of another program, without any vector.
other="$PN_SHARED_DIR/lance/fixtures/v2.2/types1.lance"
if [ -d "$other" ]; then
    expect 0 '^written by  lance 12' table info -t "$other"
    expect 0 '^ts_us_utc  *timestamp\[us, UTC\]$' table schema -t "$other"
fi
echo "pennon table: ok"
