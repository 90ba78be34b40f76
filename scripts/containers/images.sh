# The images that the Dockerfiles and compose.yaml name: pulled, or where no registry can be reached made
# from Debian's packages under the same names, with the parts of their interfaces that are used here.
#
#   . scripts/debian.sh; . scripts/containers/images.sh
#   get_images DIR       DIR is for what is being made
#
# IMPORTANT: only in an engine of the tests' own, which ends with them. In another engine, images would stay
# that are not what their names say.

pull_seconds_max=120

can_be_had() {
  docker image inspect "$1" >/dev/null 2>&1 || timeout "$pull_seconds_max" docker pull --quiet "$1" >/dev/null 2>&1
}

get_images() {
  local folder=$1 compiler server
  # As the files name them, so that these stay the only place.
  compiler=rust:$(sed -n 's/^ARG RUST_VERSION=//p' docker/write-behind-svc.Dockerfile)-slim-trixie
  get_image "$compiler" make_compiler "$folder"
  while read -r server; do
    get_image "$server" make_server "$folder"
  done < <(sed -n 's/^ *image: \(redis\|mysql\|prom\/prometheus\):\(.*\)$/\1:\2/p' docker/compose.yaml)
}

# A Debian that boots, to install packages on. No registry has it.
get_machine() {
  local tree
  tree=$(machine_tree)
  import "$tree" write-cache-test/machine
}

get_image() {
  local name=$1 make=$2 folder=$3
  if can_be_had "$name"; then
    echo "$name: as it is"
    return
  fi
  [ -n "$engine_pid" ] || skip "the engine that answers can neither pull $name nor has it"
  "$make" "$name" "$folder" </dev/null
  echo "$name: made from Debian's packages"
}

# import TREE NAME: once.
import() {
  if docker image inspect "$2" >/dev/null 2>&1; then return; fi
  tar -C "$1" --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* --exclude=./var/cache/apt \
    --exclude=./var/lib/apt/lists --exclude=./usr/share/doc -c . | docker import - "$2" >/dev/null
}

# With the toolchain of this machine, and its certificate authorities, since it reaches the registry of
# crates by them.
make_compiler() {
  local name=$1 context=$2/compiler
  get_machine
  mkdir -p "$context"
  cat >"$context/Dockerfile" <<-'DOCKERFILE'
	FROM write-cache-test/machine
	COPY toolchain /usr/local
	COPY ca-certificates.crt /etc/ssl/certs/
	ENV CARGO_HOME=/usr/local/cargo
	DOCKERFILE
  tar -c --exclude=./share -C "$context" Dockerfile -C /etc/ssl/certs --dereference ca-certificates.crt \
    -C "$(rustc --print sysroot)" --transform 's,^\.,toolchain,' . |
    docker build --quiet --tag "$name" - >/dev/null
}

make_server() {
  local name=$1 context=$2/${1%%:*} tree
  tree=$(unstable_tree)
  import "$tree" write-cache-test/servers
  mkdir -p "$context"
  cp scripts/containers/mysql-entrypoint.sh "$context/"
  case $name in
    redis:*) printf '%s\n' 'WORKDIR /data' 'CMD ["redis-server"]' ;;
    mysql:*)
      printf '%s\n' 'RUN rm -rf /var/lib/mysql/* /etc/mysql/conf.d/* && mkdir -p /var/run/mysqld' \
        'COPY mysql-entrypoint.sh /' 'ENTRYPOINT ["/mysql-entrypoint.sh"]' 'CMD ["mysqld"]'
      ;;
    prom/prometheus:*)
      printf '%s\n' 'RUN mkdir -p /prometheus && chown nobody /prometheus' 'USER nobody' \
        'ENTRYPOINT ["/usr/bin/prometheus"]' \
        'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
      ;;
    *) fail "nothing says how to make $name" ;;
  esac | { echo 'FROM write-cache-test/servers' && cat; } >"$context/Dockerfile"
  docker build --quiet --tag "$name" "$context" >/dev/null
}

# What the compiler's image and the machine that packages are installed on are made of: one is sooner made than two.
machine_tree() {
  debian_tree trixie ca-certificates gcc libc6-dev systemd systemd-sysv adduser man-db procps
}
