#!/usr/bin/env bash
# How old an answer may be: --read-consistency-interval of the service, by the command line and by the file.
set -euo pipefail
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model" PENNON_TABLE="$work/t.lance"
mkdir "$work/more" && cp "$shop"/images/000[1-5].jpg "$work/more"
serve() {
    : > "$work/out" # the last one's line is not this one's
    "$PENNON" serve --port 0 "$@" > "$work/out" 2>&1 &
    server=$!
    for _ in $(seq 100); do grep -q 'at http' "$work/out" && break; sleep 0.1; done
    url=$(sed -n 's/.* at \(http.*\)/\1/p' "$work/out")
}
rows() { curl -sf "$url/rows?limit=1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["matching"])'; }
see() { [ "$(rows)" = "$1" ] || fail "$2: $(rows) rows, not $1"; }
stop() { kill "$server"; wait "$server" || true; }

"$PENNON" ingest "$work/more" --quiet
serve
see 5 'at first'
"$PENNON" delete --id 0 --yes > "$work/log"
see 4 'the default is the newest version'
stop

serve --read-consistency-interval 3600
see 4 'at first'
"$PENNON" delete --id 1 --yes > "$work/log"
see 4 'within the interval'
curl -sf -X DELETE "$url/rows/2" > "$work/log" || fail 'DELETE'
see 2 'its own change, and with it the others'
stop

printf 'serve:\n  read-consistency-interval: 0.5\n' > "$work/c.yaml"
serve --config "$work/c.yaml"
see 2 'at first'
"$PENNON" delete --id 3 --yes > "$work/log"
sleep 0.6
see 1 'after the interval'
stop

code=0
"$PENNON" serve --read-consistency-interval=-1 > "$work/out" 2>&1 || code=$?
{ [ $code = 2 ] && grep -q '0 to 86400' "$work/out"; } || fail "a negative interval: $code, $(cat "$work/out")"
echo "answers are as old as they may be"
