#!/usr/bin/env bash
# Several pennon processes and LanceDB write to one table at once: nothing that was acknowledged is lost, nothing is there twice.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
catalogue="$PN_SOURCE_DIR/demo/catalogue" model="$PN_SOURCE_DIR/demo/model"
cp "$PN_SOURCE_DIR/tests/lance_client/lance_race.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
part() { head -1 "$catalogue/products.csv"; sed -n "$1,$2p" "$catalogue/products.csv"; } # rows of the list, counted from 2
part 2 41 > "$work/base.csv"
part 42 101 > "$work/first.csv"
part 102 161 > "$work/second.csv"
mkdir "$work/changing"
for i in $(seq 1 30); do cp "$catalogue/images/$(printf %04d $((200 + i))).jpg" "$work/changing/$i.jpg"; done
"$PENNON" ingest "$work/base.csv" --base "$catalogue" --table "$work/shop.lance" --model "$model" --quiet
"$PENNON" ingest "$work/changing" --table "$work/shop.lance" --model "$model" --quiet
for i in $(seq 1 30); do cp "$catalogue/images/$(printf %04d $((240 + i))).jpg" "$work/changing/$i.jpg"; done
"$NODE" "$work/lance_race.mjs" "$work" "$catalogue" "$model"
