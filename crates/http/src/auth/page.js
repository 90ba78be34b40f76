// The token of the reader of the page: asked for when the service wants one, and kept until the tab is closed.

const TOKEN = "write-cache-token";

/* As `fetch`, with the token. */
function ask(url, options = {}) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(TOKEN);
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  return fetch(url, { ...options, headers });
}

/* Whether an answer says that another token is needed. The problem is that of its body, if it has one. */
const wantsToken = (status, type) => status === 401 || (status === 403 && type === "/problems/insufficient-right");

/* Shows the form, and calls `then` once it was filled in. */
function askForToken(reason, then = () => {}) {
  document.getElementById("token")?.remove();
  const input = element("input", { type: "password", required: "", autocomplete: "off", spellcheck: "false" });
  const form = element("form", { id: "token", class: "card token" },
    element("p", { role: "status" }, reason),
    element("label", {}, "Token ", input), " ",
    element("button", { type: "submit" }, "Use it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // Of other characters no header can be made.
    sessionStorage.setItem(TOKEN, input.value.replace(/[^\x21-\x7e]/g, ""));
    form.remove();
    then();
  });
  document.querySelector("main").prepend(form);
}
