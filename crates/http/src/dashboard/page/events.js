
// What is told each second, and what is made of it.

const SILENCE_MS_MAX = 5000;
const RETRY_MS = 2000;

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

function listen() {
  const source = new EventSource(config.events_url);
  source.addEventListener("past", (message) => takePast(JSON.parse(message.data)));
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
