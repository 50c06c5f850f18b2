-- Who has blocked whom. A row per block; unblocking removes it.
CREATE TABLE blocks (
    user  BLOB    NOT NULL,
    other BLOB    NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (user, other)
) STRICT, WITHOUT ROWID;

-- From the other side: a block closes the direct conversation for both.
CREATE INDEX blocks_by_other ON blocks (other, user);
