
// What stands for each service and for the database: figures as texts, and buttons.

const BURST_WRITES = 500;
const BURST_PARALLEL_MAX = 6;
const NAMES = 100;
const REQUEST_MS_MAX = 30000;

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
      box.hidden = !isShown(tile);
      return { ...tile, value, box };
    });
    this.outcome = element("p", { class: "outcome", role: "status" });
    this.progress = element("progress", { max: BURST_WRITES, value: 0, "aria-label": `Burst of writes to ${name}` });
    this.progress.hidden = true;
    // Beside the outcome rather than in it, which would be read aloud at each write.
    this.count = element("span", { class: "count", "aria-hidden": "true" });
    this.parts = new Parts(name);
    const one = element("button", { type: "button", "data-action": "one" }, "Send one write");
    this.burst = element("button", { type: "button", "data-action": "burst" }, `Send a burst of ${BURST_WRITES}`);
    one.addEventListener("click", () => this.sendOne());
    this.burst.addEventListener("click", () => this.sendBurst());
    const [heading, about] = [`service-${name}`, ABOUT[name] ?? ""];
    this.card = element("article", { class: `card service stale ${kind(name)}`, "aria-labelledby": heading, "data-service": name },
      element("div", {},
        element("div", { class: "name" }, sample(name), element("h2", { id: heading }, name), this.chip, this.version),
        element("p", { class: "about" }, about)),
      ...(config.services.length > 1 ? [this.parts.box] : []),
      element("div", { class: "figures" },
        element("div", { class: "rate" }, this.rate, element("span", {}, "requests a second")),
        element("dl", { class: "tiles" }, ...this.tiles.map(({ box }) => box))),
      ...(known(write_url) ? [this.actions(one)] : []));
  }

  actions(one) {
    return element("div", { class: "actions", role: "group", "aria-label": `Writes to ${this.name}` }, one, this.burst,
      element("div", { class: "told" }, this.outcome, this.progress, this.count));
  }

  show({ reachable, ...figures }, at) {
    const known = "requests_per_second" in figures;
    this.card.classList.toggle("stale", !reachable || !known);
    this.chip.hidden = reachable && !figures.bypassed;
    this.chip.textContent = reachable ? "cache bypassed" : "does not answer";
    if (!known) return;
    this.parts.show(figures, at);
    this.version.textContent = figures.version ? `version ${figures.version}` : "";
    this.rate.textContent = plain(total(figures.requests_per_second));
    for (const { value, box, of, bad, needs } of this.tiles) {
      value.textContent = of(figures);
      box.classList.toggle("bad", Boolean(bad?.(figures)));
      box.hidden = !isShown({ needs });
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
    this.tell("Sending …");
    const began = performance.now();
    let [next, done, failed, reason] = [0, 0, 0, ""];
    const sendInTurn = async () => {
      while (next < BURST_WRITES) {
        next += 1;
        const failure = await write(this.writeUrl, `dashboard-${1 + (next % NAMES)}`);
        done += 1;
        if (failure !== null) [failed, reason] = [failed + 1, failure];
        this.progress.value = done;
        this.count.textContent = `${done} of ${BURST_WRITES}, ${failed} failed`;
      }
    };
    await Promise.all(Array.from({ length: BURST_PARALLEL_MAX }, sendInTurn));
    const took = time(performance.now() - began);
    const result = `${done} writes in ${took}, ${failed} failed${failed > 0 ? `: ${reason}` : "."}`;
    this.tell(result, failed > 0);
    this.progress.hidden = true;
    this.count.textContent = "";
    this.burst.removeAttribute("aria-disabled");
  }
}

/* What went wrong, or null. */
async function post(url, body) {
  try {
    const answer = await ask(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    const text = await answer.text();
    if (answer.ok) return null;
    const isProblem = answer.headers.get("Content-Type") === "application/problem+json";
    const { type, detail = "" } = isProblem ? JSON.parse(text) : {};
    if (wantsToken(answer.status, type)) askForToken("The buttons need a token with the right to write.");
    return `${answer.status} ${detail}`.trim();
  } catch (error) {
    return error.name === "TimeoutError" ? `no answer in ${REQUEST_MS_MAX / 1000} s` : "no answer";
  }
}

function write(url, name) {
  const age = Math.floor(Math.random() * 100);
  return post(url, { name, age, occupation: `Written at ${new Date().toISOString()}` });
}

/* A button that takes something away, and gives it back. */
class Switch {
  constructor(name, url, field, [off, on]) {
    Object.assign(this, { url, field, off, on, pressed: false });
    this.button = element("button", { type: "button", "data-action": name });
    this.button.addEventListener("click", () => this.toggle());
    this.failed = element("span", { class: "failed", role: "status" });
    this.show(false);
  }

  show(pressed) {
    this.pressed = pressed;
    setText(this.button, pressed ? this.on : this.off);
    this.button.setAttribute("aria-pressed", String(pressed));
  }

  async toggle() {
    const pressed = !this.pressed;
    const failure = await post(this.url, { [this.field]: pressed });
    setText(this.failed, failure === null ? "" : `That failed: ${failure}`);
    if (failure === null) this.show(pressed);
  }
}

/* What happens, in words, and the buttons that break something. */
class Story {
  constructor() {
    this.card = document.getElementById("database");
    this.card.hidden = false;
    this.text = element("p", { class: "words", role: "status" }, "Waiting for the first figures");
    const pause = (name, what, url) =>
      known(url) ? [new Switch(name, url, "paused", [`Pause ${what}`, `Resume ${what}`])] : [];
    this.pauses = { database: pause("database", "the database", config.database_url), redis: pause("redis", "Redis", config.redis_url) };
    this.kills = config.services.filter(({ kill_url }) => known(kill_url)).map(({ name, kill_url }) =>
      [name, new Switch(`kill-${name}`, kill_url, "killed", [`Kill ${name}`, `Restart ${name}`])]);
    const switches = [...this.pauses.database, ...this.pauses.redis, ...this.kills.map(([, one]) => one)];
    this.card.append(this.text, element("div", { class: "switches" }, ...switches.map(({ button }) => button)),
      ...switches.map(({ failed }) => failed));
  }

  show({ words, database_paused, redis_paused, services }) {
    if (known(words)) setText(this.text, words);
    this.card.classList.toggle("paused", Boolean(database_paused || redis_paused));
    if (known(database_paused)) this.pauses.database.forEach((one) => one.show(database_paused));
    if (known(redis_paused)) this.pauses.redis.forEach((one) => one.show(redis_paused));
  }
}
