"""CLIP's byte-level BPE, small enough to train on the captions of one shop.

Format and rules are CLIP's (vocab.json + merges.txt; 256 byte symbols, the same 256 with </w>, one per merge, two
special tokens), so that any CLIP tokenizer reads it. Only the merges are our own.
"""
import json
import re
from collections import Counter
from functools import lru_cache

# The letters \p{L}, single digits, the rest: as CLIP splits, for the characters that captions have.
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+")
START, END = "<|startoftext|>", "<|endoftext|>"


def byte_symbols():
    """Byte -> printable symbol, in the order of the vocabulary (GPT-2's table)."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(rest)}}


SYMBOLS = byte_symbols()


def pieces(text):
    return SPLIT.findall(" ".join(text.split()).lower())


def spell(piece):
    symbols = [SYMBOLS[b] for b in piece.encode()]
    return tuple(symbols[:-1] + [symbols[-1] + "</w>"])


def merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def train(texts, n_merges):
    words = Counter(spell(p) for text in texts for p in pieces(text))
    merges = []
    while len(merges) < n_merges:
        pairs = Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        merged = Counter()
        for word, n in words.items():
            merged[merge(word, best)] += n
        words = merged
    return merges


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.rank = {pair: i for i, pair in enumerate(merges)}
        tokens = list(SYMBOLS.values())
        tokens += [t + "</w>" for t in tokens] + ["".join(m) for m in merges] + [START, END]
        self.vocab = {t: i for i, t in enumerate(tokens)}
        assert len(self.vocab) == len(tokens)
        self.spell_ids = lru_cache(None)(self._spell_ids)

    def _spell_ids(self, piece):
        word = spell(piece)
        while len(word) > 1:
            pair = min(zip(word, word[1:]), key=lambda p: self.rank.get(p, 1 << 30))
            if pair not in self.rank:
                break
            word = merge(word, pair)
        return [self.vocab[t] for t in word]

    def encode(self, text, context):
        ids = [self.vocab[START]] + [i for p in pieces(text) for i in self.spell_ids(p)]
        return ids[:context - 1] + [self.vocab[END]]

    def save(self, folder):
        with open(f"{folder}/vocab.json", "w", encoding="utf-8") as f:
            json.dump(self.vocab, f, ensure_ascii=True, separators=(",", ":"))
        with open(f"{folder}/merges.txt", "w", encoding="utf-8") as f:
            f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges))

    @classmethod
    def load(cls, folder):
        with open(f"{folder}/merges.txt", encoding="utf-8") as f:
            return cls([tuple(line.rstrip("\n").split(" ")) for line in f.readlines()[1:]])
