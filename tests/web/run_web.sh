#!/usr/bin/env bash
# The page in headless Chromium: words, a dropped picture, both, filters, more like this, Chinese, a phone.
set -euo pipefail
command -v chromium > /dev/null || { echo "skipped: no chromium"; exit 77; }
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
"$PENNON" ingest "$shop/products.csv" --table "$work/t.lance" --model "$PN_SOURCE_DIR/demo/model" --quiet
"$PENNON" serve --table "$work/t.lance" --port 0 > "$work/out" 2>&1 &
server=$!
for _ in $(seq 100); do grep -q 'at http' "$work/out" && break; sleep 0.1; done
cp "$PN_SOURCE_DIR/tests/web/page.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
"$NODE" "$work/page.mjs" "$(sed -n 's/.* at \(http.*\)/\1/p' "$work/out")" "$shop" "${PN_SCREENSHOT:-$work/page.png}"
