#!/usr/bin/env bash
# Gives the rows of a file as JSON on stdout: the simplest way to an output.
set -euo pipefail
[ -s "$1" ] || { echo "there is no file $1" >&2; exit 3; }
echo "10 reading $1" >> "$MAINSPRING_PROGRESS"
rows=$(tail -n +2 "$1" | awk -F, '{ printf "%s{\"sku\": \"%s\", \"price\": %s}", (NR > 1 ? ", " : ""), $1, $2 }')
echo "{\"file\": \"$1\", \"rows\": [$rows]}"
