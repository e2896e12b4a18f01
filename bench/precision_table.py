#!/usr/bin/env python3
"""What a precision costs and gives, by model: prints a table in Markdown.

    bench/precision_table.py BENCH_EMBED FOLDER [--threads N] [--seconds S] [SHAPE[=MODEL_DIR] ...]

SHAPE is b32, b16 or l14; its model of random weights is written into FOLDER/SHAPE unless a folder is named. Each precision is opened
once to prepare its weights and then measured in a process of its own, so that memory is what a service would have: its own
(RssAnon) and the mapped weights (RssFile). Cosines are to f32, of the 32 pictures and the 32 texts of 20 tokens that bench_embed makes.
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


def measure(bench, name, model, options, scratch):
    reference = {}
    for precision in PRECISIONS:
        found, rows = {}, {}
        for case in ("image-32", "text-20x32"):  # few seconds: only their vectors are wanted
            dump = f"{scratch}/{case}"
            run(bench, model, precision, case, [*options[:4], "--seconds", "0"], dump)
            vectors = np.fromfile(dump, np.float32).reshape(32, -1).astype(np.float64)
            found[case] = cosines(vectors, reference.setdefault(case, vectors))
        for case in CASES:
            rows |= run(bench, model, precision, case, options)
        one, eight, text, memory = rows["image-1"]["ms_med"], rows["image-8"]["ms_item_med"], rows["text-8"]["ms_med"], rows["memory"]
        # memory of all the encoders' use: the pictures' batch of 8 is the deepest
        memory = run(bench, model, precision, "image-8", [*options[:4], "--seconds", "0"])["memory"]
        print(f"| {name} | {precision} | {found['image-32']} | {found['text-20x32']} | {one:.1f} | {eight:.1f} | {1000 / eight:.1f} | "
              f"{text:.2f} | {memory['anon_mib']:.0f} + {memory['file_mib']:.0f} |", flush=True)


def main():
    bench, folder, *rest = sys.argv[1:]
    settings, shapes = {"--threads": "2", "--seconds": "2"}, []
    while rest:
        word = rest.pop(0)
        if word in settings:
            settings[word] = rest.pop(0)
        else:
            shapes.append(word)
    print("| model | precision | cosine of pictures, least / mean | of texts | ms a picture, alone | of 8 | pictures/s | ms a text of 8 tokens | MiB, own + mapped |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for word in shapes or ["b32", "b16", "l14"]:
            shape, _, model = word.partition("=")
            model = model or str(pathlib.Path(folder) / shape)
            if not pathlib.Path(model, "model.safetensors").exists():
                subprocess.run([bench, "--write", model, "--shape", shape], check=True)
            options = ["--threads", settings["--threads"], "--cache", f"{folder}/cache", "--seconds", settings["--seconds"]]
            measure(bench, shape, model, options, scratch)


if __name__ == "__main__":
    main()
