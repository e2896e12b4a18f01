#!/bin/sh
# Lint, build and test: ASan + UBSan, ThreadSanitizer over what has threads, release with the whole-program tests.
# Usage: run_tests.sh JOBS
set -eu
jobs=${1:-2}
cd "$(dirname "$0")/.."

build()
{
    cmake --preset "$1" >/dev/null
    cmake --build "build/$1" -j "$jobs" 2>&1 | grep -Ev '^\[[0-9]+/[0-9]+\]|Re-checking globbed' || true
    cmake --build "build/$1" -j "$jobs" >/dev/null
}

tools/lint.sh "$jobs"
build dev
build tsan
build release
ctest --preset dev -j "$jobs" --label-exclude program
# Rooms whose code runs on several threads, or may; the rest would only repeat what ASan's run has shown, five times slower. Of the index
# what collection/test_indexed_search does with it: its own tests take minutes here, most of them on one thread.
TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp" ctest --preset tsan -j "$jobs" \
    -E '^index/test_index' -R '^(os|embed|collection|index|ingest|search|api|serve)/|clip/test_clip_golden|dataset/test_race|image/test_(decode|hostile|thumbnail)'
ctest --preset release -j "$jobs" -L program
