DROP INDEX users_version ON users;
