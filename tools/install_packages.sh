#!/bin/sh
# Install the Debian packages that pennon needs. Usage: install_packages.sh run|test
#
# "run" is what building and running takes; "test" adds the test tools. Nothing is asked of the
# package system when all of them are here already, so a second call takes a moment and no network.
set -eu

run_packages="gcc libc6-dev cmake ninja-build pkg-config
    libxxhash-dev libutf8proc-dev uthash-dev uuid-dev
    libvips-dev libjpeg62-turbo-dev libzstd-dev liblz4-dev libprotobuf-c-dev protobuf-c-compiler
    libpcre2-dev libroaring-dev libcsv-dev libjansson-dev libmicrohttpd-dev libyaml-dev
    libcurl4-openssl-dev libssl-dev"
test_packages="g++ clang libclang-rt-14-dev clang-format clang-tidy cppcheck shellcheck gcovr libcmocka-dev
    python3 python3-numpy curl groff-base mandoc zsh chromium prometheus fonts-noto-cjk sentencepiece"

missing()
{
    for package in $1; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' ||
            printf '%s ' "$package"
    done
}

case "${1:-}" in
run) wanted=$(missing "$run_packages") ;;
test)
    wanted=$(missing "$run_packages $test_packages")
    # Node.js may come from elsewhere; Debian's own is new enough.
    command -v node >/dev/null 2>&1 || wanted="$wanted nodejs"
    command -v npm >/dev/null 2>&1 || wanted="$wanted npm"
    ;;
*)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac
[ -n "$wanted" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "pennon: this system has no apt-get; install the equivalents of: $wanted" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "pennon: these packages are missing: $wanted" >&2
    echo "pennon: run 'sudo $0 $1' once, then try again" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# The recommended packages of these are desktop programs and services; none is needed.
# shellcheck disable=SC2086
exec apt-get -q -y --no-install-recommends install $wanted
