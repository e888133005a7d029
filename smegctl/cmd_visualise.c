/*
 * smegctl visualise: a picture of a mesh, or of all.
 */
#include "api/model/picture.h"
#include "smegctl/cmd.h"
#include "smegctl/json.h"

#include <errno.h>
#include <string.h>

static int write_svg(struct call *c, const struct reply *r, FILE *out)
{
	struct bytes svg;
	int err = picture_svg(r->meshes, r->meshes_count, r->now_unix_ms, &c->arena, &svg);

	if (err)
		return diag_set(&c->diag, err, "cannot draw: %s", err_text(err));
	fwrite(svg.at, 1, svg.count, out);
	return 0;
}

static int write_json(struct call *c, const struct reply *r, FILE *out)
{
	json_t *root = json_array();
	int failed;

	for (size_t i = 0; i < r->meshes_count && root; i++) {
		if (json_array_append_new(root, json_members(&r->meshes[i]))) {
			json_decref(root);
			root = NULL;
		}
	}
	root = json_pack("{s:o}", "meshes", root);
	failed = !root || json_dumpf(root, out, JSON_INDENT(2));
	json_decref(root);
	if (failed)
		return diag_set(&c->diag, -ENOMEM, "cannot draw: %s", err_text(-ENOMEM));
	fputc('\n', out);
	return 0;
}

static const struct {
	const char *name;
	int (*write)(struct call *c, const struct reply *r, FILE *out);
} formats[] = { { "svg", write_svg }, { "json", write_json } };

/* Into the file, which is not left half written on an error that we see. */
static int write_file(struct call *c, const struct reply *r, size_t format, const char *path)
{
	FILE *f = fopen(path, "we");
	int err = f ? 0 : -errno;

	if (f) {
		err = formats[format].write(c, r, f);
		errno = EIO;
		if (fclose(f) != 0 && !err)
			err = -errno;
	}
	if (err && !c->diag.text[0])
		diag_set(&c->diag, err, "cannot write %s: %s", path, err_text(err));
	return err;
}

static int find_format(struct call *c, size_t *ret)
{
	const char *name = c->args.values[OPT_FORMAT];
	char seen[SHOWN_BYTES];

	if (!name)
		name = c->is_json ? "json" : "svg";
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		if (strcmp(formats[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
	}
	return fail_usage(c, "--format is svg or json, not '%s'", shown(name, seen));
}

static int run(struct call *c)
{
	struct request r = { .kind = REQUEST_LIST, .mesh = mesh_word(c) };
	const char *path = c->args.values[OPT_OUTPUT];
	struct reply reply;
	size_t format = 0;
	int err = find_format(c, &format);

	if (!err)
		err = c->ask(c, &r, &reply);
	if (err)
		return err;
	if (path && strcmp(path, "-") != 0)
		return write_file(c, &reply, format, path);
	return formats[format].write(c, &reply, c->out);
}

static const struct option options[] = {
	{ OPT_FORMAT, 'f', "format", "svg|json", 0, "svg unless --json is given" },
	{ OPT_OUTPUT, 'o', "output", "FILE", 0, "write to a file" },
};

static const char *const aliases[] = { "visualize", "get-graph", NULL };

const struct command cmd_visualise = {
	.name = "visualise",
	.aliases = aliases,
	.words = "[MESH]",
	.words_max = 1,
	.word_max = LIMIT_NAME_BYTES,
	.summary = "draw a mesh, or all, as this host sees them",
	.help = "The picture is one SVG that needs nothing else; the same state gives the\n"
		"same bytes.\n"
		"\n"
		"  smegctl visualise -o mesh.svg\n",
	.options = options,
	.options_count = ARRAY_LEN(options),
	.run = run,
};
