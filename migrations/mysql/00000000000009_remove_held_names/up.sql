-- Rows that conditional writes made to hold a name, and left. They say nothing that a
-- missing row does not say, and are removed by their transactions now.
DELETE FROM users WHERE version = 0 AND deleted_at IS NOT NULL;
