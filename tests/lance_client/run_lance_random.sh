#!/usr/bin/env bash
# Random tables that LanceDB makes from a seed, in every storage version it offers: pennon reads each value as LanceDB reads it, or refuses the
# column by name. PN_RANDOM_SEED takes up a run again, PN_RANDOM_TABLES makes it longer.
set -euo pipefail
. "$PN_SOURCE_DIR/tests/lance_client/random_tables.sh" lance_random 345
"$NODE" "$work/lance_random.mjs" "$work/tables" "$seed" "$tables" > "$work/made" 2> "$work/complaints" || fail "$(tail -5 "$work/complaints")"
# What LanceDB itself refuses to write or fails to read tells nothing of pennon.
grep -vP '\t(not made|no answer)\t' "$work/made" | cut -f1 > "$work/names"
made=$(wc -l < "$work/names")
cut -f2 "$work/made" | sort | uniq -c | sed 's/^ */  /'
[ "$made" -ge $((tables * 22 / 25)) ] || fail "LanceDB made $made of $tables tables: $(grep -P '\t(not made|no answer)\t' "$work/made" | head -5)"
"$PN_BINARY_DIR/read_tables" "$work/tables" "$seed" < "$work/names" > "$work/differences" || {
    cat "$work/differences"
    while IFS=: read -r table _; do grep -P "^$table\t" "$work/made" || true; done < "$work/differences"
    fail "pennon and LanceDB differ: PN_RANDOM_SEED=$seed"
}
tail -1 "$work/differences"
grep -v 'is not supported$' "$work/differences" | head -n -1 | grep . && fail 'refused without saying what'
grep -q '^blobs: .*column "b": encoding "blob v2"' "$work/differences" || fail 'a blob of the new kind was read'
refused=$(sed -nE 's/.*, ([0-9]+) refused$/\1/p' "$work/differences")
[ "$refused" -le $((tables / 50)) ] || fail "$refused columns were refused: $(head -5 "$work/differences")"
