# Input: what `make lint-table` prints, of which the lines "deps FOLDER FOLDER..." and
# "hdrs FOLDER HEADER..." count; the word FILES; the names of the files to look at.

BEGIN {
	# Headers of libraries that must not spread (rule 8 of the design): where they may be.
	home["[.]pb-c[.]h$"] = "api/model smegd/wire"
	home["^protobuf-c/"] = "api/model smegd/wire"
	home["^sqlite3[.]h$"] = "smegd/store"
	home["^nng/"] = "smegd/net api smegd"
	home["^libmnl/"] = "smegd/kern"
}

function complain(text) {
	printf "%s:%d: %s\n", file, line_no, text
	bad = 1
}

function dirname(path) {
	return sub(/\/[^\/]*$/, "", path) ? path : "."
}

# The folder whose rules hold for a file: a unit test's are those of what it tests.
function folder_of(path,    d) {
	d = dirname(path)
	if (d ~ /^tests\/unit\/./)
		sub(/^tests\/unit\//, "", d)
	return d
}

function check_home(header,    re) {
	for (re in home)
		if (header ~ re && file !~ /^tests\/(tools|bench|netns|kernel)\// &&
		    index(" " home[re] " ", " " folder " ") == 0)
			complain("may not include " header ": it stays inside " home[re])
}

function check_include(text,    header, dir, quoted) {
	sub(/^[ \t]*(#|%:)[ \t]*(include|include_next|import)/, "", text)
	sub(/^[ \t]+/, "", text)
	sub(/[ \t]+$/, "", text)
	if (text !~ /^"[^"]+"$/ && text !~ /^<[^>]+>$/) {
		complain("an include must name its header plainly: " text)
		return
	}
	quoted = text ~ /^"/
	header = substr(text, 2, length(text) - 2)
	check_home(header)
	if (!quoted) {
		if (header in exists)
			complain("a header of ours is included in quotes: " header)
		return
	}
	if (header !~ /\//) {
		complain("an include is written from the root: " header)
		return
	}
	if (header ~ /(^|\/)\.\.?\// || header ~ /\/\// || header ~ /^\//) {
		complain("a relative include: " header)
		return
	}
	if (header !~ /[.]h$/)
		complain("only headers are included: " header)
	dir = dirname(header)
	if (header ~ /_priv[.]h$/ && dir != folder && dir != dirname(file) && folder != "tests/fuzz")
		complain("may not include " header ": it is private to " dir "/")
	if (dir == "tests/unit" && file ~ /^tests\/unit\//)
		return
	if (header ~ /[.]pb-c[.]h$/)
		return
	# Helpers of the unit tests of what the folder may import.
	if (dir ~ /^tests\/unit\// && file ~ /^tests\/unit\// && (folder, substr(dir, 12)) in may)
		return
	if (dir != folder && dir != dirname(file) && !((folder, dir) in may) &&
	    !((folder, header) in may))
		complain("may not import " dir "/ (" header ")")
}

function scan(    raw, text, whole) {
	strip_reset()
	line_no = 0
	whole = ""
	while ((getline raw < file) > 0) {
		line_no++
		# Lines are spliced before comments go, as the compiler does.
		if (raw ~ /\\[ \t]*$/) {
			sub(/\\[ \t]*$/, "", raw)
			whole = whole raw
			continue
		}
		text = strip(whole raw)
		whole = ""
		if (text ~ /^[ \t]*(#|%:|\?\?=)[ \t]*(include|import)/)
			check_include(text)
	}
	close(file)
}

$1 == "FILES" { files = 1; next }
files { exists[$0] = 1; names[++count] = $0; next }
$1 == "deps" { known[$2] = 1 }
$1 == "deps" || $1 == "hdrs" { for (i = 3; i <= NF; i++) may[$2, $i] = 1 }

END {
	if (!count) {
		print "no files to look at"
		exit 1
	}
	for (n = 1; n <= count; n++) {
		file = names[n]
		folder = folder_of(file)
		line_no = 1
		if (!(folder in known))
			complain("no DEPS." folder " in the Makefile: it belongs to nothing that is built")
		scan()
	}
	exit bad
}
