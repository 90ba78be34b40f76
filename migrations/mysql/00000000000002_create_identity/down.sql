DROP TABLE IF EXISTS users_identity;
