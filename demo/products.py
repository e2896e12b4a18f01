"""What the demo shop sells: types, colours, patterns and materials, and how people call them.

A product is a combination (type, colour, pattern, material). HELD_OUT combinations are chosen by a hash and never
shown to the model in training, so that finding them tests whether it learnt the parts.
"""
import hashlib

# type: (category, materials it comes in, takes a pattern?, English names, Chinese names)
TYPES = {
    "t-shirt": ("tops", ["cotton"], True, ["t-shirt", "tee"], ["T恤"]),
    "shirt": ("tops", ["cotton", "denim"], True, ["shirt", "button-up shirt"], ["衬衫"]),
    "sweater": ("tops", ["wool", "cotton"], True, ["sweater", "jumper", "pullover"], ["毛衣"]),
    "hoodie": ("tops", ["cotton"], True, ["hoodie", "hooded sweatshirt"], ["连帽衫"]),
    "dress": ("dresses", ["cotton", "denim"], True, ["dress", "gown"], ["连衣裙"]),
    "skirt": ("bottoms", ["cotton", "denim", "leather"], True, ["skirt"], ["半身裙"]),
    "trousers": ("bottoms", ["cotton", "wool", "leather"], True, ["trousers", "pants"], ["长裤"]),
    "shorts": ("bottoms", ["cotton", "denim"], True, ["shorts"], ["短裤"]),
    "jacket": ("outerwear", ["leather", "denim", "cotton"], False, ["jacket"], ["夹克"]),
    "coat": ("outerwear", ["wool", "cotton", "leather"], True, ["coat", "overcoat"], ["大衣"]),
    "sneakers": ("footwear", ["canvas", "leather"], False, ["sneakers", "trainers", "running shoes"], ["运动鞋"]),
    "boots": ("footwear", ["leather", "canvas"], False, ["boots", "ankle boots"], ["靴子"]),
    "sandals": ("footwear", ["leather", "canvas"], False, ["sandals"], ["凉鞋"]),
    "heels": ("footwear", ["leather", "canvas"], False, ["heels", "high heels"], ["高跟鞋"]),
    "loafers": ("footwear", ["leather", "canvas"], False, ["loafers", "slip-on shoes"], ["乐福鞋"]),
    "backpack": ("bags", ["canvas", "leather", "denim"], True, ["backpack", "rucksack"], ["双肩包"]),
    "handbag": ("bags", ["leather", "canvas"], True, ["handbag", "purse"], ["手提包"]),
    "tote": ("bags", ["canvas", "cotton", "leather"], True, ["tote bag", "shopping bag"], ["托特包"]),
    "cap": ("accessories", ["cotton", "denim", "leather"], True, ["cap", "baseball cap"], ["棒球帽"]),
    "hat": ("accessories", ["wool", "canvas", "leather"], False, ["hat", "brimmed hat"], ["帽子"]),
    "scarf": ("accessories", ["wool", "cotton"], True, ["scarf"], ["围巾"]),
    "belt": ("accessories", ["leather", "canvas"], False, ["belt"], ["皮带"]),
    "sunglasses": ("accessories", ["plastic"], False, ["sunglasses", "shades"], ["太阳镜"]),
    "watch": ("accessories", ["leather", "canvas"], False, ["watch", "wristwatch"], ["手表"]),
    "tie": ("accessories", ["cotton", "wool"], True, ["tie", "necktie"], ["领带"]),
    "socks": ("accessories", ["cotton", "wool"], True, ["socks"], ["袜子"]),
}

COLOURS = {
    "red": ((0.82, 0.11, 0.13), ["red"], ["红色"]),
    "blue": ((0.13, 0.36, 0.83), ["blue"], ["蓝色"]),
    "green": ((0.13, 0.56, 0.26), ["green"], ["绿色"]),
    "yellow": ((0.97, 0.81, 0.16), ["yellow"], ["黄色"]),
    "black": ((0.11, 0.11, 0.12), ["black"], ["黑色"]),
    "white": ((0.96, 0.96, 0.95), ["white"], ["白色"]),
    "orange": ((0.96, 0.52, 0.10), ["orange"], ["橙色"]),
    "purple": ((0.48, 0.20, 0.64), ["purple", "violet"], ["紫色"]),
    "pink": ((0.97, 0.55, 0.71), ["pink"], ["粉色"]),
    "brown": ((0.43, 0.26, 0.14), ["brown"], ["棕色"]),
    "gray": ((0.55, 0.56, 0.58), ["gray", "grey"], ["灰色"]),
    "navy": ((0.09, 0.13, 0.32), ["navy", "navy blue"], ["深蓝色"]),
    "beige": ((0.87, 0.78, 0.62), ["beige", "cream"], ["米色"]),
}

PATTERNS = {
    "plain": (["plain", "solid"], ["纯色"]),
    "striped": (["striped", "stripy"], ["条纹"]),
    "dotted": (["dotted", "polka dot"], ["波点"]),
    "checked": (["checked", "plaid"], ["格子"]),
    "floral": (["floral", "flowery"], ["碎花"]),
}

MATERIALS = {
    "cotton": (["cotton"], ["棉"]),
    "wool": (["wool", "woollen", "knitted"], ["羊毛"]),
    "leather": (["leather"], ["真皮"]),
    "canvas": (["canvas"], ["帆布"]),
    "denim": (["denim"], ["牛仔"]),
    "plastic": ([""], [""]),
}


def combinations():
    """Every product there is, in a fixed order."""
    out = []
    for kind, (_, materials, patterned, _, _) in TYPES.items():
        for colour in COLOURS:
            for material in materials:
                plain_only = not patterned or material in ("leather", "denim")
                for pattern in ["plain"] if plain_only else PATTERNS:
                    out.append((kind, colour, pattern, material))
    return out


def is_held_out(combination):
    """About one in six, by a hash of the names: never shown in training."""
    digest = hashlib.sha256("/".join(combination).encode()).digest()
    return digest[0] < 43


def caption(combination, number=0):
    """The full English description; number chooses among synonyms."""
    kind, colour, pattern, material = combination
    words = [COLOURS[colour][1][number % len(COLOURS[colour][1])]]
    if pattern != "plain":
        words.append(PATTERNS[pattern][0][number % 2])
    names = MATERIALS[material][0]
    words.append(names[number % len(names)])
    words.append(TYPES[kind][3][number % len(TYPES[kind][3])])
    return " ".join(word for word in words if word)


def caption_zh(combination):
    kind, colour, pattern, material = combination
    return (COLOURS[colour][2][0] + (PATTERNS[pattern][1][0] if pattern != "plain" else "")
            + MATERIALS[material][1][0] + TYPES[kind][4][0])
