#!/usr/bin/env bash
# Models that a server computes, against one of this machine that can be wrong in every way: ingest, search, embed, serve. The API key
# must be found in none of the outputs, files and logs.
set -euo pipefail
work=$(mktemp -d)
# shellcheck disable=SC2154 # set below
trap 'kill $inference $server $tls 2>/dev/null || true; wait $inference $server $tls 2>/dev/null || true; rm -rf "$work"' EXIT
inference='' server='' tls=''
fail() { echo "FAILED: $1"; exit 1; }
unset PENNON_MODEL PENNON_TABLE PENNON_CONFIG PENNON_API_KEY ROBOFLOW_API_KEY PENNON_MODEL_URL http_proxy HTTP_PROXY https_proxy ALL_PROXY all_proxy
export HOME="$work/home" XDG_CONFIG_HOME="$work/none" PENNON_CACHE="$work/cache" no_proxy='*'
cd "$work"
touch log
here="$PN_SOURCE_DIR/tests/hosted"
python3 "$here/paint.py" pictures 40 extra
python3 "$here/inference.py" ports log & inference=$!
for _ in $(seq 400); do [ -s ports ] && break; sleep 0.05; done
read -r port other < ports
base="http://127.0.0.1:$port"
key='rf_S3cret+Key/0123456789=='
export PENNON_MODEL_URL="$base" ROBOFLOW_API_KEY="$key"
model=roboflow:ViT-B-16

behave() { curl -sf -o /dev/null -d "$1" "$base/behave"; }
posts() { grep -c "^$port /clip" log || true; }
last() { tail -n "$1" log; }
refuse() { # exit code, text in the message, arguments of pennon
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > out 2> err || got=$?
    [ "$got" = "$want" ] || fail "$* ended with $got instead of $want: $(head -c 600 err)"
    grep -qF -- "$text" err || fail "$*: no '$text' in $(head -c 600 err)"
    no_secret out err
}
no_secret() { # in none of these files and folders, also not as it stands in a URL
    ! grep -rqiF -e "$key" -e S3cret "$@" || fail "the key is in $(grep -rliF -e S3cret "$@")"
}

# ---- embed: unit vectors, of one dimension
"$PENNON" embed --model $model --text red --image pictures/000-red.png --text blue > vectors 2> err || fail "embed: $(cat err)"
python3 - <<'END' || fail "what embed prints"
import json, math
red, picture, blue = (json.loads(line)["embedding"] for line in open("vectors"))
dot = lambda a, b: sum(x * y for x, y in zip(a, b))
assert len(red) == 512 and all(abs(math.sqrt(dot(v, v)) - 1) < 1e-6 for v in (red, picture, blue))
assert dot(red, picture) > 0.99 > 0.5 > dot(blue, picture), (dot(red, picture), dot(blue, picture))
END
no_secret vectors err

# ---- ingest: eight a request, several at a time, all there; a table remembers the model, and the origin is no part of it
"$PENNON" ingest pictures --table t.lance --model $model > out 2> err || fail "ingest: $(cat err)"
grep -q '^t.lance: 40 added, 0 updated, 0 unchanged, 0 failed' out || fail "ingest: $(cat out)"
[ "$(grep -c '/clip/embed_image 8 200' log)" -ge 5 ] || fail "batches of 8: $(grep embed_image log)"
"$PENNON" info --table t.lance --json > info.json
grep -q '"roboflow:ViT-B-16:512"' info.json || fail "the identity: $(cat info.json)"
grep -q '"server"' info.json || fail "the preprocessing: $(cat info.json)"
! grep -rqF "127.0.0.1" t.lance info.json || fail "the origin was written down"
no_secret t.lance out err info.json
behave '{"mode": "slow", "seconds": 0.3}'
"$PENNON" ingest pictures --table slow.lance --model $model > out
most=$(curl -s "$base/" | tr -dc 0-9)
{ [ "$most" -ge 2 ] && [ "$most" -le 4 ]; } || fail "at most 4 at a time: $most"
behave '{"mode": "slow", "seconds": 0.1}'
"$PENNON" ingest pictures --table one.lance --model $model --model-requests 1 -q
[ "$(curl -s "$base/" | tr -dc 0-9)" = 1 ] || fail "one at a time"
behave '{"mode": "fine"}'
before=$(posts)
"$PENNON" ingest pictures --table t.lance > out
grep -q '40 unchanged' out || fail "again: $(cat out)"
[ "$(posts)" = "$before" ] || fail "nothing new, and the server was asked: $(last 2)"

# ---- pictures that go as JPEG
"$PENNON" ingest extra --table extra.lance --model $model > out || fail "alpha and a large one"
grep -q '3 added' out || fail "alpha and a large one: $(cat out)"

# ---- search by words, picture and mixtures; "more like this" asks nobody
colours() { python3 -c 'import json, sys; print(*[r["image_path"].split("-")[1][:3] for r in json.load(sys.stdin)["results"]])'; }
[ "$("$PENNON" search blue --table t.lance -k 3 --json | colours)" = "blu blu blu" ] || fail "words"
[ "$("$PENNON" search --image pictures/001-green.png --table t.lance -k 2 --json | colours)" = "gre gre" ] || fail "a picture"
before=$(posts)
[ "$("$PENNON" search --text red --text blue --weight 0.1 --not green --table t.lance -k 2 --json | colours)" = "red red" ] || fail "a mixture"
[ "$(posts)" = $((before + 1)) ] || fail "three texts are one request: $(last 3)"
grep -q '/clip/embed_text 3 200' log || fail "three texts are one request"
before=$(posts)
PENNON_MODEL_URL=http://127.0.0.1:1 "$PENNON" search --like 4 --table t.lance -k 2 --json > out || fail "like"
[ "$(posts)" = "$before" ] || fail "more like this asked the server"
refuse 1 'is empty' search --text ' ' --table t.lance
[ "$(posts)" = "$before" ] || fail "a wrong question asked the server"

# ---- the identity: another version and a model of this machine are refused by name, without a word to the server
before=$(posts)
refuse 1 'was made with model "roboflow:ViT-B-16"' search red --table t.lance --model roboflow:ViT-B-32
refuse 1 'not with "roboflow:ViT-L-14"' search red --table t.lance --model roboflow:ViT-L-14
[ "$(posts)" = "$before" ] || fail "the server was asked for a table that is not its own"
refuse 1 'was made with model "roboflow' search red --table t.lance --model "$PN_SOURCE_DIR/demo/model"
"$PENNON" ingest pictures/000-red.png --table local.lance --model "$PN_SOURCE_DIR/demo/model" -q
refuse 1 'was made with model' search red --table local.lance --model $model
refuse 1 'prepares pictures its own way' ingest pictures --table new.lance --model $model --preprocess pad
[ ! -e new.lance ] || fail "a table was made"
refuse 1 'the version of a hosted model is needed' embed --model roboflow: --text x
refuse 1 'the version of a hosted model is needed' embed --model 'roboflow:a"b' --text x
refuse 1 'HTTP 404: no such model' embed --model roboflow:none --text x
refuse 1 'is computed by a server' preprocess --model $model pictures/000-red.png -o x.npy
refuse 1 'is computed by a server' tokenize --model $model
refuse 1 'is computed by a server' model info $model
refuse 1 'is computed by a server' model verify $model

# ---- the URL and the key
refuse 1 'use https' embed --model $model --model-url http://192.0.2.1 --text x
refuse 1 'use https' embed --model $model --model-url http://localhost.example.com --text x
refuse 1 'without user, password and parameters' embed --model $model --model-url "$base/?api_key=$key" --text x
refuse 1 'without user, password and parameters' embed --model $model --model-url "http://u:S3cret@127.0.0.1:$port" --text x
refuse 1 'begins with http:// or https://' embed --model $model --model-url ftp://127.0.0.1 --text x
refuse 2 'is no secret' embed --model $model --api-key "$key" --text x
ROBOFLOW_API_KEY="two words" refuse 1 'without blanks' embed --model $model --text x
! grep -q 'two words' err || fail "a wrong key was told"
behave '{"mode": "needs key"}'
printf '  %s\r\n\n' "$key" > key
ROBOFLOW_API_KEY='' "$PENNON" embed --model $model --api-key-file key --text x > out 2> err || fail "a key file: $(cat err)"
ROBOFLOW_API_KEY=wrong PENNON_API_KEY="$key" "$PENNON" embed --model $model --text x > out || fail "PENNON_API_KEY first"
printf 'model: %s\napi-key-file: key\nmodel-url: %s/\n' $model "$base" > with-key.yaml
ROBOFLOW_API_KEY='' PENNON_MODEL_URL='' "$PENNON" embed --config with-key.yaml --text x > out 2> err || fail "by configuration: $(cat err)"
ROBOFLOW_API_KEY='' refuse 1 'HTTP 401, an API key is needed: Unauthorized api_key' embed --model $model --text x
ROBOFLOW_API_KEY=wrong refuse 1 'HTTP 401, the API key is not accepted' embed --model $model --text x
: > empty
refuse 1 'there is no API key in it' embed --model $model --api-key-file empty --text x
refuse 1 'nowhere' embed --model $model --api-key-file nowhere --text x
http_proxy="http://127.0.0.1:$other" no_proxy='' "$PENNON" embed --model $model --text x > out || fail "a proxy got the key"
! grep -q "^$other" log || fail "a proxy got the key"

# ---- what passes: tried again, with pauses; what Retry-After says
again() { # requests it takes, behaviour
    behave "$2"
    before=$(posts)
    "$PENNON" search red --table t.lance -k 1 --json > out 2> err || fail "$2: $(cat err)"
    [ "$(($(posts) - before))" = "$1" ] || fail "$2: $(($(posts) - before)) requests: $(last 4)"
    no_secret out err
}
again 3 '{"mode": "status", "status": 500, "times": 2}'
again 2 '{"mode": "status", "status": 408, "times": 1}'
again 2 '{"mode": "status", "status": 503, "times": 1}'
again 2 '{"mode": "cut", "times": 1}'
again 2 '{"mode": "half", "times": 1}'
start=$(date +%s%N)
again 2 '{"mode": "status", "status": 429, "retry_after": 2, "times": 1}'
took=$((($(date +%s%N) - start) / 1000000))
[ $took -ge 2000 ] || fail "Retry-After: $took ms"
refuse_quick() { # what refuse takes; in less than two seconds
    start=$(date +%s%N)
    refuse "$@"
    took=$((($(date +%s%N) - start) / 1000000))
    [ $took -lt "${limit:-4000}" ] || fail "$*: $took ms"
}
behave '{"mode": "status", "status": 429, "retry_after": 900}'
refuse_quick 1 'HTTP 429: as you wish (it asks for a pause of 900 s)' search red --table t.lance
behave '{"mode": "status", "status": 500}'
refuse_quick 1 'HTTP 500: as you wish, after 3 attempts' search red --table t.lance
behave '{"mode": "slow", "seconds": 20}'
refuse_quick 1 'timed out' search red --table t.lance --model-timeout 1
PENNON_MODEL_URL=http://127.0.0.1:1 refuse_quick 1 'http://127.0.0.1:1/clip/embed_text: ' search red --table t.lance
behave '{"mode": "fine"}'
"$PENNON" ingest pictures/000-red.png --table again.lance --model $model -q
behave '{"mode": "status", "status": 500, "times": 6}'
"$PENNON" ingest pictures --table again.lance > out 2> err || fail "500 while ingesting: $(cat err)"
grep -q '39 added' out || fail "500 while ingesting: $(cat out)"

# ---- what stays: at once, with the server's words, without the key
once() { # text, behaviour
    behave "$2"
    before=$(posts)
    refuse 1 "$1" search red --table t.lance
    [ "$(($(posts) - before))" -le 1 ] || fail "$2 was asked again"
}
once 'HTTP 422: value is not a valid list' '{"mode": "status", "status": 422, "body": {"detail": [{"loc": ["body"], "msg": "value is not a valid list"}]}}'
once 'HTTP 418' '{"mode": "status", "status": 418, "body": {"colour": 1}}'
once '***, ***, ***?' '{"mode": "echo", "status": 400}'
[ "$(wc -c < err)" -lt 450 ] || fail "a long refusal: $(wc -c < err)"
! grep -q "$(printf '\033')" err || fail "control characters of a refusal"
once 'is good' '{"mode": "echo text", "status": 403}'
behave '{"mode": "echo", "status": 500}'
refuse 1 '***' search red --table t.lance
once 'HTTP 307 leads to http://localhost' '{"mode": "redirect"}'
! grep -q "^$other" log || fail "the other host was asked"
once '2 embeddings came for 1 inputs' '{"mode": "wrong count"}'
once '0 embeddings came for 1 inputs' '{"mode": "wrong count", "fewer": true}'
once 'embedding 1 has 100 numbers, not 512' '{"mode": "wrong dim", "dim": 100}'
once 'no JSON' '{"mode": "value", "value": "NaN"}'
once 'no JSON' '{"mode": "value", "value": "Infinity"}'
once 'no JSON' '{"mode": "value", "value": "1e999"}'
once 'value 6 is too large' '{"mode": "value", "value": "1e300"}'
once 'value 6 is no number' '{"mode": "value", "value": "\"0.5\""}'
once 'value 6 is no number' '{"mode": "value", "value": "null"}'
once 'a vector of zeros' '{"mode": "zeros"}'
once 'an answer without "embeddings"' '{"mode": "raw", "body": "{}"}'
once 'an answer without "embeddings"' '{"mode": "raw", "body": "[]"}'
once 'no JSON' '{"mode": "raw", "body": ""}'
once 'no JSON' '{"mode": "raw", "body": "<html>hello</html>"}'
for chunked in false true; do
    behave "{\"mode\": \"huge\", \"chunked\": $chunked}"
    refuse 1 "limit" search red --table t.lance
    for _ in $(seq 100); do grep -q HUGE log && break; sleep 0.05; done
    [ "$(sed -n 's/^HUGE //p' log | tail -1)" -lt 40000000 ] || fail "200 MB were read: $(grep HUGE log)"
done

# ---- one picture that the server refuses is reported; the others of its batch are taken
behave '{"mode": "refuses"}'
cp extra/poison.png pictures/017-poison.png
"$PENNON" ingest pictures --table poison.lance --model $model > out 2> err || fail "a poisoned batch: $(cat err)"
grep -q '40 added, 0 updated, 0 unchanged, 1 failed' out || fail "a poisoned batch: $(cat out)"
grep -q '017-poison.png: .*HTTP 400: Could not load input image' err || fail "which, and why: $(cat err)"
rm pictures/017-poison.png
# ---- a server that goes away in the middle: what was embedded is kept, and the next run goes on
behave '{"mode": "fine"}'
"$PENNON" ingest pictures/00*.png --table half.lance --model $model -q
behave '{"mode": "status", "status": 404}'
refuse 1 'HTTP 404' ingest pictures --table half.lance
[ "$("$PENNON" count --table half.lance)" = 10 ] || fail "what was there"
behave '{"mode": "fine"}'
"$PENNON" ingest pictures --table half.lance > out
grep -q '30 added, 0 updated, 10 unchanged' out || fail "gone on: $(cat out)"

# ---- Ctrl-C ends a waiting request
behave '{"mode": "slow", "seconds": 30}'
code=0
"$PENNON" ingest pictures --table stopped.lance --model $model > out 2> err & pid=$!
sleep 1; start=$(date +%s%N); kill -INT $pid; wait $pid || code=$?
took=$((($(date +%s%N) - start) / 1000000))
{ [ $code = 1 ] || [ $code = 130 ]; } || fail "stopped while opening: $code $(cat err)"
[ $took -lt 1500 ] || fail "stopped while opening, after $took ms"
code=0
"$PENNON" ingest extra --table t.lance > out 2> err & pid=$!
sleep 1.5; start=$(date +%s%N); kill -INT $pid; wait $pid || code=$?
took=$((($(date +%s%N) - start) / 1000000))
[ $code = 130 ] || fail "stopped while ingesting: $code $(cat err)"
[ $took -lt 1500 ] || fail "stopped while ingesting, after $took ms"
behave '{"mode": "fine"}'
no_secret out err

# ---- serve: search, upload, health, metrics, the breaker
: > served
"$PENNON" serve --table t.lance --port 0 --verbose --drain 1 > served 2> serve.log & server=$!
for _ in $(seq 200); do grep -q 'at http' served && break; sleep 0.05; done
url=$(sed -n 's/.* at \(http.*\)/\1/p' served)
code() { curl -s -o body -w '%{http_code}' "$@"; }
expect() { # status, text in the body, curl arguments
    local want=$1 text=$2 got; shift 2
    got=$(code "$@")
    [ "$got" = "$want" ] || fail "$* gave $got instead of $want: $(head -c 400 body)"
    grep -qF -- "$text" body || fail "$*: no '$text' in $(head -c 400 body)"
    no_secret body
}
expect 200 'red.png' "$url/search?q=red&k=1"
expect 200 'green.png' -F image=@pictures/001-green.png -F top_k=1 "$url/search"
expect 201 '"id":40' -F image=@extra/large.png -F path=new.png "$url/ingest"
expect 200 'model server: ok' "$url/healthz"
expect 200 '"roboflow:ViT-B-16"' "$url/info"
# a text over the server's 77 tokens is that request's error, whatever the server says, and nobody else's
long=$(printf 'word%%20%.0s' $(seq 80))
for status in 400 404 413 422 500; do
    behave "{\"mode\": \"context\", \"status\": $status}"
    want=400; [ $status != 404 ] || want=500
    for i in 1 2 3 4; do expect $want "HTTP $status" "$url/search?q=$long$status-$i&k=1"; done
    expect 200 'model server: ok' "$url/healthz"
    expect 200 'blue.png' "$url/search?q=blue%20$status&k=1"
done
refuse 1 'HTTP 500, but not to others: what is wrong with this one?: Internal error., after 3 attempts' search "$(printf 'word %.0s' $(seq 80))" --table t.lance
behave '{"mode": "status", "status": 500}'
for i in 1 2 3; do [ "$(code "$url/search?q=breaker$i")" != 200 ] || fail "a broken server"; done
expect 200 'model server: left alone for' "$url/healthz"
before=$(posts)
expect 503 'has failed 3 times in a row and is not asked now' "$url/search?q=blue&k=1"
expect 503 'is not asked now' -F image=@extra/poison.png -F path=other.png "$url/ingest"
expect 200 '"count":2' -d '{"like":4,"k":2}' "$url/search"
[ "$(posts)" = "$before" ] || fail "the breaker let something through"
expect 200 'pennon_model_server_up 0' "$url/metrics"
sleep 5.2
expect 503 'HTTP 500' "$url/search?q=probe&k=1"
[ "$(($(posts) - before))" -le 4 ] || fail "one probe: $(($(posts) - before))"
behave '{"mode": "fine"}'
for _ in $(seq 150); do [ "$(code "$url/search?q=blue&k=1")" = 200 ] && break; sleep 0.1; done
expect 200 'blue.png' "$url/search?q=blue&k=1"
expect 200 'model server: ok' "$url/healthz"
expect 200 'pennon_model_server_up 1' "$url/metrics"
for name in requests retries failures rejections; do
    [ "$(sed -n "s/^pennon_model_${name}_total //p" body)" -ge 1 ] || fail "$name: $(grep pennon_model body)"
done
grep -q '^pennon_model_request_duration_seconds_count [1-9]' body || fail "the time of requests"
if command -v promtool > /dev/null; then promtool check metrics < body || fail "promtool"; fi
# a query overtakes ingestion: it never waits for more than the requests under way
behave '{"mode": "slow", "seconds": 0.4}'
mkdir many; for i in $(seq 8); do for f in pictures/*.png; do cp "$f" "many/$i-${f##*/}"; done; done
: > served2
"$PENNON" serve --table slow.lance --port 0 --ingest-root many --model-requests 1 > served2 2> serve2.log & tls=$!
for _ in $(seq 200); do grep -q 'at http' served2 && break; sleep 0.05; done
url2=$(sed -n 's/.* at \(http.*\)/\1/p' served2)
curl -s -o ingested -d '{"sources": ["."]}' "$url2/ingest" & curl_pid=$!
sleep 1.2
start=$(date +%s%N)
expect 200 '"count":1' "$url2/search?q=overtakes&k=1"
took=$((($(date +%s%N) - start) / 1000000))
kill -0 $curl_pid 2> /dev/null || fail "ingestion was over too soon to prove anything"
[ $took -lt 2500 ] || fail "a query waited $took ms behind ingestion"
behave '{"mode": "fine"}'
wait $curl_pid
grep -q '"added":320' ingested || fail "the ingestion beside it: $(cat ingested)"
kill -TERM "$tls"; wait "$tls" || fail "the second service"
# a stop does not wait for the server
behave '{"mode": "slow", "seconds": 30}'
curl -s -o /dev/null "$url/search?q=slowly" & curl_pid=$!
sleep 0.5; start=$(date +%s%N); kill -TERM $server; wait $server || fail "the service ends with $?"
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 4000 ] || fail "a stop took $took ms"
wait $curl_pid || true
server='' tls=''
no_secret served serve.log served2 serve2.log t.lance

# ---- https: a certificate that nobody signed is refused, one that the system knows is taken
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout tls.pem -out cert.pem 2> /dev/null
cat cert.pem >> tls.pem
python3 "$here/inference.py" tls-ports tls-log tls.pem & tls=$!
for _ in $(seq 400); do [ -s tls-ports ] && break; sleep 0.05; done
read -r tls_port _ < tls-ports
touch tls-log
refuse 1 'certificate' embed --model $model --model-url "https://localhost:$tls_port" --text x
refuse 1 'certificate' embed --model $model --model-url "https://localhost:$tls_port" --allow-http --text x
[ ! -s tls-log ] || fail "something was sent without a certificate"
SSL_CERT_FILE="$work/cert.pem" "$PENNON" embed --model $model --model-url "https://localhost:$tls_port" --text x > out 2> err || fail "a known certificate: $(cat err)"
SSL_CERT_FILE="$work/cert.pem" refuse 1 'certificate' embed --model $model --model-url "https://127.0.0.1:$tls_port" --text x

! grep BAD log tls-log || fail "requests that no server of this kind takes"
echo "$(posts) requests answered, refused, cut and cancelled; the key is nowhere"
