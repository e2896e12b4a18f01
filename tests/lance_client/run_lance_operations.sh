#!/usr/bin/env bash
# Every change of a table by pennon is read, searched, changed and optimized by the real LanceDB, and the other way round: with files of
# each version that is written, with addresses and with stable row ids, and with indexes in place.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_operations.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
"$NODE" "$work/lance_operations.mjs" "$work" "$PN_DATASET_TOOL"
