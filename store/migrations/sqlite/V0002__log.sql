-- What the log said. `events` holds the facts; every other table here is derived from them, row by row, in a
-- way that gives the same rows whatever the order of arrival: highest seq wins, lowest seq wins, or a maximum.

-- Append-only. Clustered by conversation, because pages, replays and edits all read neighbours of one
-- conversation; a rowid table would scatter them in order of arrival.
-- kind: 1 posted, 2 edited, 3 deleted, 4 reacted, 0 everything else. target: the message a 2, 3 or 4 is about.
-- data: the event as it was on the bus.
CREATE TABLE events (
    conversation BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    id           BLOB    NOT NULL,
    kind         INTEGER NOT NULL,
    target       INTEGER,
    author       BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    data         BLOB    NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

-- Late retries ask whether an event is known. Not unique: should the log hold an id twice, the lower seq is
-- the answer, and refusing the other would leave a hole in the chain of events.
CREATE INDEX events_by_id ON events (conversation, id, seq);

-- Pages and unread counts walk messages only; a much-loved message has thousands of reactions behind it.
CREATE INDEX messages ON events (conversation, seq, author) WHERE kind = 1;

-- The deletion and the newest edit of a message are one descent each, however often it was edited.
CREATE INDEX changes ON events (conversation, target, kind, seq) WHERE target IS NOT NULL;

-- A conversation. A row without `created_seq` stands for one whose Created event has not arrived yet: its
-- other events are kept and counted, and it becomes visible with Created.
-- members: how many rows of `members` have a role now; counting 10,000 for each line of a list would not do.
CREATE TABLE conversations (
    id               BLOB    NOT NULL PRIMARY KEY,
    shape            INTEGER,
    created_seq      INTEGER,
    created_at       INTEGER,
    name             TEXT,
    name_seq         INTEGER NOT NULL DEFAULT 0,
    head             INTEGER NOT NULL DEFAULT 0,
    last_activity_at INTEGER NOT NULL DEFAULT 0,
    members          INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- A person's place in a conversation: two registers, each the highest seq of its kind.
-- present_*: the newest Created, MemberAdded or MemberRemoved (present_role NULL: not a member).
-- role_*: the newest RoleChanged; it counts only when it is above present_seq and there is a member whose role
-- it can change, so a role change that raced with a removal does not bring the person back.
-- joined_at: time of the newest Created or MemberAdded.
CREATE TABLE members (
    conversation BLOB    NOT NULL,
    user         BLOB    NOT NULL,
    present_seq  INTEGER NOT NULL DEFAULT 0,
    present_role INTEGER,
    joined_seq   INTEGER NOT NULL DEFAULT 0,
    joined_at    INTEGER NOT NULL DEFAULT 0,
    role_seq     INTEGER NOT NULL DEFAULT 0,
    role_given   INTEGER,
    role    INTEGER GENERATED ALWAYS AS
            (iif(present_role IS NOT NULL AND role_seq > present_seq, role_given, present_role)) VIRTUAL,
    version INTEGER GENERATED ALWAYS AS
            (iif(present_role IS NOT NULL AND role_seq > present_seq, role_seq, present_seq)) VIRTUAL,
    PRIMARY KEY (conversation, user)
) STRICT, WITHOUT ROWID;

-- A user's conversations without touching the table: read at every connect and for every list.
CREATE INDEX members_by_user ON members (user, role, conversation, version);

-- Reactions of one emoji to one message. since: when somebody began to have it without a break, NULL while
-- nobody does; the order in which reactions are shown. last_seq: newest event applied; an older one that
-- arrives later makes this emoji's rows be rebuilt from `events`.
CREATE TABLE reactions (
    conversation BLOB    NOT NULL,
    target       INTEGER NOT NULL,
    emoji        TEXT    NOT NULL,
    since        INTEGER,
    last_seq     INTEGER NOT NULL,
    PRIMARY KEY (conversation, target, emoji)
) STRICT, WITHOUT ROWID;

-- Who reacts with it now, and since which event. A row per person, so that a popular message costs its
-- readers its reactors, not every time somebody toggled.
CREATE TABLE reactors (
    conversation BLOB    NOT NULL,
    target       INTEGER NOT NULL,
    emoji        TEXT    NOT NULL,
    user         BLOB    NOT NULL,
    since        INTEGER NOT NULL,
    PRIMARY KEY (conversation, target, emoji, user)
) STRICT, WITHOUT ROWID;

-- How far a person has read; only ever forward.
CREATE TABLE reads (
    conversation BLOB    NOT NULL,
    user         BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
) STRICT, WITHOUT ROWID;

-- Newest persisted seq of a partition's log: a rebuilt log must begin above it.
CREATE TABLE partitions (
    partition INTEGER NOT NULL PRIMARY KEY,
    highest   INTEGER NOT NULL
) STRICT;
