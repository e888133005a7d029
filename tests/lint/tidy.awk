# Looks at C files line by line; see tidy.sh.  Needs strip.awk.

function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad = 1
}

# Columns, with tabs at every eighth and a UTF-8 sequence as one.
function columns(text,    i, n, out) {
	gsub(/[\200-\277]/, "", text)
	if (text !~ /\t/)
		return length(text)
	n = split(text, part, "\t")
	out = 0
	for (i = 1; i < n; i++)
		out += 8 * (int(length(part[i]) / 8) + 1)
	return out + length(part[n])
}

function guard_name(path) {
	sub(/[.]h$/, "", path)
	gsub(/[^A-Za-z0-9]/, "_", path)
	return "SMEG_" toupper(path) "_H"
}

function finish() {
	if (!previous)
		return
	if (lines > 800) {
		printf "%s: %d lines (800)\n", previous, lines
		bad = 1
	}
	if (previous ~ /[.]h$/ && !guarded) {
		printf "%s: the header guard is to be %s\n", previous, guard_name(previous)
		bad = 1
	}
}

# In a library's file the first include proves that a header stands alone: its own, or
# its folder's where the file has none.
function check_first(text,    own, dir, header) {
	first_seen = 1
	if (FILENAME !~ /[.]c$/)
		return
	own = FILENAME
	sub(/[.]c$/, ".h", own)
	dir = FILENAME
	if (!sub(/\/[^\/]*$/, "", dir) || index(" " libs " ", " " dir " ") == 0)
		return
	header = text
	sub(/^[^"<]*["<]/, "", header)
	sub(/[">].*$/, "", header)
	if (header == own)
		return
	if (own in headers || index(header, dir "/") != 1 || substr(header, length(dir) + 2) ~ /\//)
		complain("includes " header " before its own header")
}

BEGIN {
	for (i = 1; i < ARGC; i++)
		headers[ARGV[i]] = 1
}

FNR == 1 {
	finish()
	previous = FILENAME
	strip_reset()
	first_seen = guarded = 0
	wanted = guard_name(FILENAME)
	ifndef_seen = 0
}

{
	lines = FNR
	if (columns($0) > 100)
		complain("line of " columns($0) " columns (100)")
	if ($0 ~ /lint: (long|params), ./ && ++exempted > exemptions)
		complain("more than " exemptions " exemptions in the tree")
	text = strip($0)
	if (slashes)
		complain("a comment is written /* */")
	if (text ~ /^[ \t]*#[ \t]*include/ && !first_seen)
		check_first(text)
	if (text ~ "^#ifndef " wanted "[ \t]*$")
		ifndef_seen = 1
	if (ifndef_seen && text ~ "^#define " wanted "[ \t]*$")
		guarded = 1
}

END {
	finish()
	exit bad
}
