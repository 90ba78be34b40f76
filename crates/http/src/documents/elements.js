
// Everything that is shown is a text node, so nothing in the description can become markup.
const element = (name, properties = {}, ...children) => {
  const made = document.createElement(name);
  for (const [property, value] of Object.entries(properties)) made.setAttribute(property, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
};

// A text in which backticks mark code.
const words = (text = "") =>
  text.split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part));

const described = (title, more, text) => [
  element("dt", {}, element("code", {}, title), " ", element("span", { class: "muted" }, more)),
  element("dd", {}, words(text)),
];

const json = (value) => element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
