#!/bin/sh
# Format, layers, clang-tidy and cppcheck over the whole tree. Usage: lint.sh [--quick] [JOBS]
#
# --quick leaves out clang-tidy and cppcheck, which take minutes. Exit status 1 when anything was found.
set -u
quick=
[ "${1:-}" = --quick ] && { quick=1; shift; }
jobs=${1:-$(nproc)}
cd "$(dirname "$0")/.." || exit 2
failed=0

# The assembler-like kernels are formatted as well: one style, no exceptions.
git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror || failed=1
python3 tools/check_layers.py . || failed=1
[ -n "$quick" ] && exit $failed

cmake --preset tidy >/dev/null || exit 2
# Generated sources (messages of protobuf-c, the page) have to exist before they can be included.
cmake --build build/tidy -j "$jobs" --target pn_lance pn_dataset pn_serve >/dev/null || exit 2
processor=$(uname -m)
git ls-files 'src/*.c' | grep -v "_$([ "$processor" = x86_64 ] && echo neon || echo 'avx.*')\.c$" |
    xargs -P "$jobs" -n 4 clang-tidy -p build/tidy --quiet 2>/dev/null || failed=1
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppressions-list=tools/cppcheck.txt -j "$jobs" -I src -I include -D__x86_64__ \
    -D'PN_PRINTF(a,b)=' src || failed=1
exit $failed
