# What the clients of examples/clients are run with: Go, Node and esbuild, which takes the types out of TypeScript for a
# Node that reads none.
#
#   . scripts/packages.sh
#   . scripts/client-tools.sh
#   install_client_tools

install_client_tools() {
  local missing=() without_packages="leave out the tests of clients by scripts/test --no-clients"
  local folder=target/tools/clients
  command -v python3 >/dev/null || missing+=(python3)
  command -v go >/dev/null || missing+=(golang-go)
  command -v node >/dev/null || missing+=(nodejs)
  if ! command -v esbuild >/dev/null && [ ! -x "$folder/node_modules/.bin/esbuild" ]; then
    if command -v npm >/dev/null; then
      mkdir -p "$folder"
      npm install --silent --no-audit --no-fund --prefix "$folder" esbuild@0.25.12 >&2 || missing+=(esbuild)
    else
      missing+=(esbuild)
    fi
  fi
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# What the names of these tests have in common.
client_tests=with_other_languages
