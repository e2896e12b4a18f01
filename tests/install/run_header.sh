#!/usr/bin/env bash
# Every public header alone, as C99 and as C++11, with gcc and clang, without a warning.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I "$PN_SOURCE_DIR/include" -fsyntax-only)
n=0
check() { # what, compiler and its options
    local header=$1; shift
    # Twice: the guard holds. The initialisers are macros, which only a use looks at.
    printf '#include <%s>\n#include <%s>\n' "$header" "$header" > "$work/alone"
    if [ "$header" = pennon.h ]; then
        grep -oE 'PN_[A-Z_]+_INIT\b' "$PN_SOURCE_DIR/include/pennon.h" | sort -u | while read -r init; do
            type=$(sed -nE "s/.*sizeof\((pn_[a-z_]+)\).*/\1/p" <(grep -A3 "define $init" "$PN_SOURCE_DIR/include/pennon.h"))
            [ -n "$type" ] || { echo "FAILED: no type for $init"; exit 1; }
            echo "extern $type x_$init; $type x_$init = $init;"
        done >> "$work/alone"
    fi
    "$@" "${flags[@]}" "$work/alone" || { echo "FAILED: $header with $*"; exit 1; }
    n=$((n + 1))
}
for path in "$PN_SOURCE_DIR"/include/*.h; do
    header=$(basename "$path")
    for c in gcc clang; do
        check "$header" "$c" -std=c99 -Wstrict-prototypes -x c
        check "$header" "$c" -std=c17 -Wstrict-prototypes -x c
    done
    for cxx in g++ clang++; do
        check "$header" "$cxx" -std=c++11 -Wno-missing-field-initializers -x c++
    done
done
echo "$n compilations"
