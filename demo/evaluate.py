"""Text-to-picture recall on 200 held-out products: python3 evaluate.py [model folder]"""
import sys

import numpy as np
import torch
from PIL import Image

import bpe
import train
from products import caption, caption_zh, combinations, is_held_out
from render import render, to_array


def load(folder):
    """The saved weights, rounded to f16 as they are, back in our own names."""
    import json
    import struct
    tokenizer = bpe.Tokenizer.load(folder)
    model = train.Clip(len(tokenizer.vocab))
    raw = open(f"{folder}/model.safetensors", "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + n])
    names = {id(v): k for k, v in model.state_dict(keep_vars=True).items()}
    theirs = train.hf_tensors(model)
    state = model.state_dict()
    by_storage = {v.data_ptr(): k for k, v in state.items()}
    for name, tensor in theirs.items():
        a, b = header[name]["data_offsets"]
        value = np.frombuffer(raw[8 + n + a:8 + n + b], np.float16).astype(np.float32)
        ours = by_storage[tensor.data_ptr()]
        state[ours].copy_(torch.from_numpy(value).view(state[ours].shape))
    del names
    return model.eval(), tokenizer


def gallery(n):
    out, seen = [], set()
    for combination in combinations():
        text = caption(combination)
        if is_held_out(combination) and text not in seen:
            seen.add(text)
            out.append(combination)
    return out[::max(1, len(out) // n)][:n] if len(out) >= 2 * n else out[:n]


def recall(model, tokenizer, combos, texts, seed=10_000):
    pictures = [Image.fromarray(to_array(render(c, seed, 360, 0.4))).resize((train.SIDE, train.SIDE), Image.BICUBIC)
                for c in combos]
    with torch.no_grad():
        image = torch.nn.functional.normalize(model.images(train.normalise(np.stack([np.asarray(p) for p in pictures]))), dim=1)
        text = torch.nn.functional.normalize(model.texts(*train.encode_texts(tokenizer, texts)), dim=1)
    order = (text @ image.t()).argsort(1, descending=True)
    hit = order == torch.arange(len(combos))[:, None]
    return hit[:, 0].float().mean().item(), hit[:, :5].any(1).float().mean().item(), order


if __name__ == "__main__":
    torch.set_num_threads(1)
    model, tokenizer = load(sys.argv[1] if len(sys.argv) > 1 else "model")
    combos = gallery(200)
    for name, texts in (("English", [caption(c) for c in combos]), ("Chinese", [caption_zh(c) for c in combos])):
        at1, at5, order = recall(model, tokenizer, combos, texts)
        print(f"{name}: recall@1 {at1:.3f}, recall@5 {at5:.3f} over {len(combos)} held-out products")
        for i in range(len(combos)):
            if order[i, 0] != i and "-v" in sys.argv:
                print("  ", texts[i], "->", caption(combos[order[i, 0]]))
