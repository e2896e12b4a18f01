#!/usr/bin/env python3
"""Refuse an #include that climbs the stairs.

The table below is LAYOUT's: who may include whom, and which system library is opened in which room.
Usage: check_layers.py SOURCE_FOLDER. Prints one line per fault and exits with their number (at most 100).
"""
import pathlib
import re
import sys

ROOMS = {
    "base": [],
    "os": ["base"],
    "kernels": ["base"],
    "column": ["base"],
    "image": ["base", "kernels"],
    "lance": ["base", "os", "column"],
    "filter": ["base", "column"],
    "clip": ["base", "os", "kernels", "image"],
    "dataset": ["base", "os", "column", "lance", "filter"],
    "index": ["base", "os", "kernels", "column", "lance"],
    "embed": ["base", "os", "image", "clip"],
    "collection": ["base", "os", "kernels", "column", "filter", "dataset", "index"],
    "transfer": ["base", "column", "dataset"],
    "ingest": ["base", "os", "column", "image", "embed", "collection"],
    "search": ["base", "os", "column", "filter", "embed", "collection"],
    "api": ["base", "os", "kernels", "column", "image", "lance", "filter", "clip", "dataset", "index",
            "embed", "collection", "transfer", "ingest", "search"],
    "serve": ["base", "os"],
    "cli": ["base", "os", "serve"],
}
PUBLIC = {"pennon.h": {"api", "serve", "cli"}, "pennon_status.h": {"base"}}
# System headers with an owner, a room or one file of it: nobody else includes them.
CPU = "kernels/cpu.c"  # asks the system which instructions may be used
LIBRARIES = {
    r"vips/": {"image"}, r"j(peglib|error)\.h": {"image"}, r"curl/": {"os"}, r"openssl/": {"os"}, r"uuid/": {"os"},
    r"(sys|arpa|netinet)/(?!types|auxv|syscall)": {"os"}, r"sys/(auxv|syscall)\.h": {"os", CPU}, r"unistd\.h": {"os", CPU},
    r"fcntl\.h": {"os"}, r"dirent\.h": {"os"},
    r"poll\.h": {"os"}, r"signal\.h": {"os"}, r"(imm|x86|avx).*intrin\.h": {"kernels"}, r"arm_neon\.h": {"kernels"},
    r"zstd\.h": {"lance"}, r"lz4\.h": {"lance"}, r"protobuf-c": {"lance", "dataset"},
    r"roaring/": {"dataset"}, r"pcre2\.h": {"filter", "clip"}, r"utf8proc\.h": {"base", "filter", "clip"},
    r"jansson\.h": {"api", "clip", "embed", "index", "ingest", "transfer", "serve", "cli"}, r"microhttpd\.h": {"serve"},
    r"yaml\.h": {"cli"}, r"xxhash\.h": {"base"}, r"uthash\.h": {"base"}, r"archive": {"ingest"}, r"csv\.h": {"ingest"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
CALLS = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free|strtok|sprintf|strcpy|strcat|atoi|rand|srand)\s*\(")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)


def faults_of(path: pathlib.Path, room: str):
    text = path.read_text(encoding="utf-8")
    for quote, name in INCLUDE.findall(text):
        head = name.split("/")[0]
        if quote == '"' and head in ROOMS and "/" in name:
            if head != room and head not in ROOMS[room]:
                yield f"{path}: room {room} may not include {name}"
            if name.endswith("internal.h") and head != room:
                yield f"{path}: {name} is for its own room alone"
        if name in PUBLIC and room not in PUBLIC[name]:
            yield f"{path}: room {room} may not include {name}"
        if quote == "<":
            for pattern, owners in LIBRARIES.items():
                if re.match(pattern, name) and not owners & {room, f"{room}/{path.name}"}:
                    yield f"{path}: <{name}> belongs to {', '.join(sorted(owners))}"
    if path.name not in ("alloc.c",):
        bare = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
        for match in CALLS.finditer(bare):
            line = bare.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match.group(1)}() is not used in this house"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    faults, seen, n = [], {}, 0
    for path in sorted((root / "src").rglob("*.[ch]")):
        n += 1
        room = path.relative_to(root / "src").parts[0]
        if room not in ROOMS:
            faults.append(f"{path}: no such room in the layout")
            continue
        faults.extend(faults_of(path, room))
        if path.name != "internal.h" and path.name in seen:
            faults.append(f"{path}: the name is taken by {seen[path.name]}")
        seen.setdefault(path.name, path)
    for room in ROOMS:
        folder = root / "src" / room
        if folder.is_dir() and any(folder.glob("*.c")) and not (folder / "README.md").is_file():
            faults.append(f"{folder}: no README.md")
    if n == 0:
        faults.append(f"{root}: no sources found")
    print("\n".join(faults) if faults else f"{n} files, no fault")
    return min(len(faults), 100)


if __name__ == "__main__":
    sys.exit(main())
