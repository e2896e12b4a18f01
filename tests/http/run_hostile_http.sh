#!/usr/bin/env bash
# Clients that mean harm or are just slow: trickling headers and bodies, too much, too many, garbage; and what goes on meanwhile.
# The program with sanitizers is used where it was built: that is where a fault would show.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sanitized="$PN_SOURCE_DIR/build/dev/pennon"
[ -x "$sanitized" ] || sanitized=$PENNON
"$PENNON" ingest "$PN_SOURCE_DIR/demo/catalogue/products.csv" --table "$work/t.lance" --model "$PN_SOURCE_DIR/demo/model" --quiet
python3 "$PN_SOURCE_DIR/tests/http/hostile.py" "$PENNON" "$sanitized" "$PN_SOURCE_DIR" "$work"
