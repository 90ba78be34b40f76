# Debian packages for the other scripts, where something is missing.
#
#   . scripts/packages.sh
#   install_packages redis-server mariadb-server
#
# A script that installs ends with `remove_own_policy` as well, at a signal too.

# What one can do instead of installing, for the messages.
without_packages=""
own_policy=""

fail() {
  echo "$0: $*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "$1 needs root or sudo${without_packages:+ (or $without_packages)}"
  fi
}

remove_own_policy() {
  if [ -n "$own_policy" ]; then as_root rm -f "$own_policy"; fi
  own_policy=""
}

# The daemons of these packages, as the system calls them.
units_of() {
  local package
  for package in "$@"; do
    case $package in
    mariadb-server) echo mariadb ;;
    docker.io) echo docker.service docker.socket containerd.service ;;
    redis-server | mysql-server | prometheus) echo "$package" ;;
    esac
  done
}

# Installs Debian packages without starting the daemons that they bring, now or at the next boot.
install_packages() {
  command -v apt-get >/dev/null ||
    fail "$* not installed, and there is no apt-get here; install them${without_packages:+, or $without_packages}"
  local policy=/usr/sbin/policy-rc.d installed=0
  if [ ! -e "$policy" ]; then
    own_policy=$policy
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "$@"; } >&2 || installed=$?
  remove_own_policy
  [ "$installed" = 0 ] || fail "apt-get could not install $*"
  if [ -d /run/systemd/system ]; then units_of "$@" | as_root xargs -r systemctl disable -q || true; fi
}

# Python, with what makes environments of its own, which Debian has in a package apart.
install_python() {
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then install_packages python3 python3-venv; fi
}
