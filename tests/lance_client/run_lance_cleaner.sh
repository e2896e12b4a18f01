#!/usr/bin/env bash
# LanceDB commits and cleans up without a pause, while pennon adds rows and upserts: no import is refused, no acknowledged row is lost, none is there twice.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$PN_SOURCE_DIR/tests/lance_client/lance_cleaner.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
"$NODE" "$work/lance_cleaner.mjs" "$work"
