#!/usr/bin/env bash
# Models of TinyCLIP's shapes, pruned ones too, against the reference specification.
set -euo pipefail
[ -d "$PN_SHARED_DIR/golden/clip" ] || { echo "skipped: no reference data at $PN_SHARED_DIR/golden/clip"; exit 77; }
exec /usr/bin/python3 "$PN_SOURCE_DIR/tests/golden/tinyclip.py"
