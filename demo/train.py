"""Train the demo CLIP and write it as Hugging Face does: config.json, safetensors, vocab.json, merges.txt.

    OPENBLAS_CORETYPE=... python3 train.py --minutes 25 --out model

The towers are CLIP's own (pre-norm blocks, quick GELU, class token, causal text with the end token pooled), only
small. The loss is CLIP's contrastive one with several right answers: a caption that names only some attributes is
right for every picture of the batch that has them. Small classifiers of the attributes on the picture vector help it
along and are thrown away. Held-out combinations are never rendered here.
"""
import argparse
import json
import math
import multiprocessing
import random
import struct
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import bpe
import captions
from products import COLOURS, MATERIALS, PATTERNS, TYPES, combinations, is_held_out
from render import render, to_array

SIDE, PATCH, CONTEXT, DIM = 96, 16, 32, 512
WIDTH, HEADS, VISION_LAYERS, TEXT_LAYERS = 192, 3, 5, 3
STORED = 104  # pictures are kept a little larger and cropped at random
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
ATTRIBUTES = [list(TYPES), list(COLOURS), list(PATTERNS), list(MATERIALS)]


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q_proj, self.k_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.v_proj, self.out_proj = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x, mask):
        n, t, _ = x.shape
        h = self.layer_norm1(x)
        q, k, v = (f(h).view(n, t, HEADS, -1).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        scores = q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        if mask is not None:
            scores = scores + mask
        x = x + self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, WIDTH))
        h = self.fc1(self.layer_norm2(x))
        return x + self.fc2(h * torch.sigmoid(1.702 * h))


class Clip(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        grid = SIDE // PATCH
        self.patch = nn.Linear(3 * PATCH * PATCH, WIDTH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.vision_position = nn.Parameter(torch.randn(1 + grid * grid, WIDTH) * 0.02)
        self.pre, self.post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.vision = nn.ModuleList(Block() for _ in range(VISION_LAYERS))
        self.vision_projection = nn.Linear(WIDTH, DIM, bias=False)
        self.token = nn.Embedding(vocabulary, WIDTH)
        self.text_position = nn.Parameter(torch.randn(CONTEXT, WIDTH) * 0.01)
        self.text = nn.ModuleList(Block() for _ in range(TEXT_LAYERS))
        self.final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Linear(WIDTH, DIM, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token.weight, std=0.02)

    def images(self, x):
        n, g = x.shape[0], SIDE // PATCH
        x = x.view(n, 3, g, PATCH, g, PATCH).permute(0, 2, 4, 1, 3, 5).reshape(n, g * g, -1)
        x = torch.cat([self.class_embedding.expand(n, 1, -1), self.patch(x)], 1) + self.vision_position
        x = self.pre(x)
        for block in self.vision:
            x = block(x, None)
        return self.vision_projection(self.post(x[:, 0]))

    def texts(self, ids, ends):
        t = ids.shape[1]
        mask = torch.full((t, t), -math.inf).triu(1)
        x = self.token(ids) + self.text_position[:t]
        for block in self.text:
            x = block(x, mask)
        return self.text_projection(self.final(x[torch.arange(len(ends)), ends]))


def picture(job):
    combination, seed = job
    image = Image.fromarray(to_array(render(combination, seed, 208)))
    return np.asarray(image.resize((STORED, STORED), Image.BICUBIC))


def render_all(jobs):
    with multiprocessing.Pool(2) as pool:
        return np.stack(pool.map(picture, jobs, chunksize=64))


def normalise(pixels):
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def crop_batch(pixels, rng):
    out = np.empty((len(pixels), SIDE, SIDE, 3), np.uint8)
    for i, p in enumerate(pixels):
        y, x = rng.integers(0, STORED - SIDE + 1, 2)
        out[i] = p[y:y + SIDE, x:x + SIDE]
        if rng.random() < 0.5:
            out[i] = out[i, :, ::-1]
    return out


def encode_texts(tokenizer, texts):
    ids = [tokenizer.encode(t, CONTEXT) for t in texts]
    longest = max(map(len, ids))
    padded = torch.tensor([i + [0] * (longest - len(i)) for i in ids])
    return padded, torch.tensor([len(i) - 1 for i in ids])


def right_answers(labels, named):
    """[captions][pictures]: does the picture have all that the caption names?"""
    same = labels[:, None, :] == labels[None, :, :]
    asked = np.stack([(named & bit) != 0 for bit in (1, 2, 4, 8)], 1)
    return torch.from_numpy((same | ~asked[:, None, :]).all(2).astype(np.float32))


def loss_of(model, heads, pixels, labels, texts, named, tokenizer):
    image = model.images(pixels)
    text = model.texts(*encode_texts(tokenizer, texts))
    logits = model.logit_scale.exp().clamp(max=100) * F.normalize(text, dim=1) @ F.normalize(image, dim=1).t()
    right = right_answers(labels, named)
    to_image = -(right / right.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    to_text = -(right / right.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    helper = sum(F.cross_entropy(h(image), torch.from_numpy(labels[:, i])) for i, h in enumerate(heads))
    return (to_image + to_text) / 2, helper


def hf_tensors(model):
    s = {k: v.detach() for k, v in model.state_dict().items()}
    out = {"logit_scale": s["logit_scale"], "visual_projection.weight": s["vision_projection.weight"],
           "text_projection.weight": s["text_projection.weight"],
           "vision_model.embeddings.class_embedding": s["class_embedding"],
           "vision_model.embeddings.patch_embedding.weight": s["patch.weight"].view(WIDTH, 3, PATCH, PATCH),
           "vision_model.embeddings.position_embedding.weight": s["vision_position"],
           "text_model.embeddings.token_embedding.weight": s["token.weight"],
           "text_model.embeddings.position_embedding.weight": s["text_position"]}
    for ours, theirs in (("pre", "vision_model.pre_layrnorm"), ("post", "vision_model.post_layernorm"),
                         ("final", "text_model.final_layer_norm")):
        for part in ("weight", "bias"):
            out[f"{theirs}.{part}"] = s[f"{ours}.{part}"]
    for tower, layers in (("vision", VISION_LAYERS), ("text", TEXT_LAYERS)):
        for i in range(layers):
            for name in ("layer_norm1", "layer_norm2", "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"):
                inside = "self_attn." if name.endswith("_proj") else "mlp." if name.startswith("fc") else ""
                for part in ("weight", "bias"):
                    out[f"{tower}_model.encoder.layers.{i}.{inside}{name}.{part}"] = s[f"{tower}.{i}.{name}.{part}"]
    return out


def write_safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name in sorted(tensors):
        raw = tensors[name].half().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensors[name].shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def save(model, tokenizer, folder):
    write_safetensors(f"{folder}/model.safetensors", hf_tensors(model))
    tokenizer.save(folder)
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS,
             "hidden_act": "quick_gelu", "layer_norm_eps": 1e-05, "projection_dim": DIM}
    end = tokenizer.vocab[bpe.END]
    files = {
        "config.json": {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": DIM,
                        "logit_scale_init_value": 2.6592, "torch_dtype": "float16",
                        "text_config": {**tower, "model_type": "clip_text_model", "num_hidden_layers": TEXT_LAYERS,
                                        "max_position_embeddings": CONTEXT, "vocab_size": len(tokenizer.vocab),
                                        "bos_token_id": tokenizer.vocab[bpe.START], "eos_token_id": end,
                                        "pad_token_id": end},
                        "vision_config": {**tower, "model_type": "clip_vision_model", "num_hidden_layers": VISION_LAYERS,
                                          "image_size": SIDE, "patch_size": PATCH, "num_channels": 3}},
        "preprocessor_config.json": {"do_resize": True, "size": {"shortest_edge": SIDE}, "resample": 3,
                                     "do_center_crop": True, "crop_size": {"height": SIDE, "width": SIDE},
                                     "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
                                     "image_mean": MEAN, "image_std": STD, "do_convert_rgb": True,
                                     "image_processor_type": "CLIPImageProcessor"},
        "tokenizer_config.json": {"tokenizer_class": "CLIPTokenizer", "bos_token": bpe.START, "eos_token": bpe.END,
                                  "unk_token": bpe.END, "pad_token": bpe.END, "model_max_length": CONTEXT},
    }
    for name, content in files.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
            json.dump(content, f, indent=2)
            f.write("\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--views", type=int, default=12)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--out", default="model")
    parser.add_argument("--start", help="go on from this model, at a lower rate")
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(2)
    shuffle, words = np.random.default_rng(1), random.Random(1)
    combos = [c for c in combinations() if not is_held_out(c)]
    jobs = [(c, view) for c in combos for view in range(args.views)]
    began = time.time()
    pixels = render_all(jobs)
    print(f"{len(pixels)} pictures of {len(combos)} products in {time.time() - began:.0f} s", flush=True)
    labels = np.array([[names.index(v) for names, v in zip(ATTRIBUTES, c)] for c, _ in jobs])
    texts = [captions.sample(c, words)[0] for c, _ in jobs for _ in range(2)]
    tokenizer = bpe.Tokenizer(bpe.train(texts, 600))
    model = Clip(len(tokenizer.vocab))
    if args.start:
        import evaluate
        model, tokenizer = evaluate.load(args.start)
        model.train()
    heads = nn.ModuleList(nn.Linear(DIM, len(names)) for names in ATTRIBUTES)
    parameters = list(model.parameters()) + list(heads.parameters())
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.05)
    began, step, saved = time.time(), 0, 0.0
    while (done := (time.time() - began) / 60 / args.minutes) < 1:
        chosen = shuffle.integers(0, len(jobs), args.batch)
        texts, named = zip(*(captions.sample(jobs[i][0], words) for i in chosen))
        for group in optimizer.param_groups:
            group["lr"] = (6e-4 if args.start else 1.2e-3) * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        contrast, helper = loss_of(model, heads, normalise(crop_batch(pixels[chosen], shuffle)), labels[chosen], texts,
                                   np.array(named), tokenizer)
        optimizer.zero_grad()
        (contrast + 0.25 * helper).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if step % 25 == 0:
            print(f"{done:5.1%} step {step} contrast {contrast.item():.3f} helper {helper.item():.3f}", flush=True)
        if time.time() - saved > 120:
            save(model, tokenizer, args.out)
            saved = time.time()
    save(model, tokenizer, args.out)


if __name__ == "__main__":
    main()
