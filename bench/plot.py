#!/usr/bin/env python3
"""Draw recall against speed from what ann.py wrote.

    plot.py ann.tsv ROWS image|text OUT.svg

One line a library and configuration, up and to the right is better; the axes are recall@10 and queries a second of one thread, in logarithms. Of a setting
that was measured more than once the last counts; one that another of the same library beats in both is left out. The picture follows the
reader's choice of light or dark.
"""
import collections
import math
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 64, 250, 40, 46
# Told apart by those who see no red or no green, on white and on black (Okabe, Ito 2008).
COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c00", "#999999"]
FIRST = ["pennon", "hnswlib", "usearch"]  # have the same colour in every picture
LEAST_RECALL = 0.6
STYLE = """text { font: 12px sans-serif; fill: #222; } .grid { stroke: #ddd; } .line { fill: none; stroke-width: 2; }
.ours { stroke-width: 3.5; } @media (prefers-color-scheme: dark) { text { fill: #ddd; } .grid { stroke: #444; } }"""


def read(path, rows, kind):
    curves = collections.defaultdict(dict)
    with open(path, encoding="utf-8") as file:
        for line in file:
            cells = line.rstrip("\n").split("\t")
            if len(cells) >= 9 and cells[1] == rows and cells[3] == kind and float(cells[4]) >= LEAST_RECALL:
                curves[cells[0]][cells[2]] = (float(cells[4]), float(cells[5]))
    return {peer: frontier(points.values()) for peer, points in curves.items()}


def frontier(points):
    kept = []
    for recall, speed in sorted(points, reverse=True):
        if not kept or speed > kept[-1][1]:
            kept.append((recall, speed))
    return kept[::-1]


def ticks(low, high):
    """1, 2, 5, 10, ... between."""
    at = 10 ** math.floor(math.log10(low))
    while at <= high:
        for step in (1, 2, 5):
            if low <= at * step <= high:
                yield at * step
        at *= 10


def draw(curves, title):
    speeds = [q for points in curves.values() for _, q in points]
    low, high = min(speeds) / 1.2, max(speeds) * 1.2
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(recall):
        return LEFT + (recall - LEAST_RECALL) / (1 - LEAST_RECALL) * (right - LEFT)

    def y(speed):
        return bottom - math.log(speed / low) / math.log(high / low) * (bottom - TOP)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
           f"<style>{STYLE}</style>", f'<text x="{LEFT}" y="22" font-weight="bold">{escape(title)}</text>']
    for i in range(5):
        recall = LEAST_RECALL + i * (1 - LEAST_RECALL) / 4
        out.append(f'<path class="grid" d="M{x(recall):.1f} {TOP}V{bottom}"/>')
        out.append(f'<text x="{x(recall):.1f}" y="{bottom + 18}" text-anchor="middle">{recall:.1f}</text>')
    for speed in ticks(low, high):
        out.append(f'<path class="grid" d="M{LEFT} {y(speed):.1f}H{right}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y(speed) + 4:.1f}" text-anchor="end">{speed:,.0f}</text>')
    out.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">recall@10; upwards queries a second of one thread</text>')
    others = sorted(peer for peer in curves if peer.split()[0] not in FIRST)
    ranks = {peer: FIRST.index(peer.split()[0]) if peer not in others else len(FIRST) + others.index(peer) for peer in curves}
    for i, (peer, points) in enumerate(sorted(curves.items(), key=lambda curve: ranks[curve[0]])):
        colour = COLOURS[ranks[peer] % len(COLOURS)]
        path = "L".join(f"{x(r):.1f} {y(q):.1f}" for r, q in points)
        out.append(f'<path class="line{" ours" if peer == "pennon" else ""}" stroke="{colour}" d="M{path}"/>')
        out += [f'<circle cx="{x(r):.1f}" cy="{y(q):.1f}" r="3.5" fill="{colour}"/>' for r, q in points]
        out.append(f'<circle cx="{right + 20}" cy="{TOP + 8 + 20 * i}" r="5" fill="{colour}"/>')
        out.append(f'<text x="{right + 32}" y="{TOP + 12 + 20 * i}">{escape(peer)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    path, rows, kind, out = sys.argv[1:]
    curves = read(path, rows, kind)
    if not curves:
        sys.exit(f"{path} has nothing of {rows} rows and {kind} queries")
    asked = {"image": "pictures", "text": "texts"}[kind]
    with open(out, "w", encoding="utf-8") as file:
        file.write(draw(curves, f"{int(rows):,} vectors, {asked} asked"))


main()
