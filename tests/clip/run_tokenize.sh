#!/usr/bin/env bash
# pennon tokenize on a Chinese-CLIP and on a SigLIP model: the ids the reference fed to them. SigLIP's include the padding.
set -euo pipefail
models="$PN_SHARED_DIR/golden/clip/models"
[ -d "$models" ] || { echo "skipped: no $models"; exit 77; }
compare() { # model, file of texts, key of the list in it ("" for the whole file)
    python3 - "$PENNON" "$models/$1" "$2" "$3" <<'PYTHON'
import json, struct, subprocess, sys
program, model, texts, key = sys.argv[1:]
with open(texts, encoding="utf-8") as f:
    texts = json.load(f)
texts = texts[key] if key else texts
with open(model + "/golden/input_ids.npy", "rb") as f:
    data = f.read()
header = data[10:10 + struct.unpack("<H", data[8:10])[0]].decode()
shape = eval(header, {"__builtins__": {}})["shape"]
ids = struct.unpack("<%di" % (shape[0] * shape[1]), data[10 + len(header):])
want = [list(ids[i * shape[1]:(i + 1) * shape[1]]) for i in range(shape[0])]
out = subprocess.run([program, "tokenize", "--model", model], check=True, capture_output=True,
                     input="".join(json.dumps(t) + "\n" for t in texts).encode()).stdout
got = [json.loads(line) for line in out.splitlines()]
assert len(got) == len(want) == len(texts) > 0, (len(got), len(want))
for text, a, b in zip(texts, got, want):
    padded = "siglip" in model  # else the padding is not printed
    assert a == (b if padded else b[:len(a)]) and (padded or not any(b[len(a):])), (text, a, b)
print(len(got), "texts equal:", model)
PYTHON
}
compare siglip "$models/siglip/golden/texts.json" ""
compare chinese-clip "$models/texts.json" chinese
