"""Tokenizer, preprocessing and towers of the program against golden values; prints the errors it finds.

Environment: PENNON (the program), PN_SHARED_DIR (reference data), PN_BINARY_DIR.
"""
import gzip
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

PENNON = os.environ["PENNON"]
CLIP = pathlib.Path(os.environ["PN_SHARED_DIR"]) / "golden/clip"
MODELS = ["clip-quickgelu", "clip-quickgelu-f16", "clip-quickgelu-bf16", "clip-quickgelu-sharded",
          "clip-quickgelu-openclip", "clip-quickgelu-openai", "clip-gelu", "clip-rect-openclip", "clip-resnet-openai",
          "chinese-clip", "chinese-clip-original", "siglip", "siglip-openclip"]
failures = []


def check(ok, what):
    if not ok:
        failures.append(what)
        print("FAILED:", what)


def run(*args, text=None):
    return subprocess.run([PENNON, *args], input=text, capture_output=True, text=True, timeout=300)


def usable(name, scratch):
    """The model's folder, with the tokenizer of the one it is the same as, when it has none itself."""
    source = CLIP / "models" / name
    same = source / "SAME_AS"
    if not same.exists() and (source / "vocab.json").exists():
        return source, source
    other = CLIP / "models" / same.read_text().strip() if same.exists() else source
    folder = pathlib.Path(scratch) / name
    shutil.copytree(source, folder)
    for file in ("vocab.json", "merges.txt", "tokenizer.json", "vocab.txt", "spiece.model", "tokenizer_config.json",
                 "preprocessor_config.json", "config.json"):
        if file == "config.json" and list(folder.glob("open_clip_config.json")):
            continue
        if not (folder / file).exists() and (other / file).exists() and not (file == "tokenizer.json" and (folder / "vocab.json").exists()):
            shutil.copy(other / file, folder / file)
    return folder, other


def full_vocabulary(folder):
    """OpenAI's vocabulary as vocab.json and merges.txt."""
    symbols = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = [chr(b) for b in symbols]
    table += [chr(256 + i) for i in range(256 - len(table))]
    lines = gzip.open(CLIP / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8").read().split("\n")[1:48895]
    tokens = table + [t + "</w>" for t in table] + [line.replace(" ", "") for line in lines] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")


def random_model(folder, side=224):
    """A tiny model with the full vocabulary, so that the tokenizer can be asked."""
    w, v, tensors = 8, 49408, {}
    for tower, n in (("text", 1), ("vision", 1)):
        for i in range(n):
            p = f"{tower}_model.encoder.layers.{i}."
            for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
                tensors[p + f"self_attn.{name}.weight"], tensors[p + f"self_attn.{name}.bias"] = (w, w), (w,)
            for name in ("layer_norm1", "layer_norm2"):
                tensors[p + name + ".weight"], tensors[p + name + ".bias"] = (w,), (w,)
            tensors[p + "mlp.fc1.weight"], tensors[p + "mlp.fc1.bias"] = (4 * w, w), (4 * w,)
            tensors[p + "mlp.fc2.weight"], tensors[p + "mlp.fc2.bias"] = (w, 4 * w), (w,)
    for name in ("text_model.final_layer_norm", "vision_model.pre_layrnorm", "vision_model.post_layernorm"):
        tensors[name + ".weight"], tensors[name + ".bias"] = (w,), (w,)
    tensors |= {"text_model.embeddings.token_embedding.weight": (v, w), "text_model.embeddings.position_embedding.weight": (77, w),
                "vision_model.embeddings.class_embedding": (w,), "vision_model.embeddings.patch_embedding.weight": (w, 3, 32, 32),
                "vision_model.embeddings.position_embedding.weight": (1 + (side // 32) ** 2, w), "text_projection.weight": (w, w),
                "visual_projection.weight": (w, w), "logit_scale": ()}
    header, data, rng = {}, b"", np.random.default_rng(1)
    for name, shape in tensors.items():
        raw = rng.standard_normal(shape).astype(np.float16).tobytes()
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    tower = {"hidden_size": w, "intermediate_size": 4 * w, "num_attention_heads": 1, "num_hidden_layers": 1}
    (folder / "config.json").write_text(json.dumps({"model_type": "clip", "projection_dim": w, "text_config": {**tower, "vocab_size": v},
                                                    "vision_config": {**tower, "image_size": side, "patch_size": 32}}))


def test_tokenizer(scratch):
    folder = pathlib.Path(scratch) / "full"
    folder.mkdir()
    full_vocabulary(folder)
    random_model(folder)
    rows = [json.loads(line) for line in open(CLIP / "tokenizer/clip-bpe.jsonl")]
    out = run("tokenize", "--model", str(folder), "--json", text="".join(json.dumps(r["text"]) + "\n" for r in rows))
    check(out.returncode == 0, "tokenize: " + out.stderr[:300])
    counts = {}
    for row, line in zip(rows, out.stdout.splitlines()):
        good = json.loads(line) == row["ids"]
        n = counts.setdefault(row["needs"], [0, 0])
        n[0] += good
        n[1] += 1
        if row["needs"] != "ftfy-encoding":
            check(good, f"tokenize {row['text'][:60]!r} ({row['needs']}): {line[:120]} instead of {row['ids'][:20]}")
    print("tokenizer:", ", ".join(f"{k} {a}/{b}" for k, (a, b) in counts.items()))
    small = pathlib.Path(scratch) / "small"
    shutil.copytree(folder, small)
    random_model(small, 96)
    return {224: folder, 96: small}


def test_preprocess(models):
    index = json.load(open(CLIP / "preprocess/index.json"))
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)[:, None, None]
    std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)[:, None, None]
    worst, total, n = 0.0, 0.0, 0
    for image in index["images"]:
        for variant, mode in (("default", "crop"), ("squash", "squash")):
            side = image["size"]
            if variant not in image["variants"]:
                continue
            path = CLIP / "preprocess" / image["file"]
            path = path if path.exists() else CLIP / "preprocess/images" / image["file"]
            out = subprocess.run([PENNON, "preprocess", "--model", str(models[side]), "--mode", mode, str(path), "-o", "-"],
                                 capture_output=True, timeout=60)
            check(out.returncode == 0, f"preprocess {path.name}: {out.stderr[:200]}")
            if out.returncode:
                continue
            got = np.frombuffer(out.stdout[-3 * side * side * 4:], np.float32).reshape(3, side, side) * std + mean
            array = CLIP / "preprocess" / image["variants"][variant]
            array = array if array.exists() else CLIP / "preprocess/expected" / image["variants"][variant]
            want = np.load(array).transpose(2, 0, 1)
            difference = np.abs(got * 255 - want)
            worst, total, n = max(worst, difference.max()), total + difference.mean(), n + 1
            check(difference.max() <= 1.01, f"preprocess {path.name} {variant}: off by {difference.max():.2f}/255")
    print(f"preprocessing: {n} arrays, largest difference {worst:.3f}/255, mean {total / max(n, 1):.6f}/255")
    for bad in sorted((CLIP / "preprocess/bad").iterdir()):
        out = run("preprocess", "--model", str(models[224]), str(bad), "-o", os.devnull)
        check(out.returncode == 1 and bad.name in out.stderr, f"{bad.name} is refused by name: {out.returncode} {out.stderr[:150]}")


def test_towers(scratch):
    families = json.load(open(CLIP / "models/texts.json"))
    images = json.load(open(CLIP / "models/images.json"))
    images = images if isinstance(images, list) else images["images"]
    images = [i if isinstance(i, str) else i["file"] for i in images]
    for name in MODELS:
        folder, golden = usable(name, scratch)
        texts = json.load(open(golden / "golden/texts.json")) if name.startswith("siglip") else families["chinese" if name.startswith("chinese") else "clip"]
        paths = [next(p for p in (CLIP / "preprocess/images" / pathlib.Path(i).name, CLIP / i) if p.exists()) for i in images]
        args = [a for t in texts for a in ("--text", t)] + [a for p in paths for a in ("--image", str(p))]
        out = run("embed", "--model", str(folder), "--json", *args)
        check(out.returncode == 0, f"embed {name}: {out.stderr[:300]}")
        if out.returncode:
            continue
        rows = [json.loads(line) for line in out.stdout.splitlines()]
        for kind, file in (("text", "text_embeds"), ("image", "image_embeds")):
            got = np.array([r["embedding"] for r in rows if r["kind"] == kind])
            want = np.load(golden / "golden" / f"{file}.npy")
            error, cosine = np.abs(got - want).max(), (got * want).sum(1).min()
            check(error <= 2e-5 and cosine >= 0.999999, f"{name} {kind}: off by {error:.2e}, cosine {cosine:.7f}")
            print(f"{name} {kind}: largest difference {error:.1e}, least cosine {cosine:.8f}")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        model = test_tokenizer(scratch)
        test_preprocess(model)
        test_towers(scratch)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
