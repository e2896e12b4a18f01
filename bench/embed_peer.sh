#!/bin/sh
# embed_peer.sh - pennon's encoders beside ONNX Runtime's, in the same minutes
#
#   bench/embed_peer.sh BENCH_EMBED [FOLDER] [THREADS] [ROUNDS] [SECONDS] [PAIRS] [CASES]
#
# BENCH_EMBED is the built benchmark, FOLDER (default: build/embed-peer) keeps the model (600 MB, and its ONNX twin) and
# the npm package between runs. $SHAPE (b32, b16, l14) is the model's, PAIRS and CASES are embed_peer.mjs's. Needs node, npm, and python3 with numpy and onnx.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=$(realpath "${1:?the path of bench_embed}")
folder=${2:-$here/../build/embed-peer}
python=${PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

[ -f "$folder/model.safetensors" ] || "$bench" --write "$folder" --shape "${SHAPE:-b32}"
[ -f "$folder/text-int8.onnx" ] || "$python" "$here/embed_onnx.py" "$folder"
if [ ! -d "$folder/node_modules/onnxruntime-node" ]; then
    # the package's own script fetches GPU libraries that nobody needs here
    (cd "$folder" && echo '{"private": true}' >package.json && npm install --ignore-scripts --no-audit --no-fund onnxruntime-node)
fi
exec node "$here/embed_peer.mjs" "$folder" "$bench" "${3:-2}" "${4:-5}" "${5:-2}" \
    "${6:-exact:f32,int8:f32,int8:int8}" "${7:-}"
