#!/usr/bin/env bash
# Every command and every C program of the documents; first a look whether a document that lies is found out.
# shellcheck disable=SC2016 # the backquotes are Markdown
set -euo pipefail
here="$PN_SOURCE_DIR/tests/docs"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lies() { # what is wrong with it, document
    printf '%b' "$2" > "$work/lie.md"
    if python3 "$here/docs.py" "$work/lie.md" > "$work/out" 2>&1; then
        echo "FAILED: not noticed: $1"
        cat "$work/out"
        exit 1
    fi
}
lies 'a command that fails'        'A\n```sh\ntrue\npennon search shoes --table nowhere.lance\n```\n'
lies 'an option that does not exist' '```sh\npennon count --tabel x\n```\n'
lies 'a request that is refused'   '```sh\npennon ingest photos/ --table t.lance --model path/to/clip-vit-base-patch32\npennon serve --table t.lance\ncurl -d {} http://127.0.0.1:8000/search\n```\n'
lies 'another output'              '```sh\necho 3\n```\n\n```output\n4\n```\n'
lies 'a function that is not there' '```c\npn_table_serach(table);\n```\n'
lies 'a command that nobody runs'  'Try\n\n    pennon count --everything\n'
lies 'no reason'                   '<!-- not run: lazy -->\n```text\npennon count\n```\n'
cd "$PN_SOURCE_DIR"
exec python3 "$here/docs.py" README.md README.zh-CN.md demo/README.md examples/README.md docs/*.md man/pennon.1 man/pennon.3
