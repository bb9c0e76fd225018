-- What the owner says of an object; empty for nothing. A file has a name as well, which stays that of the file.
ALTER TABLE object ADD COLUMN description TEXT NOT NULL DEFAULT '';
