ALTER TABLE users DROP PRIMARY KEY, DROP KEY users_id, DROP KEY users_tombstones, ADD PRIMARY KEY (id), ADD UNIQUE KEY users_name (name), ADD KEY users_version (version);
