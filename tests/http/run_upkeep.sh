#!/usr/bin/env bash
# What a service does in the background: small files are folded when they may be, and the metrics say so; the settings of it.
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model" PENNON_TABLE="$work/t.lance"
mkdir "$work/one" && cp "$shop/images/0001.jpg" "$work/one"
serve() {
    : > "$work/out" # the last one's line is not this one's
    "$PENNON" serve --port 0 "$@" > "$work/out" 2>&1 &
    server=$!
    for _ in $(seq 100); do grep -q 'at http' "$work/out" && break; sleep 0.1; done
    url=$(sed -n 's/.* at \(http.*\)/\1/p' "$work/out")
}
metric() { curl -sf "$url/metrics" | sed -n "s/^$1 //p"; }
stop() { kill "$server"; wait "$server" || true; }

"$PENNON" ingest "$work/one" --quiet
PENNON_COMPACTION_SIZE=0 serve
for i in $(seq 10 40); do
    curl -sf -F "image=@$shop/images/00$i.jpg" -F "path=up/$i.jpg" "$url/ingest" > "$work/answer" || fail "upload $i: $(cat "$work/answer")"
done
[ "$(metric pennon_table_fragments)" = 32 ] || fail "files were folded, though told not to: $(metric pennon_table_fragments)"
[ "$(metric pennon_table_small_fragments)" = 32 ] || fail "small ones: $(metric pennon_table_small_fragments)"
[ "$(metric pennon_table_versions)" -ge 33 ] || fail "versions: $(metric pennon_table_versions)"
[ "$(metric pennon_table_uncovered_rows)" = 32 ] || fail "rows without an index: $(metric pennon_table_uncovered_rows)"
stop

printf 'serve:\n  compaction-size: 64\n  version-retention: 1\n' > "$work/c.yaml"
printf 'index-cache-size: 0.001\n' >> "$work/c.yaml"
serve --config "$work/c.yaml"
for _ in $(seq 5); do
    curl -sf "$url/search" -H 'Content-Type: application/json' -d '{"query": "red sneakers"}' > "$work/answer" || fail "a search with little room"
done
PENNON_INDEX_CACHE_SIZE=2 "$PENNON" search red sneakers -k 1 --tsv > "$work/answer" || fail "a search with room"
[ "$(wc -l < "$work/answer")" = 2 ] || fail "found: $(cat "$work/answer")"
for _ in $(seq 100); do [ "$(metric pennon_table_fragments)" -lt 10 ] && break; sleep 0.1; done
[ "$(metric pennon_table_fragments)" -lt 10 ] || fail "nothing was folded: $(metric pennon_table_fragments)"
[ "$(metric pennon_upkeep_folds_total)" -ge 1 ] || fail 'folds are counted'
[ "$(metric pennon_upkeep_failed)" = 0 ] || fail "upkeep failed: $(cat "$work/out")"
[ "$(metric pennon_table_rows)" = 32 ] || fail "rows: $(metric pennon_table_rows)"
stop

for wrong in --compaction-size=-1 --compaction-size=x --version-retention=-1 --version-retention=40000 --index-cache-size=-1 --index-cache-size=all; do
    code=0
    "$PENNON" serve "$wrong" > "$work/out" 2>&1 || code=$?
    [ "$code" = 2 ] || fail "serve $wrong ends with $code"
done
code=0
PENNON_VERSION_RETENTION=soon "$PENNON" serve > "$work/out" 2>&1 || code=$?
{ [ "$code" = 2 ] && grep -q 'pennon serve: --version-retention "soon"' "$work/out"; } || fail "a retention that is none: $(cat "$work/out")"
code=0
PENNON_INDEX_CACHE_SIZE=much "$PENNON" search red > "$work/out" 2>&1 || code=$?
{ [ "$code" = 2 ] && grep -q 'pennon search: --index-cache-size "much"' "$work/out"; } || fail "a size that is none: $(cat "$work/out")"
echo "folded, counted and set"
