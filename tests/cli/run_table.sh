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
expect 0 '9 added' ingest "$work/photos" --commit-rows 4
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

# A table of another program, without any vector.
other="$PN_SHARED_DIR/lance/fixtures/v2.2/types1.lance"
if [ -d "$other" ]; then
    expect 0 '^written by  lance 12' table info -t "$other"
    expect 0 '^ts_us_utc  *timestamp\[us, UTC\]$' table schema -t "$other"
fi
echo "pennon table: ok"
