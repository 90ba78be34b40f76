
const SECONDS_SHOWN = 180;
const GAP_MS = 3500;
const SILENCE_MS_MAX = 5000;
const RETRY_MS = 2000;
const BURST_WRITES = 500;
const BURST_PARALLEL_MAX = 6;
const NAMES = 100;
const REQUEST_MS_MAX = 30000;
const SVG = "http://www.w3.org/2000/svg";
const ABOUT = {
  "write-through": "Answers a write when the database has committed it.",
  "write-behind": "Answers a write when the journal has it; the database follows.",
};

const config = JSON.parse(document.getElementById("config").textContent);
const connection = document.getElementById("connection");

// One entry a second: {at, paused, services: {name: figures}}, the oldest first.
const history = [];
let cursorAt = null;

/* ---- making elements ---- */

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

/* ---- numbers as text ---- */

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

/* ---- what is charted ---- */

const total = ({ write, read, delete: deleted }) => write + read + deleted;

const CHARTS = [
  { title: "Requests", unit: "answered a second", of: (f) => total(f.requests_per_second), text: rate, wide: true,
    failed: (f) => f.requests_per_second.failed, least: 10,
    both: (f) => `${rate(total(f.requests_per_second))}${f.requests_per_second.failed > 0 ? `, ${plain(f.requests_per_second.failed)} failed` : ""}` },
  { title: "Write latency", unit: "p50 / p99", of: (f) => f.writes.p50_ms, high: (f) => f.writes.p99_ms,
    text: time, log: true, wide: true, both: (f) => times(f.writes) },
  { title: "Database rows", unit: "written a second", of: (f) => f.database_rows_per_second, text: rate, wide: true, least: 10 },
  { title: "Read latency", unit: "p50 / p99", of: (f) => f.reads.p50_ms, high: (f) => f.reads.p99_ms,
    text: time, log: true, both: (f) => times(f.reads) },
  { title: "Cache hits", unit: "share of reads", of: (f) => f.cache_hit_share, text: share, top: 1 },
  { title: "Journal", unit: "entries waiting", of: (f) => f.journal_depth_entries, text: plain, journal: true, least: 10 },
  { title: "Journal age", unit: "oldest entry", of: (f) => f.journal_oldest_age_s, text: seconds, journal: true },
];

const TILES = [
  { label: "Writes", key: "writes", of: (f) => rate(f.requests_per_second.write) },
  { label: "Reads", key: "reads", of: (f) => rate(f.requests_per_second.read) },
  { label: "Deletes", key: "deletes", of: (f) => rate(f.requests_per_second.delete) },
  { label: "Write p50 / p99", key: "write-latency", of: (f) => times(f.writes) },
  { label: "Read p50 / p99", key: "read-latency", of: (f) => times(f.reads) },
  { label: "Failed", key: "failed", of: (f) => rate(f.requests_per_second.failed), bad: (f) => f.requests_per_second.failed > 0 },
  { label: "Cache hits", key: "hits", of: (f) => share(f.cache_hit_share) },
  { label: "Database rows", key: "rows", of: (f) => rate(f.database_rows_per_second) },
  { label: "Database commits", key: "commits", of: (f) => rate(f.database_commits_per_second) },
  { label: "Journal", key: "journal", of: (f) => plain(f.journal_depth_entries), journal: true },
  { label: "Oldest entry", key: "age", of: (f) => seconds(f.journal_oldest_age_s), journal: true },
  { label: "Dead letters", key: "dead", of: (f) => plain(f.dead_letters), journal: true, bad: (f) => f.dead_letters > 0 },
];

/* ---- a chart ---- */

const EDGE = { left: 48, right: 12, top: 10, bottom: 24 };

/* The smallest number with few digits that is not below the value. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 3, 4, 6, 8, 10].map((step) => step * power);
  return steps.find((step) => step >= value * 0.9999);
}

function linearScale(values, { top, least = 1 }) {
  const highest = top ?? roundUp(Math.max(least, ...values));
  return { ticks: [0, highest / 2, highest], at: (value) => value / highest };
}

/* Powers of ten, so that a microsecond and a second are both seen. */
function logScale(values) {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(1, ...positive)));
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(1, ...positive)) - 1e-9));
  const step = Math.ceil((high - low) / 4);
  const ticks = [];
  for (let power = low; power <= high; power += step) ticks.push(10 ** power);
  return { ticks, at: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) };
}

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.legend = element("ul");
    this.values = new Map(config.services.map(({ name }) => {
      const value = element("b", {}, "–");
      const label = config.services.length > 1 ? [element("span", {}, name), value] : [value];
      this.legend.append(element("li", {}, sample(name), ...label));
      return [name, value];
    }));
    this.svg = shape("svg", { role: "img" });
    const plot = element("div", { class: "plot" }, this.svg);
    this.card = element("article", { class: `card chart${spec.wide ? " wide" : ""}` },
      element("h3", {}, spec.title, element("small", {}, spec.unit)), this.legend, plot);
    this.card.hidden = Boolean(spec.journal);
    new ResizeObserver(() => this.draw()).observe(plot);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => moveCursor(null));
  }

  point(event) {
    if (history.length === 0) return;
    const box = this.svg.getBoundingClientRect();
    const across = (event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right);
    moveCursor(history.at(-1).at - (1 - across) * SECONDS_SHOWN * 1000);
  }

  draw() {
    const { spec, svg } = this;
    const { width, height } = svg.getBoundingClientRect();
    if (width === 0) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const right = width - EDGE.right;
    const bottom = height - EDGE.bottom;
    const end = history.at(-1)?.at ?? 0;
    const x = (at) => right - ((end - at) / (SECONDS_SHOWN * 1000)) * (right - EDGE.left);
    const all = history.flatMap((entry) => Object.values(entry.services).flatMap((f) => [spec.of(f), spec.high?.(f)]));
    const values = all.filter(known);
    const scale = spec.log ? logScale(values) : linearScale(values, spec);
    const y = (value) => bottom - scale.at(value) * (bottom - EDGE.top);
    svg.replaceChildren(
      ...history.flatMap((entry, index) => this.pause(entry, history[index - 1], x, bottom)),
      ...scale.ticks.flatMap((tick, index) => this.tick(tick, y(tick), index, right)),
      ...this.times(right, bottom),
      ...this.cursor(x, bottom),
      ...config.services.map(({ name }) => this.series(name, x, y, bottom)));
    this.tell();
  }

  pause(entry, before, x, bottom) {
    if (!entry.paused || before === undefined) return [];
    const from = x(before.at);
    const width = Math.max(0, x(entry.at) - from);
    return [shape("rect", { class: "paused", x: from, y: EDGE.top, width, height: bottom - EDGE.top })];
  }

  tick(tick, y, index, right) {
    const line = shape("line", { class: index === 0 ? "base" : "grid", x1: EDGE.left, x2: right, y1: y, y2: y });
    const text = this.spec.log ? time(tick) : this.spec.text(tick).replace("/s", "");
    return [line, shape("text", { x: EDGE.left - 7, y: y + 4, "text-anchor": "end" }, text)];
  }

  times(right, bottom) {
    const minutes = SECONDS_SHOWN / 60;
    return Array.from({ length: minutes + 1 }, (_, ago) => {
      const anchor = ago === 0 ? "end" : "middle";
      const x = right - (ago / minutes) * (right - EDGE.left);
      return shape("text", { x, y: bottom + 19, "text-anchor": anchor }, ago === 0 ? "now" : `−${ago} min`);
    });
  }

  cursor(x, bottom) {
    const entry = atCursor();
    if (cursorAt === null || entry === undefined) return [];
    const at = x(entry.at);
    return [shape("line", { class: "cursor", x1: at, x2: at, y1: EDGE.top, y2: bottom })];
  }

  series(name, x, y, bottom) {
    const { of, high, failed } = this.spec;
    const group = shape("g", { class: kind(name) });
    const points = history.map((entry) => ({ at: entry.at, figures: entry.services[name] }));
    const runs = [[]];
    points.forEach(({ at, figures }, index) => {
      const gap = index > 0 && at - points[index - 1].at > GAP_MS;
      const absent = figures === undefined || !known(of(figures));
      if ((gap || absent) && runs.at(-1).length > 0) runs.push([]);
      if (!absent) runs.at(-1).push({ x: x(at), low: y(of(figures)), high: high && y(high(figures)) });
    });
    for (const run of runs.filter((run) => run.length > 0)) {
      const along = (key) => run.map((point) => `${point.x.toFixed(1)} ${point[key].toFixed(1)}`);
      const path = (key) => `M${along(key).join("L")}${run.length === 1 ? "h0.1" : ""}`;
      const floor = high
        ? along("high").reverse()
        : [`${run.at(-1).x.toFixed(1)} ${bottom}`, `${run[0].x.toFixed(1)} ${bottom}`];
      // The areas of several services would lie on each other.
      if (high || config.services.length === 1) {
        group.append(shape("path", { class: "area", d: `M${[...along("low"), ...floor].join("L")}Z` }));
      }
      if (high) group.append(shape("path", { class: "line high", d: path("high") }));
      group.append(shape("path", { class: "line", d: path("low") }));
    }
    const last = runs.at(-1).at(-1);
    if (last !== undefined) group.append(mark(name, last.x, last.low));
    points.forEach(({ at, figures }, index) => {
      if (failed === undefined || figures === undefined || failed(figures) === 0) return;
      const from = Math.max(at - GAP_MS, points[index - 1]?.at ?? at - 1000);
      group.append(shape("path", { class: "failure", d: `M${x(from)} ${bottom - 2}H${x(at)}` }));
    });
    return group;
  }

  tell() {
    const entry = atCursor();
    const said = [];
    for (const [name, value] of this.values) {
      const figures = entry?.services[name];
      const text = figures === undefined ? "–" : (this.spec.both ?? ((f) => this.spec.text(this.spec.of(f))))(figures);
      value.textContent = text;
      said.push(`${name}: ${text}`);
    }
    this.svg.setAttribute("aria-label", `${this.spec.title}, ${this.spec.unit}. ${said.join("; ")}`);
  }
}

/* The entry under the cursor, or else the newest. */
function atCursor() {
  if (cursorAt === null) return history.at(-1);
  return history.findLast((entry) => entry.at <= cursorAt + 500) ?? history[0];
}

function moveCursor(at) {
  cursorAt = at;
  charts.forEach((chart) => chart.draw());
}

/* ---- a service ---- */

class Service {
  constructor({ name, write_url }) {
    this.name = name;
    this.writeUrl = write_url;
    this.rate = element("strong", { "data-figure": "rate" }, "–");
    this.version = element("span", { class: "version" });
    this.chip = element("span", { class: "chip" });
    this.chip.hidden = true;
    this.tiles = TILES.map((tile) => {
      const value = element("dd", { "data-figure": tile.key }, "–");
      const box = element("div", {}, element("dt", {}, tile.label), value);
      box.hidden = Boolean(tile.journal);
      return { ...tile, value, box };
    });
    this.outcome = element("p", { class: "outcome", role: "status" });
    this.progress = element("progress", { max: BURST_WRITES, value: 0, "aria-label": `Burst of writes to ${name}` });
    this.progress.hidden = true;
    const one = element("button", { type: "button", "data-action": "one" }, "Send one write");
    this.burst = element("button", { type: "button", "data-action": "burst" }, `Send a burst of ${BURST_WRITES}`);
    one.addEventListener("click", () => this.sendOne());
    this.burst.addEventListener("click", () => this.sendBurst());
    const [heading, about] = [`service-${name}`, ABOUT[name] ?? ""];
    this.card = element("article", { class: `card service stale ${kind(name)}`, "aria-labelledby": heading, "data-service": name },
      element("div", {},
        element("div", { class: "name" }, sample(name), element("h2", { id: heading }, name), this.chip, this.version),
        element("p", { class: "about" }, about)),
      element("div", { class: "figures" },
        element("div", { class: "rate" }, this.rate, element("span", {}, "requests a second")),
        element("dl", { class: "tiles" }, ...this.tiles.map(({ box }) => box))),
      element("div", { class: "actions", role: "group", "aria-label": `Writes to ${name}` }, one, this.burst, this.outcome, this.progress));
  }

  show({ reachable, ...figures }) {
    const known = "requests_per_second" in figures;
    this.card.classList.toggle("stale", !reachable || !known);
    this.chip.hidden = reachable && !figures.bypassed;
    this.chip.textContent = reachable ? "cache bypassed" : "does not answer";
    if (!known) return;
    this.version.textContent = figures.version ? `version ${figures.version}` : "";
    this.rate.textContent = plain(total(figures.requests_per_second));
    for (const { value, box, of, bad, journal } of this.tiles) {
      value.textContent = of(figures);
      box.classList.toggle("bad", Boolean(bad?.(figures)));
      box.hidden = Boolean(journal) && !journalSeen;
    }
  }

  tell(text, bad = false) {
    this.outcome.textContent = text;
    this.outcome.classList.toggle("bad", bad);
  }

  async sendOne() {
    const name = `dashboard-${1 + Math.floor(Math.random() * NAMES)}`;
    const began = performance.now();
    const failure = await write(this.writeUrl, name);
    if (failure === null) this.tell(`Wrote ${name} in ${time(Math.max(0.1, performance.now() - began))}.`);
    else this.tell(`Writing ${name} failed: ${failure}`, true);
  }

  async sendBurst() {
    if (this.burst.getAttribute("aria-disabled") === "true") return;
    this.burst.setAttribute("aria-disabled", "true");
    this.progress.hidden = false;
    this.tell(`Sending ${BURST_WRITES} writes of ${NAMES} names …`);
    const began = performance.now();
    let [next, done, failed, reason] = [0, 0, 0, ""];
    const sendInTurn = async () => {
      while (next < BURST_WRITES) {
        next += 1;
        const failure = await write(this.writeUrl, `dashboard-${1 + (next % NAMES)}`);
        done += 1;
        if (failure !== null) [failed, reason] = [failed + 1, failure];
        this.progress.value = done;
      }
    };
    await Promise.all(Array.from({ length: BURST_PARALLEL_MAX }, sendInTurn));
    const took = time(performance.now() - began);
    const result = `${done} writes in ${took}, ${failed} failed${failed > 0 ? `: ${reason}` : "."}`;
    this.tell(result, failed > 0);
    this.progress.hidden = true;
    this.burst.removeAttribute("aria-disabled");
  }
}

/* What went wrong, or null. */
async function post(url, body) {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    const text = await answer.text();
    if (answer.ok) return null;
    const problem = answer.headers.get("Content-Type") === "application/problem+json" ? JSON.parse(text).detail : "";
    return `${answer.status} ${problem}`.trim();
  } catch (error) {
    return error.name === "TimeoutError" ? `no answer in ${REQUEST_MS_MAX / 1000} s` : "no answer";
  }
}

function write(url, name) {
  const age = Math.floor(Math.random() * 100);
  return post(url, { name, age, occupation: `Written at ${new Date().toISOString()}` });
}

/* ---- the database, where it can be paused ---- */

class Database {
  constructor() {
    this.paused = false;
    this.card = document.getElementById("database");
    this.card.hidden = false;
    this.text = element("p", { role: "status" });
    this.button = element("button", { type: "button", "data-action": "database" });
    this.button.addEventListener("click", () => this.toggle());
    this.card.append(this.button, this.text);
    this.show(false);
  }

  show(paused) {
    this.paused = paused;
    this.button.textContent = paused ? "Resume the database" : "Pause the database";
    this.button.setAttribute("aria-pressed", String(paused));
    this.card.classList.toggle("paused", paused);
    const text = paused
      ? "The database does not answer. Watch who goes on."
      : "The database answers. Pause it, and watch what each service does without it.";
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  async toggle() {
    const paused = !this.paused;
    const failure = await post(config.database_url, { paused });
    if (failure === null) this.show(paused);
    else this.text.textContent = `That failed: ${failure}`;
  }
}

/* ---- events ---- */

const services = config.services.map((service) => new Service(service));
const charts = CHARTS.map((spec) => new Chart(spec));
const database = config.database_url === null ? null : new Database();
document.body.classList.toggle("several", services.length > 1);
document.getElementById("services").append(...services.map(({ card }) => card));
document.getElementById("charts").append(...charts.map(({ card }) => card));

let heardAt = null;
// What only a journal has is shown when there is one; for all services then, side by side.
let journalSeen = false;

function say(state, text) {
  connection.dataset.state = state;
  const line = connection.firstElementChild;
  if (line.textContent !== text) line.textContent = text;
}

function lose() {
  say("lost", "Connection lost. Trying again …");
  services.forEach(({ card }) => card.classList.add("stale"));
}

function take(event) {
  heardAt = performance.now();
  say("live", "Live");
  const entry = { at: event.at_ms, paused: event.database_paused === true, services: {} };
  journalSeen ||= event.services.some((service) => known(service.journal_depth_entries));
  for (const { name, reachable, ...figures } of event.services) {
    services.find((service) => service.name === name)?.show({ reachable, ...figures });
    if (reachable && "requests_per_second" in figures) entry.services[name] = figures;
  }
  if (database !== null && known(event.database_paused)) database.show(event.database_paused);
  history.push(entry);
  while (history[0].at < entry.at - SECONDS_SHOWN * 1000) history.shift();
  for (const chart of charts) {
    if (journalSeen && chart.spec.journal) chart.card.hidden = false;
    chart.draw();
  }
}

function listen() {
  const source = new EventSource(config.events_url);
  source.addEventListener("message", (message) => take(JSON.parse(message.data)));
  source.addEventListener("error", () => {
    lose();
    // It tries again by itself, but not after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  });
}

setInterval(() => {
  if (heardAt !== null && performance.now() - heardAt > SILENCE_MS_MAX) lose();
}, 1000);
listen();
