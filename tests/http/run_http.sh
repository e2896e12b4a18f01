#!/usr/bin/env bash
# The service as clients see it: curl, promtool, a stop in the middle.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
shop="$PN_SOURCE_DIR/demo/catalogue"
"$PENNON" ingest "$shop/products.csv" --table "$work/t.lance" --model "$PN_SOURCE_DIR/demo/model" --quiet
"$PENNON" serve --table "$work/t.lance" --port 0 --token secret --max-body 1 --verbose > "$work/out" 2> "$work/log" &
server=$!
for _ in $(seq 100); do grep -q 'at http' "$work/out" && break; sleep 0.1; done
url=$(sed -n 's/.* at \(http.*\)/\1/p' "$work/out")
fail() { echo "FAILED: $1"; cat "$work/log"; exit 1; }
code() { curl -s -o "$work/body" -w '%{http_code}' "$@"; }
expect() { # status, text in the body, curl arguments
    local want=$1 text=$2; shift 2
    local got; got=$(code "$@")
    [ "$got" = "$want" ] || fail "$* gave $got instead of $want: $(head -c 300 "$work/body")"
    grep -q -- "$text" "$work/body" || fail "$* : no '$text' in $(head -c 300 "$work/body")"
}
expect 200 '"count":3' -H 'Content-Type: application/json' -d '{"query":"red sneakers","top_k":3}' "$url/search"
expect 200 '"type":"sneakers","colour":"red"' -d '{"query":"red sneakers","top_k":1}' "$url/search"
expect 200 '"matching":32' -d '{"query":"shoes","filters":{"category":"footwear"}}' "$url/search"
expect 200 '"count":5' "$url/search?q=boots&k=5"
expect 200 '"image_path":"images/0005.jpg"' -F "image=@$shop/images/0005.jpg" -F top_k=1 "$url/search"
expect 200 '"count":10' -F "image=@$shop/images/0005.jpg" -F query=blue -F text_weight=0.7 -F image_weight=0.3 -F not=cotton "$url/search"
expect 200 '"count":2' -d '{"like":4,"k":2}' "$url/search"
expect 400 'column' -d '{"query":"x","where":"colour = = 1"}' "$url/search"
expect 400 'fliters' -d '{"query":"x","fliters":{}}' "$url/search"
expect 400 'nothing to search for' -d '{}' "$url/search"
expect 400 'JSON' -H 'Content-Type: application/json' -d '{"query":' "$url/search"
expect 415 'not a picture' -F "image=@$PN_SOURCE_DIR/LICENSE" "$url/search"
expect 404 'not_found' "$url/nowhere"
expect 404 'not_found' "$url/rows/99999"
expect 405 'method_not_allowed' -X DELETE "$url/search"
expect 401 'unauthorized' -F "image=@$shop/images/0001.jpg" -F path=x.jpg "$url/ingest"
expect 403 'ingest-root' -H 'Authorization: Bearer secret' -d '{"sources":["/etc"]}' "$url/ingest"
expect 201 '"id":340' -H 'Authorization: Bearer secret' -F "image=@$shop/images/0001.jpg" -F path=new.jpg -F 'metadata={"title":"New","price":3.5}' "$url/ingest"
expect 200 '"price":"3.5"' "$url/rows/340"
expect 200 '"deleted":1' -X DELETE -H 'Authorization: Bearer secret' "$url/rows/340"
expect 404 'not_found' "$url/image/340"
head -c 2000000 /dev/zero > "$work/big"
expect 413 'limit' -F "image=@$work/big" "$url/search"
expect 200 'facets' "$url/facets"
expect 200 '"openapi": "3.1.0"' "$url/openapi.json"
expect 200 'ready' "$url/readyz"
expect 200 '<!doctype html>' "$url/"
[ "$(curl -s -o "$work/i.jpg" -w '%{content_type}' "$url/image/3")" = image/jpeg ] || fail "a thumbnail is a JPEG"
tag=$(curl -s -D - -o /dev/null "$url/app.js" | tr -d '\r' | sed -n 's/^ETag: //p')
expect 304 '' -H "If-None-Match: $tag" "$url/app.js"
curl -s "$url/metrics" > "$work/metrics"
grep -q 'pennon_http_requests_total{route="/search",method="POST",code="200"}' "$work/metrics" || fail "requests are counted"
if command -v promtool > /dev/null; then promtool check metrics < "$work/metrics" || fail "promtool"; fi
for _ in $(seq 20); do curl -s -o /dev/null -d '{"query":"red dress"}' "$url/search" & done
# shellcheck disable=SC2046 # one word a process
wait $(jobs -p | grep -v "^$server$") || fail "searches at the same time"
kill -TERM $server
wait $server || fail "the service ends with $? on SIGTERM"
echo "all requests answered as expected"
