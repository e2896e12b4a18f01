#!/usr/bin/env bash
# The program's three doors against the values of reference implementations.
set -euo pipefail
[ -d "$PN_SHARED_DIR/golden/clip" ] || { echo "skipped: no reference data at $PN_SHARED_DIR/golden/clip"; exit 77; }
exec /usr/bin/python3 "$PN_SOURCE_DIR/tests/golden/golden.py"
