"""Render the demo shop: python3 make_catalogue.py  ->  catalogue/images/*.jpg, products.csv, heldout.csv

All held-out combinations with distinct captions are in it, and a shop's everyday goods besides. Prices, dates and SKUs
come from a seed.
"""
import csv
import datetime
import pathlib
import random

from PIL import Image

from products import TYPES, caption, caption_zh, combinations, is_held_out
from render import render, to_array

SIDE, QUALITY = 320, 80
BASE_PRICE = {"tops": 25, "dresses": 60, "bottoms": 40, "outerwear": 110, "footwear": 70, "bags": 55, "accessories": 18}
EVERYDAY = [("sneakers", "red", "plain", "canvas"), ("sneakers", "red", "plain", "leather"), ("sneakers", "white", "plain", "leather"),
            ("sneakers", "blue", "plain", "canvas"), ("sneakers", "black", "plain", "canvas"), ("boots", "brown", "plain", "leather"),
            ("boots", "black", "plain", "leather"), ("handbag", "black", "plain", "leather"), ("backpack", "black", "plain", "leather"),
            ("tote", "black", "plain", "leather"), ("dress", "blue", "plain", "cotton"), ("dress", "blue", "floral", "cotton"),
            ("dress", "red", "dotted", "cotton"), ("shirt", "blue", "striped", "cotton"), ("shirt", "white", "plain", "cotton"),
            ("t-shirt", "red", "striped", "cotton"), ("t-shirt", "black", "plain", "cotton"), ("jacket", "black", "plain", "leather"),
            ("trousers", "navy", "plain", "wool"), ("scarf", "red", "checked", "wool"), ("sunglasses", "black", "plain", "plastic"),
            ("watch", "brown", "plain", "leather"), ("tie", "navy", "dotted", "cotton"), ("cap", "red", "plain", "cotton")]


def main():
    rng = random.Random(7)
    here = pathlib.Path(__file__).parent / "catalogue"
    (here / "images").mkdir(parents=True, exist_ok=True)
    seen, held = set(), []
    for combination in combinations():
        if is_held_out(combination) and caption(combination) not in seen:
            seen.add(caption(combination))
            held.append(combination)
    goods = held + [c for c in EVERYDAY if c not in held] + [c for c in EVERYDAY if c in held]
    products = []
    for i, combination in enumerate(goods):
        products.append((f"images/{i + 1:04d}.jpg", combination))
        surface = render(combination, 20_000 + i, SIDE, 0.4)
        Image.fromarray(to_array(surface)).save(here / products[-1][0], quality=QUALITY, optimize=True)
    with open(here / "products.csv", "w", newline="", encoding="utf-8") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow("path,title,category,type,colour,pattern,material,price,sku,date,title_zh".split(","))
        for i, (path, c) in enumerate(products):
            kind, colour, pattern, material = c
            category = TYPES[kind][0]
            factor = {"leather": 1.8, "wool": 1.4}.get(material, 1)
            price = round(BASE_PRICE[category] * factor * rng.uniform(0.7, 1.6)) - 0.1
            day = datetime.date(2023, 1, 1) + datetime.timedelta(days=rng.randrange(700))
            sku = f"{kind[:2].upper()}-{colour[:2].upper()}{i + 1:04d}"
            rows.writerow([path, caption(c).capitalize(), category, kind, colour, pattern, material, f"{price:.2f}", sku,
                           day.isoformat(), caption_zh(c)])
    step = len(held) / 200
    with open(here / "heldout.csv", "w", newline="", encoding="utf-8") as f:
        rows = csv.writer(f, lineterminator="\n")
        rows.writerow(["path", "caption"])
        for k in range(200):
            path, c = products[int(k * step)]
            rows.writerow([path, caption(c)])
    print(len(products), "products,", len(held), "held out")


if __name__ == "__main__":
    main()
