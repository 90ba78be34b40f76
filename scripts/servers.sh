# Private Redis and MariaDB or MySQL servers for the other scripts: on free ports of
# 127.0.0.1, without the system's daemons, stopped again by their process ids.
#
#   . scripts/servers.sh
#   choose_servers KIND        one of server_kinds; without it, installed
#   start_servers              in a temporary folder, removed at exit
#   start_servers DIR [NAME]   data kept in DIR, with the database NAME created
#   keep_servers_in_memory     before start_servers: its temporary folder is in memory, if there is enough
#
# Afterwards TEST_REDIS_URL and TEST_MYSQL_URL are exported. One that is set beforehand is used as it
# is, and that server is not started.

. scripts/packages.sh
. scripts/debian.sh
. scripts/mysql.sh

without_packages="set TEST_REDIS_URL and TEST_MYSQL_URL to running servers"

# installed: the Redis and the MariaDB that this machine has, or that apt brings.
# mysql9-redis8: those of Debian's unstable release, in a tree of their own.
server_kinds=(installed mysql9-redis8)
server_kind=installed

PATH="$PATH:/usr/sbin:/sbin"

server_start_seconds_max=60
server_stop_seconds_max=20
port_attempts_max=20
# What the servers of all tests together take, and as much again for the tests.
memory_kib_min=$((6 * 1024 * 1024))

server_pids=()
run_folder=""
# Where they are made.
server_folders=""

choose_servers() {
  case " ${server_kinds[*]} " in
  *" $1 "*) server_kind=$1 ;;
  *) fail "there are no servers '$1'; choose one of: ${server_kinds[*]}" ;;
  esac
  if [ "$server_kind" != installed ] && [ -n "${TEST_REDIS_URL:-}${TEST_MYSQL_URL:-}" ]; then
    fail "the servers $server_kind are started here: unset TEST_REDIS_URL and TEST_MYSQL_URL"
  fi
}

# Puts the programs of mysql9-redis8 first in PATH. TEST_SERVER_PROGRAMS is where the tests find them
# for servers of their own.
take_mysql9_and_redis8() {
  local tree program
  tree=$(unstable_tree)
  export TEST_SERVER_PROGRAMS="$run_folder/programs"
  mkdir "$TEST_SERVER_PROGRAMS"
  for program in sbin/mysqld bin/mysqladmin bin/redis-server bin/redis-cli; do
    debian_program "$tree" "usr/$program" "$TEST_SERVER_PROGRAMS/${program##*/}"
  done
  PATH="$TEST_SERVER_PROGRAMS:$PATH"
}

install_servers() {
  local missing=()
  if [ -z "${TEST_REDIS_URL:-}" ]; then
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
  fi
  if [ -z "${TEST_MYSQL_URL:-}" ]; then
    command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null || missing+=(mariadb-server)
  fi
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# A port of 127.0.0.1 that nothing listens on, below the range that outgoing connections use.
free_port() {
  local port attempt
  for ((attempt = 0; attempt < port_attempts_max; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  fail "no free port found"
}

# wait_until_ready PID COMMAND...: until the command succeeds; fails when the process has ended.
wait_until_ready() {
  local pid=$1 deadline=$((SECONDS + server_start_seconds_max))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || return 1
    if ((SECONDS >= deadline)); then
      echo "$0: not ready after $server_start_seconds_max s: $*" >&2
      return 1
    fi
    sleep 0.05
  done
}

# Asks for the process id, so that only the server started here counts as ready.
redis_is_ready() {
  redis-cli -h 127.0.0.1 -p "$1" info server | grep -q "^process_id:$2"
}

start_redis() {
  local folder=$1 port pid
  mkdir -p "$folder"
  port=$(free_port)
  redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" --daemonize no --save '' \
    --appendonly yes --appendfsync everysec --maxmemory-policy noeviction \
    >"$run_folder/redis.log" 2>&1 </dev/null &
  pid=$!
  server_pids+=("$pid")
  wait_until_ready "$pid" redis_is_ready "$port" "$pid" || {
    tail -n 30 "$run_folder/redis.log" >&2
    fail "redis-server did not start"
  }
  export TEST_REDIS_URL="redis://127.0.0.1:$port"
}

# What either database does when it starts; each statement on one line, as MySQL wants it. A new MariaDB
# has that user already, without a password.
write_init_file() {
  cat >"$run_folder/init.sql" <<-SQL
	ALTER USER 'root'@'localhost' IDENTIFIED BY 'root';
	CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';
	ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root';
	GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
	${1:+CREATE DATABASE IF NOT EXISTS \`$1\`;}
	SQL
}

# database_starts PID NAME ADMIN: until it answers to its program for administrators. Asked on its own
# socket, NAME.sock, so that only the server started here counts as ready.
database_starts() {
  local pid=$1 name=$2 admin=$3
  server_pids+=("$pid")
  wait_until_ready "$pid" "$admin" --no-defaults --socket="$run_folder/$name.sock" \
    --user=root --password=root status || {
    tail -n 30 "$run_folder/$name.log" >&2
    fail "the $name server did not start"
  }
}

# No option file is read, so the server's own defaults hold, such as latin1 as the character set of a
# database that does not say which it wants.
start_mariadb() {
  local folder=$1 database=${2:-} port user
  user=$(id -un)
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  if [ ! -d "$folder/mysql" ]; then
    # Not in a folder that others share: a server that starts removes the temporary tables there.
    TMPDIR="$run_folder" mariadb-install-db --no-defaults --user="$user" --datadir="$folder" --skip-test-db \
      --auth-root-authentication-method=normal >"$run_folder/mariadb-install.log" 2>&1 || {
      cat "$run_folder/mariadb-install.log" >&2
      fail "mariadb-install-db failed"
    }
  fi
  write_init_file "$database"
  port=$(free_port)
  mariadbd --no-defaults --user="$user" --datadir="$folder" --tmpdir="$run_folder" \
    --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --max-connections=1000 \
    --socket="$run_folder/mariadb.sock" --pid-file="$run_folder/mariadb.pid" \
    --init-file="$run_folder/init.sql" --innodb-flush-log-at-trx-commit=1 \
    >"$run_folder/mariadb.log" 2>&1 </dev/null &
  database_starts "$!" mariadb mariadb-admin
  export TEST_MYSQL_URL="mysql://root:root@127.0.0.1:$port"
}

stop_servers() {
  trap '' HUP INT TERM
  local pid deadline=$((SECONDS + server_stop_seconds_max))
  remove_own_policy
  for pid in ${server_pids[@]+"${server_pids[@]}"}; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in ${server_pids[@]+"${server_pids[@]}"}; do
    while kill -0 "$pid" 2>/dev/null; do
      if ((SECONDS >= deadline)); then
        kill -KILL "$pid" 2>/dev/null || true
        break
      fi
      sleep 0.05
    done
    wait "$pid" 2>/dev/null || true
  done
  server_pids=()
  if [ -n "$run_folder" ]; then rm -rf "$run_folder"; fi
}

# Has start_servers, and tests that start servers of their own, keep data in memory, where there is enough. The servers
# sync as they always do, which takes no time there. Tests kill servers, and no test cuts the power.
keep_servers_in_memory() {
  local kib
  if [ -n "${TEST_SERVER_FOLDERS:-}" ]; then
    server_folders=$TEST_SERVER_FOLDERS
    return
  fi
  kib=$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $1 == "tmpfs" { print $4 }')
  if [ "${kib:-0}" -lt "$memory_kib_min" ]; then return; fi
  kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  if [ "${kib:-0}" -lt "$memory_kib_min" ]; then return; fi
  server_folders=/dev/shm
  export TEST_SERVER_FOLDERS=$server_folders
}

start_servers() {
  local data_folder=${1:-} database=${2:-}
  # Also at Ctrl-C and SIGTERM, since bash runs it for these too.
  trap stop_servers EXIT
  # Short, because the path of a socket may have 107 bytes.
  run_folder=$(mktemp -d "${server_folders:-/tmp}/servers.XXXXXX")
  : "${data_folder:=$run_folder}"
  export TEST_SERVERS="$server_kind"
  unset TEST_SERVER_PROGRAMS
  case "$server_kind" in
  installed)
    install_servers
    if [ -z "${TEST_REDIS_URL:-}" ]; then start_redis "$data_folder/redis"; fi
    if [ -z "${TEST_MYSQL_URL:-}" ]; then start_mariadb "$data_folder/mariadb" "$database"; fi
    ;;
  mysql9-redis8)
    take_mysql9_and_redis8
    start_redis "$data_folder/redis"
    start_mysql "$data_folder/mysql" "$database"
    ;;
  esac
  export TEST_REDIS_URL TEST_MYSQL_URL
}
