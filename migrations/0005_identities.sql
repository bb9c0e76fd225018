-- Where an account comes from: the name of a source in the settings, and what the account is called there (NULL for 'local'). The password
-- of an account from elsewhere is not here.
ALTER TABLE account ADD COLUMN source TEXT NOT NULL DEFAULT 'local';
ALTER TABLE account ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX account_subject ON account (source, subject);

-- Each row is an access token with the refresh token that was given with it. The next pair of the same chain replaces both.
CREATE TABLE token_pair (
    -- In the access token, as its claim 'jti'.
    id             TEXT PRIMARY KEY,
    -- What began with one login.
    chain          TEXT NOT NULL,
    account        TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    -- SHA-256 of the refresh token.
    refresh_hash   BLOB NOT NULL UNIQUE,
    access_expires INTEGER NOT NULL,
    refresh_expires INTEGER NOT NULL,
    -- When no pair of the chain is good any more.
    chain_ends     INTEGER NOT NULL,
    -- When it was replaced or revoked; NULL for one that is in force.
    ended          INTEGER
) STRICT;
CREATE INDEX token_pair_chain ON token_pair (chain);
CREATE INDEX token_pair_account ON token_pair (account);

-- Tokens that people make for their programs.
CREATE TABLE personal_token (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
    name    TEXT NOT NULL,
    -- SHA-256 of the token.
    hash    BLOB NOT NULL UNIQUE,
    -- The only roles of the account that it has, separated by blanks; NULL for all.
    roles   TEXT,
    created INTEGER NOT NULL,
    -- NULL for never.
    expires INTEGER,
    used    INTEGER,
    UNIQUE (account, name)
) STRICT;
