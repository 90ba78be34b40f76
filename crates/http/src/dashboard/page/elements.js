
// Elements, and numbers as texts.

const SVG = "http://www.w3.org/2000/svg";
const ABOUT = {
  "write-through": "Answers a write when the database has committed it.",
  "write-behind": "Answers a write when the journal has it; the database follows.",
};

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const kind = (name) => (name in ABOUT ? name : "other");

/* A piece of a service's line, as it is in the charts. */
function sample(name) {
  return shape("svg", { class: kind(name), width: 26, height: 10, "aria-hidden": "true" },
    shape("path", { class: "line", d: "M2 5H24" }), mark(name, 13, 5));
}

function mark(name, x, y) {
  return kind(name) === "write-behind"
    ? shape("rect", { class: "mark", x: x - 4, y: y - 4, width: 8, height: 8 })
    : shape("circle", { class: "mark", cx: x, cy: y, r: 4.3 });
}

const known = (value) => value !== null && value !== undefined;
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function plain(value) {
  if (!known(value)) return "–";
  if (value === 0) return "0";
  if (value < 10) return value < 0.1 ? "<0.1" : String(Number(value.toFixed(1)));
  if (value < 100000) return grouped.format(value);
  return value < 1e6 ? `${grouped.format(value / 1e3)} k` : `${Number((value / 1e6).toFixed(1))} M`;
}

const UNITS = [["s", 1000], ["ms", 1], ["µs", 0.001]];

/* The largest unit that the time has one of. */
const unitOf = (ms) => UNITS.find(([, length]) => ms >= length * 0.9995) ?? UNITS.at(-1);

function time(ms) {
  if (!known(ms)) return "–";
  if (ms === 0) return "0 s";
  const [unit, length] = unitOf(ms);
  return `${Number((ms / length).toPrecision(unit === "s" ? 3 : 2))} ${unit}`;
}

/* Both in the unit of the longer one. */
function times({ p50_ms, p99_ms }) {
  if (!known(p50_ms)) return "–";
  const half = p50_ms / unitOf(p99_ms)[1];
  const number = half < 0.01 ? "<0.01" : Number(Number(half.toPrecision(2)).toFixed(2));
  return `${number} / ${time(p99_ms)}`;
}

const share = (value) => (known(value) ? `${Math.floor(value * 100)} %` : "–");
const rate = (value) => (known(value) ? `${plain(value)}/s` : "–");
const seconds = (value) => (known(value) ? time(value * 1000) : "–");
