-- IF NOT EXISTS, since MySQL commits this by itself: a process that dies between
-- it and the note that it ran does it again.
--
-- utf8mb4_bin compares code points, so names are equal byte for byte. It pads
-- with spaces when it compares, which no name can notice: white space at the
-- end and control characters are refused before they come here. A service asks
-- for the newest version when it starts, which is what users_version is for. An index
-- on 255 such characters does not fit into the row format that an old server may have
-- as its default.
CREATE TABLE IF NOT EXISTS users (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  age SMALLINT NULL,
  occupation VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  version BIGINT NOT NULL DEFAULT 0,
  deleted_at DATETIME(6) NULL,
  UNIQUE KEY users_name (name),
  KEY users_version (version),
  CONSTRAINT users_live_is_whole CHECK (deleted_at IS NOT NULL OR (age IS NOT NULL AND occupation IS NOT NULL))
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC;
