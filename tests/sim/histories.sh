#!/bin/bash
# The first 20 000 of the merge histories that `make soak` runs a million of, from a fresh seed.
set -u
HISTORIES=20000 exec "$(dirname "$0")/../bench/rows/histories.sh"
