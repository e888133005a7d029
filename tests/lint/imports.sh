#!/bin/sh
# Fails when a file includes a header that its folder may not import.  The table is
# the Makefile's DEPS lines: one source of truth.
set -eu
lint=tests/lint
{
	MAKEFLAGS='' make -s --no-print-directory lint-table
	echo FILES
	$lint/files.sh '*.c' '*.h'
} | awk -f $lint/strip.awk -f $lint/imports.awk
