# The browser that the tests of pages drive, by way of its WebDriver.
#
#   . scripts/packages.sh
#   . scripts/browser.sh
#   install_browser

install_browser() {
  local missing=() without_packages="leave out the tests of pages by scripts/test --no-browser"
  command -v chromium >/dev/null || missing+=(chromium)
  command -v chromedriver >/dev/null || missing+=(chromium-driver)
  if [ ${#missing[@]} -gt 0 ]; then install_packages "${missing[@]}"; fi
}

# What the names of these tests have in common: a module that they are in.
browser_tests=in_browser
