
// What is told each second, and what is made of it.

const SILENCE_MS_MAX = 5000;
const RETRY_MS = 2000;
const RETRY_AFTER_END_MS = 1000;

const services = config.services.map((service) => new Service(service));
const charts = CHARTS.map((spec) => new Chart(spec));
const story = config.services.length > 1 ? new Story() : null;
document.body.classList.toggle("several", services.length > 1);
if (services.length === 1) {
  document.getElementById("parts").append(services[0].parts.box);
  document.getElementById("parts").hidden = false;
}
document.getElementById("about-buttons").hidden = !config.services.some(({ write_url }) => known(write_url));
document.getElementById("services").append(...services.map(({ card }) => card));
document.getElementById("charts").append(...charts.map(({ card }) => card));

let heardAt = null;
// A span in which the pause began has figures from before it, so it is not shown as paused.
let wasPaused = false;

function say(state, text) {
  connection.dataset.state = state;
  const line = connection.firstElementChild;
  if (line.textContent !== text) line.textContent = text;
}

function lose() {
  say("lost", "Connection lost. Trying again …");
  services.forEach(({ card }) => card.classList.add("stale"));
}

/* Notes an event for the charts. */
function keep(event) {
  const isPaused = event.database_paused === true;
  const entry = { at: event.at_ms, paused: isPaused && wasPaused, services: {} };
  wasPaused = isPaused;
  for (const { name, reachable, ...figures } of event.services) {
    for (const [key, value] of Object.entries(figures)) if (known(value)) figuresSeen.add(key);
    if (reachable && "requests_per_second" in figures) entry.services[name] = figures;
  }
  history.push(entry);
  while (history[0].at < entry.at - SECONDS_KEPT * 1000) history.shift();
}

/* After a connection was lost, the past is sent again: what the page has of it stays. */
function takePast(event) {
  if (history.length === 0 || event.at_ms > history.at(-1).at) keep(event);
}

function take(event) {
  heardAt = performance.now();
  say("live", "Live");
  // Of a clock that was set back, nothing that is later is shown.
  while (history.length > 0 && history.at(-1).at >= event.at_ms) history.pop();
  keep(event);
  for (const { name, ...figures } of event.services) {
    services.find((service) => service.name === name)?.show(figures, event.at_ms);
  }
  story?.show(event);
  for (const chart of charts) {
    chart.card.hidden = !isShown(chart.spec);
    chart.draw();
  }
}

/* One event of the stream. */
function hear(frame) {
  const fields = frame.split("\n").map((line) => line.split(/: (.*)/, 2));
  const { event, data } = Object.fromEntries(fields);
  if (data !== undefined) (event === "past" ? takePast : take)(JSON.parse(data));
}

async function read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (text + value).split("\n\n");
    text = frames.pop();
    frames.forEach(hear);
  }
}

// Not by an EventSource, which cannot send a token.
async function listen() {
  const answer = await ask(config.events_url, { headers: { Accept: "text/event-stream" }, cache: "no-store" }).catch(() => null);
  if (answer !== null && [401, 403].includes(answer.status)) {
    say("lost", "A token is needed");
    askForToken("The figures are for holders of a token with the right to read.", listen);
    return;
  }
  // A stream that breaks off is as good as one that ends.
  if (answer?.ok) await read(answer.body).catch((error) => error.name === "SyntaxError" && reportError(error));
  lose();
  setTimeout(listen, answer?.ok ? RETRY_AFTER_END_MS : RETRY_MS);
}

setInterval(() => {
  if (heardAt !== null && performance.now() - heardAt > SILENCE_MS_MAX) lose();
}, 1000);
listen();
