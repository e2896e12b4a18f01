#!/usr/bin/env bash
# pennon's upsert and the real LanceDB's merge insert do the same to the same table. PN_RANDOM_SEED takes up a run again, PN_UPSERTS makes it longer.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_upsert.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
mkdir "$work/tables"
seed=${PN_RANDOM_SEED:-$((RANDOM * 32768 + RANDOM))}
echo "PN_RANDOM_SEED=$seed"
"$NODE" "$work/lance_upsert.mjs" "$work/tables" "$seed" "${PN_UPSERTS:-40}"
