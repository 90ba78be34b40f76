# The Docker engine that the container tests use, and what they need of the Debian packages.
#
#   . scripts/debian.sh; . scripts/containers/engine.sh
#   find_engine DIR     an engine that answers, or else one of its own with its data in DIR
#   stop_engine         ends its own again, by its process id
#   find_compose DIR    docker compose and docker buildx, where the engine's client has none

engine_start_seconds_max=60
engine_stop_seconds_max=60
engine_pid=""
engine_run=""
network_before=""

# The tests could not run at all; continuous integration takes that for a failure.
skip() {
  echo "scripts/test-containers: SKIPPED, nothing was tested: $*" >&2
  exit 77
}

find_engine() {
  local folder=$1 deadline
  if docker info >/dev/null 2>&1; then return; fi
  [ "$(uname -s)" = Linux ] || skip "no Docker engine answers, and one of its own needs Linux"
  [ "$(id -u)" = 0 ] || skip "no Docker engine answers, and one of its own needs root"
  install_engine
  mkdir -p "$folder"
  remember_network "$folder"
  # Short, because the path of a socket may have 107 bytes.
  engine_run=$(mktemp -d /tmp/engine.XXXXXX)
  export DOCKER_HOST="unix://$engine_run/docker.sock"
  dockerd --data-root "$folder/data" --exec-root "$engine_run/exec" --pidfile "$engine_run/docker.pid" \
    --host "$DOCKER_HOST" >"$folder/engine.log" 2>&1 </dev/null &
  engine_pid=$!
  deadline=$((SECONDS + engine_start_seconds_max))
  until docker info >/dev/null 2>&1; do
    if ! kill -0 "$engine_pid" 2>/dev/null || ((SECONDS >= deadline)); then
      tail -n 20 "$folder/engine.log" >&2
      skip "dockerd does not start here"
    fi
    sleep 0.1
  done
}

install_engine() {
  local program missing=""
  for program in dockerd docker iptables-save ip; do
    command -v "$program" >/dev/null || missing+=" $program"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || skip "there is no$missing, and no apt-get here"
  apt-get update -q >&2 || true
  # Newer releases have the client in a package of its own.
  if apt-cache show docker-cli >/dev/null 2>&1; then
    install_packages docker.io docker-cli iptables iproute2
  else
    install_packages docker.io iptables iproute2
  fi
  command -v docker >/dev/null || skip "the packages have brought no docker"
}

# An engine changes how this machine passes packets on, and leaves that so when it ends.
remember_network() {
  network_before=$1/network
  mkdir -p "$network_before"
  iptables-save >"$network_before/rules" 2>/dev/null || true
  cat /proc/sys/net/ipv4/ip_forward >"$network_before/ip_forward"
  ip -oneline link show docker0 >/dev/null 2>&1 && touch "$network_before/docker0" || true
}

restore_network() {
  [ -d "$network_before" ] || return 0
  if [ ! -e "$network_before/docker0" ]; then ip link delete docker0 2>/dev/null || true; fi
  iptables-restore <"$network_before/rules" || true
  cat "$network_before/ip_forward" >/proc/sys/net/ipv4/ip_forward || true
}

stop_engine() {
  local deadline=$((SECONDS + engine_stop_seconds_max))
  [ -n "$engine_pid" ] || return 0
  kill -TERM "$engine_pid" 2>/dev/null || true
  while kill -0 "$engine_pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.1; done
  kill -KILL "$engine_pid" 2>/dev/null || true
  wait "$engine_pid" 2>/dev/null || true
  engine_pid=""
  restore_network
  rm -rf "$engine_run"
}

find_compose() {
  local folder=$1 tree plugin
  if docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then return; fi
  tree=$(unstable_tree)
  mkdir -p "$folder/cli-plugins"
  if [ -d "${DOCKER_CONFIG:-$HOME/.docker}" ]; then cp -R "${DOCKER_CONFIG:-$HOME/.docker}/." "$folder/"; fi
  for plugin in docker-compose docker-buildx; do
    cp "$tree/usr/libexec/docker/cli-plugins/$plugin" "$folder/cli-plugins/"
  done
  export DOCKER_CONFIG=$folder
  if ! docker compose version || ! docker buildx version; then skip "no docker compose runs here"; fi
}
