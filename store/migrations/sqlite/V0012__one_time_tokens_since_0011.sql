-- Tokens that were sent to users, one of a purpose: hashes, since the token itself is worth an account for half an hour.
CREATE TABLE one_time_tokens (
    user       BLOB    NOT NULL,
    purpose    TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (user, purpose)
) STRICT, WITHOUT ROWID;

-- For removing what has expired.
CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (expires_at);
