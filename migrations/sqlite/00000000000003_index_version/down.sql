DROP INDEX users_version;
