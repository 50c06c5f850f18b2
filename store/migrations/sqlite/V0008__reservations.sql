-- Memberships that a call is about to make: they count like those that are there. A row stays from before the event that
-- makes the membership until after it is stored, or, if its process ends meanwhile, until someone has no room and what
-- became of it is looked up in the log.
CREATE TABLE reservations (
    user         BLOB    NOT NULL,
    conversation BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (user, conversation, id)
) STRICT, WITHOUT ROWID;
