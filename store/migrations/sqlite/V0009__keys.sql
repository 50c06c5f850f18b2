-- Keys of users, each wrapped by another: a user's key by a root that is not here, data keys by the user's key. Without the
-- user's row nothing that its data keys sealed can be opened.
CREATE TABLE user_keys (
    user    BLOB NOT NULL PRIMARY KEY,
    root    TEXT NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
    user    BLOB    NOT NULL,
    purpose TEXT    NOT NULL,
    epoch   INTEGER NOT NULL,
    wrapped BLOB    NOT NULL,
    PRIMARY KEY (user, purpose, epoch)
) STRICT, WITHOUT ROWID;
