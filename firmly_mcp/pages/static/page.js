// Makes the pages smoother; each works without it.
"use strict";

// One answer: the second click of a double click is not sent.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter;
    if (button && button.dataset.busy) {
      button.textContent = button.dataset.busy;
      button.setAttribute("aria-busy", "true");
    }
  });
}

// A page that comes back from the browser's memory may be answered again; the server knows whether it was.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

// Times are told in the reader's own zone.
for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.getTime())) {
    time.textContent = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
}

// The steps of an order, as they come.
const steps = document.querySelector("[data-follow]");
if (steps) follow(steps);

async function follow(list) {
  try {
    for (;;) {
      const answer = await fetch(`progress?told=${list.children.length}`, { cache: "no-store" });
      if (!answer.ok) break;
      const told = await answer.json();
      for (const words of told.steps) {
        const item = document.createElement("li");
        item.textContent = words;
        list.append(item);
      }
      if (told.ended) break;
    }
  } catch {
    // The server is gone or the page is left: a reload says how it stands.
  }
  setTimeout(() => window.location.reload(), 300);
}
