#!/bin/sh
# Line coverage of the unit tests and the whole-program tests, a line for each room. Usage: coverage.sh [JOBS]
#
# The full report, file by file, is build/coverage/report.txt; lines that nothing ran are build/coverage/missing.html's.
set -eu
jobs=${1:-$(nproc)}
cd "$(dirname "$0")/.."
cmake --preset coverage >/dev/null
cmake --build build/coverage -j "$jobs" >/dev/null
find build/coverage -name '*.gcda' -delete
ctest --preset coverage -j "$jobs" --output-on-failure
cd build/coverage
gcovr --root ../.. --filter '../../src/' --exclude '.*/generated/' --gcov-ignore-parse-errors \
    --json-summary summary.json --txt report.txt --html-details missing.html . >/dev/null
python3 - summary.json <<'PYTHON'
import collections
import json
import sys

rooms = collections.defaultdict(lambda: [0, 0])
for file in json.load(open(sys.argv[1]))["files"]:
    room = rooms[file["filename"].split("/")[1]]
    room[0] += file["line_covered"]
    room[1] += file["line_total"]
print(f"{'room':12} {'lines':>7} {'covered':>8}")
for name in sorted(rooms):
    covered, total = rooms[name]
    print(f"{name:12} {total:7} {100 * covered / total:7.1f}%")
covered, total = (sum(room[i] for room in rooms.values()) for i in (0, 1))
print(f"{'all':12} {total:7} {100 * covered / total:7.1f}%")
PYTHON
