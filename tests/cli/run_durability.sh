#!/usr/bin/env bash
# The disk fails under the program at call after call: the reason and the file are told, and the last version stays. And, seen by the
# kernel: what a version names is synced before the version gets its name, and the name after it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_MODEL="$PN_SOURCE_DIR/demo/model"
fail() { echo "FAILED: $1"; exit 1; }
head -13 "$shop/products.csv" > "$work/first.csv"
{ head -1 "$shop/products.csv"; sed -n 14,16p "$shop/products.csv"; } > "$work/more.csv"
"$PENNON" ingest "$work/first.csv" --base "$shop" --table "$work/before.lance" --quiet

# Each call in turn fails with ENOSPC (28) or EIO (5). A commit whose name is linked is made, whatever fails afterwards.
break_disk() { # every so many calls, errno, its text, rows afterwards, arguments
    local step=$1 errno=$2 text=$3 after=$4 n code rows last=0 refused=0; shift 4
    for ((n = 1; ; n += step)); do
        rm -rf "$work/t.lance" && cp -r "$work/before.lance" "$work/t.lance"
        code=0
        PN_FAULT=$n:$errno "$PENNON" "$@" --table "$work/t.lance" > /dev/null 2> "$work/said" || code=$?
        rows=$("$PENNON" count --table "$work/t.lance")
        if [ $code = 0 ]; then
            [ "$rows" = "$after" ] || fail "$1, call $n: it reported success, and there are $rows rows"
            # A fault that does no harm (the hint, a leftover) is passed over; past the last call there is none.
            [ $((n - last)) -lt 6 ] || break
            continue
        fi
        last=$n refused=$((refused + 1))
        [ $code = 1 ] || fail "$1, call $n: ended with $code: $(cat "$work/said")"
        grep -q "t\.lance.*$text" "$work/said" || fail "$1, call $n: $(cat "$work/said")"
        [ "$rows" = 12 ] || [ "$rows" = "$after" ] || fail "$1, call $n: $rows rows"
        [ "$("$PENNON" count --table "$work/t.lance" --at-version 2)" = 12 ] || fail "$1, call $n: version 2"
    done
    [ $refused -ge 5 ] || fail "$1: only $refused calls were refused"
    echo "$1: $refused calls up to the ${n}th refused with \"$text\", each named"
}
break_disk 1 28 'No space left on device' 8 delete --where 'id < 4' --yes
break_disk 1 5 'Input/output error' 8 delete --where 'id < 4' --yes
break_disk 7 28 'No space left on device' 15 ingest "$work/more.csv" --base "$shop" --quiet

# The same for whatever else changes a table: the rows and the tags are those before it or after it, and no file is damaged.
printf '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n{"id":3,"name":"c"}\n' > "$work/rows"
printf '{"id":3,"name":"C"}\n{"id":4,"name":"d"}\n' > "$work/new"
small="$work/small.lance"
"$PENNON" table import --mode create "$work/rows" -t "$small" --quiet
for name in e f; do printf '{"id":5,"name":"%s"}\n' $name | "$PENNON" table import - -t "$small" --quiet; done
"$PENNON" table tag create kept 2 -t "$small"
# A table without rows is something else than none.
state() { { { "$PENNON" table schema -t "$1" && "$PENNON" table export - -t "$1" && "$PENNON" table tag list -t "$1"; } 2> /dev/null || true; } | sort | md5sum; }
none=$(state "$work/nowhere")
break_change() { # what it begins with, arguments of pennon table
    local from=$1 n code errno text now before after last=0 refused=0; shift
    local t="$work/s.lance"
    prepare() { rm -rf "$t"; [ -z "$from" ] || cp -r "$from" "$t"; }
    prepare && before=$(state "$t")
    "$PENNON" table "$@" -t "$t" < "$work/new" > /dev/null && after=$(state "$t")
    for ((n = 1; n - last < 6; n++)); do
        errno=28 text='No space left on device'
        [ $((n % 2)) = 0 ] || errno=5 text='Input/output error'
        prepare
        code=0
        PN_FAULT=$n:$errno "$PENNON" table "$@" -t "$t" < "$work/new" > /dev/null 2> "$work/said" || code=$?
        now=$(state "$t")
        if [ $code = 0 ]; then
            [ "$now" = "$after" ] || fail "table $*, call $n: it reported success, and is not done"
        else
            last=$n refused=$((refused + 1))
            [ $code = 1 ] || fail "table $*, call $n: ended with $code: $(cat "$work/said")"
            grep -q "$work.*$text" "$work/said" || fail "table $*, call $n: $(cat "$work/said")"
            [ "$now" = "$before" ] || [ "$now" = "$after" ] || fail "table $*, call $n: neither the old table nor the new one"
        fi
        [ "$now" = "$none" ] || "$PENNON" table check -q -t "$t" > "$work/said" 2>&1 || fail "table $*, call $n: $(cat "$work/said")"
    done
    [ $refused -ge 2 ] || fail "table $*: only $refused calls were refused"
    echo "table $1: $refused calls refused, each named"
}
break_change '' import --mode create --quiet -
break_change "$small" import --quiet -
break_change "$small" import --mode overwrite --quiet -
break_change "$small" upsert --key id --quiet -
break_change "$small" restore 2
break_change "$small" tag create new
break_change "$small" tag update kept 3
break_change "$small" tag delete kept
break_change "$small" column add stock int32 --value 7
break_change "$small" column rename name title
break_change "$small" column drop name
break_change "$small" compact --quiet
break_change "$small" cleanup --older-than 0
break_change "$small" check --record --quiet

if ! strace -o "$work/probe" true 2> /dev/null; then
    echo "no strace here: the kernel's view is not checked"
    exit 0
fi
strace -f -y -qq -e trace=openat,write,pwrite64,fsync,link,linkat,renameat2,rename -o "$work/trace" "$PENNON" ingest "$work/more.csv" --base "$shop" --table "$work/before.lance" --quiet
strace -f -y -qq -e trace=openat,write,pwrite64,fsync,link,linkat,renameat2,rename -o "$work/trace2" "$PENNON" delete --where 'id < 4' --yes --table "$work/before.lance" > /dev/null
python3 - "$work/before.lance" "$work/trace" "$work/trace2" <<'PYTHON' || fail 'the order of syncs'
import os, re, sys
table, *traces = sys.argv[1:]
for trace in traces:
    dirty, fresh, linked, synced_after = set(), set(), None, set()
    kinds = set()
    for line in open(trace):
        line = line.split(None, 1)[1]
        path = re.search(r"<([^>]*)>", line)
        if (m := re.match(r'openat\(.*?"([^"]*)", ([A-Z_|]*).*= \d+<([^>]*)>', line)) and "O_CREAT" in m[2] and m[3].startswith(table):
            fresh.add(m[3])
        elif re.match(r"(write|pwrite64)\(", line) and path and path[1].startswith(table):
            dirty.add(path[1])
        elif line.startswith("fsync(") and line.rstrip().endswith("= 0"):
            dirty.discard(path[1])
            if linked:
                synced_after.add(path[1])
            fresh -= {f for f in fresh if os.path.dirname(f) == path[1]}
        elif m := re.match(r'(?:link|linkat|renameat2)\(.*?"([^"]*)".*"([^"]*\.manifest)".*= 0', line):
            linked = m[2]
            # The staging name needs no sync of its own: it goes away.
            left = {f for f in fresh if not f.startswith(os.path.join(table, "_versions") + "/") and "/_pennon/" not in f}
            unsynced = {f for f in dirty if "/_pennon/" not in f}
            assert not unsynced, f"written and not synced before the link: {unsynced}"
            assert not left, f"names not synced before the link: {left}"
        if "/data/" in line: kinds.add("data")
        if "/_deletions/" in line: kinds.add("deletions")
        if "/_transactions/" in line: kinds.add("transactions")
    assert linked and os.path.join(table, "_versions") in synced_after, "the version's name is not synced"
    print(f"{os.path.basename(trace)}: {sorted(kinds)} synced before the link of {os.path.basename(linked)}, its folder after it")
PYTHON
