-- Batches: many calls of one version of a service, as it was when the batch began. Times are microseconds since 1970.
CREATE TABLE batch (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    service    TEXT NOT NULL,
    version    TEXT NOT NULL,
    -- JSON: the definition of the service.
    definition TEXT NOT NULL,
    -- The image that the calls run in, until the batch has ended.
    image      TEXT REFERENCES image (id),
    -- The most calls at the same time.
    parallel   INTEGER NOT NULL,
    -- The number of calls.
    total      INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('pending', 'running', 'complete', 'failed')),
    -- Why it has failed.
    problem    TEXT NOT NULL,
    -- The size of inputs, results and files together.
    bytes      INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    ended      INTEGER
) STRICT;
CREATE INDEX batch_owner ON batch (owner);
CREATE INDEX batch_image ON batch (image);

CREATE TABLE batch_item (
    batch   TEXT NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
    -- Its place among the inputs, from 0.
    number  INTEGER NOT NULL,
    -- Null until the call has ended.
    success INTEGER,
    -- JSON. Empty when the call has ended.
    inputs  TEXT NOT NULL,
    -- JSON, as it is sent.
    result  BLOB,
    PRIMARY KEY (batch, number)
) STRICT;
CREATE INDEX batch_item_open ON batch_item (batch, number) WHERE success IS NULL;

CREATE TABLE batch_file (
    batch  TEXT NOT NULL,
    number INTEGER NOT NULL,
    -- Its path in the working folder.
    name   TEXT NOT NULL,
    blob   TEXT NOT NULL,
    size   INTEGER NOT NULL,
    PRIMARY KEY (batch, number, name),
    FOREIGN KEY (batch, number) REFERENCES batch_item (batch, number) ON DELETE CASCADE
) STRICT;
