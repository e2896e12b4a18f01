"""The plan of the house, the rooms' own pages and the two READMEs against the tree and each other.

ARCHITECTURE    its picture has the rooms of src/, each above all that CMakeLists.txt lets it use
rooms           src/ROOM/README.md names every file of the room, and uses the rooms that CMakeLists.txt says
packages        each one of tools/install_packages.sh has a reason in both READMEs, and no reason is for nothing
the READMEs     section by section: the same headings, fences, commands, tables, links
"""
import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ["PN_SOURCE_DIR"])
faults = []
# What the READMEs call a package; the rest is part of another one.
NAMES = {
    "gcc": "gcc", "cmake": "CMake", "ninja-build": "Ninja", "pkg-config": "pkg-config", "libxxhash-dev": "xxHash",
    "libutf8proc-dev": "utf8proc", "uthash-dev": "uthash", "uuid-dev": "libuuid", "libvips-dev": "libvips", "libjpeg62-turbo-dev": "libjpeg-turbo", "libzstd-dev": "zstd",
    "liblz4-dev": "lz4", "libprotobuf-c-dev": "protobuf-c", "libpcre2-dev": "PCRE2", "libroaring-dev": "CRoaring",
    "libcsv-dev": "libcsv", "libjansson-dev": "jansson", "libmicrohttpd-dev": "libmicrohttpd", "libyaml-dev": "libyaml",
    "libcurl4-openssl-dev": "libcurl", "libssl-dev": "OpenSSL",
    "g++": "g++", "clang": "clang", "clang-format": "clang-format", "clang-tidy": "clang-tidy", "cppcheck": "cppcheck",
    "shellcheck": "shellcheck", "gcovr": "gcovr", "sentencepiece": "sentencepiece",
    "libcmocka-dev": "cmocka", "python3": "Python", "curl": "curl", "groff-base": "groff", "mandoc": "mandoc", "zsh": "zsh",
    "chromium": "Chromium", "prometheus": "promtool", "nodejs": "Node.js",
}
PARTS = {"libc6-dev", "protobuf-c-compiler", "libclang-rt-14-dev", "python3-numpy", "fonts-noto-cjk", "npm"}


def read(*path):
    return SOURCE.joinpath(*path).read_text(encoding="utf-8")


def same(what, left, right):
    if left != right:
        faults.append(f"{what}: {sorted(set(left) - set(right))} against {sorted(set(right) - set(left))}"
                      if set(left) != set(right) else f"{what}: {left} against {right}")


def uses_of_cmake():
    rooms = {}
    for call in re.findall(r"^pn_room\((.*?)\)", read("CMakeLists.txt"), re.M | re.S):
        words = call.split(" LIBS ")[0].replace("\n", " ").split()
        rooms[words[0]] = [word for word in words[1:] if word not in ("USES", "LIBS")]
    return rooms


def check_architecture(rooms):
    text = read("docs", "ARCHITECTURE.md")
    floors = {}
    for number, line in re.findall(r"^ (\d)  (.*)$", text, re.M):
        for word in re.findall(r"[a-z]+", line):
            if word in rooms and word not in floors:
                floors[word] = int(number)
    same("rooms of ARCHITECTURE.md and of CMakeLists.txt", sorted(floors), sorted(rooms))
    same("folders of src and rooms of CMakeLists.txt", sorted(p.name for p in (SOURCE / "src").iterdir()), sorted(rooms))
    for room, used in rooms.items():
        for other in used:
            if floors.get(other, -1) >= floors.get(room, 99):
                faults.append(f"ARCHITECTURE.md: {room} uses {other}, which is not below it")
    words = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
    count = text.split("\n")[2].split()
    same("how many rooms and floors", [count[0].lower(), count[3]], [words.split()[len(rooms)], words.split()[len(set(floors.values()))]])
    for test in re.findall(r"`([a-z_]+/run_[a-z_]+)`", text):
        if not (SOURCE / "tests" / f"{test}.sh").exists():
            faults.append(f"ARCHITECTURE.md: there is no test {test}")
    return len(floors)


def check_room(room, used):
    page = read("src", room, "README.md")
    n = 0
    # `distance_*.c` stands for a family.
    named = set(re.findall(r"[a-z0-9_]+", page)) | {"README", "internal", "main"}
    families = tuple(re.findall(r"\b([a-z]+_)\*", page))
    for path in sorted((SOURCE / "src" / room).iterdir()):
        stem = path.name.split(".")[0]
        n += 1
        if stem not in named and not (families and stem.startswith(families)):
            faults.append(f"src/{room}/README.md says nothing of {path.name}")
    may = re.search(r"^May use: (.*?)[.;]?(?= Used by| Source|$)", page, re.M)
    if not may:
        faults.append(f"src/{room}/README.md does not say what the room may use")
    elif "every room below" not in may.group(1):
        told = [word for word in re.findall(r"\b[a-z0-9]+\b", may.group(1).replace("`pennon.h`", "")) if word in ROOMS]
        same(f"src/{room}/README.md, May use, and CMakeLists.txt", sorted(told), sorted(used))
    return n


def tables_of(text):
    tables, last = [], False
    for line in text.split("\n"):
        if line.startswith("|"):
            if not last:
                tables.append([])
            tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        last = line.startswith("|")
    return tables


def check_packages(name):
    script = read("tools", "install_packages.sh")
    packages = set(" ".join(re.findall(r'_packages="(.*?)"', script, re.S)).split()) | set(re.findall(r'wanted="\$wanted (\w+)"', script))
    told = set()
    for table in tables_of(read(name)):
        for row in table[2:]:
            told |= set(re.findall(r"[\w.+@/-]+", row[0]))
    for package in sorted(packages - set(NAMES) - PARTS):
        faults.append(f"{name}: why {package}?")
    for package in sorted((set(NAMES) | PARTS) - packages):
        faults.append(f"tools/install_packages.sh does not install {package}")
    for package in sorted(packages & set(NAMES)):
        if NAMES[package] not in told:
            faults.append(f"{name}: no reason for {package} ({NAMES[package]})")
    others = {"prometheus", "npm", "@lancedb/lancedb", "playwright-core"}
    words = {word for word in told if re.search("[A-Za-z]", word)} - set(NAMES.values()) - others
    if name == "README.md":
        words -= {"with", "s", "and", "a", "CJK", "font"}
    if words:
        faults.append(f"{name}: {sorted(words)} are not installed")
    return len(packages)


def skeleton(name):
    """What two languages have in common, in order."""
    out, fence = [], None
    for line in read(name).split("\n"):
        heading, opening = re.match(r"(#+) ", line), re.match(r"```(\w*)", line)
        if opening:
            fence = None if fence is not None else opening.group(1)
            out.append(f"fence {fence}")
        elif fence in ("sh", "text"):
            # Comments and what is searched for are the reader's language; programs, options and addresses are not.
            command = re.sub(r"  +#.*", "", line)
            out.append(" ".join(re.sub(r'("query": )"[^"]*"|red sneakers|红色运动鞋', r"\1Q", command).split()))
        elif fence == "c":
            out.append(re.sub(r"/\*.*?\*/|term\.text = .*", "", line))
        elif heading:
            out.append(heading.group(1))
        elif line.startswith("|"):
            out.append(f"row of {line.count('|')}")
        out += [f"->{link}" for link in re.findall(r"\]\(([^)]+)\)", line) if not link.startswith("README")]
    return out


def by_section(items):
    sections = [[]]
    for item in items:
        if item.startswith("#"):
            sections.append([])
        sections[-1].append(item)
    return sections


def check_twins():
    left, right = skeleton("README.md"), skeleton("README.zh-CN.md")
    same("number of sections of the READMEs", [len(by_section(left))], [len(by_section(right))])
    for i, (a, b) in enumerate(zip(by_section(left), by_section(right))):
        # Sentences differ, and so does the order of links in them.
        same(f"section {i} of the READMEs, links", sorted(x for x in a if x.startswith("->")), sorted(x for x in b if x.startswith("->")))
        same(f"section {i} of the READMEs", [x for x in a if not x.startswith("->")], [x for x in b if not x.startswith("->")])
    for name in ("README.md", "README.zh-CN.md"):
        lines = [line for line in read(name).split("\n") if line.strip()]
        if "(docs/page.png)" not in lines[1] or [line[:9] for line in lines[4:6]] != ["make run ", "make test"]:
            faults.append(f"{name} does not begin with the page and the two commands")
    return len(left)


ROOMS = uses_of_cmake()


def main():
    n_rooms = check_architecture(ROOMS)
    n_files = sum(check_room(room, used) for room, used in ROOMS.items())
    n_packages = max(check_packages("README.md"), check_packages("README.zh-CN.md"))
    n_parts = check_twins()
    print(f"{n_rooms} rooms, {n_files} files, {n_packages} packages, {n_parts} parts of the READMEs")
    print("\n".join(faults) if faults else "the plan is the house")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
