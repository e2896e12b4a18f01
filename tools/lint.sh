#!/bin/sh
# Format, layers, scripts, clang-tidy and cppcheck over the whole tree. Usage: lint.sh [--quick] [JOBS]
#
# --quick leaves out clang-tidy and cppcheck, which take minutes. Exit status 1 when anything was found.
set -u
quick=
[ "${1:-}" = --quick ] && { quick=1; shift; }
jobs=${1:-$(nproc)}
cd "$(dirname "$0")/.." || exit 2
failed=0

source_files()
{
    find . \( -name build -o -name node_modules -o -name '.?*' \) -prune -o -name "$1" -print0
}

# Sources, headers, tests, fuzz targets, benchmarks; the assembler-like kernels as well: one style, no exceptions.
# Found by find, not by git: a release archive has no repository.
source_files '*.[ch]' |
    xargs -0 clang-format --dry-run --Werror || failed=1
python3 tools/check_layers.py . || failed=1

# The scripts: shell by shellcheck, Python and JavaScript by their own parsers.
source_files '*.sh' | xargs -0 shellcheck .ci/run || failed=1
source_files '*.py' | xargs -0 python3 -c '
import sys
for path in sys.argv[1:]:
    compile(open(path, encoding="utf-8").read(), path, "exec")' || failed=1
source_files '*.mjs' | xargs -0 -n 1 node --check || failed=1
source_files '*.js' | xargs -0 -n 1 node --check || failed=1
[ -n "$quick" ] && exit $failed

cmake --preset tidy >/dev/null || exit 2
# Generated sources (messages of protobuf-c, the page) have to exist before they can be included.
cmake --build build/tidy -j "$jobs" --target generated_sources >/dev/null || exit 2

# The kernels of other processors cannot be compiled here; those of this one need their instruction set to be there.
if [ "$(uname -m)" = x86_64 ]; then
    foreign='\(neon\|dotprod\|i8mm\)' sets='-D__x86_64__ -D__AVX2__ -D__FMA__ -D__F16C__ -D__AVX512F__ -D__AVX512BW__
        -D__AVX512DQ__ -D__AVX512VL__ -D__AVX512VNNI__ -D__AVX512BF16__ -D__AMXTILE__ -D__AMXINT8__'
else
    foreign='\(avx[0-9]*\|avx512bf16\|amx\)' sets='-D__aarch64__ -D__ARM_NEON -D__ARM_FEATURE_DOTPROD
        -D__ARM_FEATURE_MATMUL_INT8'
fi
files=$(find src -name '*.c' | grep -v "_$foreign\.c$" | LC_ALL=C sort)
echo "$files" |
    xargs -P "$jobs" -n 1 clang-tidy -p build/tidy --quiet 2>/dev/null || failed=1
# shellcheck disable=SC2086
echo "$files" |
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
        --error-exitcode=1 --suppressions-list=tools/cppcheck.txt -j "$jobs" -I src -I include \
        $sets -D'PN_PRINTF(a,b)=' --file-list=- || failed=1
exit $failed
