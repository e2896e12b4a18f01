#!/usr/bin/env bash
# The real LanceDB opens, searches, extends and optimizes what pennon wrote, and pennon reads the result.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_client.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
head -81 "$PN_SOURCE_DIR/demo/catalogue/products.csv" > "$work/products.csv"
"$PENNON" ingest "$work/products.csv" --base "$PN_SOURCE_DIR/demo/catalogue" --table "$work/shop.lance" \
    --model "$PN_SOURCE_DIR/demo/model" --commit-rows 30
"$NODE" "$work/lance_client.mjs" "$work"
