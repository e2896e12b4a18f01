#!/usr/bin/env bash
# Options from a file: what it sets, what wins over it, and every way to get it wrong.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$work"' EXIT
server='' shop="$PN_SOURCE_DIR/demo/catalogue" model="$PN_SOURCE_DIR/demo/model"
unset PENNON_TABLE PENNON_MODEL PENNON_TOKEN PENNON_CONFIG XDG_CONFIG_HOME
export HOME="$work/home"
cd "$work"
fail() { echo "FAILED: $1"; exit 1; }
expect() { # exit code, text in the output, arguments
    local want=$1 text=$2 got=0; shift 2
    "$PENNON" "$@" > out 2>&1 || got=$?
    [ "$got" = "$want" ] || fail "pennon $* ended with $got instead of $want: $(head -c 400 out)"
    grep -qF -- "$text" out || fail "pennon $*: no '$text' in $(head -c 400 out)"
}
refuse() { # line:column, message, file
    printf '%b' "$3" > wrong.yaml
    expect 2 "pennon: wrong.yaml, line ${1%:*}, column ${1#*:}: $2" --config wrong.yaml count
}

cat > shop.yaml <<END
# everything there is
table: shop.lance
model: $model
preprocess: crop
threads: 1
ingest: {thumbnail: 64, commit-rows: 100, commit-seconds: 2.5, path-column: path, timestamp-column: date, base: "$shop", quiet: false}
search:
  count: 3
list:
  limit: 4
serve:
  host: 127.0.0.1
  port: 0
  token: "12345"
  read-only: false
  ingest-root: .
  max-body: 1
  max-connections: 16
  timeout: 5
  drain: 1
  verbose: true
  log-json: true
END
# All keys are options of the commands that get them.
for command in ingest search serve info versions list show count delete model embed tokenize preprocess; do
    expect 0 "Usage: pennon $command" --config shop.yaml $command --help
done
cp "$shop/products.csv" .
expect 0 '340 added' --config shop.yaml ingest products.csv
[ -d shop.lance ] || fail "the table of the file"
[ "$("$PENNON" --config=shop.yaml versions | wc -l)" -ge 5 ] || fail "commits of 100 rows"
"$PENNON" --config shop.yaml search red sneakers --tsv > out
[ "$(wc -l < out)" = 4 ] || fail "three results and a header"
"$PENNON" --config shop.yaml list --tsv > out
[ "$(wc -l < out)" = 5 ] || fail "four rows and a header"


# A section says it for its command alone, whatever the order.
printf 'list: {table: %s}\ntable: nowhere.lance\n' shop.lance > section.yaml
expect 0 sneakers --config section.yaml list --where "metadata['title'] LIKE '%sneakers%'"
expect 1 nowhere.lance --config section.yaml count
PENNON_TABLE=nowhere2.lance expect 1 nowhere2.lance --config section.yaml list

# The command line wins over the environment, which wins over the file.
"$PENNON" --config shop.yaml search red sneakers -k 2 --tsv > out
[ "$(wc -l < out)" = 3 ] || fail "-k wins over the file"
PENNON_TABLE=nowhere.lance expect 1 nowhere.lance --config shop.yaml count
PENNON_TABLE=nowhere.lance expect 0 340 --config shop.yaml count --table shop.lance
PENNON_MODEL=$work/nomodel expect 1 nomodel --config shop.yaml embed --text x

# Where the file is looked for.
expect 1 pennon.lance count
mkdir -p home/.config/pennon xdg/pennon
cp shop.yaml home/.config/pennon/config.yaml
expect 0 340 count
echo 'table: xdg.lance' > xdg/pennon/config.yaml
XDG_CONFIG_HOME="$work/xdg" expect 1 xdg.lance count
XDG_CONFIG_HOME=xdg expect 0 340 count # not absolute: not there
echo 'table: local.lance' > pennon.yaml
XDG_CONFIG_HOME="$work/xdg" expect 1 local.lance count
rm -r home
cp shop.yaml pennon.yaml
expect 0 340 count
echo 'table: other.lance' > other.yaml
PENNON_CONFIG=other.yaml expect 1 other.lance count
PENNON_CONFIG=other.yaml expect 0 340 --config shop.yaml count
PENNON_CONFIG=missing.yaml expect 2 missing.yaml count
expect 2 missing.yaml --config missing.yaml count
expect 2 'which file' --config
expect 2 'which file' --config= count
expect 2 'which file' count --config
expect 0 340 count --config shop.yaml
PENNON_CONFIG=other.yaml expect 0 340 count --config=shop.yaml --where true
expect 0 rank search --config shop.yaml --text=--config -- --config # words, not options
expect 0 340 --config - count < shop.yaml
expect 2 'Usage: pennon' --config shop.yaml
expect 2 'not a command' --configure count
expect 0 'Usage: pennon search' help search
rm pennon.yaml

# The service takes its section; the environment's token wins.
"$PENNON" --config shop.yaml serve > ready 2> log & server=$!
for _ in $(seq 400); do grep -qs ' at http' ready && break; sleep 0.05; done
url=$(sed -n 's/.* at \(http.*\)/\1/p' ready)
head -c 2000000 /dev/zero > big
status() { curl -s -o /dev/null -w '%{http_code}' "$@"; }
[ "$(status -F image=@big "$url/search")" = 413 ] || fail "max-body"
[ "$(status -X DELETE "$url/rows/1")" = 401 ] || fail "a token is needed"
[ "$(status -X DELETE -H 'Authorization: Bearer 12345' "$url/rows/1")" = 200 ] || fail "this one"
kill $server && wait $server
grep -q '"method":"DELETE"' log || fail "log-json"
sed -i 's/read-only: false/read-only: true/' shop.yaml
rm ready # what the first one said
PENNON_TOKEN=other "$PENNON" --config shop.yaml serve > ready 2> log & server=$!
for _ in $(seq 400); do grep -qs ' at http' ready && break; sleep 0.05; done
url=$(sed -n 's/.* at \(http.*\)/\1/p' ready)
[ "$(status -X DELETE -H 'Authorization: Bearer other' "$url/rows/2")" = 403 ] || fail "read-only"
kill $server && wait $server
server=

# Wrong files name themselves, the line and the key, whatever the command.
refuse 3:3 '"serve.prot" is not a key: is "serve.port" meant? There are table, model, precision, exact-decode, model-url, api-key-file, allow-http, model-requests, model-timeout, threads, compaction-size, version-retention, index-cache-size, host, port' 'table: x\nserve:\n  prot: 1\n'
refuse 1:1 '"tabel" is not a key: is "table" meant? There are table, model, preprocess, precision, exact-decode, model-url, api-key-file, allow-http, model-requests, model-timeout, threads, compaction-size, version-retention, index-cache-size, ingest, import, export, search, list, serve' 'tabel: x\n'
refuse 2:1 '"port" is not a key: is "serve.port" meant?' 'table: x\nport: 1\n'
refuse 1:1 '"where" is not a key. There are' 'where: "a = 1"\n'
refuse 2:1 '"table" is there already, in line 1' 'table: x\ntable: y\n'
refuse 2:9 'serve.port: a whole number from 0 to 65535 is needed' 'serve:\n  port: 70000\n'
refuse 2:9 'serve.port: a whole number' 'serve:\n  port: "8000"\n'
refuse 2:9 'serve.port: a whole number' 'serve:\n  port: [8000]\n'
refuse 2:8 'serve.port: a whole number' 'serve:\n  port:\n'
refuse 2:14 'serve.read-only: true or false is needed' 'serve:\n  read-only: maybe\n'
refuse 1:13 'preprocess: crop, pad or squash is needed' 'preprocess: stretch\n'
refuse 1:26 'ingest.commit-seconds: a number of seconds is needed' 'ingest: {commit-seconds: -1}\n'
refuse 1:8 'table: a text is needed' 'table: {a: b}\n'
refuse 1:8 'serve: a mapping of keys is needed' 'serve: 8000\n'
refuse 1:1 'the file: a mapping of keys is needed' '- a\n- b\n'
refuse 1:1 '"?" is not a key' '[a]: b\n'
refuse 2:8 'mapping values are not allowed' 'table: x\n  model: y\n'
refuse 2:1 'found unexpected end of stream' 'table: "x\n'
refuse 2:1 'a second document' 'table: x\n---\ntable: y\n'
printf '\0\377\376' > wrong.yaml
expect 2 wrong.yaml --config wrong.yaml count
head -c 70000 /dev/zero | tr '\0' '#' > wrong.yaml
expect 2 wrong.yaml --config wrong.yaml count
expect 2 'the limit is' --config wrong.yaml count
expect 2 "$work" --config "$work" count
expect 2 'is the limit' --config /dev/zero count
for empty in '' '# nothing\n' '---\n' 'serve:\n# port: 1\n'; do
    printf '%b' "$empty" > empty.yaml
    expect 0 339 --config empty.yaml count --table shop.lance
done
echo "the file says what the command line could"
