# shellcheck shell=bash
# Sourced by the tests that need Node.js: puts the packages and a Node.js that runs them in place, once a build folder.
# Sets NODE and PN_NODE_MODULES.
npm_folder="$PN_BINARY_DIR/npm"
mkdir -p "$npm_folder"
exec 9>"$npm_folder/.lock"
flock 9
NODE=$(command -v node || true)
if ! cmp -s "$PN_SOURCE_DIR/tests/lance_client/package.json" "$npm_folder/package.json" || [ ! -f "$npm_folder/.complete" ]; then
    cp "$PN_SOURCE_DIR/tests/lance_client/package.json" "$npm_folder/"
    (cd "$npm_folder" && npm install --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error)
    # The client wants a newer Node.js than Debian's; the npm registry has it as a package.
    if [ "$("$NODE" -p 'Number(process.versions.node.split(".")[0]) >= 20')" != true ]; then
        (cd "$npm_folder" && npm install --ignore-scripts --no-audit --no-fund --no-package-lock --no-save --loglevel=error "node-linux-$(uname -m | sed s/x86_64/x64/\;s/aarch64/arm64/)@22")
    fi
    touch "$npm_folder/.complete"
fi
for newer in "$npm_folder"/node_modules/node-linux-*/bin/node; do
    [ -x "$newer" ] && NODE=$newer
done
flock -u 9
PN_NODE_MODULES="$npm_folder/node_modules"
export NODE PN_NODE_MODULES
