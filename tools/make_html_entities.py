#!/usr/bin/env python3
"""Write src/clip/html_entities.inc: the named character references of HTML5, sorted, one a line."""
import html.entities
import pathlib
import sys

out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src/clip/html_entities.inc")
lines = ["/* Named character references of HTML5, sorted; made by tools/make_html_entities.py. */\n"]
for name, value in sorted(html.entities.html5.items()):
    text = "".join(f"\\x{b:02x}" for b in value.encode())
    lines.append(f'{{"{name}", "{text}"}},\n')
out.write_text("".join(lines))
