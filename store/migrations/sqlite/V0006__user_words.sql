-- Users are found by any word of their names, not by the beginning of a name only. A word is in the form that is
-- compared (without case, accents and compatibility forms), made by the program, as a blob: a prefix is a range of bytes.
-- At most 32 of a user.
CREATE TABLE user_words (
    word          BLOB NOT NULL,
    username_fold BLOB NOT NULL,
    user          BLOB NOT NULL,
    PRIMARY KEY (word, username_fold, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_words_by_user ON user_words (user);

-- The version of the form of the words that are there, in the only row. The program fills the table when it is another
-- than its own; zero: nothing is there yet.
CREATE TABLE user_words_form (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    form INTEGER NOT NULL
) STRICT;
INSERT INTO user_words_form VALUES (1, 0);

DROP INDEX users_by_display;
ALTER TABLE users DROP COLUMN display_fold;
