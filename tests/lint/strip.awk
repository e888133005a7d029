# Shared by the gates: strip(LINE) is the line without comments, string and character
# literals kept.  Call it for every line of a file in order; strip_reset() before.
# `slashes` is then true if the line had a comment of the // kind.
function strip_reset() { in_comment = 0 }

function strip(line,    out, i, c, n) {
	out = ""
	slashes = 0
	while (line != "") {
		if (in_comment) {
			i = index(line, "*/")
			if (!i)
				return out
			line = substr(line, i + 2)
			in_comment = 0
			out = out " "
			continue
		}
		if (!match(line, /["'\/]/))
			return out line
		out = out substr(line, 1, RSTART - 1)
		line = substr(line, RSTART)
		c = substr(line, 1, 1)
		if (c == "/") {
			if (substr(line, 2, 1) == "*") {
				in_comment = 1
				line = substr(line, 3)
			} else if (substr(line, 2, 1) == "/") {
				slashes = 1
				return out
			} else {
				out = out c
				line = substr(line, 2)
			}
			continue
		}
		# A literal: up to the next quote of its kind that no backslash hides.
		for (n = 2; n <= length(line); n++) {
			if (substr(line, n, 1) == "\\")
				n++
			else if (substr(line, n, 1) == c)
				break
		}
		out = out substr(line, 1, n)
		line = substr(line, n + 1)
	}
	return out
}
