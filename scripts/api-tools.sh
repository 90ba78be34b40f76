# What the tests read the services' descriptions with: schemathesis and openapi-spec-validator, from PyPI.
#
#   . scripts/packages.sh
#   . scripts/api-tools.sh
#   install_api_tools
#
# They go into an environment of their own, once. Where that fails, the tests that need them fail and say so.

api_tools=(schemathesis==4.32.5 openapi-spec-validator==0.9.0)

install_api_tools() {
  local folder=target/tools/api
  if [ "$(cat "$folder/packages" 2>/dev/null)" = "${api_tools[*]}" ]; then return; fi
  install_python
  { rm -rf "$folder" && python3 -m venv "$folder" &&
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${api_tools[@]}" >&2 &&
    echo "${api_tools[*]}" >"$folder/packages"; } ||
    { rm -rf "$folder" && echo "$0: pip could not install ${api_tools[*]}; the tests that need them will fail" >&2; }
}
