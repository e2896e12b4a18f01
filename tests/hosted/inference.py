"""A server that speaks Roboflow Inference's CLIP API for one test, and misbehaves on demand.

    inference.py PORT_FILE LOG [CERTIFICATE]     two ports in PORT_FILE: the server, and another host that nobody should ask

A picture's vector comes from the colour that it names in a text chunk, a text's from the one among its words, so that "red" is near to red pictures. Behaviour
is set with POST /behave {"mode": "...", "times": n, ...} and holds for the next n requests (-1: until it is set again).
Every request is a line of LOG: port, path, inputs, status; what is amiss in a request is a line "BAD ...".
"""
import base64
import http.server
import json
import math
import pathlib
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

PORT_FILE, LOG = sys.argv[1], sys.argv[2]
CERTIFICATE = sys.argv[3] if len(sys.argv) > 3 else None
KEY = "rf_S3cret+Key/0123456789=="
DIMS = {"ViT-B-16": 512, "ViT-B-32": 512, "ViT-L-14": 768}
lock = threading.Lock()
behaviour = {"mode": "fine", "times": -1}
state = {"active": 0, "most": 0}


def note(line):
    with lock, open(LOG, "a", encoding="utf-8") as log:
        log.write(line + "\n")


def spread(rgb, dim):
    """A direction for a colour: most of it in the first three floats, a little everywhere. Not of unit length."""
    mean = sum(rgb) / 3
    head = [(c - mean) / 64 for c in rgb]
    return [7 * v for v in head + [0.01 * math.cos(i + sum(head)) for i in range(dim - 3)]]


def colour_of_picture(data):
    """The colour that the picture names: the tests paint PNGs that say theirs in a text chunk; nothing is decoded here."""
    for name, rgb in COLOURS.items():
        if b"colour=" + name.encode() in data:
            return rgb
    digest = sum(data) % 251
    return (digest, (digest * 7) % 251, (digest * 31) % 251)


COLOURS = {"red": (220, 20, 30), "green": (20, 190, 40), "blue": (30, 40, 220)}


def colour_of_text(text):
    for name, rgb in COLOURS.items():
        if name in text:
            return rgb
    n = sum(text.encode())
    return (n % 97, n % 89, n % 83)


def is_picture(data):
    if data[:3] == b"\xff\xd8\xff":
        return b"Exif" not in data[:64]
    return data[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">I", data[16:20])[0] <= 2048


class Inference(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        return status

    def do_GET(self):
        self.say(200, {"most_at_a_time": state["most"]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path, _, query = self.path.partition("?")
        if path == "/behave":
            with lock:
                behaviour.clear()
                behaviour.update({"times": -1}, **json.loads(body))
                state["most"] = 0
            self.say(200, {})
            return
        with lock:
            state["active"] += 1
            state["most"] = max(state["most"], state["active"])
            mode = dict(behaviour)
            if behaviour["times"] > 0:
                behaviour["times"] -= 1
            if mode["times"] == 0:
                mode = {"mode": "fine"}
        try:
            asked = json.loads(body)
            inputs = asked.get("image" if path.endswith("/clip/embed_image") else "text")
            inputs = inputs if isinstance(inputs, list) else [inputs]
            status = self.answer(path, query, asked, inputs, mode)
            note(f"{self.server.server_port} {path} {len(inputs)} {status} {time.monotonic():.3f}")
        finally:
            with lock:
                state["active"] -= 1

    def answer(self, path, query, asked, inputs, mode):
        key = urllib.parse.parse_qs(query).get("api_key", [None])[0]
        if path not in ("/clip/embed_image", "/clip/embed_text", "/behind/clip/embed_text") or len(inputs) > 8:
            note(f"BAD {self.path.partition('?')[0]} with {len(inputs)}")
            return self.say(404, {"detail": "Not Found"})
        if (key not in (KEY, None) and mode["mode"] != "needs key") or set(asked) != {"clip_version_id", "image" if path.endswith("image") else "text"}:
            note(f"BAD key or members {sorted(asked)}")
        name = mode["mode"]
        if name == "needs key" and key != KEY:
            return self.say(401, {"message": "Unauthorized api_key"})
        if name == "status":
            headers = {"Retry_After": str(mode["retry_after"])} if "retry_after" in mode else {}
            return self.say(mode["status"], mode.get("body", {"message": "as you wish"}), **headers)
        if name == "echo":
            return self.say(mode["status"], {"message": f"what is {key}, {urllib.parse.quote(key, safe='')},"
                                             f" {urllib.parse.quote(key, safe='').lower()}?\x1b[31m\n" + "x" * 5000})
        if name == "echo text":
            return self.say(mode["status"], f"no\x07 {self.path} is good".encode())
        if name == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return 0
        if name == "half":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b'{"embeddings": [[0.5,')
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return 200
        if name == "slow":
            time.sleep(mode["seconds"])
        if name == "redirect":
            return self.say(307, b"", Location=f"http://localhost:{other.server_port}{self.path}")
        if name == "context" and path.endswith("text") and any(len(one.split()) > 75 for one in inputs):
            # a plain refusal, or what CLIP's tokenizer becomes on the way out of Roboflow's server
            return self.say(mode["status"], {"message": "Internal error." if mode["status"] == 500 else "too long for context length 77"})
        if name == "huge":
            return self.huge(mode.get("chunked", False))
        return self.vectors(path, asked, inputs, mode)

    def huge(self, chunked):
        self.send_response(200)
        n = 200 << 20
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(n))))
        self.end_headers()
        sent = 0
        try:
            for _ in range(n >> 16):
                piece = b"1," * 32768
                self.wfile.write(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
                sent += len(piece)
        except OSError:
            pass
        note(f"HUGE {sent}")
        self.close_connection = True
        return 200

    def vectors(self, path, asked, inputs, mode):
        dim = DIMS.get(asked["clip_version_id"])
        if dim is None:
            return self.say(404, {"message": "no such model"})
        out = []
        for one in inputs:
            if path.endswith("text"):
                out.append(spread(colour_of_text(one), dim))
                continue
            if one["type"] != "base64":
                note("BAD type")
            data = base64.b64decode(one["value"], validate=True)
            if not is_picture(data):
                note(f"BAD picture {data[:64]!r}")
            if mode["mode"] == "refuses" and b"colour=poison" in data:
                return self.say(400, {"message": "Could not load input image."})
            out.append(spread(colour_of_picture(data), dim))
        name = mode["mode"]
        if name == "wrong count":
            out = out[:-1] if mode.get("fewer") else out + out[:1]
        if name == "wrong dim":
            out = [vector[:mode["dim"]] for vector in out]
        if name == "value":
            return self.say(200, json.dumps({"embeddings": out}).replace(repr(out[0][5]), mode["value"], 1).encode())
        if name == "zeros":
            out[-1] = [0] * dim
        if name == "raw":
            return self.say(200, mode["body"].encode())
        return self.say(200, {"time": 0.01, "embeddings": out})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_):  # a client that hangs up
        pass


server, other = Server(("127.0.0.1", 0), Inference), Server(("127.0.0.1", 0), Inference)
if CERTIFICATE:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=other.serve_forever, daemon=True).start()
pathlib.Path(PORT_FILE + ".new").write_text(f"{server.server_port} {other.server_port}\n")
pathlib.Path(PORT_FILE + ".new").rename(PORT_FILE)
server.serve_forever()
