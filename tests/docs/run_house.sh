#!/usr/bin/env bash
# docs/ARCHITECTURE.md, the rooms' pages and the two READMEs: what they draw and list is what there is.
set -euo pipefail
exec python3 "$PN_SOURCE_DIR/tests/docs/house.py"
