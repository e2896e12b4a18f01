"""Pictures for tests/hosted: paint.py FOLDER N EXTRA. PNGs of one colour that name it in a text chunk; see inference.py.

EXTRA gets one that the server can be told to refuse, and two that must not be sent as they are: with alpha, too large.
"""
import pathlib
import struct
import sys
import zlib

COLOURS = {"red": (220, 20, 30), "green": (20, 190, 40), "blue": (30, 40, 220), "poison": (1, 2, 3)}


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(colour, side, alpha=False):
    row = b"\0" + bytes(COLOURS[colour] + ((255,) if alpha else ())) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 6 if alpha else 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"tEXt", b"Comment\0colour=" + colour.encode())
            + chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b""))


folder, extra = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[3])
folder.mkdir()
extra.mkdir()
for i in range(int(sys.argv[2])):
    colour = ["red", "green", "blue"][i % 3]
    (folder / f"{i:03}-{colour}.png").write_bytes(png(colour, 20 + i))
(extra / "poison.png").write_bytes(png("poison", 30))
(extra / "alpha.png").write_bytes(png("red", 30, alpha=True))
(extra / "large.png").write_bytes(png("red", 2100))
