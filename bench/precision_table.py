#!/usr/bin/env python3
"""What a precision costs and gives, by model: prints a table in Markdown.

    bench/precision_table.py BENCH_EMBED FOLDER [--threads N] [--seconds S] [--part cosines|times] [--precisions P,P] [SHAPE[=MODEL_DIR] ...]

SHAPE is b32, b16 or l14, or a family of random_family.py (tinyclip, chinese, siglip, rn50); its model of random weights is written into
FOLDER/SHAPE unless a folder is named. Each precision is opened once to prepare its weights and then measured in a process of its own, so
that memory is what a service would have: its own (RssAnon) and the mapped weights (RssFile). Cosines are to f32, of the 32 pictures and the
32 texts of 20 tokens that bench_embed makes. What was found is kept in FOLDER/precision_table.json, so that cosines, which need no quiet machine, and
times, which do, may be taken apart and in pieces; the table has what is there.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

PRECISIONS = ["f32", "f16", "bf16", "int8"]
CASES = ["image-1", "image-8", "text-8"]


def run(bench, model, precision, case, options, dump=None):
    args = [bench, "--model", model, "--precision", precision, "--case", case, *options] + (["--dump", dump] if dump else [])
    lines = subprocess.run(args, capture_output=True, text=True, check=True).stdout.splitlines()
    return {row["case"]: row for row in map(json.loads, lines)}


def cosines(vectors, reference):
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, reference)]
    c = (unit[0] * unit[1]).sum(1)
    return f"{c.min():.6f} / {c.mean():.6f}"


def find_cosines(bench, model, precisions, options, scratch, rows):
    reference = {}
    for precision in ["f32", *(p for p in precisions if p != "f32")]:
        for case, key in (("image-32", "pictures"), ("text-20x32", "texts")):  # few seconds: only their vectors are wanted
            dump = f"{scratch}/{case}"
            run(bench, model, precision, case, [*options[:4], "--seconds", "0"], dump)
            vectors = np.fromfile(dump, np.float32).reshape(32, -1).astype(np.float64)
            rows.setdefault(precision, {})[key] = cosines(vectors, reference.setdefault(case, vectors))


def find_times(bench, model, precisions, options, rows):
    for precision in precisions:
        run(bench, model, precision, "text-8", [*options[:4], "--seconds", "0"])  # prepared from here on
        row = rows.setdefault(precision, {})
        for case in CASES:
            row[case] = run(bench, model, precision, case, options)[case]["ms_item_med"]
        # memory of all the encoders' use: the pictures' batch of 8 is the deepest
        memory = run(bench, model, precision, "image-8", [*options[:4], "--seconds", "0"])["memory"]
        row["memory"] = f"{memory['anon_mib']:.0f} + {memory['file_mib']:.0f}"


def print_rows(name, rows):
    for precision in PRECISIONS:
        row = rows.get(precision, {})
        ms = {case: f"{row[case]:.2f}" if case == "text-8" else f"{row[case]:.1f}" for case in CASES if case in row}
        rate = f"{1000 / row['image-8']:.1f}" if "image-8" in row else ""
        print(f"| {name} | {precision} | {row.get('pictures', '')} | {row.get('texts', '')} | {ms.get('image-1', '')} | {ms.get('image-8', '')} | {rate} | "
              f"{ms.get('text-8', '')} | {row.get('memory', '')} |", flush=True)


def make_model(bench, shape, model):
    if list(pathlib.Path(model).glob("*model.safetensors")):
        return
    own = shape in ("b32", "b16", "l14")
    subprocess.run([bench, "--write", model, "--shape", shape] if own
                   else [sys.executable, pathlib.Path(__file__).with_name("random_family.py"), shape, model], check=True)


def main():
    bench, folder, *rest = sys.argv[1:]
    settings, shapes = {"--threads": "2", "--seconds": "2", "--part": "", "--precisions": ",".join(PRECISIONS)}, []
    while rest:
        word = rest.pop(0)
        if word in settings:
            settings[word] = rest.pop(0)
        else:
            shapes.append(word)
    kept = pathlib.Path(folder, "precision_table.json")
    precisions = settings["--precisions"].split(",")
    options = ["--threads", settings["--threads"], "--cache", f"{folder}/cache", "--seconds", settings["--seconds"]]
    print("| model | precision | cosine of pictures, least / mean | of texts | ms a picture, alone | of 8 | pictures/s | ms a text of 8 tokens | MiB, own + mapped |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for word in shapes or ["b32", "b16", "l14", "tinyclip", "chinese", "siglip", "rn50"]:
            shape, _, model = word.partition("=")
            model = model or str(pathlib.Path(folder) / shape)
            make_model(bench, shape, model)
            rows = {}
            if settings["--part"] != "times":
                find_cosines(bench, model, precisions, options, scratch, rows)
            if settings["--part"] != "cosines":
                find_times(bench, model, precisions, options, rows)
            table = json.loads(kept.read_text()) if kept.exists() else {}
            for precision, row in rows.items():
                table.setdefault(shape, {}).setdefault(precision, {}).update(row)
            kept.write_text(json.dumps(table, indent=1))
            print_rows(shape, table[shape])


if __name__ == "__main__":
    main()
