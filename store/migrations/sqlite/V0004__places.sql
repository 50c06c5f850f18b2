-- A message was written to three trees (the events by conversation, their ids, the messages among them), in each to
-- a page of its own: with many conversations, three pages written for an event of a third of a kilobyte.
--
-- Now the bytes of events are kept in order of arrival, many of them on a page that is written once, and trees hold
-- only what they are and where: 60 bytes an event, so that a conversation's newest ones share a page for long. What
-- came together of one conversation lies together, so a page of history reads few places.
--
-- What an event is, is known without its bytes: those that are garbled, or of a version that this one cannot read,
-- stop nothing but their own reading.

ALTER TABLE events RENAME TO events_clustered;
DROP INDEX events_by_id;
DROP INDEX messages;
DROP INDEX changes;

-- Append-only. data: the event as it was on the bus.
CREATE TABLE events (
    place INTEGER NOT NULL PRIMARY KEY,
    data  BLOB    NOT NULL
) STRICT;

-- Where the next batch begins, in the only row. No place is given twice: should bytes be lost, what says where they
-- were must not find another event there. Once a batch; AUTOINCREMENT would be a write more an event.
CREATE TABLE places (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    next INTEGER NOT NULL
) STRICT;

-- Posted messages. Pages and unread counts walk these only; a much-loved message has thousands of reactions behind
-- it.
CREATE TABLE messages (
    conversation BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    author       BLOB    NOT NULL,
    place        INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

-- Every other event. kind: 2 edited, 3 deleted, 4 reacted, 0 everything else. target: the message a 2, 3 or 4 is
-- about.
CREATE TABLE changes (
    conversation BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    kind         INTEGER NOT NULL,
    target       INTEGER,
    place        INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

-- The deletion and the newest edit of a message are one descent each, however often it was edited.
CREATE INDEX changes_by_target ON changes (conversation, target, kind, seq, place) WHERE target IS NOT NULL;

-- Late retries ask whether an event is known. Ids are random: one that is entered alone costs a page, so a
-- conversation's newest wait until there are some hundred, and are looked through until then
-- (conversations.indexed_*). Not unique: should the log hold an id twice, the lower seq is the answer, and refusing
-- the other would leave a hole in the chain of events.
CREATE TABLE ids (
    conversation BLOB    NOT NULL,
    id           BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (conversation, id, seq)
) STRICT, WITHOUT ROWID;

-- One row deleted by hand is the whole event: a replay of the log then brings it back.
CREATE TRIGGER messages_deleted AFTER DELETE ON messages BEGIN
    DELETE FROM events WHERE place = OLD.place;
    DELETE FROM ids WHERE conversation = OLD.conversation AND id = OLD.id AND seq = OLD.seq;
END;
CREATE TRIGGER changes_deleted AFTER DELETE ON changes BEGIN
    DELETE FROM events WHERE place = OLD.place;
    DELETE FROM ids WHERE conversation = OLD.conversation AND id = OLD.id AND seq = OLD.seq;
END;

-- Events up to indexed_seq are in `ids`; so many above it are not.
ALTER TABLE conversations ADD COLUMN indexed_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN unindexed   INTEGER NOT NULL DEFAULT 0;

INSERT INTO events (place, data)
SELECT row_number() OVER (ORDER BY conversation, seq), data FROM events_clustered;

INSERT INTO messages (conversation, seq, id, author, place)
SELECT conversation, seq, id, author, place
  FROM (SELECT *, row_number() OVER (ORDER BY conversation, seq) AS place FROM events_clustered)
 WHERE kind = 1 ORDER BY conversation, seq;

INSERT INTO changes (conversation, seq, id, kind, target, place)
SELECT conversation, seq, id, kind, target, place
  FROM (SELECT *, row_number() OVER (ORDER BY conversation, seq) AS place FROM events_clustered)
 WHERE kind <> 1 ORDER BY conversation, seq;

INSERT INTO ids (conversation, id, seq)
SELECT conversation, id, seq FROM events_clustered ORDER BY conversation, id, seq;

UPDATE conversations SET indexed_seq = head;

DROP TABLE events_clustered;
