#!/usr/bin/env bash
# Foreign columns: lists of a million rows are read in windows at a cost that grows with the rows, not their square; vectors of float32
# are searched however they are stored; others are refused by name, and do not stand in the way of those that are.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
cp "$PN_SOURCE_DIR/tests/lance_client/lance_columns.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
"$NODE" "$work/lance_columns.mjs" "$work" > "$work/counts"
n_near=0
while IFS=$'\t' read -r table where count; do
    if [ "$where" = "near 7" ]; then # of any length: a score is a cosine all the same
        got=$("$PENNON" search --table "$work/$table.lance" --like 7 -k 8 --json | sed -nE 's/^ *"id": ([0-9]+),/\1/p' | tr '\n' ' ')
        [ "${got% }" = "$count" ] || fail "$table, neighbours of row 7: $got, LanceDB: $count"
        n_near=$((n_near + 1))
        continue
    fi
    got=$("$PENNON" count --table "$work/$table.lance" --where "$where")
    [ "$got" = "$count" ] || fail "$table, $where: $got rows, LanceDB counts $count"
    echo "$table, $where: $count rows"
done < "$work/counts"
[ "$n_near" = 53 ] || fail "$n_near columns of vectors were searched"
echo "the same neighbours in $n_near columns of vectors"

for bits in half double; do
    "$PENNON" search --table "$work/$bits.lance" --like 7 > "$work/out" 2>&1 && fail "vectors of $bits were searched"
    grep -q "column \"vector\": its type is fixed_size_list<$bits.*>\[16\]" "$work/out" || fail "$bits: $(cat "$work/out")"
done
"$PENNON" info --table "$work/three.lance" | grep -q 'half .*halffloat' || fail 'the columns of three kinds of vectors are listed'

# Processor time, the least of three: eight times the rows may take some eight times as long; squared it would be 64 times.
python3 - "$PENNON" "$work" <<'PYTHON' || fail 'windows of a long column of lists cost too much'
import resource, subprocess, sys
pennon, work = sys.argv[1:]
def seconds(table, where):
    found = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        subprocess.run([pennon, "count", "--table", f"{work}/{table}.lance", "--where", where], check=True, stdout=subprocess.DEVNULL)
        found.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before)
    return min(found)
for where in ("array_has(numbers, 500)", "array_has(words, 'bu')"):
    short, long = seconds("lists_short", where), seconds("lists_long", where)
    print(f"{where}: {short * 1e3:.0f} ms of 125,000 rows, {long * 1e3:.0f} ms of 1,000,000")
    assert long < 24 * max(short, 0.01)
PYTHON
