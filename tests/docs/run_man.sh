#!/usr/bin/env bash
# The manual pages: sound for two formatters, and the same options, variables, functions and statuses as the program has.
set -euo pipefail
for tool in groff mandoc; do
    command -v $tool > /dev/null || { echo "skipped: no $tool"; exit 77; }
done
exec python3 "$PN_SOURCE_DIR/tests/docs/man.py"
