#!/bin/sh
# Remove the files of a CMake install manifest and the folders that only pennon had. Usage: uninstall.sh MANIFEST [DESTDIR]
set -eu
[ -f "$1" ] || { echo "pennon: not installed from here" >&2; exit 1; }
destdir=${2:-}
# The last line of the manifest has no line end.
while IFS= read -r file || [ -n "$file" ]; do
    rm -f -- "$destdir$file"
    case $file in
    */pennon/*) rmdir -- "$destdir${file%/*}" 2>/dev/null || true ;; # not empty yet
    esac
done < "$1"
rm -f -- "$1"
