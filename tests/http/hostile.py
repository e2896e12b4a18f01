"""What run_hostile_http.sh does to a service. Usage: hostile.py PENNON SANITIZED_PENNON SOURCE_DIR WORK_DIR"""
import atexit, http.client, json, os, random, re, signal, socket, subprocess, sys, threading, time

pennon, sanitized, source, work = sys.argv[1:]
images = f"{source}/demo/catalogue/images"
picture = open(f"{images}/0001.jpg", "rb").read()


class Service:
    def __init__(self, *options, program=pennon):
        self.log = open(f"{work}/log", "w+b")
        self.process = subprocess.Popen([program, "serve", "--table", f"{work}/t.lance", "--port", "0", *options],
                                        stdout=subprocess.PIPE, stderr=self.log)
        atexit.register(self.process.kill) # also when a check fails
        self.port = int(re.search(rb"http://127.0.0.1:(\d+)", self.process.stdout.readline())[1])

    def ask(self, method, path, body=None, headers={}, timeout=60):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(method, path, body, headers)
            answer = c.getresponse()
            return answer.status, answer.read()
        finally:
            c.close()

    def open(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def messages(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        assert code == 0 and "Sanitizer" not in self.messages() and "runtime error" not in self.messages(), self.messages()[-3000:]


def metric(text, name, **labels):
    total = 0.0
    for line in text.decode().splitlines():
        m = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if m and m[1] == name and all(f'{k}="{v}"' in (m[2] or "") for k, v in labels.items()):
            total += float(m[3])
    return total


def form(fields):
    """multipart/form-data of (name, file name or None, bytes)"""
    out = b""
    for name, file_name, value in fields:
        out += f'--bnd\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{file_name}"\r\n\r\n'.encode() if file_name else b"\r\n\r\n"
        out += value + b"\r\n"
    return out + b"--bnd--\r\n", {"Content-Type": "multipart/form-data; boundary=bnd"}


def is_cut(s):
    """Has the other side ended the connection?"""
    s.settimeout(0.01)
    try:
        return s.recv(4096) == b""
    except (TimeoutError, socket.timeout):
        return False
    except OSError:
        return True


def trickles_are_cut():
    """Ten connections send a byte now and then; others are served at once meanwhile, and the ten are gone in the end."""
    service = Service("--timeout", "1")
    starts = {"headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", "request line": b"GET /",
              "body": b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{", "nothing": b"",
              "form": b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=bnd\r\n"
                      b"Content-Length: 100000\r\n\r\n--bnd\r\n"}
    slow = [(kind, service.open()) for kind in starts for _ in range(2)]
    for kind, s in slow:
        s.sendall(starts[kind])
    begin, cut, worst = time.monotonic(), {}, 0.0
    while len(cut) < len(slow) and time.monotonic() - begin < 8:
        for i, (kind, s) in enumerate(slow):
            if i in cut:
                continue
            try:
                if starts[kind]:
                    s.sendall(b" ")
            except OSError:
                pass
            if is_cut(s):
                cut[i] = time.monotonic() - begin
        asked = time.monotonic()
        assert service.ask("GET", "/healthz")[0] == 200
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.1)
    assert len(cut) == len(slow), f"{len(slow) - len(cut)} trickling connections still stand after 8 s"
    assert min(cut.values()) > 0.9 and max(cut.values()) < 4, cut
    assert worst < 2, worst
    # One that is slow but moves gets through: 60 KB in 3 s, three times the timeout.
    s = service.open()
    body = b'{"query":"shoes"' + b" " * 60000 + b"}"
    s.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
    for at in range(0, len(body), 2000):
        s.sendall(body[at:at + 2000])
        time.sleep(0.1)
    assert s.recv(12) == b"HTTP/1.1 200", "a client of 20 KB/s was cut off"
    text = service.ask("GET", "/metrics")[1]
    assert metric(text, "pennon_http_requests_total", code="408") == 4, text
    service.stop()
    print(f"trickles: 10 of 10 cut after {min(cut.values()):.1f} to {max(cut.values()):.1f} s; /healthz meanwhile in {worst * 1e3:.0f} ms at most")


def limits_hold():
    service = Service("--max-body", "1", "--max-connections", "8")
    body, headers = form([("image", "a.jpg", b"\xff\xd8" + bytes(3 << 20))])
    assert service.ask("POST", "/search", body, headers)[0] == 413
    assert service.ask("POST", "/search", b" " * (2 << 20), {})[0] == 413
    s = service.open() # a body without an end
    s.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while sent < 300 << 20:
            s.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            sent += 65536
    except OSError:
        pass
    assert sent < 100 << 20, "it took a body of 300 MB where 1 MB is the limit"
    s.close()
    fields, headers = form([(f"f{i}", None, b"x") for i in range(3000)])
    assert service.ask("POST", "/search", fields, headers)[0] == 400
    assert service.ask("POST", "/search", b'{"terms":' * 5000, {})[0] == 400
    time.sleep(1) # the connections above are counted until the service has seen their end
    # Eight connections that are kept open: the ninth is closed at once, and there is room again when one of them ends.
    held = [http.client.HTTPConnection("127.0.0.1", service.port) for _ in range(8)]
    for c in held:
        c.request("GET", "/healthz")
        assert c.getresponse().read()
    try:
        status = service.ask("GET", "/healthz", timeout=5)[0]
    except (ConnectionError, http.client.HTTPException):
        status = 0
    assert status == 0, "the ninth connection was served beside eight"
    held.pop().close()
    deadline = time.monotonic() + 10
    while status != 200 and time.monotonic() < deadline:
        try:
            status = service.ask("GET", "/healthz", timeout=5)[0]
        except (ConnectionError, http.client.HTTPException):
            time.sleep(0.05)
    assert status == 200, "no room after one of the eight left"
    for c in held:
        c.close()
    service.stop()
    print("limits: 413 for large bodies, an endless one is cut off, a ninth connection beside eight is refused")


def paths_are_described():
    """What openapi.json describes is there with that method; every route of the table is described."""
    service = Service()
    described = json.loads(service.ask("GET", "/openapi.json")[1])["paths"]
    table = open(f"{source}/src/serve/routes.c").read()
    routes = set(re.findall(r'\{"(\w+)", "[^"]*", \w+, "([^"]*)", \w+\}', table))
    pages = {"/", "/app.js", "/app.css", "/icon.svg", "/openapi.json"}
    want = {(m, p) for m, p in routes if p not in pages}
    have = {(m.upper(), p) for p, methods in described.items() for m in methods if m in ("get", "post", "delete", "put", "patch")}
    assert {(m, p) for m, p in have if p not in pages} == want, have ^ want
    for method, path in sorted(have):
        status, _ = service.ask(method, path.replace("{id}", "1"), headers={"Origin": "http://elsewhere"})
        assert status not in (404, 405) and status < 500, (method, path, status)
    for path in {p for _, p in have}:
        assert service.ask("PUT", path.replace("{id}", "1"))[0] == 405, path
    service.stop()
    print(f"openapi.json: {len(have)} operations, each routed; {len(routes)} routes, each described or a file of the page")


def searches_go_on_during_ingestion():
    service = Service("--token", "t")
    statuses, done = [], threading.Event()

    def search():
        while not done.is_set():
            statuses.append(service.ask("POST", "/search", b'{"query":"red sneakers","k":5}')[0])

    searchers = [threading.Thread(target=search, daemon=True) for _ in range(3)]
    for t in searchers:
        t.start()
    service.ask("GET", "/metrics")
    uploads = {"added": 0, "updated": 0, "unchanged": 0, "failed": 0}
    for i in range(30):
        kind = ("added", "unchanged", "updated", "failed", "added")[i % 5]
        name = f"up{i - i % 5 if kind in ('unchanged', 'updated') else i}.jpg"
        data = picture + bytes([i]) if kind in ("added", "updated") else picture + bytes([i - 1]) if kind == "unchanged" else b"text"
        body, headers = form([("image", "a.jpg", data), ("path", None, name.encode()), ("metadata", None, b'{"title":"new"}')])
        status, answer = service.ask("POST", "/ingest", body, {**headers, "Authorization": "Bearer t"})
        assert status == (415 if kind == "failed" else 201 if kind == "added" else status) and status < 500, (kind, status, answer)
        uploads[kind] += 1
    done.set()
    for t in searchers:
        t.join()
    assert set(statuses) == {200}, set(statuses)
    deadline = time.monotonic() + 5 # a request is counted just behind its answer
    while metric(text := service.ask("GET", "/metrics")[1], "pennon_http_requests_in_flight") > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    for kind, n in uploads.items():
        assert metric(text, "pennon_ingest_pictures_total", result=kind) == n, (kind, n, text.decode())
    got = lambda t, **labels: metric(t, "pennon_http_requests_total", **labels)
    assert got(text, route="/search", method="POST", code="200") == len(statuses)
    assert got(text, route="/ingest", method="POST") == 30 and got(text, route="/ingest", code="415") == uploads["failed"]
    assert got(text, route="/metrics") >= 1
    assert metric(text, "pennon_http_request_duration_seconds_count", route="/search") == len(statuses), text.decode()
    assert metric(text, "pennon_http_requests_in_flight") == 1
    service.stop()
    print(f"during 30 uploads {len(statuses)} searches, all 200; the counters add up")


def pages_of_others_change_nothing():
    """A form of another site reaches a service on this machine through the user's browser; its Origin tells."""
    service = Service("--log-json")
    body, headers = form([("image", "a.jpg", picture), ("path", None, b"foreign.jpg")])
    for origin, want in (("http://evil.example", 403), ("null", 403), (f"http://127.0.0.1:{service.port}", 201), (None, 201)):
        status, answer = service.ask("POST", "/ingest", body, {**headers, **({"Origin": origin} if origin else {})})
        assert status == want, (origin, status, answer)
    assert service.ask("DELETE", "/rows/0", headers={"Origin": "http://evil.example"})[0] == 403
    assert service.ask("POST", "/search", b'{"query":"x"}', {"Origin": "http://evil.example"})[0] == 200
    s = service.open()
    s.sendall(b"GET /%1b[31m\"\\%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    while s.recv(4096):
        pass
    service.stop()
    lines = [json.loads(line) for line in service.messages().splitlines() if line.startswith("{")]
    assert len(lines) == 7 and all({"time", "address", "method", "path", "status", "bytes", "ms", "request_id"} <= set(l) for l in lines), lines
    assert "\x1b" not in service.messages() and lines[0]["address"] == "127.0.0.1"
    print("pages of other sites change nothing; each line of the log is JSON")


def requests_in_flight_are_drained():
    """A search whose body is half there when SIGTERM comes is finished; a new connection is not taken."""
    service = Service()
    body = b'{"query":"shoes","k":3}'
    s, kept = service.open(), http.client.HTTPConnection("127.0.0.1", service.port)
    kept.request("GET", "/healthz")
    kept.getresponse().read()
    s.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
    time.sleep(0.3)
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert service.process.poll() is None, "it ended with a request in flight"
    kept.request("GET", "/readyz")
    answer = kept.getresponse()
    assert answer.status == 503 and answer.getheader("Connection") == "close", answer.status
    try:
        service.ask("GET", "/healthz", timeout=2)
        raise AssertionError("a new connection was taken while draining")
    except OSError:
        pass
    s.sendall(body[10:])
    text = b""
    while piece := s.recv(65536):
        text += piece
    assert text.startswith(b"HTTP/1.1 200") and b'"count":3' in text, text[:200]
    assert service.process.wait(10) == 0
    print("SIGTERM: the request in flight is answered, then the service ends")


def garbage_is_refused():
    """Seeded requests, most of them nearly right, for the program with sanitizers."""
    seed, n = int(os.environ.get("PN_SEED", "7")), int(os.environ.get("PN_REQUESTS", "3000"))
    rng = random.Random(seed)
    service = Service("--ingest-root", images, "--timeout", "2", "--max-body", "1", program=sanitized)
    paths = ["/search", "/ingest", "/image/1", "/rows/1", "/rows/-1", "/rows/99999999999999999999", "/facets", "/info", "/metrics",
             "/", "/app.js", "/openapi.json", "/nowhere", "/image/%00", "/rows/%ff", "/../etc/passwd", "//", "/search?q=boots",
             "/search?k=abc&q=x", "/search?like=1&where=id%3D1", "/search?" + "a=b&" * 50, "/facets?n=-1", "/%", "*"]
    seeds = [b'{"query":"red sneakers","k":3}', b'{"terms":[{"text":"a","weight":-1},{"id":2}],"where":"id < 5"}',
             b'{"like":4,"filters":{"price":{"gte":10,"lt":"x"},"category":["a",null,true]}}', b'{"vector":[1,2,3]}',
             b'{"image":"data:image/png;base64,AAAA"}', b'{"sources":["0001.jpg","../..","\\u0000"]}', b'{"query":"\\ud800"}',
             b'{"query":"x","k":1e400,"text_weight":"a","image_weight":{}}', b"q=shoes&k=2", b"[]", b"",
             form([("image", "a.jpg", picture), ("top_k", None, b"2"), ("not", None, b"cotton")])[0],
             form([("image", "a.jpg", picture[:500])])[0], form([("image", None, b"x"), ("path", None, b"p"), ("metadata", None, b"[")])[0],
             b"--bnd\r\nContent-Disposition: form-data\r\n\r\nx\r\n--bnd--\r\n"]
    types = [None, "application/json", "multipart/form-data; boundary=bnd", "multipart/form-data", "application/x-www-form-urlencoded",
             'multipart/form-data; boundary="', "text/plain"]

    def mutated(data):
        data = bytearray(data)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 5, 20))):
            at = rng.randrange(len(data) + 1)
            what = rng.randrange(4)
            if what == 0 and data:
                data[at % len(data)] = rng.randrange(256)
            elif what == 1:
                data[at:at] = rng.choice((b"\x00", b'"', b"{", b"\r\n", b"\xff\xfe", b"9" * 30, b"--bnd", b"'", b"[" * 40))
            elif what == 2:
                del data[at:at + rng.randrange(20)]
            else:
                data[at:at] = data[:rng.randrange(len(data) + 1)][:200]
        return bytes(data)

    counts, documented = {}, {b"500", b"503"}
    for i in range(n):
        body = mutated(rng.choice(seeds)) if rng.random() < 0.8 else rng.randbytes(rng.randrange(400))
        head = f"{rng.choice(('GET', 'POST', 'POST', 'POST', 'DELETE', 'HEAD', 'PUT', 'OPTIONS', 'BREW'))} {rng.choice(paths)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        kind = rng.choice(types)
        head += f"Content-Type: {kind}\r\n" if kind else ""
        head += f"Content-Length: {len(body)}\r\n\r\n"
        raw = head.encode() + body
        if rng.random() < 0.1:
            raw = mutated(raw)
        s = service.open()
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        except OSError:
            answer = b"" # cut off: what came was no HTTP
        s.close()
        status = answer[9:12] if answer.startswith(b"HTTP/1.") else b"none"
        counts[status] = counts.get(status, 0) + 1
        assert not status.startswith(b"5") or status in (b"501", b"505"), (i, seed, raw[:600], answer[:600])
        assert status != b"200" or answer.count(b"\r\n\r\n") >= 1, (i, seed, raw[:600])
        assert service.process.poll() is None, (i, seed, raw[:600], service.messages()[-3000:])
    assert service.ask("POST", "/search", b'{"query":"shoes","k":1}')[0] == 200
    service.stop()
    told = ", ".join(f"{k.decode()}: {v}" for k, v in sorted(counts.items()))
    print(f"garbage (seed {seed}): {n} requests to {sanitized.replace(source + '/', '')}: {told}")


for part in (trickles_are_cut, limits_hold, paths_are_described, searches_go_on_during_ingestion,
             pages_of_others_change_nothing, requests_in_flight_are_drained,
             garbage_is_refused):
    begin = time.monotonic()
    part()
    print(f"  {time.monotonic() - begin:.1f} s", flush=True)
