#!/bin/sh
# Build the kernels and their tests for 64-bit Arm and run them on emulated processors. Usage: cross_arm64.sh [FOLDER]
#
# FOLDER (build/arm64) gets the programs. Needs aarch64-linux-gnu-gcc, qemu-aarch64-static and cmocka for arm64, below / or
# below $PN_ARM64_ROOT. Exit status 77, with a line that says what is missing, when one of them is not there.
#
# Only base and kernels are built: what they need of base is compiled into every test, so that no other library has to
# exist for Arm. Flags come from CMakeLists.txt.
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/arm64}
root=${PN_ARM64_ROOT:-}
cc=aarch64-linux-gnu-gcc
libraries=$root/usr/lib/aarch64-linux-gnu

absent()
{
    echo "skipped: no $1"
    exit 77
}
command -v $cc >/dev/null || absent "$cc (Debian: gcc-aarch64-linux-gnu)"
command -v qemu-aarch64-static >/dev/null || absent 'qemu-aarch64-static (Debian: qemu-user-static)'
[ -e "$libraries/libcmocka.so.0" ] || absent "$libraries/libcmocka.so.0 (Debian: libcmocka0:arm64; \$PN_ARM64_ROOT)"

compile()
{
    # shellcheck disable=SC2086
    ${CMAKE_C_COMPILER_LAUNCHER:-} $cc -std=gnu17 -O2 -g -ffunction-sections -Wall -Wextra -Wshadow -Werror \
        -Isrc -Iinclude -Itests $3 -c "$1" -o "$2"
}

# The flags of one kernel file, from the table of instruction sets.
flags_of()
{
    suffix=$(basename "$1" .c)
    sed -n "s/^pn_kernel_flags(${suffix##*_} aarch64 \"\(.*\)\")$/\1/p" CMakeLists.txt | tr ';' ' '
}

mkdir -p "$out/objects"
foreign=$(sed -n 's/^pn_kernel_flags(\([a-z0-9]*\) x86_64.*/\1/p' CMakeLists.txt)
for source in src/kernels/*.c src/base/rng.c src/base/status.c tests/support/guarded.c; do
    for suffix in $foreign; do
        case $source in *_"$suffix".c) continue 2 ;; esac
    done
    compile "$source" "$out/objects/$(basename "$source" .c).o" "$(flags_of "$source")"
done

link()
{
    # Functions that nothing calls go, and with them what they would want of other libraries.
    $cc -Wl,--gc-sections -o "$out/$1" "$out/$1.o" "$out"/objects/*.o "$libraries/libcmocka.so.0" -lm
}

tests=
for source in bench/bench_kernels.c tests/kernels/test_*.c; do
    program=$(basename "$source" .c)
    for suffix in $foreign; do
        case $program in *_"$suffix") continue 2 ;; esac
    done
    compile "$source" "$out/$program.o" ''
    link "$program"
    case $program in test_*) tests="$tests $program" ;; esac
done

# run_on PROCESSOR LEVELS...: products of seeded shapes on every level; LEVELS are those it has to have, and no others.
run_on()
{
    processor=$1
    shift
    run_program test_quant
    run_program bench_kernels --shapes 8 --seconds 0
    found=$(sed -n 's/.*"check":"[^"]*","level":"\([^"]*\)".*/\1/p' "$out/bench_kernels.log" | tr '\n' ' ')
    [ "$found" = "$* " ] || {
        echo "$processor has the levels $found and should have $*"
        exit 1
    }
    echo "$processor: $*"
}

run_program()
{
    program=$1
    shift
    qemu-aarch64-static -cpu "$processor" -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$libraries" \
        "$out/$program" "$@" >"$out/$program.log" 2>&1 || {
        cat "$out/$program.log"
        echo "$program fails on $processor"
        exit 1
    }
}

processor=max
for program in $tests; do
    run_program "$program"
done
run_on cortex-a72 portable neon
run_on neoverse-n1 portable neon dotprod
run_on cortex-a76 portable neon dotprod
run_on max portable neon dotprod i8mm
