#!/usr/bin/env python3
"""Models of the other families at their published sizes, of random weights: only shapes decide the speed.

    bench/random_family.py FAMILY DIR

FAMILY is tinyclip (ViT-61M/32, text 29M), chinese (Chinese-CLIP ViT-B/16), siglip (base, patch 16, 224) or rn50 (OpenAI's ResNet-50). bench_embed
--write makes OpenAI's ViTs. Vocabularies are of the right size and of words that nobody says.
"""
import json
import pathlib
import struct
import sys

import numpy as np

rng = np.random.default_rng(1)
START, END, VOCABULARY = "<|startoftext|>", "<|endoftext|>", 49408


class Tensors(dict):
    def matrix(self, name, n, k, scale=1.0):
        self[name + ".weight"] = rng.standard_normal((n, k), np.float32) * np.float32(scale * k ** -0.5)
        self[name + ".bias"] = rng.standard_normal(n, np.float32) * np.float32(0.05)

    def norm(self, name, n):
        self[name + ".weight"] = 1 + rng.standard_normal(n, np.float32) * np.float32(0.1)
        self[name + ".bias"] = rng.standard_normal(n, np.float32) * np.float32(0.05)

    def values(self, name, shape, scale):
        self[name] = rng.standard_normal(shape, np.float32) * np.float32(scale)

    def write(self, path):
        self["logit_scale"] = np.array([4.6], np.float32)
        head, at = {}, 0
        for name, value in self.items():
            head[name] = {"dtype": "F32", "shape": value.shape, "data_offsets": [at, at + value.nbytes]}
            at += value.nbytes
        head = json.dumps(head).encode()
        head += b" " * (-len(head) % 8)
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(head)) + head)
            for value in self.values_in_order():
                file.write(np.ascontiguousarray(value).tobytes())

    def values_in_order(self):
        return dict.values(self)


def hf_blocks(w, part, width, layers, mlp):
    for i in range(layers):
        p = f"{part}.encoder.layers.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            w.matrix(f"{p}.self_attn.{name}", width, width)
        w.norm(f"{p}.layer_norm1", width)
        w.norm(f"{p}.layer_norm2", width)
        w.matrix(f"{p}.mlp.fc1", mlp, width)
        w.matrix(f"{p}.mlp.fc2", width, mlp)


def clip_vision(w, width, layers, patch, dim):
    p = "vision_model"
    w.values(f"{p}.embeddings.patch_embedding.weight", (width, 3, patch, patch), (3 * patch * patch) ** -0.5)
    w.values(f"{p}.embeddings.class_embedding", width, 0.5)
    w.values(f"{p}.embeddings.position_embedding.weight", ((224 // patch) ** 2 + 1, width), 0.2)
    w.norm(f"{p}.pre_layrnorm", width)
    hf_blocks(w, p, width, layers, 4 * width)
    w.norm(f"{p}.post_layernorm", width)
    w.values("visual_projection.weight", (dim, width), width ** -0.5)


def byte_symbols():
    plain = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters = [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]
    return letters + [c + "</w>" for c in letters]


def byte_bpe(folder):
    words = byte_symbols()
    words += [f"t{i}" for i in range(len(words), VOCABULARY - 2)] + [START, END]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")


def tinyclip(folder):
    w = Tensors()
    clip_vision(w, 640, 12, 32, 512)
    w.values("text_model.embeddings.token_embedding.weight", (VOCABULARY, 512), 0.5)
    w.values("text_model.embeddings.position_embedding.weight", (77, 512), 0.2)
    hf_blocks(w, "text_model", 512, 9, 2048)
    w.norm("text_model.final_layer_norm", 512)
    w.values("text_projection.weight", (512, 512), 512 ** -0.5)
    byte_bpe(folder)
    tower = lambda width, layers: {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": width // 64,
                                   "hidden_act": "gelu"}
    return w, {"model_type": "clip", "projection_dim": 512, "text_config": tower(512, 9), "vision_config": {**tower(640, 12), "patch_size": 32}}


def chinese(folder):
    w, t = Tensors(), "text_model"
    clip_vision(w, 768, 12, 16, 512)
    w.values(f"{t}.embeddings.word_embeddings.weight", (21128, 768), 0.5)
    w.values(f"{t}.embeddings.position_embeddings.weight", (512, 768), 0.3)
    w.values(f"{t}.embeddings.token_type_embeddings.weight", (2, 768), 0.3)
    w.norm(f"{t}.embeddings.LayerNorm", 768)
    for i in range(12):
        p = f"{t}.encoder.layer.{i}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            w.matrix(f"{p}.{name}", 768, 768)
        w.matrix(f"{p}.intermediate.dense", 3072, 768)
        w.matrix(f"{p}.output.dense", 768, 3072)
        w.norm(f"{p}.attention.output.LayerNorm", 768)
        w.norm(f"{p}.output.LayerNorm", 768)
    w.values("text_projection.weight", (512, 768), 768 ** -0.5)
    words = ["[PAD]"] + [f"[unused{i}]" for i in range(1, 100)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join(words + [f"t{i}" for i in range(len(words), 21128)]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 52}))
    tower = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    return w, {"model_type": "chinese_clip", "projection_dim": 512,
               "text_config": {**tower, "vocab_size": 21128, "hidden_act": "gelu", "max_position_embeddings": 512, "type_vocab_size": 2,
                               "layer_norm_eps": 1e-12, "pad_token_id": 0},
               "vision_config": {**tower, "image_size": 224, "patch_size": 16, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}}


def siglip(folder):
    w, v, t = Tensors(), "vision_model", "text_model"
    w.values(f"{v}.embeddings.patch_embedding.weight", (768, 3, 16, 16), 768 ** -0.5)
    w.values(f"{v}.embeddings.patch_embedding.bias", 768, 0.05)
    w.values(f"{v}.embeddings.position_embedding.weight", (196, 768), 0.2)
    hf_blocks(w, v, 768, 12, 3072)
    w.norm(f"{v}.post_layernorm", 768)
    w.values(f"{v}.head.probe", (1, 1, 768), 0.5)
    w.values(f"{v}.head.attention.in_proj_weight", (2304, 768), 768 ** -0.5)
    w.values(f"{v}.head.attention.in_proj_bias", 2304, 0.05)
    w.matrix(f"{v}.head.attention.out_proj", 768, 768)
    w.norm(f"{v}.head.layernorm", 768)
    w.matrix(f"{v}.head.mlp.fc1", 3072, 768)
    w.matrix(f"{v}.head.mlp.fc2", 768, 3072)
    w.values(f"{t}.embeddings.token_embedding.weight", (32000, 768), 0.5)
    w.values(f"{t}.embeddings.position_embedding.weight", (64, 768), 0.2)
    hf_blocks(w, t, 768, 12, 3072)
    w.norm(f"{t}.final_layer_norm", 768)
    w.matrix(f"{t}.head", 768, 768)
    w["logit_bias"] = np.array([-10], np.float32)
    pieces = [["<pad>", 0], ["</s>", 0], ["<unk>", 0]]
    pieces += [[f"t{i}", -5.0] for i in range(len(pieces), 32000)]
    special = [{"id": i, "content": pieces[i][0], "special": True} for i in range(3)]
    (folder / "tokenizer.json").write_text(json.dumps({
        "added_tokens": special, "pre_tokenizer": {"type": "Metaspace"}, "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "SiglipTokenizer", "do_lower_case": True, "model_max_length": 64, "pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}))
    tower = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "hidden_act": "gelu_pytorch_tanh",
             "layer_norm_eps": 1e-6}
    return w, {"model_type": "siglip", "text_config": {**tower, "vocab_size": 32000, "max_position_embeddings": 64, "pad_token_id": 1},
               "vision_config": {**tower, "image_size": 224, "patch_size": 16}}


def convolution(w, name, batch_norm, n, k, side, gain=1.0):
    w.values(f"{name}.weight", (n, k, side, side), (2 / (k * side * side)) ** 0.5)
    w[f"{batch_norm}.weight"] = np.full(n, gain, np.float32)
    w.values(f"{batch_norm}.bias", n, 0.05)
    w.values(f"{batch_norm}.running_mean", n, 0.05)
    w[f"{batch_norm}.running_var"] = np.ones(n, np.float32)


def rn50(folder):
    w, layers, width = Tensors(), [3, 4, 6, 3], 64
    for i, (n, k) in enumerate([(width // 2, 3), (width // 2, width // 2), (width, width // 2)], 1):
        convolution(w, f"visual.conv{i}", f"visual.bn{i}", n, k, 3)
    inside = width
    for stage, n_blocks in enumerate(layers):
        planes = width << stage
        for block in range(n_blocks):
            p = f"visual.layer{stage + 1}.{block}"
            convolution(w, f"{p}.conv1", f"{p}.bn1", planes, inside, 1)
            convolution(w, f"{p}.conv2", f"{p}.bn2", planes, planes, 3)
            convolution(w, f"{p}.conv3", f"{p}.bn3", 4 * planes, planes, 1, 0.5)
            if block == 0:
                convolution(w, f"{p}.downsample.0", f"{p}.downsample.1", 4 * planes, inside, 1, 0.5)
            inside = 4 * planes
    w.values("visual.attnpool.positional_embedding", (50, 2048), 2048 ** -0.5)
    for name, n in (("q_proj", 2048), ("k_proj", 2048), ("v_proj", 2048), ("c_proj", 1024)):
        w.matrix(f"visual.attnpool.{name}", n, 2048)
    w.values("token_embedding.weight", (VOCABULARY, 512), 0.5)
    w.values("positional_embedding", (77, 512), 0.2)
    for i in range(12):
        p = f"transformer.resblocks.{i}"
        w.values(f"{p}.attn.in_proj_weight", (1536, 512), 512 ** -0.5)
        w.values(f"{p}.attn.in_proj_bias", 1536, 0.05)
        w.matrix(f"{p}.attn.out_proj", 512, 512)
        w.norm(f"{p}.ln_1", 512)
        w.norm(f"{p}.ln_2", 512)
        w.matrix(f"{p}.mlp.c_fc", 2048, 512)
        w.matrix(f"{p}.mlp.c_proj", 512, 2048)
    w.norm("ln_final", 512)
    w.values("text_projection", (512, 1024), 512 ** -0.5)
    byte_bpe(folder)
    return w, {"model_cfg": {"embed_dim": 1024, "quick_gelu": True,
                             "vision_cfg": {"image_size": 224, "layers": layers, "width": width, "patch_size": None},
                             "text_cfg": {"context_length": 77, "vocab_size": VOCABULARY, "width": 512, "heads": 8, "layers": 12}},
               "preprocess_cfg": {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}}


def main():
    make, folder = {"tinyclip": tinyclip, "chinese": chinese, "siglip": siglip, "rn50": rn50}[sys.argv[1]], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    weights, config = make(folder)
    is_open_clip = "model_cfg" in config
    (folder / ("open_clip_config.json" if is_open_clip else "config.json")).write_text(json.dumps(config))
    weights.write(folder / ("open_clip_model.safetensors" if is_open_clip else "model.safetensors"))


if __name__ == "__main__":
    main()
