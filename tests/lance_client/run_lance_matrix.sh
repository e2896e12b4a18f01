#!/usr/bin/env bash
# Which operation works in which storage version, from pennon to LanceDB and back: every cell of the table in docs/FORMAT.md is tried, and the table
# must say what was seen. PN_MATRIX_WRITE=1 writes it anew.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
document="$PN_SOURCE_DIR/docs/FORMAT.md"
cp "$PN_SOURCE_DIR/tests/lance_client/lance_matrix.mjs" "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
mkdir "$work/tables"
"$NODE" "$work/lance_matrix.mjs" "$work/tables" > "$work/seen"
if [ -n "${PN_MATRIX_WRITE:-}" ]; then
    { sed '/^<!-- seen by/q' "$document"; cat "$work/seen"; sed -n '/^<!-- end -->/,$p' "$document"; } > "$work/document"
    cp "$work/document" "$document"
fi
sed -n '/^<!-- seen by/,/^<!-- end -->/p' "$document" | sed '1d;$d' > "$work/told"
diff "$work/told" "$work/seen" || { echo "FAILED: docs/FORMAT.md tells something else than what was seen (PN_MATRIX_WRITE=1 writes it anew)"; exit 1; }
echo "$(grep -o ' yes ' "$work/seen" | wc -l) cells work"
