#!/bin/bash
# What compose.yaml uses of the official image's entry point: a data folder that is made at the first
# start, with a database and a user, by the passwords in the files that the environment names.
set -euo pipefail

data=/var/lib/mysql
mkdir -p "$data"
chown mysql: "$data" /var/run/mysqld
if [ ! -d "$data/mysql" ]; then
  mysqld --no-defaults --initialize-insecure --user=mysql --datadir="$data.new"
  cat >/tmp/init.sql <<-SQL
	ALTER USER 'root'@'localhost' IDENTIFIED BY '$(cat "$MYSQL_ROOT_PASSWORD_FILE")';
	CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;
	CREATE USER IF NOT EXISTS '$MYSQL_USER'@'%' IDENTIFIED BY '$(cat "$MYSQL_PASSWORD_FILE")';
	GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%';
	SQL
  # The folder of the volume itself cannot be exchanged.
  cp -a "$data.new/." "$data/"
  rm -rf "$data.new"
  set -- "$@" --init-file=/tmp/init.sql
fi
exec "$1" --no-defaults --user=mysql --datadir="$data" --bind-address='*' --mysqlx=OFF "${@:2}"
