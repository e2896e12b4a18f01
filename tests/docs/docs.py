"""Run what the documents say.

    docs.py [--not-run-limit N] DOCUMENT...        (.md, or a manual page)

A document is run from top to bottom, in a fresh folder that holds what its reader would have: photos/, products.csv (and its
images/), shoe.jpg, examples/, and a model at path/to/clip-vit-base-patch32. What a fence says decides what happens to its lines:

    sh        commands, run in order by one bash that stops at the first failure. `pennon serve` goes to the background and is
              waited for; 127.0.0.1:8000 becomes a free port; curl fails on an HTTP error unless its -w prints the status
    output    what the commands just before print. "..." stands for anything
    c         compiled with warnings as errors: a whole program when it has a main(), otherwise the inside of a function that has
              library, model, table and err. The last whole program is also shop.c in the folder
    json, yaml, sql, error, text, none    not commands. sql and error belong to the tests of the filter language

A command anywhere else, in a text fence or an indented block, is a fault, unless <!-- not run: reason --> stands before it.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ["PN_SOURCE_DIR"])
BINARY = pathlib.Path(os.environ["PN_BINARY_DIR"])
QUIET_FENCES = {"json", "yaml", "sql", "error", "text", ""}
COMMAND = re.compile(r"^\s*\$?\s*(pennon|curl|make|cmake|ctest|cc|gcc|python3|apt-get|huggingface-cli|git|docker|export)\s")
NOT_RUN = re.compile(r"^\s*<!--\s*not run:\s*(.*?)\s*-->\s*$")

PRELUDE = r"""
set -Eeuo pipefail
exec 3>&2
at=0 server=
trap 'echo "line $at: failed ($?): $BASH_COMMAND" >&3' ERR
trap 'stop_server' EXIT
stop_server() { [ -z "$server" ] || { kill "$server"; wait "$server" || true; server=; }; } 2> /dev/null
start_server() {
    stop_server
    pennon serve "$@" --port "$PORT" > .serve.out 2> .serve.log & server=$!
    for _ in $(seq 600); do
        grep -q ' at http' .serve.out && return
        kill -0 "$server" || break
        sleep 0.05
    done
    cat .serve.log >&3
    return 1
}
curl() { case " $* " in *" -w "*) command curl -sS "$@" ;; *) command curl -sS --fail-with-body "$@" ;; esac; }
"""

FRAGMENT = """#include <pennon.h>
#include <stdio.h>
#include <string.h>
int fragment(pn_library *library, pn_model *model, pn_table *table, pn_error *err);
int fragment(pn_library *library, pn_model *model, pn_table *table, pn_error *err)
{
    (void)library, (void)model, (void)table, (void)err;
%s
    return 0;
}
"""


class Block:
    def __init__(self, kind, line, reason):
        self.kind, self.line, self.reason, self.lines = kind, line, reason, []

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"


def blocks_of_markdown(text):
    """The fences, and the indented blocks as fences of kind None."""
    blocks, block, reason, fence = [], None, None, ""
    for number, line in enumerate(text.split("\n"), 1):
        opening = re.match(r"^(\s*```)\s*([\w-]*)", line)
        if block and block.kind is not None:
            if line.strip() == "```":
                block = None
            else:
                block.lines.append(line)
        elif opening:
            block = Block(opening.group(2), number, reason)
            blocks.append(block)
            reason = None
        elif line.startswith("    ") and line.strip() and not re.match(r"^\s*[-*\d]", line):
            if not block:
                block = Block(None, number, reason)
                blocks.append(block)
                reason = None
            block.lines.append(line[4:])
        else:
            block = None
            match = NOT_RUN.match(line)
            if match:
                reason = match.group(1)
            elif line.strip():
                reason = None
    return blocks


def blocks_of_manual(text):
    """.EX to .EE: C when it includes something, commands otherwise."""
    blocks, block = [], None
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(".EX"):
            block = Block("sh", number, None)
        elif line.startswith(".EE") and block:
            if any(each.startswith("#include") for each in block.lines):
                block.kind = "c"
            blocks.append(block)
            block = None
        elif block:
            line = re.sub(r'^\\&', "", line)
            block.lines.append(line.replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", '"').replace("\\e", "\\"))
    return blocks


def furnish(folder):
    """What a reader has before the first command."""
    shop = SOURCE / "demo" / "catalogue"
    (folder / "photos").mkdir()
    for n in range(1, 10):
        shutil.copy(shop / "images" / f"000{n}.jpg", folder / "photos")
    shutil.copy(shop / "products.csv", folder)
    shutil.copy(shop / "images" / "0005.jpg", folder / "shoe.jpg")
    (folder / "images").symlink_to(shop / "images")
    (folder / "examples").symlink_to(SOURCE / "examples")
    (folder / "path" / "to").mkdir(parents=True)
    (folder / "path" / "to" / "clip-vit-base-patch32").symlink_to(SOURCE / "demo" / "model")


def environment(prefix):
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("PENNON", "HF_", "PN_CPU"))}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        env["PORT"] = str(probe.getsockname()[1])
    env["PATH"] = f"{prefix}/bin:{env['PATH']}"
    env["PKG_CONFIG_PATH"] = f"{prefix}/lib/pkgconfig"
    env["LD_LIBRARY_PATH"] = f"{prefix}/lib"
    env["XDG_CONFIG_HOME"] = prefix  # not the configuration of whoever runs this
    env["LC_ALL"] = "C.UTF-8"
    return env


def start_inference(folder, env):
    """The server that documents have at 127.0.0.1:9001; whoever reads its port ends it. See tests/hosted/inference.py."""
    ports = folder / ".inference"
    server = subprocess.Popen([sys.executable, str(SOURCE / "tests" / "hosted" / "inference.py"), str(ports), str(folder / ".inference.log")])
    for _ in range(400):
        if ports.exists():
            break
        time.sleep(0.05)
    env["INFERENCE_PORT"] = ports.read_text(encoding="utf-8").split()[0]
    return server


def script_of(blocks, port):
    out = [PRELUDE]
    for i, block in enumerate(blocks):
        if block.kind != "sh":
            continue
        text = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        text = text.replace("127.0.0.1:9001", "127.0.0.1:$INFERENCE_PORT")
        text = re.sub(r"^pennon serve\b([^#\n]*?)&?[ \t]*(#.*)?$", r"start_server\1", text, flags=re.M)
        out.append(f"at={block.line}\n{{\n{text}}} > .block{i}.out 2> .block{i}.err\n")
    return "\n".join(out)


def matches(expected, found):
    """"..." is anything; a line break behind a comma or "..." is the document's own, and may be missing."""
    folded = re.sub(r"(?<=[,.])\n", "\0", expected.strip())
    pattern = ".*?".join(re.escape(part) for part in folded.split("..."))
    return re.fullmatch(pattern.replace("\0", r"\s*").replace("\\x00", r"\s*"), found.strip(), re.S) is not None


def run_commands(blocks, folder, env, faults):
    (folder / ".script").write_text(script_of(blocks, env["PORT"]), encoding="utf-8")
    done = subprocess.run(["bash", ".script"], cwd=folder, env=env, capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = [b for i, b in enumerate(blocks) if (folder / f".block{i}.err").exists()][-1:]
        text = (folder / f".block{blocks.index(last[0])}.err").read_text() if last else ""
        faults.append(f"{done.stderr.strip()}: {text.strip()[-600:]}")
        return
    for i, block in enumerate(blocks):
        if block.kind != "output":
            continue
        found = (folder / f".block{i - 1}.out").read_text() if i > 0 and blocks[i - 1].kind == "sh" else None
        expected = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{env['PORT']}")
        if found is None:
            faults.append(f"line {block.line}: an output that follows no commands")
        elif not matches(expected, found):
            faults.append(f"line {block.line}: the commands before print this instead:\n{found[:2000]}")


def compile_block(block, folder, env, faults):
    whole = re.search(r"\bmain\(", block.text)
    source = folder / f"block{block.line}.c"
    text = block.text
    if not whole:
        headers = "".join(line + "\n" for line in block.lines if line.startswith("#"))
        text = headers + FRAGMENT % "\n".join(line for line in block.lines if not line.startswith("#"))
    source.write_text(text, encoding="utf-8")
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(source.with_suffix(""))]
    command += [] if whole else ["-c"]
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "pennon"], env=env, capture_output=True, text=True)
    done = subprocess.run(command + flags.stdout.split(), env=env, capture_output=True, text=True)
    if flags.returncode or done.returncode:
        faults.append(f"line {block.line}: does not compile: {flags.stderr}{done.stderr}")


def check(path, prefix, not_run):
    faults = []
    text = path.read_text(encoding="utf-8")
    blocks = blocks_of_markdown(text) if path.suffix == ".md" else blocks_of_manual(text)
    for block in blocks:
        commands = [line for line in block.lines if COMMAND.match(line)]
        if block.reason is not None:
            not_run.append((f"{path}:{block.line}", block.reason))
        elif block.kind in (None, "text", "") and commands:
            faults.append(f"line {block.line}: never run: {commands[0].strip()}")
        if block.kind not in QUIET_FENCES | {None, "sh", "c", "output"}:
            faults.append(f"line {block.line}: what is a fence of {block.kind}?")
    runnable = [b for b in blocks if b.kind is not None and b.reason is None]
    with tempfile.TemporaryDirectory() as name:
        folder, env = pathlib.Path(name), environment(prefix)
        furnish(folder)
        for block in runnable:
            if block.kind == "c":
                compile_block(block, folder, env, faults)
        # A program that the commands compile or run is the document's own.
        programs = [b for b in runnable if b.kind == "c" and "main(" in b.text]
        if programs:
            (folder / "shop.c").write_text(programs[-1].text, encoding="utf-8")
        inference = start_inference(folder, env) if any("127.0.0.1:9001" in b.text for b in runnable) else None
        if any(b.kind == "sh" for b in runnable):
            run_commands(runnable, folder, env, faults)
        if inference:
            inference.kill()
            inference.wait()
    n = sum(b.kind in ("sh", "c", "output") for b in runnable)
    print(f"{path}: {n} blocks run" + (f", {len(faults)} faults" if faults else ""))
    for fault in faults:
        print(f"  {path}: {fault}")
    return len(faults)


def main():
    arguments = sys.argv[1:]
    limit = 8
    if arguments[:1] == ["--not-run-limit"]:
        limit, arguments = int(arguments[1]), arguments[2:]
    not_run, n_faults = [], 0
    with tempfile.TemporaryDirectory() as prefix:
        subprocess.run(["cmake", "--install", str(BINARY), "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        for name in arguments:
            n_faults += check(pathlib.Path(name), prefix, not_run)
    print(f"{len(not_run)} blocks are not run:")
    for where, reason in not_run:
        print(f"  {where}: {reason}")
        if len(reason) < 12:
            print(f"  {where}: that is no reason")
            n_faults += 1
    if len(not_run) > limit:
        print(f"that is more than {limit}")
        n_faults += 1
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
