#!/usr/bin/env bash
# The page in headless Chromium: what a shopper does; hostile metadata; an empty table; a service that goes away.
set -euo pipefail
command -v chromium > /dev/null || { echo "skipped: no chromium"; exit 77; }
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
model="$PN_SOURCE_DIR/demo/model"
serve() { # table: sets url
    : > "$work/$1.out"
    "$PENNON" serve --table "$work/$1" --model "$model" --port 0 > "$work/$1.out" 2>&1 &
    servers+=($!)
    for _ in $(seq 100); do grep -q 'at http' "$work/$1.out" && break; sleep 0.1; done
    url=$(sed -n 's/.* at \(http.*\)/\1/p' "$work/$1.out")
}
mkdir "$work/pictures"
for i in 1 2 3 4; do cp "$shop/images/000$i.jpg" "$work/pictures/"; done
cp "$PN_SOURCE_DIR/tests/web/hostile.csv" "$work/pictures/"
"$PENNON" ingest "$shop/products.csv" --table "$work/shop.lance" --model "$model" --quiet
"$PENNON" ingest "$work/pictures/hostile.csv" --table "$work/hostile.lance" --model "$model" --quiet
cp -r "$work/hostile.lance" "$work/empty.lance"
cp "$PN_SOURCE_DIR"/tests/web/*.mjs "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
shots=${PN_SCREENSHOTS:-$work/shots}
mkdir -p "$shots"
serve shop.lance
"$NODE" "$work/page.mjs" "$url" "$shop" "$shots"
shop_url=$url
serve hostile.lance
"$NODE" "$work/page_hostile.mjs" "$url" "$shots"
serve empty.lance
for id in $(curl -s "$url/rows" | grep -o '"id":[0-9]*' | cut -d: -f2); do curl -s -X DELETE "$url/rows/$id" > /dev/null; done
"$NODE" "$work/page_states.mjs" "$url" "$shop_url" "$shots" "${servers[0]}"
