-- Accounts and sessions: the only data whose truth is here and not in the log.
--
-- Ids and hashes are blobs of their fixed size. Times are milliseconds since the Unix epoch.

-- "NATT": a file of another program is recognised and left alone.
PRAGMA application_id = 0x4E415454;

-- The *_fold columns hold the lower-case form that is compared, made in one place of the program: SQLite
-- itself folds ASCII only. They are blobs so that a prefix is a range of bytes, and nothing a user types
-- (wildcards, NULs) has a meaning.
CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY,
    username      TEXT    NOT NULL,
    username_fold BLOB    NOT NULL UNIQUE,
    email         TEXT    NOT NULL,
    email_fold    BLOB    NOT NULL UNIQUE,
    display_name  TEXT    NOT NULL,
    display_fold  BLOB    NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Search by display name answers in the order of usernames; both come from the index.
CREATE INDEX users_by_display ON users (display_fold, username_fold);

-- One log-in on one device. Ending it deletes it, and with it every token that could renew it.
CREATE TABLE sessions (
    id         BLOB    NOT NULL PRIMARY KEY,
    user       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_user ON sessions (user, expires_at);
-- For sweeping out what has expired.
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Every refresh token of a living session, spent ones too: a spent token that comes back was copied. A token
-- is forgotten when it would have expired anyway, which bounds the rows of a session that lives for years.
CREATE TABLE refresh_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    session    BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    spent      INTEGER NOT NULL DEFAULT FALSE
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session, expires_at);
