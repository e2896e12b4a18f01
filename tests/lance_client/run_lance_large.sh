#!/usr/bin/env bash
# Twenty thousand rows that pennon and the real LanceDB change in turns; both must say the same, to the last value.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
catalogue="$PN_SOURCE_DIR/demo/catalogue" model="$PN_SOURCE_DIR/demo/model"
cp "$PN_SOURCE_DIR/tests/lance_client/lance_large.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
head -41 "$catalogue/products.csv" > "$work/first.csv"
{ head -1 "$catalogue/products.csv"; sed -n 42,81p "$catalogue/products.csv"; } > "$work/second.csv"
"$PENNON" ingest "$work/first.csv" --base "$catalogue" --table "$work/shop.lance" --model "$model" --quiet
"$NODE" "$work/lance_large.mjs" "$work" "$catalogue" "$model"
