-- Web services: R code that is published under a name, in versions, each with the image of a session to run in. Times are microseconds since
-- 1970.
CREATE TABLE service (
    name  TEXT PRIMARY KEY,
    -- Who has published it first. Only they publish versions of it.
    owner TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;
CREATE INDEX service_owner ON service (owner);

CREATE TABLE service_version (
    -- In the order in which they were published.
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    service     TEXT NOT NULL REFERENCES service (name) ON DELETE CASCADE,
    version     TEXT NOT NULL,
    author      TEXT NOT NULL,
    -- Seen by its author only: a version that was given no name.
    private     INTEGER NOT NULL,
    code        TEXT NOT NULL,
    init_code   TEXT NOT NULL,
    description TEXT NOT NULL,
    -- What clients call it.
    operation   TEXT NOT NULL,
    -- JSON: what the code takes and gives, by name and type, and the files that it gives.
    inputs      TEXT NOT NULL,
    outputs     TEXT NOT NULL,
    files       TEXT NOT NULL,
    -- The snapshot that it was published with, which may be gone, and its image, which is not.
    snapshot    TEXT,
    image       TEXT REFERENCES image (id),
    created     INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    UNIQUE (service, version)
) STRICT;
CREATE INDEX service_version_image ON service_version (image);

-- Who may do what with services, where the settings say that roles decide.
INSERT INTO role (name, description, system, calls, changed) VALUES
    ('SERVICE_OWNER',       'May call and change every service, and publish',  1, '', 0),
    ('SERVICE_CONTRIBUTOR', 'May call every service, and publish and change their own', 1, '', 0),
    ('SERVICE_READER',      'May call every service',                          1, '', 0)
ON CONFLICT (name) DO UPDATE SET description = excluded.description, system = 1, calls = '';
