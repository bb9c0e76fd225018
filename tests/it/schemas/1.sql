-- Rows of the first schema: an account of each kind that there was.
INSERT INTO account (name, display_name, password_hash, enabled, created, changed) VALUES
    ('admin',       'Administrator', '$argon2id$admin',   1, 1000, 1001),
    ('testmanager', 'Ada ''Lovelace''', '$argon2id$manager', 1, 2000, 2001),
    ('gone',        'Größe',         '$argon2id$gone',    0, 3000, 3001);
