
// The charts: what of all figures they show, and how they are drawn.

const SECONDS_KEPT = 300;
// Of a service that was just started the shorter span is shown, so that there is something to see.
const SPANS = [
  { seconds: 60, ticks: [0, 20, 40, 60], text: (ago) => `−${ago} s` },
  { seconds: SECONDS_KEPT, ticks: [0, 60, 120, 180, 240, 300], text: (ago) => `−${ago / 60} min` },
];
// Without a viewer there is an event every 5 seconds. A longer pause is a gap.
const GAP_MS = 8500;

const total = ({ write, read, delete: deleted }) => write + read + deleted;

const CHARTS = [
  { title: "Requests", unit: "answered a second", of: (f) => total(f.requests_per_second), text: rate, wide: true,
    failed: (f) => f.requests_per_second.failed, least: 10,
    both: (f) => `${rate(total(f.requests_per_second))}${f.requests_per_second.failed > 0 ? `, ${plain(f.requests_per_second.failed)} failed` : ""}` },
  { title: "Write latency", unit: "p50 / p99", of: (f) => f.writes.p50_ms, high: (f) => f.writes.p99_ms,
    text: time, log: true, wide: true, both: (f) => times(f.writes) },
  { title: "Database rows", unit: "committed a second", of: (f) => f.database_rows_per_second, text: rate, wide: true, least: 10,
    needs: "database_rows_per_second" },
  { title: "Read latency", unit: "p50 / p99", of: (f) => f.reads.p50_ms, high: (f) => f.reads.p99_ms,
    text: time, log: true, both: (f) => times(f.reads) },
  { title: "Cache hits", unit: "share of reads", of: (f) => f.cache_hit_share, text: share, top: 1 },
  { title: "Journal", unit: "entries waiting", of: (f) => f.journal_depth_entries, text: plain, needs: "journal_depth_entries", least: 10 },
  { title: "Journal age", unit: "oldest entry", of: (f) => f.journal_oldest_age_s, text: seconds, needs: "journal_depth_entries" },
];

// A request that takes longer than this is one that hangs.
const HANGS_S = 1;

const TILES = [
  { label: "Writes", key: "writes", of: (f) => rate(f.requests_per_second.write) },
  { label: "Reads", key: "reads", of: (f) => rate(f.requests_per_second.read) },
  { label: "Deletes", key: "deletes", of: (f) => rate(f.requests_per_second.delete) },
  { label: "Write p50 / p99", key: "write-latency", of: (f) => times(f.writes) },
  { label: "Read p50 / p99", key: "read-latency", of: (f) => times(f.reads) },
  { label: "Failed", key: "failed", of: (f) => rate(f.requests_per_second.failed), bad: (f) => f.requests_per_second.failed > 0 },
  { label: "Failed after p50 / p99", key: "failed-latency", of: (f) => (f.failures ? times(f.failures) : "–"), bad: (f) => f.requests_per_second.failed > 0 },
  { label: "In flight", key: "in-flight", of: (f) => plain(f.requests_in_flight) },
  { label: "Oldest request", key: "oldest-request", of: (f) => seconds(f.oldest_request_age_s), bad: (f) => f.oldest_request_age_s > HANGS_S },
  { label: "Cache hits", key: "hits", of: (f) => share(f.cache_hit_share) },
  { label: "Database rows", key: "rows", of: (f) => rate(f.database_rows_per_second), needs: "database_rows_per_second" },
  { label: "Database commits", key: "commits", of: (f) => rate(f.database_commits_per_second), needs: "database_commits_per_second" },
  { label: "Journal", key: "journal", of: (f) => plain(f.journal_depth_entries), needs: "journal_depth_entries" },
  { label: "Oldest entry", key: "age", of: (f) => seconds(f.journal_oldest_age_s), needs: "journal_depth_entries" },
  { label: "Dead letters", key: "dead", of: (f) => plain(f.dead_letters), needs: "journal_depth_entries", bad: (f) => f.dead_letters > 0 },
];

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

function spanShown() {
  const seconds = history.length === 0 ? 0 : (history.at(-1).at - history[0].at) / 1000;
  return SPANS.find((span) => seconds <= span.seconds) ?? SPANS.at(-1);
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
    this.card.hidden = !isShown(spec);
    new ResizeObserver(() => this.draw()).observe(plot);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => moveCursor(null));
  }

  point(event) {
    if (history.length === 0) return;
    const box = this.svg.getBoundingClientRect();
    const across = (event.clientX - box.left - EDGE.left) / (box.width - EDGE.left - EDGE.right);
    moveCursor(history.at(-1).at - (1 - across) * spanShown().seconds * 1000);
  }

  draw() {
    const { spec, svg } = this;
    const { width, height } = svg.getBoundingClientRect();
    if (width === 0) return;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const right = width - EDGE.right;
    const bottom = height - EDGE.bottom;
    const end = history.at(-1)?.at ?? 0;
    const span = spanShown();
    const x = (at) => right - ((end - at) / (span.seconds * 1000)) * (right - EDGE.left);
    const all = history.flatMap((entry) => Object.values(entry.services).flatMap((f) => [spec.of(f), spec.high?.(f)]));
    const values = all.filter(known);
    const scale = spec.log ? logScale(values) : linearScale(values, spec);
    const y = (value) => bottom - scale.at(value) * (bottom - EDGE.top);
    svg.replaceChildren(
      ...history.flatMap((entry, index) => this.pause(entry, history[index - 1], x, bottom)),
      ...scale.ticks.flatMap((tick, index) => this.tick(tick, y(tick), index, right)),
      ...this.times(span, right, bottom),
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

  times(span, right, bottom) {
    return span.ticks.map((ago) => {
      const x = right - (ago / span.seconds) * (right - EDGE.left);
      const anchor = ago === 0 ? "end" : "middle";
      return shape("text", { x, y: bottom + 19, "text-anchor": anchor }, ago === 0 ? "now" : span.text(ago));
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
