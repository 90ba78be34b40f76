DROP INDEX IF EXISTS users_version;
