-- What administrators and users keep on the server. Times are microseconds since 1970, identifiers UUIDs.

-- Limits of an account or a script; 0 is none.
CREATE TABLE boundary (
    name        TEXT PRIMARY KEY,
    cpu_seconds INTEGER NOT NULL,
    memory_mib  INTEGER NOT NULL,
    changed     INTEGER NOT NULL
) STRICT;

-- Addresses that requests may come from; policies say which kind of request each is for.
CREATE TABLE ip_filter (
    name    TEXT PRIMARY KEY,
    -- 192.168.1.0/24, 10.** or 255.*.*.*
    address TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE role (
    name        TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    -- System roles cannot be changed.
    system      INTEGER NOT NULL,
    -- Paths of calls that the role grants, separated by blanks.
    calls       TEXT NOT NULL,
    changed     INTEGER NOT NULL
) STRICT;

INSERT INTO role (name, description, system, calls, changed) VALUES
    ('ADMINISTRATOR',   'May manage the server',                           1, '', 0),
    ('SCRIPT_MANAGER',  'May manage scripts and objects',                  1, '', 0),
    ('POWER_USER',      'May make every call and run any code',            1, '', 0),
    ('BASIC_USER',      'May make every call but those that run any code', 1, '', 0),
    ('PACKAGE_MANAGER', 'May install packages',                            1, '', 0);

ALTER TABLE account ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN password_expired INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN boundary TEXT REFERENCES boundary (name) ON UPDATE CASCADE ON DELETE SET NULL;
-- Logins that failed since the last one that did not, and the time of the last.
ALTER TABLE account ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN failed_at INTEGER NOT NULL DEFAULT 0;

CREATE TABLE account_role (
    account TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    role    TEXT NOT NULL REFERENCES role (name) ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (account, role)
) STRICT;

-- Accounts that were there before roles were could do everything.
INSERT INTO account_role (account, role) SELECT name, 'POWER_USER' FROM account;
INSERT INTO account_role (account, role) SELECT name, 'ADMINISTRATOR' FROM account WHERE name = 'admin';
INSERT INTO account_role (account, role) SELECT name, 'SCRIPT_MANAGER' FROM account WHERE name = 'testmanager';

-- Settings that administrators change while the server runs; what is not here has its default.
CREATE TABLE policy (
    name    TEXT PRIMARY KEY,
    value   TEXT NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE TABLE script (
    id       TEXT PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    -- private, restricted (to the roles in script_role), authenticated, trusted or anonymous
    access   TEXT NOT NULL,
    boundary TEXT REFERENCES boundary (name) ON UPDATE CASCADE ON DELETE SET NULL,
    -- The version that runs: the newest.
    version  INTEGER NOT NULL,
    changed  INTEGER NOT NULL
) STRICT;

CREATE TABLE script_version (
    script      TEXT NOT NULL REFERENCES script (id) ON DELETE CASCADE,
    version     INTEGER NOT NULL,
    code        TEXT NOT NULL,
    description TEXT NOT NULL,
    -- JSON: [{"name", "type", "description"}]
    inputs      TEXT NOT NULL,
    outputs     TEXT NOT NULL,
    author      TEXT NOT NULL,
    created     INTEGER NOT NULL,
    PRIMARY KEY (script, version)
) STRICT;

CREATE TABLE script_role (
    script TEXT NOT NULL REFERENCES script (id) ON DELETE CASCADE,
    role   TEXT NOT NULL REFERENCES role (name) ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (script, role)
) STRICT;

-- Objects, workspaces and files. Those that users save go with the login that saved them; those that
-- administrators put there are the server's, and stay: they have neither owner nor login.
CREATE TABLE object (
    id      TEXT PRIMARY KEY,
    name    TEXT NOT NULL,
    -- object, workspace or file
    kind    TEXT NOT NULL,
    access  TEXT NOT NULL,
    owner   TEXT REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    login   TEXT,
    -- SHA-256 of the content, which is in the blob store.
    blob    TEXT NOT NULL,
    size    INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX object_login ON object (login);
CREATE INDEX object_owner ON object (owner);

CREATE TABLE object_role (
    object TEXT NOT NULL REFERENCES object (id) ON DELETE CASCADE,
    role   TEXT NOT NULL REFERENCES role (name) ON UPDATE CASCADE ON DELETE CASCADE,
    PRIMARY KEY (object, role)
) STRICT;

CREATE TABLE project (
    id        TEXT PRIMARY KEY,
    owner     TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    name      TEXT NOT NULL,
    -- The image of the global environment.
    workspace TEXT NOT NULL,
    size      INTEGER NOT NULL,
    -- JSON: history, last output, attached packages, working folder.
    state     TEXT NOT NULL,
    created   INTEGER NOT NULL,
    changed   INTEGER NOT NULL
) STRICT;
CREATE INDEX project_owner ON project (owner);

CREATE TABLE project_file (
    project   TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    path      TEXT NOT NULL,
    blob      TEXT NOT NULL,
    size      INTEGER NOT NULL,
    -- Whether it had an address.
    published INTEGER NOT NULL,
    PRIMARY KEY (project, path)
) STRICT;

-- Sessions that were saved when their login ended, and come back under their own identifiers with the next.
CREATE TABLE suspended (
    session TEXT PRIMARY KEY,
    owner   TEXT NOT NULL REFERENCES account (name) ON UPDATE CASCADE ON DELETE CASCADE,
    project TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE
) STRICT;

-- One row; changed when all of this is replaced by a backup.
CREATE TABLE generation (
    id TEXT PRIMARY KEY
) STRICT;
INSERT INTO generation (id) VALUES (lower(hex(randomblob(16))));
