/*
 * The configuration file: whatever the bytes, the parser ends with values within their ranges or
 * with words that say where; and what it took, printed, reads back to the same values.
 */
#include "smegd/conf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int err, const struct diag *diag)
{
	assert(err == ERR_CONFIG);
	assert(strncmp(diag->text, "f:", 2) == 0);
	for (const char *c = diag->text; *c; c++)
		assert(*c >= ' ' && *c <= '~');
}

static void check_values(const struct conf *c)
{
	assert(c->port >= 1 && c->port <= 65535);
	assert(c->wireguard_port >= 1 && c->wireguard_port + LIMIT_MESHES <= 65535);
	assert(c->mtu == 0 || (c->mtu >= 1280 && c->mtu <= 9000));
	assert(c->endpoints.count <= LIMIT_ENDPOINTS);
	assert(c->admins.count <= CONF_USERS_MAX);
	assert(c->state_directory[0] == '/' && c->run_directory[0] == '/');
	assert(strlen(c->device_prefix) >= 1 && strlen(c->device_prefix) <= 7);
	assert(!c->alias[0] || name_is_label(c->alias));
}

static void check_print(const struct conf *c)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	struct diag diag = { "", "" };
	struct conf back;

	if (!out)
		return;
	conf_print(c, out);
	fclose(out);
	if (conf_parse(&back, "f", (struct bytes){ (const uint8_t *)text, bytes }, &diag))
		assert(!"what was printed does not read back");
	assert(conf_compare(c, &back, NULL, 0) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag diag = { "", "" };
	struct conf c;
	int err = conf_parse(&c, "f", (struct bytes){ data, size }, &diag);

	if (err) {
		check_error(err, &diag);
	} else {
		check_values(&c);
		check_print(&c);
	}
	return 0;
}
