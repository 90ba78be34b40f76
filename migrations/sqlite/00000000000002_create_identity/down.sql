DROP TABLE users_identity;
