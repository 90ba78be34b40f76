# Folders with another release of Debian, made from its package registry alone, and programs of them
# that run here as ordinary ones. Made once and kept in target/debian, until they are removed.
#
#   . scripts/packages.sh
#   . scripts/debian.sh
#   tree=$(debian_tree sid redis-server)
#   debian_program "$tree" usr/bin/redis-server BIN/redis-server
#
# DEBIAN_MIRROR is where the packages come from.

debian_mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg
debian_tree_seconds_max=1200

# debian_tree SUITE PACKAGE...: prints the absolute folder of a tree with these packages.
debian_tree() {
  local suite=$1 cache=target/debian tree part lock
  shift
  # The folder says what is in it, so that who wants other packages gets another one.
  cache=$(mkdir -p "$cache" && cd "$cache" && pwd)
  tree="$cache/$suite$(printf '+%s' "$@")"
  if [ ! -e "$tree" ]; then
    # Two at a time would work in one folder.
    exec {lock}>"$cache/lock"
    flock -w "$debian_tree_seconds_max" "$lock" || fail "somebody else has been making a tree for too long"
    if [ ! -e "$tree" ]; then
      part="$tree.part"
      remove_debian_part "$part"
      # IMPORTANT: under its name there is only ever a whole one. (Who reads what this prints runs it in
      # a shell that does not end by itself at what fails.)
      make_debian_tree "$suite" "$part" "$@" >&2 || exit 1
      as_root mv "$part" "$tree" || exit 1
    fi
    exec {lock}>&-
  fi
  echo "$tree"
}

# One tree for all that is taken of the unstable release, which is as quickly made as several.
unstable_tree() {
  debian_tree sid mysql-server redis-server prometheus docker-compose docker-buildx
}

# A shell of its own, which cleans up behind itself: who wants a tree reads its name from a subshell.
make_debian_tree() (
  suite=$1 tree=$2
  shift 2
  trap remove_own_policy EXIT
  include=$(IFS=, && echo "$*")
  if ! command -v debootstrap >/dev/null || [ ! -e "$debian_keyring" ]; then
    install_packages debootstrap debian-archive-keyring
  fi
  echo "$0: making $tree from $debian_mirror"
  as_root timeout --foreground "$debian_tree_seconds_max" debootstrap --variant=minbase \
    --keyring="$debian_keyring" --force-check-gpg --include="$include" \
    "$suite" "$tree" "$debian_mirror" ||
    fail "debootstrap could not make $tree; it says more in $tree/debootstrap/debootstrap.log"
  as_root chroot "$tree" apt-get clean
)

# What an interrupted run has left, with the file systems that are still mounted in it.
remove_debian_part() {
  local part=$1 mounted
  while read -r mounted; do
    as_root umount "$mounted" || fail "cannot unmount $mounted, which an interrupted run has left"
  done < <(awk -v under="$part/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r)
  if [ -e "$part" ]; then
    as_root rm -rf --one-file-system "$part" || fail "cannot remove $part, which an interrupted run has left"
  fi
}

# debian_program TREE PATH FILE: makes FILE a script that becomes the program PATH of the tree, with the
# tree's libraries. It keeps the process id and sees the files, sockets and users of this machine; a
# chroot would need them brought into the tree. The program takes itself to be in the tree, so it finds
# there what it looks for beside itself, such as texts and plugins.
debian_program() {
  local tree=$1 path=$2 file=$3 libraries loader
  # One folder: it is called after the architecture.
  libraries=$(compgen -G "$tree/usr/lib/*-linux-gnu*" | head -n 1) || true
  loader=$(compgen -G "$libraries/ld-linux*.so.*" | head -n 1) || true
  if [ ! -x "$tree/$path" ] || [ ! -x "$loader" ]; then
    fail "there is no $path in $tree, or nothing to load it; remove the folder to have it made again"
  fi
  printf '#!/bin/sh\nexec "%s" --argv0 "%s" --library-path "%s" "%s" "$@"\n' \
    "$loader" "$tree/$path" "$libraries" "$tree/$path" >"$file"
  chmod 755 "$file"
}
