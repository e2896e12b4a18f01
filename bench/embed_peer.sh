#!/bin/sh
# embed_peer.sh - pennon's encoders beside ONNX Runtime's, in the same minutes
#
#   bench/embed_peer.sh BENCH_EMBED [FOLDER] [THREADS] [ROUNDS] [SECONDS]
#
# BENCH_EMBED is the built benchmark, FOLDER (default: build/embed-peer) keeps the model (600 MB, and its ONNX twin) and
# the npm package between runs. Needs node, npm, and python3 with numpy and onnx.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=$(realpath "${1:?the path of bench_embed}")
folder=${2:-$here/../build/embed-peer}
python=${PYTHON:-python3}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

[ -f "$folder/model.safetensors" ] || "$bench" --write "$folder"
[ -f "$folder/text.onnx" ] || "$python" "$here/embed_onnx.py" "$folder"
if [ ! -d "$folder/node_modules/onnxruntime-node" ]; then
    # the package's own script fetches GPU libraries that nobody needs here
    (cd "$folder" && echo '{"private": true}' >package.json && npm install --ignore-scripts --no-audit --no-fund onnxruntime-node)
fi
exec node "$here/embed_peer.mjs" "$folder" "$bench" "${3:-2}" "${4:-5}" "${5:-2}"
