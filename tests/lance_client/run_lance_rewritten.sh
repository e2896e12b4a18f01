#!/usr/bin/env bash
# Random nested tables that LanceDB and pennon write in turn, in each version that pennon writes: whatever pennon writes LanceDB reads as it was put in,
# and pennon reads what both leave. PN_RANDOM_SEED takes up a run again, PN_RANDOM_TABLES makes it longer.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/random_tables.sh" lance_rewritten 150
DATASET_TOOL="$PN_BINARY_DIR/dataset_tool" "$NODE" "$work/lance_rewritten.mjs" "$work/tables" "$seed" "$tables" > "$work/made" 2> "$work/complaints" ||
    fail "$(tail -5 "$work/complaints")"
grep -P '\tFAILED' "$work/made" && fail "LanceDB does not read what pennon wrote: PN_RANDOM_SEED=$seed"
# What LanceDB refuses to write, and what has no form that it reads (docs/FORMAT.md), tells nothing of pennon; most tables must.
cut -f3 "$work/made" | sed -E 's/[:(].*//' | sort | uniq -c
grep -P '\tsame' "$work/made" | cut -f1 > "$work/names"
same=$(wc -l < "$work/names")
[ "$same" -ge $((tables * 22 / 25)) ] || fail "only $same of $tables tables were compared: $(grep -vP '\tsame' "$work/made" | head -5)"
echo "$(grep -cP '\tsame \(' "$work/made" || true) of them LanceDB could not read after it had written them itself"
"$PN_BINARY_DIR/read_tables" "$work/tables" "$seed" < "$work/names" > "$work/differences" || { cat "$work/differences"; fail "pennon reads something else: PN_RANDOM_SEED=$seed"; }
tail -1 "$work/differences"
grep -q ', 0 differences, 0 refused$' "$work/differences" || fail "$(head -5 "$work/differences")"
