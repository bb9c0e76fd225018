-- What a session was at one moment: its objects, files and packages. An image never changes, and the same content twice is one image. What
-- names one is listed in store/images.rs; one that nothing names is removed together with contents that nothing refers to.
CREATE TABLE image (
    -- SHA-256 of all that is here; or the identity of a project that is older than this table.
    id        TEXT PRIMARY KEY,
    -- The objects of the global environment, and their size.
    workspace TEXT NOT NULL,
    size      INTEGER NOT NULL,
    -- JSON: attached packages, current folder.
    state     TEXT NOT NULL,
    -- The size of all contents together.
    bytes     INTEGER NOT NULL
) STRICT;

CREATE TABLE image_file (
    image      TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
    -- The folder of the session that it was in.
    area       TEXT NOT NULL CHECK (area IN ('work', 'library')),
    path       TEXT NOT NULL,
    blob       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    executable INTEGER NOT NULL,
    PRIMARY KEY (image, area, path)
) STRICT;

CREATE TABLE snapshot (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    name    TEXT NOT NULL,
    image   TEXT NOT NULL REFERENCES image (id),
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshot_owner ON snapshot (owner);
CREATE INDEX snapshot_image ON snapshot (image);

INSERT INTO image (id, workspace, size, state, bytes)
    SELECT id, workspace, size,
        json_object('packages', json(coalesce(state -> '$.packages', '[]')), 'folder', coalesce(state ->> '$.folder', '')),
        size + coalesce((SELECT sum(size) FROM project_file WHERE project = project.id), 0)
    FROM project;
INSERT INTO image_file (image, area, path, blob, size, executable) SELECT project, 'work', path, blob, size, 0 FROM project_file;

-- Projects refer to images. The tables are made anew, because to remove the old ones removes the rows that refer to theirs.
CREATE TABLE new_project (
    id      TEXT PRIMARY KEY,
    owner   TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    name    TEXT NOT NULL,
    image   TEXT NOT NULL REFERENCES image (id),
    -- JSON: history, last output.
    state   TEXT NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT;
INSERT INTO new_project (id, owner, name, image, state, created, changed)
    SELECT id, owner, name, id, json_remove(state, '$.packages', '$.folder'), created, changed FROM project;

-- Files of the working folder that had addresses.
CREATE TABLE project_published (
    project TEXT NOT NULL REFERENCES new_project (id) ON DELETE CASCADE,
    path    TEXT NOT NULL,
    PRIMARY KEY (project, path)
) STRICT;
INSERT INTO project_published (project, path) SELECT project, path FROM project_file WHERE published;

CREATE TABLE new_suspended (
    session TEXT PRIMARY KEY,
    owner   TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    project TEXT NOT NULL REFERENCES new_project (id) ON DELETE CASCADE
) STRICT;
INSERT INTO new_suspended (session, owner, project) SELECT session, owner, project FROM suspended;

DROP TABLE suspended;
DROP TABLE project_file;
DROP TABLE project;
ALTER TABLE new_project RENAME TO project;
ALTER TABLE new_suspended RENAME TO suspended;
CREATE INDEX project_owner ON project (owner);
CREATE INDEX project_image ON project (image);
