#!/usr/bin/env bash
# Tables made of rows that came one by one, folded as they came, by two processes and by one: the real LanceDB finds every row once,
# searches them and goes on writing. PN_LANCE_INSERTS: how many rows.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=${PN_LANCE_INSERTS:-400}
cp "$PN_SOURCE_DIR/tests/lance_client/lance_inserts.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
if ! PN_SMALL_WRITES_KEEP="$work" PN_SMALL_WRITES="$n" PN_SMALL_WRITES_PROCESSES="$n" PN_SMALL_WRITES_TOGETHER=640 "$PN_BINARY_DIR/test_small_writes" > "$work/said" 2>&1; then
    cat "$work/said"
    exit 1
fi
"$NODE" "$work/lance_inserts.mjs" "$work" "$n"
