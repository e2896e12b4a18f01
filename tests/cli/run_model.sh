#!/usr/bin/env bash
# pennon model list, info, verify: what is said of good models, and that a damaged one fails.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "FAILED: $1"; exit 1; }
unset PENNON_MODEL PENNON_TABLE PENNON_CONFIG PENNON_MODELS PENNON_PRECISION HF_TOKEN HF_HOME HF_HUB_CACHE
export HOME="$work/home" XDG_CONFIG_HOME="$work/none" PENNON_CACHE="$work/cache" HF_HUB_CACHE="$work/hub"
model="$PN_SOURCE_DIR/demo/model"
cd "$work"
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" model "$@" > out 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon model $* ended with $got instead of $want: $(head -c 400 out)"
    grep -qF -- "$text" out || fail "pennon model $*: no '$text' in $(head -c 600 out)"
}

# ---- list
expect 0 'no models; bring one with: pennon model pull' list
entry=hub/models--acme--clip
mkdir -p $entry/snapshots/4f1c $entry/refs hub/models--acme--bert/snapshots/1 hub/models--acme--gone/refs shelf/empty shelf/broken hub/datasets--a--b
cp "$model"/* $entry/snapshots/4f1c
printf 4f1c > $entry/refs/main
printf 1 > hub/models--acme--gone/refs/main
echo '{}' > hub/models--acme--bert/snapshots/1/config.json
cp -r "$model" shelf/demo
echo 'not weights' > shelf/broken/model.safetensors
expect 0 "acme/clip" list
grep -qE "^acme/clip +clip +512 +8.3 MB  $work/$entry/snapshots/4f1c\$" out || fail "a cached model: $(cat out)"
grep -qE '^acme/bert +- .*no weights' out || fail "no model of ours: $(cat out)"
grep -qE '^acme/gone +- .*refs/main names a snapshot that is not there' out || fail "half a model: $(cat out)"
! grep -q datasets out || fail "a dataset is no model"
expect 0 shelf/demo list shelf
grep -qE '^shelf/demo +clip +512 +8.3 MB  folder$' out || fail "a folder of models: $(cat out)"
grep -qE '^shelf/broken +- .*model.safetensors' out || fail "a broken one: $(cat out)"
! grep -q shelf/empty out || fail "an empty folder"
PENNON_MODELS="shelf:$model" expect 0 "$model" list
grep -q '^shelf/demo' out || fail "the first of PENNON_MODELS"
expect 0 shelf/demo list shelf/demo
expect 1 nowhere list nowhere
expect 0 '"spec": "acme/clip"' list --json
python3 -c '
import json
rows = {row["spec"]: row for row in json.load(open("out"))}
assert rows["acme/clip"]["family"] == "clip" and rows["acme/clip"]["weights_bytes"] == 8279130 and rows["acme/clip"]["problem"] == ""
assert rows["acme/bert"]["problem"] and rows["acme/gone"]["directory"] == ""' || fail "JSON: $(cat out)"

# ---- info
expect 0 'parameters  4,131,457' info acme/clip
grep -q '^preprocess  crop bicubic 96x96 mean 0.48' out || fail "the preprocessing: $(cat out)"
grep -q '^tokenizer   bpe, 1114 tokens' out || fail "the tokenizer: $(cat out)"
grep -q ' 8.3 MB  model.safetensors$' out || fail "the files: $(cat out)"
PENNON_MODEL="$model" expect 0 'precision   int8' info --precision int8
expect 0 '"fingerprint"' info "$model" --json
python3 -c '
import json
m = json.load(open("out"))
assert m["vision"] == {"width": 192, "layers": 5, "heads": 3} and m["image"] == {"width": 96, "height": 96, "patch": 16}, m
assert {"name": "model.safetensors", "bytes": 8279130} in m["files"] and m["tokenizer"]["context"] == 32, m' || fail "JSON: $(cat out)"
expect 1 'not in the hub cache' info acme/other
expect 2 'which model?' info

# ---- verify
expect 0 'golden vectors: 3 pictures, least cosine 1.0000000; 5 texts, 1.0000000: ok' verify acme/clip --pictures 40
[ "$(grep -cE '^(exact|f32|f16|bf16|int8) .* ok$' out)" = 5 ] || fail "five precisions: $(cat out)"
expect 0 '"passed": true' verify "$model" --pictures 20 --precision bf16 --json
python3 -c '
import json
r = json.load(open("out"))
assert [line["precision"] for line in r["arithmetic"]] == ["f32", "bf16"] and r["golden"]["passed"] and r["problem"] == "", r
assert 0.999 < r["arithmetic"][1]["image_cosine"] < 1' || fail "JSON: $(cat out)"
sed -i 's/"resample": 3/"resample": 2/' shelf/demo/preprocessor_config.json
expect 1 'pennon: golden vectors: the preprocessing is another one than the golden pictures had: pictures are resized with the bilinear filter instead of the bicubic one (resample)' \
    verify shelf/demo --pictures 20 --precision exact
grep -q 'texts, 1.0000000: FAILED' out || fail "the line of the golden vectors: $(cat out)"
expect 1 '"passed": false' verify shelf/demo --pictures 20 --precision exact --json
rm shelf/demo/pennon-golden.json
expect 0 'golden vectors: none beside the model' verify shelf/demo --pictures 20 --precision exact
expect 1 'bilinear filter instead of' verify shelf/demo --pictures 20 --precision exact --golden "$model/pennon-golden.json"
expect 1 'precision "half"' verify "$model" --precision half
expect 1 'nowhere.json' verify "$model" --golden nowhere.json
expect 1 'shelf/broken' verify shelf/broken
expect 2 'whole number from 20' verify "$model" --pictures 3
# ---- verify with pictures of one's own
mkdir -p own/deeper
n=0
for file in "$PN_SOURCE_DIR"/demo/catalogue/images/*; do
    n=$((n + 1)); [ $n -le 24 ] || break
    cp "$file" "own/deeper/$n.${file##*.}"
done
echo "no picture" > own/readme.jpg
expect 0 '24 pictures and 20 texts against f32' verify "$model" --pictures own --precision int8
expect 0 '"pictures": 24' verify "$model" --pictures ./own --precision int8 --json
python3 -c '
import json
line = json.load(open("out"))["arithmetic"][1]
assert line["precision"] == "int8" and 0.98 <= line["recall_at_10"] <= 1 and line["needs_recall"] == 0.98 and 0.99 < line["image_cosine"] < 1, line' || fail "JSON: $(cat out)"
# products so alike that 8 bits mix them up: by cosine nothing is wrong, and a search among them would find others
mkdir alike
python3 - << 'END'
import random, struct, zlib
chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
random.seed(5)
base = [random.randrange(100, 156) for _ in range(96 * 96 * 3)]
for n in range(40):
    rows = [v + random.randrange(-1, 2) for v in base]
    data = b"".join(b"\0" + bytes(rows[y * 288:(y + 1) * 288]) for y in range(96))
    with open(f"alike/{n}.png", "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 96, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))
END
expect 1 'int8: cosine 0.999' verify "$model" --pictures alike --precision int8
expect 1 'and 0.98 are needed' verify "$model" --pictures alike --precision int8
expect 0 '"passed": true' verify "$model" --pictures alike --precision exact --json
rm own/deeper/1?.*
expect 1 'own: 14 pictures, 20 are needed' verify "$model" --pictures own
expect 1 'nowhere' verify "$model" --pictures nowhere
expect 2 'no use for --base' verify "$model" --base http://x
expect 2 'takes one model' verify a b
expect 2 'there are list, info, verify and pull' drop
expect 2 'what to do?'
echo "listed, described, verified"
