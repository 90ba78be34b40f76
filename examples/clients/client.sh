#!/bin/sh
# Needs curl, grep and sed. Usage: client.sh http://localhost:8081
# Writes and reads a user, counts its age up by optimistic locking, and writes a batch.
set -eu
base=$1
json='Content-Type: application/json'
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

# curl itself repeats 408, 429 and 5xx, after the seconds of Retry-After.
call() { curl -sS --retry 5 --retry-max-time 60 --retry-connrefused "$@"; }

call --fail -X PUT "$base/users/Shell" -H "$json" -d '{"age": 0, "occupation": "Counter"}'
call --fail "$base/users/Shell"

increment() {
  for _ in $(seq 100); do
    user=$(call --fail -D "$headers" "$base/users/$1")
    etag=$(sed -n 's/^etag: *\("[^"]*"\).*/\1/Ip' "$headers")
    age=$(echo "$user" | sed 's/.*"age":\([0-9]*\).*/\1/')
    status=$(call -o /dev/null -w '%{http_code}' -X PUT "$base/users/$1" -H "$json" -H "If-Match: $etag" \
      -d "{\"age\": $((age + 1)), \"occupation\": \"Counter\"}")
    case $status in
      200) return ;;
      412) ;; # Another client was faster: read again.
      *) echo "unexpected status $status" >&2; return 1 ;;
    esac
  done
  return 1
}
for _ in 1 2 3 4 5; do increment Counter; done

printf '%s\n' '{"name": "Shell 1", "age": 1, "occupation": "Batch"}' '{"delete": "Shell"}' |
  call --fail -T - -X POST -H 'Content-Type: application/x-ndjson' "$base/users/batch"
