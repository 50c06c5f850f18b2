-- Users whose data is being erased, or was. record: how far it is, as the program writes it. A row stays for good: it says
-- that the id is of no one any more, and what was erased.
CREATE TABLE erasures (
    user         BLOB    NOT NULL PRIMARY KEY,
    requested_at INTEGER NOT NULL,
    record       BLOB    NOT NULL,
    done         INTEGER NOT NULL DEFAULT FALSE
) STRICT, WITHOUT ROWID;

CREATE INDEX erasures_open ON erasures (requested_at) WHERE NOT done;
