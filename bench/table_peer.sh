#!/bin/sh
# table_peer.sh - pennon's table beside LanceDB's
#
#   bench/table_peer.sh BENCH_TABLE FOLDER [ROWS] [DIM] [ROUNDS]
#   bench/table_peer.sh BENCH_INSERTS FOLDER [WRITERS] [SECONDS] [DIM] [ROUNDS]
#
# The client is the one of tests/lance_client, put into build/table-peer once. Needs node and npm.
set -eu
PN_SOURCE_DIR=$(cd "$(dirname "$0")/.." && pwd)
PN_BINARY_DIR=${PN_BINARY_DIR:-$PN_SOURCE_DIR/build/table-peer}
export PN_SOURCE_DIR PN_BINARY_DIR
mkdir -p "$PN_BINARY_DIR" "${2:?a folder with room for two tables}"
bench=$(realpath "${1:?the path of bench_table or bench_inserts}")
peer=$(basename "$bench" | sed 's/^bench_//')_peer.mjs
# shellcheck source=/dev/null
NODE=$(bash -c '. "$PN_SOURCE_DIR/tests/lance_client/npm_packages.sh" >&2 && echo "$NODE"')
cp "$PN_SOURCE_DIR/bench/$peer" "$PN_BINARY_DIR/npm/"
folder=$(realpath "$2")
shift 2
exec "$NODE" "$PN_BINARY_DIR/npm/$peer" "$bench" "$folder" "$@"
