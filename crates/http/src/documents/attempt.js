
// A browser sets these itself.
const OF_BROWSERS = ["accept-encoding"];
const SHOWN_CHARACTERS_MAX = 100000;

const field = (parameter) => {
  const choices = parameter.schema.enum;
  const attributes = { name: parameter.name, "data-in": parameter.in };
  if (parameter.required) attributes.required = "";
  const input =
    choices === undefined
      ? element("input", { ...attributes, autocomplete: "off" })
      : element("select", attributes, ["", ...choices].map((choice) => element("option", {}, choice)));
  return element("label", {}, element("code", {}, parameter.name), " ", element("small", {}, parameter.in), input);
};

// The request that a form describes.
const request = (form, path, method) => {
  const query = new URLSearchParams();
  const headers = {};
  let target = path;
  for (const input of form.querySelectorAll("[data-in]")) {
    const { name, value } = input;
    const place = input.dataset.in;
    if (place === "path") target = target.replace(`{${name}}`, encodeURIComponent(value));
    else if (value !== "" && place === "query") query.set(name, value);
    else if (value !== "") headers[name] = value;
  }
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const asked = query.size > 0 ? `${target}?${query}` : target;
  return { target: asked, options: { method, headers, body, cache: "no-store" } };
};

const shown = async (answer) => {
  const head = [`${answer.status} ${answer.statusText}`, ...[...answer.headers].map(([name, value]) => `${name}: ${value}`)];
  const text = await answer.text();
  return `${head.join("\n")}\n\n${text.slice(0, SHOWN_CHARACTERS_MAX)}`;
};

// A form that sends the call to this service.
const attempt = (path, method, parameters, example) => {
  const output = element("pre", { tabindex: "0", "aria-live": "polite", hidden: "" });
  const fields = parameters.filter(({ name }) => !OF_BROWSERS.includes(name.toLowerCase()));
  const body =
    example === undefined
      ? null
      : element("label", {}, "Body", element("textarea", { spellcheck: "false" }, JSON.stringify(example, null, 2)));
  const form = element("form", {}, fields.map(field), body, element("button", { type: "submit" }, "Send"), output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { target, options } = request(form, path, method);
    output.hidden = false;
    output.textContent = "…";
    try {
      const answer = await ask(target, options);
      output.textContent = await shown(answer);
      if ([401, 403].includes(answer.status)) askForToken("Calls that need a right need a token that has it.");
    } catch (error) {
      output.textContent = `No answer: ${error.message}`;
    }
  });
  return form;
};
