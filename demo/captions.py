"""What a shopper types for a product: words in many orders, some left out, some in Chinese.

sample() returns the text and which attributes it names, so that training knows that "red shoes" is right for every red
shoe in the batch and not only for the one it was written for.
"""
from products import COLOURS, MATERIALS, PATTERNS, TYPES

KIND, COLOUR, PATTERN, MATERIAL = 1, 2, 4, 8
ALL = KIND | COLOUR | PATTERN | MATERIAL
SUBSETS = [(ALL, 46), (KIND | COLOUR, 24), (KIND | COLOUR | MATERIAL, 8), (KIND | COLOUR | PATTERN, 8), (KIND, 5),
           (KIND | PATTERN, 4), (KIND | MATERIAL, 4), (COLOUR, 1), (PATTERN, 1), (MATERIAL, 1)]
NOUNS = {"striped": "stripes", "dotted": "polka dots", "checked": "checks", "floral": "flowers"}


def english(combination, named, rng):
    kind, colour, pattern, material = combination
    colour_word = rng.choice(COLOURS[colour][1]) if named & COLOUR else ""
    material_word = rng.choice(MATERIALS[material][0]) if named & MATERIAL else ""
    kind_word = rng.choice(TYPES[kind][3]) if named & KIND else ""
    pattern_word = ""
    if named & PATTERN and (pattern != "plain" or rng.random() < 0.25 or named == PATTERN):
        pattern_word = rng.choice(PATTERNS[pattern][0])
    form = rng.random()
    if form < 0.12 and kind_word and colour_word:
        text = f"{pattern_word} {material_word} {kind_word} in {colour_word}"
    elif form < 0.20 and kind_word and pattern_word and pattern in NOUNS:
        text = f"{colour_word} {material_word} {kind_word} with {NOUNS[pattern]}"
    elif form < 0.28:
        words = [w for w in (colour_word, pattern_word, material_word, kind_word) if w]
        rng.shuffle(words)
        text = rng.choice([" ", ", "]).join(words)
    elif form < 0.36 and material_word:
        text = f"{material_word} {colour_word} {pattern_word} {kind_word}"
    else:
        text = f"{colour_word} {pattern_word} {material_word} {kind_word}"
    before = rng.choice(["", "", "", "", "a ", "a photo of a ", "a photo of ", "new ", "buy ", "my ", "the "])
    return (before + " ".join(text.split())).strip()


def chinese(combination, named, rng):
    kind, colour, pattern, material = combination
    colour_word = rng.choice(COLOURS[colour][2]) if named & COLOUR else ""
    if colour_word and rng.random() < 0.15:
        colour_word += "的"
    pattern_word = ""
    if named & PATTERN and (pattern != "plain" or rng.random() < 0.2 or named == PATTERN):
        pattern_word = PATTERNS[pattern][1][0]
    material_word = MATERIALS[material][1][0] if named & MATERIAL else ""
    kind_word = TYPES[kind][4][0] if named & KIND else ""
    words = [colour_word, pattern_word, material_word, kind_word]
    return rng.choice(["", "", "", " "]).join(w for w in words if w)


def sample(combination, rng):
    named = rng.choices([s for s, _ in SUBSETS], [w for _, w in SUBSETS])[0]
    if combination[3] == "plastic":
        named &= ~MATERIAL
    text = chinese(combination, named, rng) if rng.random() < 0.22 else english(combination, named, rng)
    return (text or "product"), (named if text else 0)
