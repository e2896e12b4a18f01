#!/usr/bin/env bash
# GET /rows: newest first, page by page, filtered; every row once.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
"$PENNON" ingest "$shop/products.csv" --table "$work/t.lance" --model "$PN_SOURCE_DIR/demo/model" --quiet
"$PENNON" serve --table "$work/t.lance" --port 0 > "$work/out" 2>&1 &
server=$!
for _ in $(seq 100); do grep -q 'at http' "$work/out" && break; sleep 0.1; done
url=$(sed -n 's/.* at \(http.*\)/\1/p' "$work/out")
python3 - "$url" << 'PY'
import json, sys, urllib.error, urllib.parse, urllib.request
url = sys.argv[1]

def rows(**fields):
    with urllib.request.urlopen(url + "/rows?" + urllib.parse.urlencode(fields)) as answer:
        return json.load(answer)

def refused(named, **fields):
    try:
        rows(**fields)
    except urllib.error.HTTPError as error:
        assert error.code == 400, error.code
        message = json.load(error)["error"]["message"]
        assert named in message, message
    else:
        raise AssertionError(f"{fields} was answered")

first = rows()
assert first["count"] == 24 and first["matching"] == 340, first["count"]
ids = []
while True:
    page = rows(limit=50, offset=len(ids))
    assert page["count"] == len(page["results"])
    if page["count"] == 0:
        break
    ids += [row["id"] for row in page["results"]]
assert ids == sorted(range(340), reverse=True), ids
assert "score" not in first["results"][0]

bags = rows(filters='{"category": "bags"}', limit=1000)
assert 0 < bags["matching"] == bags["count"] < 340
assert all(row["metadata"]["category"] == "bags" for row in bags["results"])
both = rows(filters='{"category": "bags"}', where="metadata['colour'] = 'red'")
assert 0 < both["matching"] < bags["matching"]
assert rows(where="metadata['colour'] = 'none'") == {"count": 0, "matching": 0, "results": []}
assert rows(offset=2**62)["count"] == 0

refused("limit", limit=0)
refused("limit", limit=1001)
refused("offset", offset=-1)
refused("offset", offset="x")
refused("colour", colour="red")
refused("filter", where="metadata[ = 1")
print("every row once, newest first")
PY
new=$(curl -s -F "image=@$shop/images/0001.jpg" -F path=new.jpg "$url/ingest" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
curl -s "$url/rows?limit=1" | grep -q "\"matching\":341,\"results\":\[{\"id\":$new," || { echo "FAILED: the new row is not first"; exit 1; }
