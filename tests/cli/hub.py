"""A hub for one test: answers as the public one does, and misbehaves on demand.

    hub.py FOLDER PORT_FILE LOG          FOLDER: the files of acme/clip; also answered as other names, each with its own fault

Every request is a line of LOG: method, path, Range, whether it had a token. A second port (PORT_FILE has both) is another host.
"""
import hashlib
import http.server
import json
import pathlib
import socket
import sys
import threading
import time

FOLDER, PORT_FILE, LOG = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
COMMIT = "4f1c0a9be87d6c5b4a39281706f5e4d3c2b1a098"
lock = threading.Lock()
seen = {}  # requests of a path so far


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def siblings(name):
    out = []
    for path in sorted(FOLDER.iterdir()):
        data = path.read_bytes()
        entry = {"rfilename": path.name, "size": len(data), "blobId": git_sha1(data)}
        if path.suffix == ".safetensors":
            digest = hashlib.sha256(data).hexdigest()
            size = len(data)
            if name == "wronghash":
                digest = "0" * 64
            if name == "toolong":
                size -= 1000
            if name == "tooshort":
                size += 1000
            entry["lfs"] = {"sha256": digest, "size": size, "pointerSize": 134}
            entry["size"] = size
        out.append(entry)
    out += [{"rfilename": "README.md", "size": 3, "blobId": "0" * 40}, {"rfilename": "pytorch_model.bin", "size": 9, "blobId": "0" * 40},
            {"rfilename": "onnx/model.onnx", "size": 9, "blobId": "0" * 40}]
    if name == "climbs":
        out.append({"rfilename": "../../../escaped.json", "size": 3, "blobId": "0" * 40})
    if name == "absolute":
        out.append({"rfilename": "/tmp/escaped.json", "size": 3, "blobId": "0" * 40})
    if name == "nodigest":
        out[0].pop("blobId")
    if name == "pickle":
        out = [entry for entry in out if not entry["rfilename"].endswith(".safetensors")]
    return out


class Hub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        token = self.headers.get("Authorization", "")
        with lock:
            seen[path] = seen.get(path, 0) + 1
            n = seen[path]
            with open(LOG, "a", encoding="utf-8") as log:
                log.write(f"{self.server.server_port} {self.path} range={self.headers.get('Range', '-')} token={token or '-'}\n")
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            self.answer_list(parts[3], path)
        elif parts[0] == "elsewhere":
            self.send_file(parts[1], "elsewhere", n)
        elif len(parts) == 5 and parts[2] == "resolve" and parts[3] == COMMIT:
            self.answer_file(parts[1], parts[4], n)
        else:
            self.say(404)

    def answer_list(self, name, path):
        if name == "private" and self.headers.get("Authorization") != "Bearer hf_right":
            self.say(401, b'{"error": "who are you?"}')
        elif name == "nowhere":
            self.say(404, b"{}")
        elif name == "loop":
            self.say(302, Location=path)
        elif name == "busy" and seen[path] < 3:
            self.say(503, b"later")
        elif name == "nonsense":
            self.say(200, b"<html>not a hub</html>")
        else:
            self.say(200, json.dumps({"id": f"acme/{name}", "sha": COMMIT, "siblings": siblings(name)}).encode())

    def answer_file(self, name, file, n):
        if name in ("moved", "private"):
            self.say(302, Location=f"http://localhost:{other.server_port}/elsewhere/{file}?signature=SIGNED")
        else:
            self.send_file(file, name, n)

    def send_file(self, file, name, n):
        data = (FOLDER / file).read_bytes()
        large = file.endswith(".safetensors")
        etag = '"%s"' % hashlib.sha256(data).hexdigest()[:32]
        if name == "changes" and n > 1:
            etag = '"another"'
        first, status = 0, 200
        wanted = self.headers.get("Range")
        if wanted and self.headers.get("If-Range") == etag:
            first, status = int(wanted.split("=")[1].rstrip("-")), 206
        self.send_response(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(data) - first))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        body = data[first:]
        if large and name == "changes" and n == 1:
            body = b"\0" * 1000000  # of the file as it was
        if large and name == "cut" and n < 4:
            body = body[:len(data) // 5]
        if large and name in ("cut", "changes") and len(body) < len(data) - first:
            self.wfile.write(body)
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if large and name == "slow":
            for i in range(0, len(body), 65536):
                self.wfile.write(body[i:i + 65536])
                time.sleep(0.05)
            return
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # a client that hangs up
        pass


hub, other = Server(("127.0.0.1", 0), Hub), Server(("127.0.0.1", 0), Hub)
threading.Thread(target=other.serve_forever, daemon=True).start()
pathlib.Path(PORT_FILE + ".new").write_text(f"{hub.server_port} {other.server_port}\n")
pathlib.Path(PORT_FILE + ".new").rename(PORT_FILE)
hub.serve_forever()
