// Spares the payer presses and waiting. Every page works without it: forms have buttons, and what follows a payment reloads itself.
"use strict";
(() => {
  const $ = (selector) => document.querySelector(selector);

  // A form that leads on is sent at once, but not to a payer who came back from there: that would be a trap.
  const form = $("form[data-autosubmit]");
  const [visit] = performance.getEntriesByType("navigation");
  if (form && visit?.type !== "back_forward") form.requestSubmit();
  else if (form?.dataset.autosubmit) location.replace(form.dataset.autosubmit);

  // What became of the payment: asked for rarely and only while somebody is looking.
  const follow = $("[data-follow]");
  if (follow) {
    const { version, stage } = follow.dataset;
    const opened = Date.now();
    const ask = async () => {
      try {
        const answer = document.hidden ? null : await fetch(follow.dataset.follow);
        const now = answer?.ok ? await answer.json() : { version, stage };
        if (String(now.version) !== version || now.stage !== stage) {
          follow.querySelector(".news").textContent = now.title;
          const kept = new URLSearchParams(location.search).get("lang");
          return setTimeout(() => location.replace(location.pathname + (kept ? `?lang=${kept}` : "")), 300);
        }
      } catch { /* the network is away: the next question tells */ }
      return setTimeout(ask, Date.now() - opened < 120000 ? 2500 : 10000);
    };
    setTimeout(ask, 2000);
  }

  // How much time is left, and at its end the page that says so.
  for (const left of document.querySelectorAll("[data-countdown]")) {
    const end = Date.parse(left.dataset.countdown);
    const tick = () => {
      const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      left.querySelector("b").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      left.classList.toggle("short", seconds < 60);
      if (seconds > 0) setTimeout(tick, 1000);
      else if (end > Date.now() - 5000) setTimeout(() => location.reload(), 1500);
    };
    left.hidden = false;
    tick();
  }

  // Searching the banks while typing, as the server does it: every word in the name or code, without case and accents.
  const search = $("form[data-search]");
  if (search) {
    const input = search.querySelector("input[type=search]");
    const banks = [...document.querySelectorAll("[data-banks] > li")];
    const count = $("[data-count]"), empty = $("[data-empty]"), sentence = empty.querySelector("p");
    const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[^\p{L}\p{N}\s]/gu, "");
    const filter = () => {
      const words = plain(input.value).split(/\s+/).filter(Boolean);
      let found = 0;
      for (const bank of banks) {
        bank.hidden = !words.every((word) => bank.dataset.words.includes(word));
        found += !bank.hidden;
      }
      count.textContent = count.dataset.count.replace("#", found);
      sentence.textContent = sentence.dataset.sentence.replace("#", input.value);
      empty.hidden = found > 0;
    };
    search.classList.add("live");
    input.addEventListener("input", filter);
    search.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
    empty.querySelector("[data-all]").addEventListener("click", (event) => {
      event.preventDefault();
      input.value = "";
      filter();
      input.focus();
    });
  }

  // A choice is sent once, however often it is pressed.
  for (const choice of document.querySelectorAll("form[method=post]")) {
    choice.addEventListener("submit", (event) => {
      if (choice.dataset.sent) event.preventDefault();
      choice.dataset.sent = "1";
    });
  }
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  const print = $("[data-print]");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
})();
