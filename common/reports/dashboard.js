// The page as it is now, which the server sends every few seconds. Without this script the browser loads the page anew.
const main = document.querySelector("main"), live = document.getElementById("live");
const stops = () => [...main.querySelectorAll("a, [tabindex]")];
const source = new EventSource("events" + location.search);
source.onopen = () => { live.textContent = "live"; };
source.onerror = () => { live.textContent = "not connected: is make dashboard still running?"; };
source.onmessage = (event) => {
  if (getSelection().type === "Range") return; // somebody is copying an id
  const focused = stops().indexOf(document.activeElement), scrolled = stops().map((stop) => stop.scrollLeft);
  main.innerHTML = event.data;
  stops().forEach((stop, n) => { stop.scrollLeft = scrolled[n] || 0; });
  stops()[focused]?.focus({ preventScroll: true });
};
