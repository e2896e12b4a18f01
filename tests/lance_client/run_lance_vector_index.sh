#!/usr/bin/env bash
# Vector indexes of the real LanceDB, used by pennon.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_vector_index.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
"$NODE" "$work/lance_vector_index.mjs" "$work"
