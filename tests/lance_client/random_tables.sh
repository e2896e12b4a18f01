# shellcheck shell=bash
# Sourced by the tests of random tables, as random_tables.sh PROGRAM TABLES: npm_packages.sh, and PROGRAM.mjs ready in $work beside an empty
# folder tables. Sets work, seed and tables, and fail, which says why and ends the test. PN_RANDOM_SEED takes up a run again,
# PN_RANDOM_TABLES makes it longer.
. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
seed=${PN_RANDOM_SEED:-$((RANDOM * 32768 + RANDOM))}
tables=${PN_RANDOM_TABLES:-$2}
echo "PN_RANDOM_SEED=$seed PN_RANDOM_TABLES=$tables"
cp "$PN_SOURCE_DIR"/tests/lance_client/{"$1",random_columns,answer_text}.mjs "$work/"
ln -s "$PN_NODE_MODULES" "$work/node_modules"
mkdir "$work/tables"
