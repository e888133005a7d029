/*
 * What went over the wire, from a file that `tcpdump -w` wrote of an Ethernet (or lo), for tests:
 *
 *	capture flows FILE           a line for each direction of each TCP connection:
 *	                             ADDRESS PORT ADDRESS PORT BYTES, in the order of their
 *beginnings capture said FILE N          the bytes of the N-th of these (from 1), as they are
 *	capture find FILE HEX...     for each pattern a line: HEX, and in how many directions it
 *occurs
 *
 * Bytes are put in the order in which they were sent, so a pattern is found across packets, and
 *what was sent again counts once.  A hole (a packet that was not captured) is filled with zeros and
 *told.
 *
 * Exit status: 0, 1 when the file is not as it should be (words on standard error), 2 for bad
 *usage.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS_MAX 4096
#define FLOW_BYTES_MAX (8u << 20)
#define PATTERN_MAX 1024u

#define PCAP_MAGIC 0xa1b2c3d4u
#define PCAP_HEAD 24u
#define PACKET_HEAD 16u
#define ETHERNET_HEAD 14u
#define LINK_ETHERNET 1u
#define PROTOCOL_TCP 6

struct flow {
	uint8_t ends[2][18]; /* address, IPv4 as ::ffff:a.b.c.d, and port, of sender and receiver */
	uint32_t first;      /* sequence number of the first byte */
	uint8_t *at;
	uint8_t *is_there;
	size_t count; /* up to the last byte that was seen */
};

static struct flow flows[FLOWS_MAX];
static size_t flows_count;

struct packet {
	uint8_t ends[2][18];
	uint32_t sequence;
	bool is_first; /* SYN */
	const uint8_t *says;
	size_t count;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put_v4(uint8_t out[16], const uint8_t *from)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, from, 4);
}

static bool parse_tcp(struct packet *p, const uint8_t *at, size_t bytes)
{
	size_t head = bytes >= 20 ? (size_t)(at[12] >> 4) * 4 : 0;

	if (head < 20 || head > bytes)
		return false;
	memcpy(p->ends[0] + 16, at, 2);
	memcpy(p->ends[1] + 16, at + 2, 2);
	p->sequence = get32(at + 4);
	p->is_first = at[13] & 2;
	p->says = at + head;
	p->count = bytes - head;
	return true;
}

static bool parse_v4(struct packet *p, const uint8_t *at, size_t bytes)
{
	size_t head = bytes >= 20 ? (size_t)(at[0] & 15) * 4 : 0;
	size_t total = bytes >= 20 ? get16(at + 2) : 0;

	if (head < 20 || total < head || total > bytes || at[9] != PROTOCOL_TCP)
		return false;
	put_v4(p->ends[0], at + 12);
	put_v4(p->ends[1], at + 16);
	return parse_tcp(p, at + head, total - head);
}

static bool parse_v6(struct packet *p, const uint8_t *at, size_t bytes)
{
	size_t total = bytes >= 40 ? get16(at + 4) : 0;

	if (bytes < 40 + total || bytes < 40 || at[6] != PROTOCOL_TCP)
		return false;
	memcpy(p->ends[0], at + 8, 16);
	memcpy(p->ends[1], at + 24, 16);
	return parse_tcp(p, at + 40, total);
}

static bool parse_packet(struct packet *p, const uint8_t *at, size_t bytes)
{
	if (bytes < ETHERNET_HEAD)
		return false;
	switch (get16(at + 12)) {
	case 0x0800:
		return parse_v4(p, at + ETHERNET_HEAD, bytes - ETHERNET_HEAD);
	case 0x86dd:
		return parse_v6(p, at + ETHERNET_HEAD, bytes - ETHERNET_HEAD);
	default:
		return false;
	}
}

/* The latest of these ends: a port may be used again. */
static struct flow *flow_of(const struct packet *p)
{
	struct flow *f;

	for (size_t i = flows_count; i > 0 && !p->is_first; i--)
		if (memcmp(flows[i - 1].ends, p->ends, sizeof(p->ends)) == 0)
			return &flows[i - 1];
	if (flows_count == FLOWS_MAX)
		return NULL;
	f = &flows[flows_count];
	f->at = calloc(1, FLOW_BYTES_MAX);
	f->is_there = calloc(1, FLOW_BYTES_MAX);
	if (!f->at || !f->is_there)
		return NULL;
	flows_count++;
	memcpy(f->ends, p->ends, sizeof(f->ends));
	f->first = p->sequence + p->is_first;
	return f;
}

static int take(const struct packet *p)
{
	struct flow *f;
	size_t offset;

	if (!p->count && !p->is_first)
		return 0;
	f = flow_of(p);
	if (!f)
		return -ENOMEM;
	offset = p->sequence + p->is_first - f->first;
	if (offset > FLOW_BYTES_MAX) /* before the first byte: a probe */
		return 0;
	if (offset + p->count > FLOW_BYTES_MAX)
		return -EFBIG;
	memcpy(f->at + offset, p->says, p->count);
	memset(f->is_there + offset, 1, p->count);
	f->count = MAX_OF(f->count, offset + p->count);
	return 0;
}

/* The whole file; a last packet that is cut off is left out. */
static int read_packets(const uint8_t *at, size_t bytes)
{
	size_t used = PCAP_HEAD;
	int err = 0;

	if (bytes < PCAP_HEAD || host32(at) != PCAP_MAGIC || host32(at + 20) != LINK_ETHERNET)
		return -EINVAL;
	while (!err && bytes - used >= PACKET_HEAD) {
		size_t here = host32(at + used + 8);
		size_t whole = host32(at + used + 12);
		struct packet p;

		used += PACKET_HEAD;
		if (here < whole)
			return -EMSGSIZE;
		if (here > bytes - used)
			break;
		if (parse_packet(&p, at + used, here))
			err = take(&p);
		used += here;
	}
	return err;
}

static int read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	uint8_t *at = NULL;
	long bytes = -1;
	int err = -EIO;

	if (!f)
		return -errno;
	if (fseek(f, 0, SEEK_END) == 0)
		bytes = ftell(f);
	rewind(f);
	if (bytes >= 0)
		at = malloc((size_t)bytes + 1);
	if (at && fread(at, 1, (size_t)bytes, f) == (size_t)bytes)
		err = read_packets(at, (size_t)bytes);
	fclose(f);
	free(at);
	for (size_t i = 0; i < flows_count && !err; i++)
		if (memchr(flows[i].is_there, 0, flows[i].count))
			fprintf(stderr, "capture: direction %zu has a hole\n", i + 1);
	return err;
}

static void print_flows(void)
{
	for (size_t i = 0; i < flows_count; i++) {
		char text[2][ADDR_TEXT_BYTES];

		for (size_t k = 0; k < 2; k++) {
			struct addr a;

			memcpy(a.b, flows[i].ends[k], sizeof(a.b));
			addr_text(&a, text[k]);
		}
		printf("%s %u %s %u %zu\n", text[0], get16(flows[i].ends[0] + 16), text[1],
		       get16(flows[i].ends[1] + 16), flows[i].count);
	}
}

/* Bytes of the pattern, or 0. */
static size_t parse_hex(const char *text, uint8_t *out)
{
	size_t count = strlen(text) / 2;

	if (strlen(text) % 2 || count > PATTERN_MAX)
		return 0;
	for (size_t i = 0; i < count; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return 0;
		out[i] = (uint8_t)byte;
	}
	return count;
}

static int find(char **patterns, int count)
{
	for (int i = 0; i < count; i++) {
		uint8_t pattern[PATTERN_MAX];
		size_t bytes = parse_hex(patterns[i], pattern);
		size_t found = 0;

		if (!bytes) {
			fprintf(stderr, "capture: %s is no pattern\n", patterns[i]);
			return 2;
		}
		for (size_t k = 0; k < flows_count; k++)
			found += memmem(flows[k].at, flows[k].count, pattern, bytes) != NULL;
		printf("%s %zu\n", patterns[i], found);
	}
	return 0;
}

static int said(const char *number)
{
	size_t n = (size_t)atoi(number);

	if (n < 1 || n > flows_count) {
		fprintf(stderr, "capture: there is no direction %s\n", number);
		return 1;
	}
	fwrite(flows[n - 1].at, 1, flows[n - 1].count, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int status = 2;
	int err;

	if (!(strcmp(what, "flows") == 0 && argc == 3) &&
	    !(strcmp(what, "said") == 0 && argc == 4) && !(strcmp(what, "find") == 0 && argc > 3)) {
		fprintf(stderr, "usage: capture flows FILE | said FILE N | find FILE HEX...\n");
		return status;
	}
	err = read_file(argv[2]);
	if (err) {
		fprintf(stderr, "capture: %s: %s\n", argv[2], strerror(-err));
		return 1;
	}
	if (what[0] == 's') {
		status = said(argv[3]);
	} else if (what[1] == 'i') {
		status = find(argv + 3, argc - 3);
	} else {
		print_flows();
		status = 0;
	}
	return fflush(stdout) ? 1 : status;
}
