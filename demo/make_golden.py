"""Golden vectors of the demo model, by the formulas of docs/CLIP.md in numpy and double: nothing of pennon takes part.

    make_golden.py [MODEL] [> MODEL/pennon-golden.json]      MODEL: a Hugging Face CLIP with a vision transformer, default model/

`pennon model verify` compares the vectors of a model with those in its pennon-golden.json. Pictures are chosen so that every mistake
shows: other colours in each channel, stripes that a resize without antialiasing would turn into something else, both shapes.
"""
import base64
import hashlib
import json
import math
import pathlib
import struct
import sys
import zlib

import numpy as np

import bpe

TEXTS = ["red sneakers", "a blue leather handbag with stripes", "boots", "红色运动鞋", "a green ceramic mug on a white background"]


def read_safetensors(path):
    raw = path.read_bytes()
    (n,) = struct.unpack("<Q", raw[:8])
    header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
    out = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        piece = data[slice(*entry["data_offsets"])]
        kind = {"F16": np.float16, "F32": np.float32}[entry["dtype"]]
        out[name] = np.frombuffer(piece, kind).reshape(entry["shape"]).astype(np.float64)
    return out


# ---- pictures

def stripes():
    y, x = np.mgrid[0:120, 0:160]
    rgb = np.zeros((120, 160, 3), np.uint8)
    rgb[..., 0] = np.where(x // 3 % 2 == 0, 230, 40)
    rgb[..., 1] = np.where(y // 5 % 2 == 0, 90, 160)
    rgb[..., 2] = 30
    rgb[30:90, 40:120] = (20, 60, 200)
    return rgb


def tall():
    y, x = np.mgrid[0:70, 0:40]
    rgb = np.stack([y * 3, x * 2 + 20, 255 - y * 2], -1).astype(np.uint8)
    rgb[(x - 20) ** 2 + (y - 35) ** 2 < 150] = (250, 220, 10)
    return rgb


def wide():
    y, x = np.mgrid[0:64, 0:300]
    rgb = np.full((64, 300, 3), 255, np.uint8)
    rgb[((x + y) // 8) % 3 == 0] = (200, 30, 30)
    rgb[((x - y) // 16) % 4 == 0] = (30, 120, 60)
    return rgb


def png(rgb):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    h, w, _ = rgb.shape
    rows = b"".join(b"\0" + row.tobytes() for row in rgb)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


# ---- preprocessing: Pillow's bicubic, in its 22 bits

def bicubic(x):
    a, x = -0.5, abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0


def resize_rows(rgb, n_out):
    """[n_in][...] -> [n_out][...]"""
    n_in = rgb.shape[0]
    if n_in == n_out:
        return rgb
    scale = n_in / n_out
    stretch = max(scale, 1.0)
    out = np.empty((n_out, *rgb.shape[1:]), np.uint8)
    for i in range(n_out):
        centre = (i + 0.5) * scale
        first, end = max(int(centre - 2 * stretch + 0.5), 0), min(int(centre + 2 * stretch + 0.5), n_in)
        weights = [bicubic((j - centre + 0.5) / stretch) for j in range(first, end)]
        total = sum(weights)
        bits = np.array([math.floor(abs(w / total) * (1 << 22) + 0.5) * (1 if w > 0 else -1) for w in weights], np.int64)
        value = ((1 << 21) + np.tensordot(bits, rgb[first:end].astype(np.int64), 1)) >> 22
        out[i] = np.clip(value, 0, 255)
    return out


def preprocess(rgb, side, mean, std):
    h, w, _ = rgb.shape
    full_w, full_h = (side, side * h // w) if w <= h else (side * w // h, side)
    rgb = resize_rows(rgb.transpose(1, 0, 2), full_w).transpose(1, 0, 2)  # across first
    rgb = resize_rows(rgb, full_h)
    top, left = round((full_h - side) / 2), round((full_w - side) / 2)  # halves to even
    rgb = rgb[top:top + side, left:left + side]
    return ((rgb / 255.0 - mean) / std).transpose(2, 0, 1)


# ---- the model

class Encoder:
    def __init__(self, tensors, prefix, config):
        self.t, self.prefix, self.config = tensors, prefix, config
        assert config["hidden_act"] == "quick_gelu"

    def linear(self, name, x):
        return x @ self.t[name + ".weight"].T + self.t[name + ".bias"]

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return scaled * self.t[name + ".weight"] + self.t[name + ".bias"]

    def attention(self, name, x, causal):
        n, width = x.shape
        heads = self.config["num_attention_heads"]
        q, k, v = (self.linear(f"{name}.{part}_proj", x).reshape(n, heads, -1).transpose(1, 0, 2) for part in "qkv")
        logits = q @ k.transpose(0, 2, 1) / math.sqrt(width // heads)
        if causal:
            logits = logits + np.triu(np.full((n, n), -np.inf), 1)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return self.linear(name + ".out_proj", (weights @ v).transpose(1, 0, 2).reshape(n, width))

    def blocks(self, x, causal):
        for i in range(self.config["num_hidden_layers"]):
            name = f"{self.prefix}.encoder.layers.{i}"
            x = x + self.attention(name + ".self_attn", self.norm(name + ".layer_norm1", x), causal)
            hidden = self.linear(name + ".mlp.fc1", self.norm(name + ".layer_norm2", x))
            x = x + self.linear(name + ".mlp.fc2", hidden / (1 + np.exp(-1.702 * hidden)))
        return x


def embed_picture(t, config, pixels):
    e, p = Encoder(t, "vision_model", config), config["patch_size"]
    grid = pixels.shape[1] // p
    patches = pixels.reshape(3, grid, p, grid, p).transpose(1, 3, 0, 2, 4).reshape(grid * grid, -1)
    rows = patches @ t["vision_model.embeddings.patch_embedding.weight"].reshape(config["hidden_size"], -1).T
    x = np.vstack([t["vision_model.embeddings.class_embedding"], rows]) + t["vision_model.embeddings.position_embedding.weight"]
    x = e.blocks(e.norm("vision_model.pre_layrnorm", x), False)
    return unit(t["visual_projection.weight"] @ e.norm("vision_model.post_layernorm", x[0]))


def embed_text(t, config, ids):
    e = Encoder(t, "text_model", config)
    x = t["text_model.embeddings.token_embedding.weight"][ids] + t["text_model.embeddings.position_embedding.weight"][:len(ids)]
    return unit(t["text_projection.weight"] @ e.norm("text_model.final_layer_norm", e.blocks(x, True)[-1]))


def unit(v):
    return [round(float(x), 6) for x in v / np.linalg.norm(v)]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "model"
    config = json.loads((folder / "config.json").read_text())
    how = json.loads((folder / "preprocessor_config.json").read_text())
    weights = folder / "model.safetensors"
    t, tokenizer = read_safetensors(weights), bpe.Tokenizer.load(folder)
    assert how["resample"] == 3 and how["do_center_crop"]
    mean, std, side = np.array(how["image_mean"]), np.array(how["image_std"]), config["vision_config"]["image_size"]
    golden = {"format": "pennon-golden", "version": 1, "made_by": "demo/make_golden.py, numpy, double",
              "files": {weights.name: hashlib.sha256(weights.read_bytes()).hexdigest()}, "texts": [], "pictures": []}
    for text in TEXTS:
        ids = tokenizer.encode(text, config["text_config"]["max_position_embeddings"])
        golden["texts"].append({"text": text, "ids": ids, "vector": embed_text(t, config["text_config"], ids)})
    for picture in (stripes, tall, wide):
        rgb = picture()
        golden["pictures"].append({"name": picture.__name__, "file": base64.b64encode(png(rgb)).decode(),
                                   "vector": embed_picture(t, config["vision_config"], preprocess(rgb, side, mean, std))})
    entries = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items() if not isinstance(v, list)]
    for kind in ("texts", "pictures"):
        rows = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in golden[kind])
        entries.append(f'  "{kind}": [\n{rows}\n  ]')
    print("{\n" + ",\n".join(entries) + "\n}")


if __name__ == "__main__":
    main()
