-- Every statement finds its rows by name, so the table is clustered by it. An upsert of a name
-- that is there then touches one row instead of inserting another and taking it back. No live
-- row pays for users_tombstones when it is updated: deleted_at stays NULL. (In a form that may
-- run twice, on a table with none, some or all of these keys.)
SET @keys = (
  SELECT CONCAT_WS(', ',
    IF(MAX(own.name = 'PRIMARY' AND own.columns_of <> 'name'), 'DROP PRIMARY KEY', NULL),
    IF(MAX(own.name = 'PRIMARY' AND own.columns_of = 'name'), NULL, 'ADD PRIMARY KEY (name)'),
    GROUP_CONCAT(IF(own.name <> 'PRIMARY' AND ((own.is_unique AND own.columns_of = 'name') OR (own.name = 'users_version' AND own.columns_of = 'version')), CONCAT('DROP KEY `', own.name, '`'), NULL) SEPARATOR ', '),
    IF(MAX(own.name <> 'PRIMARY' AND own.is_unique AND own.columns_of = 'id'), NULL, 'ADD UNIQUE KEY users_id (id)'),
    IF(MAX(own.columns_of = 'deleted_at'), NULL, 'ADD KEY users_tombstones (deleted_at)')
  )
  FROM (
    SELECT
      index_name AS name,
      MAX(non_unique) = 0 AS is_unique,
      COALESCE(GROUP_CONCAT(CONCAT(COALESCE(column_name, '?'), COALESCE(CONCAT('(', sub_part, ')'), '')) ORDER BY seq_in_index), '') AS columns_of
    FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'users'
    GROUP BY index_name
  ) AS own
);
SET @cluster_users = IF(@keys = '', 'DO 0', CONCAT('ALTER TABLE users ', @keys));
PREPARE cluster_users FROM @cluster_users;
EXECUTE cluster_users;
DEALLOCATE PREPARE cluster_users;
