#!/usr/bin/env bash
# Upserts by pennon and merge inserts by LanceDB, with compaction, tags, deletes and a new column between: no acknowledged row is lost, no key is there twice.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_upsert_race.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
mkdir "$work/tables"
for stable in false true; do "$NODE" "$work/lance_upsert_race.mjs" "$work/tables" $stable; done
