#!/usr/bin/env bash
# pennon table upsert, checkout, restore, tag, column, compact, cleanup, and import --mode overwrite: each, and each of its mistakes.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
table="$work/t.lance"
export PENNON_TABLE="$table"
fail() { echo "FAILED: $1"; exit 1; }
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > "$work/out" 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon $* ended with $got instead of $want: $(head -c 400 "$work/out")"
    if [ -z "$text" ] && [ ! -s "$work/out" ]; then return; fi
    grep -q -- "${text:-nothing at all}" "$work/out" || fail "pennon $*: no '$text' in $(head -c 400 "$work/out")"
}
rows() { # what the table holds, in one line
    local got; got=$("$PENNON" table export - "${@:2}" | tr '\n' ' ')
    [ "$got" = "$1" ] || fail "rows: $got instead of $1"
}
version() { "$PENNON" table info --json | sed -nE 's/.*"version": ([0-9]+).*/\1/p'; }

printf '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n{"id":3,"name":"c"}\n' > "$work/first"
printf '[{"name":"id","type":"int64"},{"name":"name","type":"string"}]' > "$work/schema.json"
expect 0 '0 rows added in .* (version 1)$' table import --mode create --schema "$work/schema.json" - <<< ''
expect 0 '3 rows added in .* (version 2)$' table import "$work/first"

for format in 2.0 2.1 2.2 2.3; do
    expect 0 '3 rows added' table import --mode create --data-format $format "$work/first" -t "$work/$format.lance"
    expect 0 "^format      Lance $format\$" table info -t "$work/$format.lance"
    rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"c"} ' -t "$work/$format.lance"
done
expect 1 'data files of version "0.1" are not written' table import --mode create --data-format 0.1 "$work/first" -t "$work/0.1.lance"
# What 2.0 has not.
expect 0 '2 rows added' table import --mode create --data-format 2.0 - -t "$work/structs.lance" <<< $'{"id":1,"size":{"w":1}}\n{"id":2,"size":{"w":null}}'
expect 1 'column "size": a null of "size": data files of version 2.0 have no null structs, those of 2.1 to 2.3 have' table import - -t "$work/structs.lance" <<< '{"id":3,"size":null}'
rows '{"id":1,"size":{"w":1}} {"id":2,"size":{"w":null}} ' -t "$work/structs.lance"

# Upsert, by both commands.
printf '{"id":3,"name":"C"}\n{"id":4,"name":"d"}\n' > "$work/second"
expect 0 ': 1 rows inserted, 1 updated, 0 deleted in .* (version 3)$' table upsert --key id "$work/second"
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"C"} {"id":4,"name":"d"} '
expect 0 '"rows":1,"inserted":0,"updated":1,"deleted":0,.*"version":4,' table import --upsert id --json - <<< '{"id":4,"name":"D"}'
expect 0 ': 1 rows inserted, 0 updated, 0 deleted' table upsert --key id --leave-matched - <<< $'{"id":1,"name":"no"}\n{"id":5,"name":"e"}'
expect 0 ': 0 rows inserted, 1 updated, 0 deleted' table upsert --key id --leave-unmatched - <<< $'{"id":5,"name":"E"}\n{"id":6,"name":"no"}'
expect 1 'the key column "id" is not in the rows' table upsert --key id,name --delete-missing - <<< '' # an empty file deletes nothing
expect 0 ': 0 rows inserted, 1 updated, 3 deleted' table upsert --key id,name --delete-missing --delete-where 'id > 2' --format csv - <<< $'id,name\n2,b'
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} '
# By numbers with a fraction, which all numbers are in what LanceDB makes of JavaScript's objects: the same when their bits are.
fractions="$work/fractions.lance"
expect 0 '6 rows added' table import --mode create --schema <(printf '[{"name":"k","type":"double"},{"name":"f","type":"float"},{"name":"v","type":"string"}]') - -t "$fractions" \
    <<< $'{"k":1,"f":0.1,"v":"a"}\n{"k":0,"f":1,"v":"b"}\n{"k":"NaN","f":1,"v":"c"}\n{"k":0.1,"f":2,"v":"d"}\n{"k":"-Infinity","v":"e"}\n{"k":null,"v":"f"}'
expect 0 ': 2 rows inserted, 4 updated, 0 deleted' table upsert --key k - -t "$fractions" <<< $'{"k":1,"v":"A"}\n{"k":-0.0,"v":"B"}\n{"k":"NaN","v":"C"}\n{"k":0.1,"v":"D"}\n{"k":"-Infinity","v":"E"}\n{"k":null,"v":"F"}'
rows '{"k":0,"f":1,"v":"b"} {"k":null,"f":null,"v":"f"} {"k":1,"f":0.1,"v":"A"} {"k":-0.0,"f":null,"v":"B"} {"k":"NaN","f":1,"v":"C"} {"k":0.1,"f":2,"v":"D"} {"k":"-Infinity","f":null,"v":"E"} {"k":null,"f":null,"v":"F"} ' -t "$fractions"
expect 0 ': 0 rows inserted, 1 updated, 0 deleted' table upsert --key f,k - -t "$fractions" <<< '{"k":1,"f":0.1,"v":"AA"}'
expect 1 'the key k = 0.5 is in two of the rows: 1 and 2' table upsert --key k - -t "$fractions" <<< $'{"k":0.5}\n{"k":0.5}'
expect 0 '1 rows added' table import --mode create - -t "$work/vectors.lance" <<< '{"vector":[1,2]}'
expect 1 'column "vector" cannot be a key: keys are numbers' table import --upsert vector - -t "$work/vectors.lance" <<< '{"vector":[1,2]}'

before=$(version) files=$(ls "$table/data")
expect 1 'the key id = 7 is in two of the rows: 1 and 2' table upsert --key id - <<< $'{"id":7}\n{"id":7}'
expect 1 'the key column "sku" is not in the table' table upsert --key sku - <<< '{"id":7}'
expect 1 'the key column "name" is not in the rows' table upsert --key name - <<< '{"id":7}'
expect 1 'the table has no column "price"' table upsert --key id - <<< '{"id":7,"price":2}'
expect 1 'line 2: ' table upsert --key id - <<< $'{"id":7}\n{"id":"x"}'
expect 1 'no table here' table upsert --key id -t "$work/nowhere" - <<< '{"id":7}'
expect 2 'by which columns' table upsert - <<< ''
expect 2 'a key is 1 to 32 columns' table upsert --key id, - <<< ''
expect 2 'which rows --delete-missing may delete' table upsert --key id --delete-where 'id > 1' - <<< ''
expect 2 'does not overwrite' table import --upsert id --mode overwrite - <<< ''
[ "$(version)" = "$before" ] || fail "a mistake made a version"
[ "$(ls "$table/data")" = "$files" ] || fail "a mistake left a file: $(ls "$table/data")"

# Versions by number and tag.
expect 0 '' table tag create start 2
expect 0 '"name": "now"' table tag create now --json
expect 0 '^     2  start$' table tag list
expect 0 '"version": 2' table tag list --json
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"c"} ' --version start
expect 0 '^rows        3$' table info --version start
expect 0 '^version     2,' table info --at-version=start
expect 0 '^c\|"c"\|  c$\|3 ' table head --version start
expect 0 '^1 versions' table check --version start
expect 1 'there is no tag "end"\|"end"' table info --version end
expect 2 'from 1 to' table info --version 0
expect 1 'already\|"start"' table tag create start
expect 1 'no version 99\|99' table tag create late 99
expect 1 '"late"' table tag update late
expect 1 '"late"' table tag delete late
expect 1 'a/b' table tag create a/b
expect 1 'number of a version' table tag create 7
mv "$PENNON_TABLE/_refs/tags/now.json" "$PENNON_TABLE/_refs/tags/7.json" # as LanceDB makes them
expect 0 '"version": 2' table tag update 7 2 --json
expect 0 'version  *2,' table info --version tag:7
mv "$PENNON_TABLE/_refs/tags/7.json" "$PENNON_TABLE/_refs/tags/now.json"
expect 2 'there are list, create, update and delete' table tag rename a
expect 2 'what to do' table tag
expect 2 'create takes the name' table tag create
expect 2 'list takes no name' table tag list x
expect 2 'one argument too many' table tag create a 1 2
expect 1 'no table here' table tag list -t "$work/nowhere"
expect 0 '' table tag update now start
expect 0 '"version": 2' table tag list --json
expect 0 '"deleted": "now"' table tag delete now --json
expect 0 '^version 2 of .*, append: 3 rows, 2 columns, whole$' table checkout start
expect 0 '"rows": 3' table checkout 2 --json
expect 1 '"end"' table checkout end
expect 1 'no version 99' table checkout 99
expect 2 'which version' table checkout
cp -r "$table" "$work/damaged.lance"
rm "$work/damaged.lance/data"/*.lance
expect 1 'is missing' table checkout start -t "$work/damaged.lance"
expect 1 'is missing' table restore start -t "$work/damaged.lance"
expect 0 "^version $((before + 1)) is version 2 again$" table restore start
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"c"} '
expect 0 "\"version\": $((before + 2))" table restore "$before" --json
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} '
expect 1 'no version 99' table restore 99
expect 1 'no table here' table restore 1 -t "$work/nowhere"

# Ids that are no integers: JavaScript's numbers are doubles. They are shown, and not taken for addresses.
js=$work/js.lance
echo '[{"name":"id","type":"double","nullable":true},{"name":"vector","type":"fixed_size_list<float>[2]","nullable":true}]' > "$work/js.json"
expect 0 '2 rows' table import --mode create --schema "$work/js.json" -t "$js" - <<< $'{"id":1,"vector":[1,0]}\n{"id":2,"vector":[0,1]}'
expect 0 '"id": "2"' list --json -t "$js"
expect 1 '"id" is of type double, not of integers' delete --id 1 --yes -t "$js"
expect 0 '^2$' count -t "$js"
expect 0 '1 rows deleted' delete --where 'id = 1' --yes -t "$js"
expect 0 '"id": "2"' list --json -t "$js"

# Columns.
expect 0 '' table column add stock int32 --value 7
expect 0 '"version":' table column add tags 'list<string>' --json
expect 0 '' table column add size '{"type":"struct","children":[{"name":"w","type":"double"}]}' --value '{"w":2.5}'
expect 0 '' table column rename name title
rows '{"id":1,"title":"a","stock":7,"tags":null,"size":{"w":2.5}} {"id":2,"title":"b","stock":7,"tags":null,"size":{"w":2.5}} '
expect 0 '' table column drop tags size
expect 0 ': 0 rows inserted, 1 updated' table upsert --key id - <<< '{"id":2,"stock":0}'
rows '{"id":1,"title":"a","stock":7} {"id":2,"title":"b","stock":0} '
expect 1 'there is a column "stock" already' table column add stock int8
expect 1 'cannot be null' table column add more int8 --not-null
expect 1 '"rope"' table column add more rope
expect 1 'the value' table column add more int8 --value '{'
expect 1 'there is no column "more"' table column drop more
expect 1 'there is no column "more"' table column rename more less
expect 1 'the last column' table column drop id title stock
expect 2 'there are add, drop and rename' table column move a
expect 2 'add takes a name and a type' table column add a
expect 2 'rename takes' table column rename a
expect 2 'what to do' table column
# A table of pictures is searched by some of its columns.
expect 0 '1 added' ingest "$PN_SOURCE_DIR/demo/catalogue/images/0001.jpg" --model "$PN_SOURCE_DIR/demo/model" --table "$work/p.lance"
expect 1 'what pennon searches this table of pictures by' table column drop vector --table "$work/p.lance"
expect 1 'what pennon searches this table of pictures by' table column rename id number --table "$work/p.lance"
expect 0 '' table column drop content_hash --table "$work/p.lance"
expect 0 '^ *0  ' list --table "$work/p.lance" --at-version 2
expect 0 '' table tag create full 2 --table "$work/p.lance"
expect 0 '^1$' count --table "$work/p.lance" --at-version full
expect 0 '"id": 0,' search boots --json --table "$work/p.lance" --at-version full --model "$PN_SOURCE_DIR/demo/model"
expect 1 '"late"' count --table "$work/p.lance" --at-version late
expect 0 '' table column rename vector v --force --table "$work/p.lance"

# Fewer fragments, fewer versions.
for i in 1 2 3; do expect 0 '1 rows added' table import - <<< "{\"id\":1$i}"; done
before=$(version)
expect 0 '^[45] fragments would become 1, of 5 rows ' table compact --dry-run
[ "$(version)" = "$before" ] || fail "a dry run made a version"
expect 0 '^1 fragments became 1, of 1 rows' table compact --if-due # half of it was deleted
expect 0 '"new_fragments":1,"rows":5,.*"dry_run":false' table compact --json
expect 0 '^nothing to do$' table compact
# What was rewritten by itself first stands behind the others since.
rows '{"id":2,"title":"b","stock":0} {"id":11,"title":null,"stock":null} {"id":12,"title":null,"stock":null} {"id":13,"title":null,"stock":null} {"id":1,"title":"a","stock":7} '
expect 2 'deleted-percent' table compact --deleted-percent 101
expect 1 'no table here' table compact -t "$work/nowhere"
expect 0 '^0 versions and 0 files are gone' table cleanup
expect 0 'would go, .*; 3 versions stay$' table cleanup --older-than 0 --keep 2 --dry-run
expect 0 '^rows        4' table info --version 3
expect 0 '"kept":3,.*"dry_run":false' table cleanup --older-than 0 --keep 2 --json
expect 1 'no version 3' table info --version 3
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"c"} ' --version start # tags keep
expect 2 'an age is a whole number' table cleanup --older-than 7
expect 2 'an age is a whole number' table cleanup --orphans 7days
expect 1 'no table here\|No such' table cleanup -t "$work/nowhere"

# Overwrite.
expect 0 ': 1 rows are the table now' table import --mode overwrite - <<< '{"sku":"x","price":1.5}'
rows '{"sku":"x","price":1.5} '
expect 1 'line 1: ' table import --mode overwrite - <<< '{"sku":'
rows '{"sku":"x","price":1.5} '
rows '{"id":1,"name":"a"} {"id":2,"name":"b"} {"id":3,"name":"c"} ' --version start
expect 0 ': 3 rows are the table now' table import --mode overwrite "$work/first" -t "$work/new.lance"

# A folder that cannot be written to: nobody keeps root from writing, so root becomes somebody else.
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
chmod 755 "$work" && chmod -R a+rX,a-w "$table"
if "${as[@]}" "$PENNON" table info > /dev/null 2>&1; then
    for command in 'restore start' 'tag create x' 'tag delete start' 'column drop price' 'import --mode append -' 'upsert --key sku -' 'cleanup --older-than 0'; do
        read -ra words <<< "$command"
        got=0; "${as[@]}" "$PENNON" table "${words[@]}" <<< '{"sku":"x"}' > "$work/out" 2>&1 || got=$?
        { [ $got = 1 ] && grep -q 'ermission denied' "$work/out"; } || fail "$command of a table that cannot be written to: $got, $(cat "$work/out")"
    done
    echo "a folder that cannot be written to: refused"
fi
chmod -R u+w "$table"
rows '{"sku":"x","price":1.5} '
touch "$work/file"
for command in 'checkout 1' 'restore 1' 'tag list' 'column drop x' compact cleanup; do
    read -ra words <<< "$command"
    expect 1 'pennon: ' table "${words[@]}" -t "$work/file"
done

# Stopped: what was there is there.
for i in $(seq 3); do printf '{"id":%d}\n' "$i"; done > "$work/ids"
expect 0 '3 rows added' table import --mode create "$work/ids" -t "$work/s.lance"
{ seq 1000000000 | sed 's/.*/{"id":&}/' || true; } 2> /dev/null | "$PENNON" table upsert --key id - -t "$work/s.lance" > "$work/out" 2>&1 & victim=$!
for _ in $(seq 100); do [ "$(find "$work/s.lance/data" -name '*.lance' | wc -l)" -gt 1 ] && break; sleep 0.05; done
kill -TERM $victim
code=0; wait $victim || code=$?
[ "$code" = 130 ] || fail "a stopped upsert ends with 130, not $code: $(cat "$work/out")"
rows '{"id":1} {"id":2} {"id":3} ' -t "$work/s.lance"
[ "$(find "$work/s.lance/data" -name '*.lance' | wc -l)" = 1 ] || fail "a stopped upsert left a file"
echo "pennon table changes: ok"
