-- Who may use the server. Times are microseconds since 1970.
CREATE TABLE account (
    name          TEXT PRIMARY KEY,
    display_name  TEXT NOT NULL,
    -- argon2 in PHC notation, over the SHA-1 digest (hexadecimal, lower case) of the password: clients of
    -- 2010 send the digest only.
    password_hash TEXT NOT NULL,
    enabled       INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    changed       INTEGER NOT NULL
) STRICT;
