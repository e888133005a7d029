/*
 * smegctl: the person's end of the control socket.
 *
 * All that it takes from its surroundings is here: streams, terminals, environment, heap.
 */
#include "api/client.h"
#include "smegctl/cmd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *heap_resize(void *ctx, void *ptr, size_t bytes)
{
	(void)ctx;
	if (bytes > 0)
		return realloc(ptr, bytes);
	free(ptr);
	return NULL;
}

static bool colour_for(FILE *stream)
{
	const char *no = getenv("NO_COLOR"); /* no-color.org: present and not empty */
	const char *terminal = getenv("TERM");

	if (no && no[0])
		return false;
	return isatty(fileno(stream)) && terminal && terminal[0] && strcmp(terminal, "dumb") != 0;
}

int main(int argc, char **argv)
{
	static const struct mem heap = { .resize = heap_resize };
	const char *socket = getenv("SMEGD_SOCKET");
	struct call c = {
		.in = stdin,
		.out = stdout,
		.talk = stderr,
		.in_is_tty = isatty(STDIN_FILENO),
		.has_colour = colour_for(stdout),
		.socket = socket && socket[0] ? socket : NULL,
		.ask = ask_daemon,
		.mem = &heap,
	};

	return call_run(&c, argc, argv);
}
