#!/bin/sh
# Build and test: release with the whole-program tests, then ASan + UBSan, then ThreadSanitizer over what has threads.
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

python3 tools/check_layers.py .
build dev
build tsan
build release
ctest --preset dev -j "$jobs" --label-exclude program
ctest --preset tsan -j "$jobs" -R '^(os|index|collection|serve)/'
ctest --preset release -j "$jobs" -L program
