#!/usr/bin/env bash
# A table that cannot be written, because the folder is another's or the disk is mounted so: what reads it works as ever, what would change
# it says which path and why, and the table is what it was.
set -euo pipefail
work=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; chmod -R u+w "$work"; rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model" HOME="$work/home"
fail() { echo "FAILED: $1"; exit 1; }
without_times() { sed 's/"[a-z_]*_ms": *[0-9.]*//g'; }
mkdir "$work/home" "$work/shop"
chmod 777 "$work" "$work/home" # for who is somebody else below
head -25 "$shop/products.csv" > "$work/first.csv"
{ head -1 "$shop/products.csv"; sed -n 26,28p "$shop/products.csv"; } > "$work/more.csv"
{ head -1 "$shop/products.csv"; sed -n 29,31p "$shop/products.csv"; } > "$work/new.csv"
table="$work/shop/t.lance"
"$PENNON" ingest "$work/first.csv" --base "$shop" --table "$table" --quiet
"$PENNON" delete --where 'id >= 20' --yes --table "$table" > /dev/null
"$PENNON" ingest "$work/more.csv" --base "$shop" --table "$table" --quiet
"$PENNON" table tag create good 2 --table "$table" > /dev/null
"$PENNON" table check --record --table "$table" > /dev/null
"$PENNON" table export "$work/rows.ndjson" --table "$table" --quiet
"$PENNON" table export "$work/rows.csv" --table "$table" --quiet
query=$("$PENNON" search "a red shirt" --table "$table" --json -k 3 | without_times)
rows=$("$PENNON" count --table "$table")
cp -r "$work/shop" "$work/before"
chmod -R a+rX "$work"

run() { "${as[@]}" "$PENNON" "$@" --table "$table" > "$work/out" 2> "$work/err"; }

reads() {
    run "$@" || fail "$how: pennon $*: $(cat "$work/err")"
}

changes() { # what says so
    local code=0
    run "$@" || code=$?
    [ $code = 1 ] || fail "$how: pennon $* ended with $code: $(cat "$work/out" "$work/err")"
    grep -q "$table.*$reason" "$work/err" || fail "$how: pennon $*: no path with \"$reason\" in: $(cat "$work/err")"
    diff -r "$work/before/t.lance" "$table" > "$work/diff" || fail "$how: pennon $* changed the table: $(cat "$work/diff")"
    n_refused=$((n_refused + 1))
}

try_all() {
    n_refused=0
    reads info
    reads versions
    reads list
    reads list --at-version 2
    reads show 3 --json
    reads count --where 'id < 7'
    reads search "a red shirt" --json -k 3
    [ "$(without_times < "$work/out")" = "$query" ] || fail "$how: another answer: $(cat "$work/out")"
    reads search "a red shirt" --exact
    reads search --like 3
    reads search "a red shirt" --where 'id < 9'
    reads index status
    reads index check
    reads table info
    reads table schema
    reads table versions
    reads table stats
    reads table check
    reads table head
    reads table checkout good
    reads table tag list
    reads table export "$work/home/rows.ndjson" --quiet
    cmp "$work/home/rows.ndjson" "$work/rows.ndjson" || fail "$how: other rows"
    rm "$work/home/rows.ndjson"
    reads table compact --dry-run
    reads table cleanup --dry-run --older-than 0s --orphans 0

    changes ingest "$work/new.csv" --base "$shop" --quiet
    changes delete --where 'id = 3' --yes
    changes index build --all
    changes index build --lancedb
    changes table check --record
    changes table compact
    changes table cleanup --older-than 0s
    changes table restore 2
    changes table tag create new 2
    changes table tag update good 3
    changes table tag delete good
    changes table column add price int64
    changes table column drop metadata --force
    changes table column rename metadata facts --force
    changes table import "$work/rows.ndjson" --mode append
    changes table import "$work/rows.ndjson" --mode overwrite
    changes table upsert "$work/rows.ndjson" --key id
    [ "$("$PENNON" count --table "$table")" = "$rows" ] || fail "$how: other rows"
    echo "$how: $n_refused changes are refused with \"$reason\""
}

# Somebody else's folder. Root may write everywhere, and becomes nobody.
as=()
if [ "$(id -u)" = 0 ]; then
    command -v setpriv > /dev/null || { echo "skipped: no setpriv"; exit 77; }
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
if [ ${#as[@]} = 0 ] || "${as[@]}" test -x "$PENNON"; then
    chmod -R a-w "$work/shop"
    how="a folder that may not be written" reason="Permission denied"
    try_all
    chmod -R u+w "$work/shop"
else
    echo "skipped in part: nobody may not read $PENNON"
fi

# A disk that is mounted for reading, where one may mount.
if [ "$(id -u)" = 0 ] && mount --bind "$work/shop" "$work/shop" 2> "$work/err"; then
    mounted="$work/shop"
    mount -o remount,bind,ro "$work/shop"
    as=() how="a disk that may not be written" reason="Read-only file system"
    try_all
fi
echo "pennon on what cannot be written: ok"
