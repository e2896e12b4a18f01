#!/usr/bin/env python3
"""Compare what libpennon shows with what its headers declare.

Usage: check_exports.py LIBPENNON.SO LIBPENNON.A HEADER...

The shared library exports the functions declared with PN_API and nothing else. A static library cannot hide
what its parts say to each other; there every name begins with pn_, so that it takes no name of its user's.
Prints one line per fault; exit status 1 when there was one.
"""
import pathlib
import re
import subprocess
import sys

DECLARATION = re.compile(r"^\s*PN_API\b[^;{]*?\b(\w+)\s*\(", re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
# The linker's own names for the edges of a section, and what sanitizers add.
TOOLCHAIN = re.compile(r"^(_init|_fini|_edata|_end|__bss_start|__(asan|odr_asan|ubsan|tsan|sancov|start|stop|gcov)_?.*)$")


def declared(headers):
    names = set()
    for header in headers:
        text = COMMENT.sub("", pathlib.Path(header).read_text(encoding="utf-8"))
        names.update(DECLARATION.findall(text))
    return names


def defined(library, *options):
    lines = subprocess.run(["nm", "--defined-only", *options, library], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    return {fields[-1].split("@")[0] for fields in map(str.split, lines) if len(fields) == 3}


def main(shared, static, *headers):
    wanted, found = declared(headers), defined(shared, "-D")
    faults = [f"{shared}: {name} is declared with PN_API and not exported" for name in sorted(wanted - found)]
    faults += [f"{shared}: {name} is exported and not declared with PN_API"
               for name in sorted(found - wanted) if not TOOLCHAIN.match(name)]
    inside = defined(static, "-g")
    faults += [f"{static}: {name} does not begin with pn_" for name in sorted(inside)
               if not name.startswith("pn_") and not TOOLCHAIN.match(name)]
    faults += [f"{static}: {name} is missing" for name in sorted(wanted - inside)]
    if not wanted:
        faults.append("no PN_API declaration was found")
    for fault in faults:
        print(fault)
    print(f"{len(wanted)} functions, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
