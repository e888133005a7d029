#!/bin/bash
# Random merge histories, from SEED; HISTORIES=n for fewer.  Prints the figure of histories_bad.
set -u
bin=${SMEG_BIN:-build/release/bin}/../bench/histories
[ -x "$bin" ] || { echo "$0: $bin was not built" >&2; exit 1; }
HISTORIES=${HISTORIES:-1000000} exec "$bin"
