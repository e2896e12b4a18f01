#!/usr/bin/env python3
"""The model that bench_embed --write made, as two ONNX graphs for ONNX Runtime.

embed_onnx.py DIR reads DIR/model.safetensors (Hugging Face names, F32) and writes DIR/image.onnx and DIR/text.onnx with the
fused operators ONNX Runtime has for transformers (attention, skip layer norm, quick gelu), so that the peer runs at its
best; and DIR/image-int8.onnx and DIR/text-int8.onnx, the same with its 8-bit operators in the blocks: weights signed with
a scale for each column, rows quantised as they come. The graphs end before the division by the length. Needs numpy and onnx (Debian: python3-numpy python3-onnx)."""
import json
import struct
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MS = "com.microsoft"
HEAD_WIDTH = 64


def read_safetensors(path):
    with open(path, "rb") as file:
        raw = file.read()
    (length,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(raw[8 + length + begin:8 + length + end], "<f4")
        tensors[name] = values.reshape(entry["shape"])
    return tensors


class Graph:
    def __init__(self, weights, int8):
        self.w, self.nodes, self.constants, self.int8 = weights, [], [], int8

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def integers(self, *values):
        return self.constant(np.array(values, np.int64))

    def node(self, kind, inputs, outputs=1, domain="", **attributes):
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def quantised(self, weight):
        """[k][n] in 8 bits, and the scales [n]."""
        scale = np.abs(weight).max(axis=0) / 127
        scale[scale == 0] = 1
        values = np.rint(weight / scale).astype(np.int8)
        zero = np.zeros(len(scale), np.int8)
        return self.constant(values), self.constant(scale.astype(np.float32)), self.constant(zero)

    def linear(self, x, stem):
        if self.int8:
            inputs = [x, *self.quantised(self.w[stem + ".weight"].T), self.constant(self.w[stem + ".bias"])]
            return self.node("DynamicQuantizeMatMul", inputs, domain=MS)
        product = self.node("MatMul", [x, self.constant(self.w[stem + ".weight"].T)])
        return self.node("Add", [product, self.constant(self.w[stem + ".bias"])])

    def norm(self, x, stem):
        scale, shift = self.constant(self.w[stem + ".weight"]), self.constant(self.w[stem + ".bias"])
        return self.node("LayerNormalization", [x, scale, shift], axis=-1, epsilon=1e-5)

    def add_norm(self, x, y, stem):
        """x + y, and its norm."""
        scale, shift = self.constant(self.w[stem + ".weight"]), self.constant(self.w[stem + ".bias"])
        out = self.node("SkipLayerNormalization", [x, y, scale, shift], 4, MS, epsilon=1e-5)
        return out[3], out[0]

    def attention(self, normed, weight, bias, causal):
        settings = {"num_heads": weight.shape[0] // HEAD_WIDTH, "unidirectional": int(causal)}
        if not self.int8:
            return self.node("Attention", [normed, self.constant(weight), self.constant(bias)], domain=MS, **settings)
        values, scale, zero = self.node("DynamicQuantizeLinear", [normed], 3)
        w, w_scale, w_zero = self.quantised(weight)
        inputs = [values, w, self.constant(bias), scale, w_scale, "", zero, w_zero]
        return self.node("QAttention", inputs, domain=MS, **settings)

    def blocks(self, x, part, causal):
        pending = None
        layer = 0
        while f"{part}.encoder.layers.{layer}.layer_norm1.weight" in self.w:
            stem = f"{part}.encoder.layers.{layer}"
            if pending is None:
                normed = self.norm(x, stem + ".layer_norm1")
            else:
                x, normed = self.add_norm(x, pending, stem + ".layer_norm1")
            parts = [f"{stem}.self_attn.{letter}_proj" for letter in "qkv"]
            weight = np.concatenate([self.w[p + ".weight"] for p in parts]).T
            bias = np.concatenate([self.w[p + ".bias"] for p in parts])
            seen = self.attention(normed, weight, bias, causal)
            x, normed = self.add_norm(x, self.linear(seen, stem + ".self_attn.out_proj"), stem + ".layer_norm2")
            hidden = self.node("QuickGelu", [self.linear(normed, stem + ".mlp.fc1")], domain=MS, alpha=1.702)
            pending = self.linear(hidden, stem + ".mlp.fc2")
            layer += 1
        return self.node("Add", [x, pending])

    def save(self, result, graph_input, path):
        self.nodes.append(helper.make_node("Identity", [result], ["y"]))
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [graph_input], [output], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)])
        model.ir_version = 8
        onnx.save(model, path)


def image_graph(weights, path, int8):
    g = Graph(weights, int8)
    kernel = weights["vision_model.embeddings.patch_embedding.weight"]
    width, patch = kernel.shape[0], kernel.shape[2]
    position = weights["vision_model.embeddings.position_embedding.weight"]
    x = g.node("Conv", ["x", g.constant(kernel)], kernel_shape=[patch, patch], strides=[patch, patch])
    x = g.node("Reshape", [x, g.integers(0, width, len(position) - 1)])
    x = g.node("Transpose", [x], perm=[0, 2, 1])
    batch = g.node("Shape", ["x"], start=0, end=1)
    shape = g.node("Concat", [batch, g.integers(1, width)], axis=0)
    first = weights["vision_model.embeddings.class_embedding"].reshape(1, 1, width)
    x = g.node("Concat", [g.node("Expand", [g.constant(first), shape]), x], axis=1)
    x = g.norm(g.node("Add", [x, g.constant(position)]), "vision_model.pre_layrnorm")
    x = g.blocks(x, "vision_model", causal=False)
    x = g.node("Gather", [x, g.constant(np.array(0, np.int64))], axis=1)
    x = g.norm(x, "vision_model.post_layernorm")
    x = g.node("MatMul", [x, g.constant(weights["visual_projection.weight"].T)])
    g.save(x, helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 224, 224]), path)


def text_graph(weights, path, int8):
    g = Graph(weights, int8)
    tokens = g.constant(weights["text_model.embeddings.token_embedding.weight"])
    places = g.constant(weights["text_model.embeddings.position_embedding.weight"])
    length = g.node("Shape", ["t"], start=1, end=2)
    place = g.node("Slice", [places, g.integers(0), length, g.integers(0)])
    x = g.node("Add", [g.node("Gather", [tokens, "t"], axis=0), place])
    x = g.blocks(x, "text_model", causal=True)
    x = g.node("GatherND", [x, g.node("ArgMax", ["t"], axis=1, keepdims=1)], batch_dims=1)
    x = g.norm(x, "text_model.final_layer_norm")
    x = g.node("MatMul", [x, g.constant(weights["text_projection.weight"].T)])
    g.save(x, helper.make_tensor_value_info("t", TensorProto.INT64, ["b", "l"]), path)


def main():
    folder = sys.argv[1]
    weights = read_safetensors(folder + "/model.safetensors")
    for suffix, int8 in (("", False), ("-int8", True)):
        image_graph(weights, f"{folder}/image{suffix}.onnx", int8)
        text_graph(weights, f"{folder}/text{suffix}.onnx", int8)


main()
