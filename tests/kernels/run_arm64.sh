#!/bin/bash
# The kernels for 64-bit Arm on emulated processors, where a cross compiler and an emulator are installed.
exec "$PN_SOURCE_DIR/tools/cross_arm64.sh" "$PN_BINARY_DIR/arm64"
