-- The network of sessions with this boundary: 'full', 'outbound' or 'none'; NULL for that of the settings.
ALTER TABLE boundary ADD COLUMN network TEXT CHECK (network IN ('full', 'outbound', 'none'));
