
// The strip of a service's parts, each available or not, and how far the database is behind.

const PARTS = { cache: "Cache", journal: "Journal", database: "Database" };
// From so much of its limit on, the journal is nearly full.
const NEARLY_FULL = 0.75;

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/* A time of day; with the date, where that is another one. */
function moment(at) {
  const then = new Date(at);
  const isToday = then.toDateString() === new Date().toDateString();
  return (isToday ? clock : day).format(then);
}

/* A length of time as people say it. */
function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

/* Changes a text only where it is another one, since changes are read aloud. */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

class Part {
  constructor(name) {
    this.state = element("strong", { class: "state", role: "status" });
    this.since = element("span", { class: "since" });
    this.why = element("p", { class: "why" });
    this.box = element("li", { class: "part", "data-part": name },
      element("p", { class: "part-name" }, PARTS[name] ?? name), element("p", {}, this.state, " ", this.since), this.why);
  }

  show({ up, since_ms, problem, consequence, calls_in_flight }, at) {
    this.box.dataset.state = up ? "up" : "down";
    setText(this.state, up ? "available" : "unavailable");
    const length = known(since_ms) ? `since ${moment(since_ms)} (${span(at - since_ms)})` : "";
    setText(this.since, length);
    const waiting = !up && calls_in_flight > 0 ? `${plain(calls_in_flight)} calls wait for it` : "";
    const sentences = up ? [] : [problem, consequence, waiting].filter((text) => known(text) && text !== "");
    setText(this.why, sentences.map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`).join(" "));
    this.why.hidden = sentences.length === 0;
  }
}

class Parts {
  constructor(service) {
    this.parts = new Map();
    this.list = element("ul", { class: "parts", "aria-label": `Parts of ${service}` });
    this.text = element("p", {});
    this.meter = element("meter", { min: 0, max: 1, low: NEARLY_FULL, high: 0.95, optimum: 0, "aria-label": `How full the journal of ${service} is` });
    this.full = element("span", { class: "full" });
    this.behind = element("div", { class: "behind", "data-figure": "behind" }, this.text, this.meter, this.full);
    this.behind.hidden = true;
    this.refused = element("p", { class: "refused", role: "status" });
    this.refused.hidden = true;
    this.box = element("div", { class: `strip ${kind(service)}`, "data-strip": service }, this.list, this.behind, this.refused);
  }

  show(figures, at) {
    for (const part of figures.parts ?? []) {
      if (!this.parts.has(part.part)) {
        const made = new Part(part.part);
        this.parts.set(part.part, made);
        this.list.append(made.box);
      }
      this.parts.get(part.part).show(part, at);
    }
    this.showBehind(figures);
    this.refused.hidden = !figures.writes_refused;
    setText(this.refused, figures.writes_refused ? "Writes are refused, since a server is not as they need it: see /readyz." : "");
  }

  showBehind({ journal_depth_entries: depth, journal_oldest_age_s: age, journal_fullness: fullness }) {
    this.behind.hidden = !known(depth);
    if (!known(depth)) return;
    const writes = `${grouped.format(depth)} ${depth === 1 ? "write" : "writes"}`;
    const late = known(age) ? `${writes} / ${span(age * 1000)} behind` : `${writes} behind, as last heard: the journal does not answer`;
    setText(this.text, depth === 0 && known(age) ? "The database has every acknowledged write." : `The database is ${late}.`);
    const isNear = fullness >= NEARLY_FULL;
    this.behind.classList.toggle("none", depth === 0);
    this.behind.classList.toggle("bad", isNear);
    this.meter.hidden = !known(fullness);
    this.meter.value = fullness ?? 0;
    const left = fullness >= 1 ? ": writes are refused" : isNear ? ": soon writes are refused" : "";
    setText(this.full, known(fullness) ? `Journal ${Math.min(100, Math.floor(fullness * 100))} % full${left}` : "");
  }
}
