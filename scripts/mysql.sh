# A private MySQL, for scripts/servers.sh, whose functions and folder it uses.
# shellcheck disable=SC2154

# All that the tests are to know of the server is that it talks TLS and nothing else, to whomever has the
# password; so its own certificate, which it signs itself, is not verified. On its own machine the driver
# would go on to the server's socket, which has no TLS.
mysql_url_options='require_ssl=true&verify_ca=false&verify_identity=false&prefer_socket=false'

# No option file is read, so the server's own defaults hold: a binary log that is synced at each commit,
# passwords by caching_sha2_password. What is switched off is a second protocol, which would want a port
# of its own, and a folder for exported files, which would be one of the system's.
start_mysql() {
  local folder=$1 database=${2:-} port user
  user=$(id -un)
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  if [ ! -d "$folder/mysql" ]; then
    TMPDIR="$run_folder" mysqld --no-defaults --initialize-insecure --user="$user" --datadir="$folder" \
      --secure-file-priv=NULL >"$run_folder/mysql-install.log" 2>&1 || {
      cat "$run_folder/mysql-install.log" >&2
      fail "mysqld --initialize-insecure failed"
    }
  fi
  write_init_file "$database"
  port=$(free_port)
  mysqld --no-defaults --user="$user" --datadir="$folder" --tmpdir="$run_folder" \
    --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --max-connections=1000 \
    --socket="$run_folder/mysql.sock" --pid-file="$run_folder/mysql.pid" \
    --init-file="$run_folder/init.sql" --mysqlx=OFF --secure-file-priv=NULL \
    --require-secure-transport=ON >"$run_folder/mysql.log" 2>&1 </dev/null &
  database_starts "$!" mysql mysqladmin
  export TEST_MYSQL_URL="mysql://root:root@127.0.0.1:$port?$mysql_url_options"
}
