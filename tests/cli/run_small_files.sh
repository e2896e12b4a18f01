#!/usr/bin/env bash
# --compaction-size and --version-retention of what writes from the command line: by option, environment and configuration file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model" PENNON_TABLE="$work/t.lance"
fragments() { "$PENNON" table stats | sed -n 's/^fragments *\([0-9]*\).*/\1/p'; }
versions() { "$PENNON" table versions | wc -l; }
take() { cp "$shop/images/0$1.jpg" "$work/one" && "$PENNON" ingest "$work/one" --quiet --no-index "${@:2}"; }
mkdir "$work/one"

# Told not to, nothing is folded.
for i in $(seq 100 112); do take "$i" --compaction-size 0; done
[ "$(fragments)" = 13 ] || fail "ingest folded: $(fragments) fragments"

# The environment wins over the configuration file.
printf 'ingest: {compaction-size: 64}\nversion-retention: 0\n' > "$work/c.yaml"
PENNON_COMPACTION_SIZE=0 take 113 --config "$work/c.yaml"
[ "$(fragments)" = 14 ] || fail "the environment wins over the file: $(fragments) fragments"
take 114 --config "$work/c.yaml"
[ "$(fragments)" -lt 10 ] || fail "nothing was folded: $(fragments) fragments"

# Rows as text: the same. By default no version goes.
"$PENNON" table export "$work/rows.ndjson" --quiet
head -1 "$work/rows.ndjson" > "$work/row"
now=$(fragments)
for i in $(seq 100); do
    PENNON_COMPACTION_SIZE=0 "$PENNON" table import "$work/row" --quiet
done
[ "$(fragments)" = $((now + 100)) ] || fail "import folded: $(fragments) fragments"
[ "$(versions)" -gt 115 ] || fail "versions went: $(versions)"
sleep 1.1
"$PENNON" table import "$work/row" --quiet --version-retention 0.00001
[ "$(fragments)" -lt 20 ] || fail "import folded nothing: $(fragments) fragments"
[ "$(versions)" -le 103 ] || fail "old versions stayed: $(versions)"
for _ in $(seq 30); do
    "$PENNON" table upsert "$work/row" --key content_hash --quiet
done
[ "$(fragments)" -lt 20 ] || fail "upsert folded nothing: $(fragments) fragments"

# What is no size.
for command in "ingest $work/one" "table import $work/row" "table upsert $work/row --key image_path" serve; do
    for wrong in --compaction-size=-1 --compaction-size=x --version-retention=-1 --version-retention=40000; do
        code=0
        # shellcheck disable=SC2086 # words
        "$PENNON" $command "$wrong" > "$work/out" 2>&1 || code=$?
        [ "$code" = 2 ] || fail "pennon $command $wrong ends with $code"
    done
done
code=0
PENNON_VERSION_RETENTION=soon "$PENNON" table import "$work/row" > "$work/out" 2>&1 || code=$?
{ [ "$code" = 2 ] && grep -q 'pennon table import: --version-retention "soon"' "$work/out"; } || fail "a retention that is none: $(cat "$work/out")"
echo "folded and kept as told"
