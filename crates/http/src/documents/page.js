
const METHODS = ["get", "post", "put", "delete"];

const parameterRow = (parameter) => {
  const optional = parameter.required ? "" : ", optional";
  const more = element("span", {}, `${parameter.in}, `, ...shape(parameter.schema), optional);
  return described(parameter.name, more, parameter.description);
};

const answerRow = (description, [status, answer]) => {
  const contents = Object.entries(answer.content ?? {});
  const forms = contents.flatMap(([type, { schema }]) => [element("br"), `${type}: `, ...shape(schema)]);
  const headers = Object.keys(answer.headers ?? {}).join(", ");
  const example = contents.map(([, content]) => content.example).find((value) => value !== undefined);
  return [
    element("dt", {}, element("code", {}, status)),
    element(
      "dd",
      {},
      words(answer.description),
      element("small", {}, ...forms, element("br"), `Headers: ${headers}`),
      example === undefined ? null : typeof example === "string" ? element("pre", { tabindex: "0" }, example) : json(example),
    ),
  ];
};

const section = (title, ...children) => [element("h3", {}, title), ...children];

const callCard = (description, path, method, item) => {
  const call = item[method];
  const parameters = [...(call.parameters ?? []), ...(item.parameters ?? [])].map((part) => resolved(description, part));
  const body = call.requestBody?.content["application/json"];
  const answers = Object.entries(call.responses);
  const isEndless = answers.some(([, answer]) => answer.content?.["text/event-stream"]);
  const searched = [method, path, call.operationId, call.summary, call.description, call.tags].join(" ");
  return element(
    "details",
    { id: call.operationId, "data-words": searched.toLowerCase() },
    element(
      "summary",
      {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path),
      element("small", {}, call.summary),
    ),
    call.description ? element("p", {}, words(call.description)) : null,
    section("Parameters", element("dl", {}, parameters.map(parameterRow))),
    body ? section("Body", element("p", {}, ...shape(body.schema)), json(body.example)) : [],
    section("Answers", element("dl", {}, answers.map((answer) => answerRow(description, answer)))),
    isEndless || document.getElementById("calls").dataset.forms !== "on"
      ? []
      : section("Try it", element("p", { class: "muted" }, "This sends the call to the service, which does it."),
          attempt(path, method.toUpperCase(), parameters, body?.example)),
  );
};

const callsOf = (description, tag) =>
  Object.entries(description.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]?.tags.includes(tag)).map((method) => callCard(description, path, method, item)));

const group = (title, text, cards) => element("section", {}, element("h2", {}, title), element("p", { class: "muted" }, text), cards);

const draw = (description) => {
  const { info, tags, components } = description;
  document.title = `${info.title}: calls`;
  document.getElementById("title").replaceChildren(info.title, " ", element("small", {}, info.version));
  document.getElementById("about").replaceChildren(...words(info.description));
  const types = Object.entries(components.schemas).map(([name, schema]) => typeCard(name, schema));
  document.getElementById("calls").replaceChildren(
    ...tags.map((tag) => group(tag.name, tag.description, callsOf(description, tag.name))),
    group("Types", "What bodies look like", types),
  );
};

const filter = (text) => {
  const wanted = text.toLowerCase().split(/\s+/);
  for (const card of document.querySelectorAll("details")) {
    card.hidden = !wanted.every((word) => card.dataset.words.includes(word));
  }
  for (const part of document.querySelectorAll("main section")) {
    part.hidden = part.querySelector("details:not([hidden])") === null;
  }
};

// Opens what the address names.
const reveal = () => {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named?.tagName !== "DETAILS") return;
  named.open = true;
  named.scrollIntoView();
};

const start = async () => {
  try {
    const answer = await fetch("openapi.json");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    draw(await answer.json());
  } catch (error) {
    document.getElementById("state").textContent = `The description cannot be read: ${error.message}`;
    return;
  }
  document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
  addEventListener("hashchange", reveal);
  reveal();
};

start();
