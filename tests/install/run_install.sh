#!/usr/bin/env bash
# What "make install" leaves behind is complete: a program builds against it in each documented way and finds what the
# installed program finds; the manual renders without a complaint; "make uninstall" takes all of it away again.
set -euo pipefail
work=$(mktemp -d)
manifest="$PN_BINARY_DIR/install_manifest.txt"
[ "$PN_BINARY_DIR" = "$PN_SOURCE_DIR/build/release" ] || { echo "only the release build is installed"; exit 77; }
[ ! -f "$manifest" ] || cp "$manifest" "$work/kept" # somebody's own installation
# shellcheck disable=SC2317
restore() {
    if [ -f "$work/kept" ]; then cp "$work/kept" "$manifest"; else rm -f "$manifest"; fi
    rm -rf "$work"
}
trap restore EXIT
fail() { echo "FAILED: $1"; exit 1; }

# The build is there already: -o keeps make from asking for it again. A prefix with a space is nobody's wish, but a right.
prefix="$work/a prefix"
make_it() { env -u MAKEFLAGS -u MAKELEVEL make -s -C "$PN_SOURCE_DIR" -o build/release/pennon "$@" > "$work/make.log" 2>&1 || fail "make $*: $(tail -3 "$work/make.log")"; }
make_it install PREFIX="$prefix"
for file in bin/pennon include/pennon.h include/pennon_status.h lib/libpennon.so lib/libpennon.a lib/pkgconfig/pennon.pc \
    lib/cmake/pennon/pennon-config.cmake share/man/man1/pennon.1 share/man/man3/pennon.3 \
    share/bash-completion/completions/pennon share/zsh/site-functions/_pennon; do
    [ -e "$prefix/$file" ] || fail "$file is not installed"
done

# The installed program, without the build folder's library path.
export PENNON_TABLE="$work/t.lance" PENNON_MODEL="$PN_SOURCE_DIR/demo/model"
installed="$prefix/bin/pennon"
library_of() { ldd "$1" > "$work/ldd" && sed -n 's/.*libpennon\.so.* => \(.*\) (.*/\1/p' "$work/ldd"; }
[ "$(realpath "$(library_of "$installed")")" = "$(realpath "$prefix/lib/libpennon.so")" ] || fail "the program does not find its own library but '$(library_of "$installed")'"
"$installed" ingest "$PN_SOURCE_DIR/demo/catalogue/products.csv" --quiet || fail "the installed program ingests"
"$installed" search --tsv -k 3 red sneakers | cut -f 5 | tail -n +2 > "$work/want"
[ "$(wc -l < "$work/want")" = 3 ] || fail "the installed program finds 3 pictures: $(cat "$work/want")"
try() { # what, program
    "$2" "$PENNON_TABLE" "$PENNON_MODEL" 'red sneakers' > "$work/got" || fail "$1: does not run"
    cmp -s "$work/want" "$work/got" || fail "$1 finds $(tr '\n' ' ' < "$work/got") instead of $(tr '\n' ' ' < "$work/want")"
    local kind=static
    [ -z "$(library_of "$2")" ] || kind=shared
    [ $kind = "$3" ] || fail "$1 is linked $kind, not $3"
    echo "$1: $3, the same three pictures"
}

# pkg-config. Its answer is a line of shell words, quoted where the prefix needs it.
source="$PN_SOURCE_DIR/tests/install/consumer.c"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# shellcheck disable=SC1003 # a backslash, not the end of a quote
[ "$(pkg-config --variable=prefix pennon | tr -d '\\')" = "$prefix" ] || fail "pennon.pc says the prefix is $(pkg-config --variable=prefix pennon)"
eval "cc -Wall -Werror -o '$work/shared' '$source' $(pkg-config --cflags --libs pennon) '-Wl,-rpath,$prefix/lib'"
try "pkg-config --libs" "$work/shared" shared
eval "cc -Wall -Werror -o '$work/static' '$source' $(pkg-config --static --cflags --libs pennon | sed 's/-lpennon\b/-l:libpennon.a/g')"
try "pkg-config --static --libs" "$work/static" static

# CMake.
mkdir "$work/project"
cp "$source" "$work/project"
cat > "$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
if(WANT_STATIC)
  find_package(pennon 0.1 REQUIRED COMPONENTS static)
  set(library pennon::static)
else()
  find_package(pennon 0.1 REQUIRED)
  set(library pennon::pennon)
endif()
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE ${library})
END
for kind in shared static; do
    want_static=OFF
    [ $kind = shared ] || want_static=ON
    { cmake -G Ninja -S "$work/project" -B "$work/cmake-$kind" -DCMAKE_PREFIX_PATH="$prefix" -DWANT_STATIC=$want_static &&
        cmake --build "$work/cmake-$kind"; } > "$work/cmake.log" 2>&1 || fail "find_package, $kind: $(tail -15 "$work/cmake.log")"
    try "find_package, $kind" "$work/cmake-$kind/consumer" $kind
done

# The manual. STYLE is about the length of source lines.
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$prefix/share/man/man1/pennon.1" > "$work/man.log" || fail "mandoc: $(cat "$work/man.log")"
    echo "manual: mandoc finds nothing"
fi
if command -v groff >/dev/null; then
    groff -ww -man -Tutf8 "$prefix/share/man/man1/pennon.1" 2> "$work/man.log" >/dev/null
    [ ! -s "$work/man.log" ] || fail "groff: $(cat "$work/man.log")"
    echo "manual: groff finds nothing"
fi

# Away again: nothing but the folders every prefix has.
make_it uninstall
[ -z "$(find "$prefix" ! -type d)" ] || fail "make uninstall leaves $(find "$prefix" ! -type d)"
[ -z "$(find "$prefix" -type d -name 'pennon*')" ] || fail "make uninstall leaves a folder: $(find "$prefix" -type d -name 'pennon*')"

# DESTDIR: everything below it, nothing beside it, and the files speak of the prefix alone.
make_it install PREFIX=/usr/pennon-test DESTDIR="$work/stage"
[ ! -e /usr/pennon-test ] || fail "DESTDIR is not respected"
[ "$(ls "$work/stage")" = usr ] || fail "DESTDIR holds $(ls "$work/stage")"
grep -q '^prefix=/usr/pennon-test$' "$work/stage/usr/pennon-test/lib/pkgconfig/pennon.pc" || fail "pennon.pc does not name the prefix"
if grep -rIl "$work" "$work/stage" --exclude-dir=bin; then fail "the stage is named in the files above"; fi
if grep -rIl "$PN_SOURCE_DIR" "$work/stage"; then fail "the source folder is named in the files above"; fi
make_it uninstall DESTDIR="$work/stage"
[ -z "$(find "$work/stage" ! -type d)" ] || fail "make uninstall DESTDIR leaves $(find "$work/stage" ! -type d)"
make_it_refuse() { ! env -u MAKEFLAGS make -s -C "$PN_SOURCE_DIR" uninstall > "$work/make.log" 2>&1 && grep -q 'not installed' "$work/make.log"; }
make_it_refuse || fail "a second uninstall says that there is nothing"
echo "uninstall: nothing is left"
