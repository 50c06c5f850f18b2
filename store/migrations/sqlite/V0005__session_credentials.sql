-- A change of the password ends every session but the one that made it. That was a second step, after the new hash was
-- stored: a crash between the two left them alive. Now the hash itself decides which sessions can be renewed.

-- The session that set the hash; 16 zeros: none did. NULL: not changed since this column is here.
ALTER TABLE users ADD COLUMN password_set_by BLOB;

-- The version of the credential the log-in was checked against: a hash of the password hash. NULL: opened before
-- this column was here.
ALTER TABLE sessions ADD COLUMN credential BLOB;

-- Two windows of a browser renew at once, and a response gets lost: a token that is presented again shortly after its
-- exchange is answered with the same successor. successor: the hash of it; seed: what it is derived from, with the
-- token; exchanged_at: when, by this machine's clock.
ALTER TABLE refresh_tokens ADD COLUMN successor    BLOB;
ALTER TABLE refresh_tokens ADD COLUMN seed         BLOB;
ALTER TABLE refresh_tokens ADD COLUMN exchanged_at INTEGER;
