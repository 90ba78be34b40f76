
// What the page was given, and what it knows.

const config = JSON.parse(document.getElementById("config").textContent);
const connection = document.getElementById("connection");

// One entry a second or every five seconds: {at, paused, services: {name: figures}}, the oldest first; the last minutes at once when
// the page opens.
const history = [];
let cursorAt = null;
// What not every service has is shown once there is one that has it; for all of them then, side by side.
const figuresSeen = new Set();
const isShown = ({ needs }) => needs === undefined || figuresSeen.has(needs);
