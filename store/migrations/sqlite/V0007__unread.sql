-- What was marked as unread: the newest mark, and the version up to which marks were ended by reading again. See
-- UnreadMark in src/read_position.rs.
ALTER TABLE reads ADD COLUMN unread_version  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reads ADD COLUMN unread_position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reads ADD COLUMN unread_over     INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reads ADD COLUMN unread_ended    INTEGER NOT NULL DEFAULT 0;
