/*
 * The schema, as numbered steps from nothing to the newest.
 *
 * The database carries the number of the last step taken in its header (PRAGMA user_version), so
 * that opening it runs what is missing, in one transaction, and a higher number means a newer
 * program.  A step that was released is never edited: the next one repairs it.  Steps are text
 * here and not a file of SQL, as there is then nothing to install or to embed.
 *
 * There is one table for all, because a row is bytes to us: what a record or a counter looks like
 * is versioned by the core, inside of the value, and a column for each would tie the two together.
 * WITHOUT ROWID keeps rows in key order in one tree; with an index beside it, loading 100 000 rows
 * took twice as long (0.24 s) while writing them took less than half (1.4 s), and the daemon
 * reads in bulk but writes a few.
 *
 * `sum` is a hash of the rest of the row.  sqlite has no checksums in the database proper: without
 * it a flipped bit in a counter would go unnoticed and make it go back.
 */
#include "smegd/store/store_priv.h"

#include <assert.h>
#include <stdio.h>

static const struct migration steps[] = {
	{ 1, "CREATE TABLE row ("
	     " tab INTEGER NOT NULL," /* enum row_table */
	     " mesh TEXT NOT NULL,"
	     " key BLOB NOT NULL,"
	     " value BLOB NOT NULL,"
	     " sum BLOB NOT NULL,"
	     " PRIMARY KEY (tab, mesh, key)"
	     ") STRICT, WITHOUT ROWID" },
};

const struct migrations store_migrations = { steps, ARRAY_LEN(steps) };

int store_migrate(sqlite3 *db, struct migrations list, int version)
{
	char pragma[64];

	assert(version >= 0);
	for (size_t i = (size_t)version; i < list.count; i++) {
		int rc;

		assert(list.at[i].number == (int)i + 1);
		rc = sqlite3_exec(db, list.at[i].sql, NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return rc;
		snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", list.at[i].number);
		rc = sqlite3_exec(db, pragma, NULL, NULL, NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}
