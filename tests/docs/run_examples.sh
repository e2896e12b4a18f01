#!/usr/bin/env bash
# The three example programs, as their opening comments say to use them.
set -euo pipefail
bin="$PN_BINARY_DIR/examples" model="$PN_SOURCE_DIR/demo/model" shop="$PN_SOURCE_DIR/demo/catalogue"
[ -x "$bin/search_words" ] || { echo "FAILED: the examples are not built"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; cat "$work/out" "$work/err"; exit 1; }
run() { # exit code, arguments
    local want=$1 got=0; shift
    "$bin/$1" "${@:2}" > "$work/out" 2> "$work/err" || got=$?
    [ "$got" = "$want" ] || fail "$* ended with $got instead of $want"
}
says() { grep -q -- "$1" "$work/${2:-out}" || fail "no '$1'"; }

# The header by itself, in the two languages that it promises.
printf '#include <pennon.h>\n' > "$work/header.c"
${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$PN_SOURCE_DIR/include" "$work/header.c"
if command -v g++ > /dev/null; then
    g++ -x c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$PN_SOURCE_DIR/include" "$work/header.c"
fi

for program in search_words ingest_folder mixed_query; do
    run 2 "$program"
    says "usage: $program" err
done

# Stopped on the way, what was committed stays, and the next run goes on from there.
run 130 ingest_folder "$model" "$work/t.lance" "$shop/products.csv" 70
says 'what was committed is kept' err
kept=$("$PENNON" count --table "$work/t.lance")
{ [ "$kept" -ge 64 ] && [ "$kept" -lt 340 ]; } || fail "$kept rows were kept"
run 0 ingest_folder "$model" "$work/t.lance" "$shop/products.csv"
says "^$((340 - kept)) added, 0 updated, $kept unchanged, 0 failed$"
says "^340 of 340, $((340 - kept)) safe on disk$" err
mkdir "$work/photos" && echo "no picture" > "$work/photos/broken.jpg"
run 0 ingest_folder "$model" "$work/t.lance" "$work/photos"
says 'broken.jpg: .*(unsupported)' err
says '^0 added, 0 updated, 0 unchanged, 1 failed$'
run 1 ingest_folder "$model" "$work/t.lance" "$work/nowhere"

run 0 search_words "$model" "$work/t.lance" red sneakers
says '^0\.[0-9]*  images/[0-9]*.jpg  Red .*sneakers$'
says '^340 of 340 rows looked at$'
[ "$(wc -l < "$work/out")" = 6 ] || fail "five results and the count"
run 1 search_words "$model" "$work/nowhere.lance" red sneakers
says 'nowhere.lance' err

# The answer obeys the filter, and its thumbnails are pictures.
mkdir "$work/found"
run 0 mixed_query "$model" "$work/t.lance" "$shop/images/0005.jpg" "red sneakers" leather \
    "metadata['category'] = 'footwear' AND metadata['price'] < 90" "$work/found"
matching=$("$PENNON" count --table "$work/t.lance" --where "metadata['category'] = 'footwear' AND metadata['price'] < 90")
says "^$matching of 340 rows pass the filter$"
[ "$(ls "$work/found")" = "$(printf '%s.jpg\n' 1 2 3 4 5)" ] || fail "five thumbnails"
for i in 1 2 3 4 5; do
    [ "$(head -c 3 "$work/found/$i.jpg" | od -An -tx1)" = ' ff d8 ff' ] || fail "$i.jpg is a JPEG"
done
run 1 mixed_query "$model" "$work/t.lance" "$shop/images/0005.jpg" red leather "metadata['price' < 90" "$work/found"
says '\^' err
echo "the examples do as they say"
