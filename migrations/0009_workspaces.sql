-- The objects that a person's last interactive session has left for the next one: a file of R's save().
CREATE TABLE left_workspace (
    owner   TEXT PRIMARY KEY REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    blob    TEXT NOT NULL,
    size    INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
