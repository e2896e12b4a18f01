#!/usr/bin/env bash
# pennon model pull against a hub of this machine: what comes, where it lies, and every way in which a hub can be wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $hub 2>/dev/null || true; wait $hub 2>/dev/null || true; rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
unset PENNON_MODEL PENNON_TABLE PENNON_CONFIG PENNON_MODELS HF_TOKEN HF_HOME HF_HUB_CACHE http_proxy HTTP_PROXY ALL_PROXY all_proxy
export HOME="$work/home" XDG_CONFIG_HOME="$work/none" PENNON_CACHE="$work/cache" HF_HUB_CACHE="$work/hub" no_proxy='*'
model="$PN_SOURCE_DIR/demo/model"
cd "$work"
touch log
python3 "$PN_SOURCE_DIR/tests/cli/hub.py" "$model" ports log & hub=$!
for _ in $(seq 200); do [ -s ports ] && break; sleep 0.05; done
read -r port other < ports
export HF_ENDPOINT="http://127.0.0.1:$port"
commit=4f1c0a9be87d6c5b4a39281706f5e4d3c2b1a098
snapshot="$work/hub/models--acme--clip/snapshots/$commit"
pull() { "$PENNON" model pull "$@"; }
refuse() { # exit code, text in the message, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" model pull "$@" > out 2> err || got=$?
    [ "$got" = "$want" ] || fail "pull $* ended with $got instead of $want: $(head -c 400 err)"
    grep -qF -- "$text" err || fail "pull $*: no '$text' in $(head -c 400 err)"
    [ ! -s out ] || fail "pull $* printed $(head -c 200 out)"
    ! grep -q 'hf_\|SIGNED' out err || fail "pull $* told a secret: $(cat err)"
}
no_parts() { ! find "$1" -name '*.incomplete*' | grep -q . || fail "parts are left: $(find "$1" -name '*.incomplete*')"; }
requests() { grep -c -- "$1" log || true; }

# ---- all goes well: into the cache, which finds it by name; again: nothing comes
pull acme/clip > out 2> err || fail "pull: $(cat err)"
grep -q "^acme/clip: 7 files, 8.4 MB (8.4 MB came): $snapshot\$" out || fail "what is said: $(cat out)"
for file in "$model"/*; do
    [ -L "$snapshot/${file##*/}" ] || fail "${file##*/} is no link"
    cmp -s "$file" "$snapshot/${file##*/}" || fail "${file##*/} differs"
done
[ "$(find "$snapshot" -mindepth 1 | wc -l)" = "$(find "$model" -mindepth 1 | wc -l)" ] || fail "only what pennon reads"
[ "$(cat hub/models--acme--clip/refs/main)" = "$commit" ] || fail "the reference"
[ -f "hub/models--acme--clip/blobs/$(sha256sum < "$model/model.safetensors" | cut -c 1-64)" ] || fail "the blob's name"
no_parts hub
grep -q 'file 7 of 7, model.safetensors' err || fail "a line for each file: $(cat err)"
"$PENNON" embed --model acme/clip --text 'red sneakers' > by-name
"$PENNON" embed --model "$model" --text 'red sneakers' | cmp -s - by-name || fail "the model that came"
before=$(wc -l < log)
pull acme/clip --json > out 2> err
[ "$(wc -l < log)" = $((before + 1)) ] || fail "only the list is asked for again"
python3 -c 'import json; j = json.load(open("out")); assert j["came_bytes"] == 0 and j["files"] == 7, j' || fail "JSON: $(cat out)"
pull acme/clip --revision refs/pr/7 -q > out 2> err || fail "another revision: $(cat err)"
[ ! -s err ] || fail "--quiet: $(cat err)"
[ "$(cat hub/models--acme--clip/refs/refs/pr/7)" = "$commit" ] || fail "its reference"
grep -q 'revision/refs%2Fpr%2F7?blobs=true' log || fail "the revision in the URL"

# ---- into a folder; a file that is not what the hub has is replaced, the others stay
pull acme/clip --dir here -q > out
[ "$(cat out)" = "acme/clip: 7 files, 8.4 MB (8.4 MB came): here" ] || fail "a folder: $(cat out)"
for file in "$model"/*; do cmp -s "$file" "here/${file##*/}" || fail "${file##*/} in the folder"; done
sed -i 's/96/69/' here/config.json
pull acme/clip --dir here -q > out
grep -q '(886 bytes came)' out || fail "one file again: $(cat out)"
cmp -s here/config.json "$model/config.json" || fail "the changed file"
no_parts here

# ---- a bad line
pull acme/cut --dir cut -q > out || fail "cut three times"
cmp -s cut/model.safetensors "$model/model.safetensors" || fail "put together again"
[ "$(grep 'acme/cut.*safetensors' log | grep -c 'range=bytes=')" = 3 ] || fail "it went on: $(grep acme/cut log)"
no_parts cut
pull acme/busy --dir busy -q > out || fail "503 twice"
pull acme/changes --dir changes -q > out || fail "changed while it came"
grep -q 'acme/changes.*safetensors range=bytes=1000000-' log || fail "it asked to go on"
cmp -s changes/model.safetensors "$model/model.safetensors" || fail "it started anew"

# ---- stopped by a person, and gone on with
code=0
"$PENNON" model pull acme/slow --dir slow > out 2> err & pid=$!
for _ in $(seq 200); do [ "$(stat -c %s slow/model.safetensors.incomplete 2> /dev/null || echo 0)" -gt 500000 ] && break; sleep 0.02; done
"$PENNON" model pull acme/slow --dir slow > out2 2> err2 && fail "two at once"
grep -q 'slow/.pull.lock' err2 || fail "who holds it: $(cat err2)"
kill -INT $pid
wait $pid || code=$?
[ $code = 130 ] || fail "Ctrl-C: $code, $(cat err)"
grep -q 'goes on from there' err || fail "what to do: $(cat err)"
size=$(stat -c %s slow/model.safetensors.incomplete)
[ "$size" -gt 500000 ] || fail "the part: $size"
[ ! -e slow/model.safetensors ] || fail "half a file under its name"
pull acme/slow --dir slow -q > out
cmp -s slow/model.safetensors "$model/model.safetensors" || fail "gone on with"
grep -q "acme/slow.*safetensors range=bytes=$size-" log || fail "from byte $size: $(grep acme/slow log)"
no_parts slow
"$PENNON" model pull acme/slow --dir killed 2> /dev/null & pid=$!
for _ in $(seq 200); do [ "$(stat -c %s killed/model.safetensors.incomplete 2> /dev/null || echo 0)" -gt 500000 ] && break; sleep 0.02; done
kill -KILL $pid
wait $pid 2> /dev/null || true
pull acme/slow --dir killed -q > out || fail "after a kill"
cmp -s killed/model.safetensors "$model/model.safetensors" || fail "after a kill: another file"

# ---- what a hub can say
refuse 1 'model.safetensors: not what the hub says: its SHA-256 is' acme/wronghash --dir x
[ ! -e x/model.safetensors ] || fail "a wrong file has its name"
no_parts x
refuse 1 'more than the 8278130 bytes it should have' acme/toolong --dir x
refuse 1 'model.safetensors: 8279130 bytes, the hub says 8280130' acme/tooshort --dir x
no_parts x
refuse 1 'HTTP 404' acme/nowhere
refuse 1 'more than 8 redirects' acme/loop
refuse 1 'would leave its folder' acme/climbs --dir climbs/a/b
refuse 1 'would leave its folder' acme/absolute --dir climbs
[ ! -e climbs ] || fail "something was written: $(find climbs)"
refuse 1 'no size or no digest of config.json' acme/nodigest
refuse 1 'only pytorch_model.bin, a pickle' acme/pickle
refuse 1 'not JSON' acme/nonsense
refuse 1 'is not of the form owner/model' '../clip'
refuse 1 'is no branch, tag or commit' acme/clip --revision '../../x'
refuse 1 'begins with http:// or https://' acme/clip --base ftp://hub
refuse 1 'http://127.0.0.1:1/api/models/acme/clip/revision/main: ' acme/clip --base http://user:secret@127.0.0.1:1/ --dir x
! grep -q secret err || fail "the password of a URL"

# ---- the token: for this hub alone
refuse 1 'HTTP 401' acme/private
grep -q 'HF_TOKEN' err || fail "a hint: $(cat err)"
HF_TOKEN=hf_wrong refuse 1 'the token is not accepted' acme/private
HF_TOKEN=hf_right pull acme/private --dir private -q > out 2> err || fail "with a token: $(cat err)"
cmp -s private/model.safetensors "$model/model.safetensors" || fail "from the other host"
grep "^$port .*acme/private/resolve" log | grep -q 'token=Bearer hf_right' || fail "the hub gets it"
grep -q "^$other .*elsewhere/model.safetensors" log || fail "the other host was asked"
! grep "^$other " log | grep -q 'hf_' || fail "the other host got the token"
! grep -rqF hf_right private out err hub || fail "the token was written down"
pull acme/moved --dir moved -q > out || fail "a redirect to another host"
! grep 'acme/clip' log | grep -q hf_ || fail "a token nobody gave"

# ---- the disk is full, at every write in turn: it says so, and the next one goes on
for n in 1 2 3 5 8 9 11 14 20 40 80; do
    code=0
    PN_FAULT=$n:28 "$PENNON" model pull acme/clip --dir full -q > out 2> err || code=$?
    if [ $code != 0 ]; then
        grep -q 'No space left' err || fail "the disk is full at $n: $(cat err)"
        [ ! -e full/model.safetensors ] || cmp -s full/model.safetensors "$model/model.safetensors" || fail "half a file at $n"
    fi
done
pull acme/clip --dir full -q > out || fail "after the disk was full"
for file in "$model"/*; do cmp -s "$file" "full/${file##*/}" || fail "${file##*/} after the disk was full"; done

# ---- usage; a bar on a terminal
code=0; "$PENNON" model pull > out 2> err || code=$?
[ $code = 2 ] || fail "no name: $code"
code=0; "$PENNON" model pull a/b --golden x > out 2> err || code=$?
{ [ $code = 2 ] && grep -q 'no use for --golden' err; } || fail "a useless option: $(cat err)"
script -qec "'$PENNON' model pull acme/slow --dir bar" typescript < /dev/null > /dev/null || fail "on a terminal"
grep -q '\[#.*\] .* of 8.4 MB  .*/s  0:0. left  model.safetensors' typescript || fail "the bar: $(tail -c 300 typescript)"
echo "pulled, cut, cancelled, refused: $(requests .) requests"
