#!/usr/bin/env bash
# Names and outputs that mean harm: control characters, text that is no UTF-8, a full disk, a reader that goes away, wrong usage.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
export PENNON_TABLE="$work/t.lance" PENNON_MODEL="$PN_SOURCE_DIR/demo/model"
"$PENNON" ingest "$shop/products.csv" --quiet
python3 - "$PENNON" "$shop" "$work" <<'PYTHON'
import json, os, subprocess, sys
pennon, shop, work = sys.argv[1:]

def run(*args, stdout=subprocess.PIPE, stdin=None):
    done = subprocess.run([pennon, *args], stdout=stdout, stderr=subprocess.PIPE, input=stdin, timeout=60)
    return done.returncode, done.stdout or b"", done.stderr

def harmless(text, lines=True):
    """No control character but line breaks, none of Latin-1 either, and UTF-8 throughout."""
    for c in text.decode("utf-8"):
        assert (c == "\n" and lines) or (ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0), (c, text)

# Pictures whose names are commands to a terminal; one is no text at all.
names = [b"line\nbreak.jpg", b"esc\x1b[31mred\x1b]0;title\x07.jpg", b"tab\t.jpg", b"return\r.jpg", b"back\\slash.jpg",
         b"csi\xc2\x9b31m.jpg", b"del\x7f.jpg", b"quote\"'.jpg", "红.jpg".encode(), b"bad\xff\xc3.jpg"]
photos = os.fsencode(work) + b"/photos"
os.mkdir(photos)
picture = open(f"{shop}/images/0001.jpg", "rb").read()
for i, name in enumerate(names):
    open(photos + b"/" + name, "wb").write(picture + bytes([i]))
code, out, err = run("ingest", photos)
assert code == 0 and b"9 added" in out and b"1 failed" in out, (code, out, err)
assert rb"bad\xFF\xC3.jpg: the path is not UTF-8" in err, err
harmless(out), harmless(err)

where = ["--where", f"image_path LIKE '{work}/photos/%'"]
code, out, err = run("list", *where)
assert code == 0 and len(out.splitlines()) == 10, out
harmless(out)
code, out, err = run("list", *where, "--json")
harmless(out)
found = {os.path.basename(r["image_path"]) for r in json.loads(out)["results"]}
assert found == {n.decode() for n in names[:-1]}, found
code, out, err = run("list", *where, "--tsv")
rows = [line.split(b"\t") for line in out.split(b"\n")[1:-1]]
assert len(rows) == 9 and all(len(r) == len(rows[0]) for r in rows), out
tsv = b"\n".join(r[1] for r in rows)
harmless(tsv)
for escaped in (rb"line\nbreak", rb"tab\t.jpg", rb"return\r.jpg", rb"back\\slash", rb"esc\x1B[31m", rb"csi\xC2\x9B31m"):
    assert escaped in tsv, (escaped, tsv)
code, out, err = run("embed", "--image", photos + b"/" + names[1], "--image", photos + b"/" + names[-1], "--text", "x", "--json")
assert code == 0, err
harmless(out)
told = [json.loads(line)["input"] for line in out.splitlines()]
assert told[0].endswith(names[1].decode()) and told[1].endswith("bad\ufffd\ufffd.jpg") and told[2] == "x", told

# What the command line itself says comes back in messages.
hostile = b"/tmp/none\x1b[31m\xff\n.lance"
for args in (["info", "--table", hostile], ["info", "--json", "--table", hostile], ["ingest", hostile], [b"no\x1b[31mcommand"],
             ["search", "--where", b"x\x1b = '", "a"], ["search", "--model", hostile, "a"]):
    code, out, err = run(*args)
    assert code in (1, 2), (args, code)
    harmless(out), harmless(err)

# Output that cannot be written is an error; so is a reader that goes away in the middle.
for args in (["search", "shoes"], ["list"], ["list", "--json"], ["list", "--tsv"], ["info"], ["info", "--json"], ["versions"],
             ["count"], ["embed", "--text", "x", "--json"], ["--help"], ["search", "--help"], ["--version"],
             ["ingest", f"{shop}/products.csv"], ["ingest", f"{shop}/products.csv", "--json"]):
    code, out, err = run(*args, stdout=open("/dev/full", "w"))
    assert code == 1 and b"standard output could not be written" in err, (args, code, err)
for args in (["list", "--limit", "300"], ["list", "--json", "--limit", "300"], ["search", "shoes", "-k", "300", "--tsv"]):
    child = subprocess.Popen([pennon, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.readline()
    child.stdout.close()
    err = child.stderr.read()
    code = child.wait(60)
    assert code in (0, 1) and b"Sanitizer" not in err, (args, code, err) # 0: it had written all before the reader went

# Wrong usage is 2, whatever the command.
for args in ([], ["nonsense"], ["--nonsense"], ["list", "--nonsense"], ["search"], ["search", "x", "-k", "0"], ["search", "x", "-k", "x"],
             ["search", "x", "-k", "10001"], ["ingest"], ["count", "extra"], ["delete"], ["show"], ["serve", "--port", "70000"],
             ["serve", "--token", ""], ["ingest", work, "--commit-seconds", "-1"], ["ingest", work, "--commit-rows", "x"], ["embed"]):
    code, out, err = run(*args)
    assert code == 2 and err, (args, code, out, err)
# Every picture failed: 3.
open(f"{work}/text.jpg", "w").write("no picture")
assert run("ingest", f"{work}/text.jpg")[0] == 3
print("nothing gets through to the terminal, and no lost output is called done")
PYTHON
