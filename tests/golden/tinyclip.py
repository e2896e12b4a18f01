"""TinyCLIP's shapes against the reference specification; prints the errors it finds.

TinyCLIP is plain CLIP, but smaller in ways no other model is: towers of 256 or 640 values with 3 to 12 blocks, and "auto" models
whose pruning left odd widths, fewer heads and narrower MLPs, each block its own. No weights are here, only shapes: random ones are
made as the golden models' are (make-goldens.py), computed in f64 by towers-spec.py, and opened by the program.

Environment: PENNON (the program), PN_SHARED_DIR (reference data).
"""
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

PENNON = os.environ["PENNON"]
CLIP = pathlib.Path(os.environ["PN_SHARED_DIR"]) / "golden/clip"
TOKENIZER = CLIP / "models/clip-quickgelu"
IMAGES = ["rgb-landscape.png", "adam7.png"]
BOUNDS = {"exact": (1e-6, 0.9999999), "f16": (1e-3, 0.99999), "bf16": (5e-3, 0.9995), "int8": (2e-2, 0.998)}  # error, cosine

# width, blocks as (heads, MLP); blocks of TinyCLIP 61M are all alike, so some stand for the rest
MODELS = {
    "8M-16-3M": {"patch": 16, "dim": 512, "vision": (256, [(4, 1024)] * 10), "text": (256, [(4, 1024)] * 3)},
    "61M-32-29M": {"patch": 32, "dim": 512, "vision": (640, [(10, 2560)] * 3), "text": (512, [(8, 2048)] * 2)},
    "auto": {"patch": 32, "dim": 512, "pruned": True, "vision": (621, [(10, 2480), (7, 1877), (1, 33), (9, 1201)]),
             "text": (487, [(8, 1948), (3, 640), (6, 1111)])},
    "auto-even": {"patch": 32, "dim": 512, "pruned": True, "vision": (576, [(9, 2304), (4, 900)]), "text": (448, [(7, 1792), (2, 70)])},
}


def module(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), CLIP / f"{name}.py")
    out = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(out)
    return out


make, towers = module("make-goldens"), module("towers-spec")
one_width = towers.attend
towers.attend = lambda q, k, v, heads, causal=False: one_width(q, k, v, q.shape[1] // 64, causal)  # a block's own heads


def blocks(w, tower, width, rows):
    """Blocks as make-goldens makes them, cut to what pruning left."""
    for i, (heads, mlp) in enumerate(rows):
        p, inner = f"{tower}_model.encoder.layers.{i}", 64 * heads
        for n in "qkv":
            w[f"{p}.self_attn.{n}_proj.weight"] = make.rnd(7, p + n, (inner, width), 1.2 / width ** 0.5)
            w[f"{p}.self_attn.{n}_proj.bias"] = make.rnd(7, p + n + "b", (inner,), 0.1)
        w[f"{p}.self_attn.out_proj.weight"] = make.rnd(7, p + "o", (width, inner), 1 / inner ** 0.5)
        w[f"{p}.self_attn.out_proj.bias"] = make.rnd(7, p + "ob", (width,), 0.1)
        w[f"{p}.mlp.fc1.weight"] = make.rnd(7, p + "f1", (mlp, width), 1.3 / width ** 0.5)
        w[f"{p}.mlp.fc1.bias"] = make.rnd(7, p + "f1b", (mlp,), 0.2)
        w[f"{p}.mlp.fc2.weight"] = make.rnd(7, p + "f2", (width, mlp), 1 / mlp ** 0.5)
        w[f"{p}.mlp.fc2.bias"] = make.rnd(7, p + "f2b", (width,), 0.1)
        make.ln(w, 7, p + ".layer_norm1", width)
        make.ln(w, 7, p + ".layer_norm2", width)


def weights(m, vocabulary):
    (vision, vision_blocks), (text, text_blocks) = m["vision"], m["text"]
    w = {"logit_scale": np.float32(4.6).reshape(())}
    make.clip_vision_weights(w, 7, {"v_width": vision, "patch": m["patch"], "image": 224, "v_layers": 0, "embed": m["dim"]})
    make.clip_text_weights(w, 7, {"t_width": text, "vocab": vocabulary, "ctx": 77, "t_layers": 0, "embed": m["dim"]})
    blocks(w, "vision", vision, vision_blocks)
    blocks(w, "text", text, text_blocks)
    return w


def write(folder, m, w, vocabulary):
    (vision, vision_blocks), (text, text_blocks) = m["vision"], m["text"]
    c = {"embed": m["dim"], "act": "gelu", "image": 224, "patch": m["patch"], "vocab": vocabulary, "ctx": 77,
         "v_width": vision, "v_layers": len(vision_blocks), "v_heads": vision_blocks[0][0], "v_mlp": vision_blocks[0][1],
         "t_width": text, "t_layers": len(text_blocks), "t_heads": text_blocks[0][0], "t_mlp": text_blocks[0][1]}
    if m.get("pruned"):  # open_clip's names and configuration, which tell of whole blocks only
        out = {"logit_scale": w["logit_scale"]}
        make.openai_vision(out, w, c)
        make.openai_text(out, w, c)
        ratio = {"mlp_ratio": (c["v_mlp"] + 0.01) / vision}, {"mlp_ratio": (c["t_mlp"] + 0.01) / text}
        config = {"model_cfg": {"embed_dim": c["embed"],
                                "vision_cfg": {"image_size": 224, "layers": c["v_layers"], "width": vision, "patch_size": c["patch"], **ratio[0]},
                                "text_cfg": {"vocab_size": vocabulary, "width": text, "heads": c["t_heads"], "layers": c["t_layers"], **ratio[1]}}}
        make.st_write(folder / "open_clip_model.safetensors", out)
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    else:
        make.st_write(folder / "model.safetensors", w)
        (folder / "config.json").write_text(json.dumps(make.hf_clip_config(c, vocabulary - 1)))
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(TOKENIZER / name, folder)


def pixels(folder, path):
    out = subprocess.run([PENNON, "preprocess", "--model", str(folder), str(path), "-o", "-"], capture_output=True, timeout=60, check=True)
    return np.frombuffer(out.stdout[-3 * 224 * 224 * 4:], np.float32).reshape(3, 224, 224).astype(np.float64)


def wanted(folder, w, texts, paths):
    """Unit vectors by the specification; ids and pixels are the program's, which golden.py holds to the references."""
    w = {name: np.asarray(value, np.float64) for name, value in w.items()}
    lines = subprocess.run([PENNON, "tokenize", "--model", str(folder), "--json"], input="".join(json.dumps(t) + "\n" for t in texts),
                           capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    rows = [towers.text_clip(np.array(json.loads(line)), w, 0, "gelu") for line in lines]
    rows += [towers.image_clip(pixels(folder, p), w, 0, "gelu") for p in paths]
    return [r / np.linalg.norm(r) for r in rows]


def check_model(name, scratch):
    m, folder = MODELS[name], pathlib.Path(scratch) / name
    folder.mkdir()
    vocabulary = len(json.load(open(TOKENIZER / "vocab.json")))
    w = weights(m, vocabulary)
    write(folder, m, w, vocabulary)
    texts = json.load(open(CLIP / "models/texts.json"))["clip"][:4]
    paths = [CLIP / "preprocess/images" / i for i in IMAGES]
    args = [a for t in texts for a in ("--text", t)] + [a for p in paths for a in ("--image", str(p))]
    want = wanted(folder, w, texts, paths)
    return all([check_precision(name, folder, precision, args, want) for precision in BOUNDS])


def check_precision(name, folder, precision, args, want):
    out = subprocess.run([PENNON, "embed", "--model", str(folder), "--precision", precision, "--json", *args],
                         capture_output=True, text=True, timeout=300)
    if out.returncode:
        print(f"FAILED: embed {name}: {out.stderr[:300]}")
        return False
    again = subprocess.run(out.args, capture_output=True, text=True, timeout=300)
    if again.stdout != out.stdout:
        print(f"FAILED: {name} {precision}: other vectors from the prepared weights")
        return False
    got = [np.array(json.loads(line)["embedding"]) for line in out.stdout.splitlines()]
    error = max(np.abs(a - b).max() for a, b in zip(got, want, strict=True))
    cosine = min((a * b).sum() / np.linalg.norm(a) for a, b in zip(got, want))
    most, least = BOUNDS[precision]
    good = error <= most and cosine >= least
    print(f"{'' if good else 'FAILED: '}TinyCLIP {name} {precision}: largest difference {error:.1e}, least cosine {cosine:.9f}")
    return good


def main():
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PENNON_CACHE"] = f"{scratch}/cache"
        results = [check_model(name, scratch) for name in MODELS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
