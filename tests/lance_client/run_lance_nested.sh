#!/usr/bin/env bash
# Nested columns that pennon rewrites are what they were, to the real LanceDB, in files of each version that is written.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_nested.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
mkdir "$work/tables"
"$NODE" "$work/lance_nested.mjs" "$work/tables"
