#!/usr/bin/env bash
# kill -9 at random moments of appends, deletes and updates. PN_KILL_RUNS (25) and PN_KILL_SEED (1) for longer and other runs.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 "$PN_SOURCE_DIR/tests/cli/kill.py" "$PENNON" "$PN_SOURCE_DIR/demo/catalogue" "$PN_SOURCE_DIR/demo/model" "$work" \
    "${PN_KILL_RUNS:-25}" "${PN_KILL_SEED:-1}"
