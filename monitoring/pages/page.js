// Each picture comes as HTML and is put in place; a stream that is silent or closed is said to be.
"use strict";
const body = document.body;
const banner = document.getElementById("connection");
const patience = Number(body.dataset.stale) * 1000;
let heard = Date.now();

const stream = new EventSource(body.dataset.events);
stream.addEventListener("picture", (event) => {
  heard = Date.now();
  banner.hidden = true;
  htmx.swap("#picture", event.data, { swapStyle: "innerHTML" });
  body.dataset.picture = event.lastEventId;
});
stream.addEventListener("error", () => {
  banner.hidden = false;
});
setInterval(() => {
  if (Date.now() - heard > patience) {
    banner.hidden = false;
  }
}, 1000);
