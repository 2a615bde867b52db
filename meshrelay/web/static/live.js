/* Says on an open page that something has come or changed, or that the relay is out of reach; keeps "41 min ago" true;
   says hours by the phone where no zone is set; turns a wall display. Pages are whole without it. */
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const words = live.dataset;
  const all = (what) => [...document.querySelectorAll(what)];
  const digits = (text) => (words.digits ? String(text).replace(/[0-9]/g, (one) => words.digits[one]) : String(text));
  const here = location.pathname + location.search;
  const two = (number) => String(number).padStart(2, "0");

  /* "a|b#010": the sentence for a number */
  const count = (table, number) => {
    const [said, which] = table.split("#");
    return said.split("|")[which ? which[number] : 0].replace("{n}", digits(number));
  };

  /* Only the relay says what time it is: the page may be old, the phone's clock wrong. */
  let ahead;
  const ago = () => {
    if (ahead === undefined) return;
    for (const one of all("time.ago")) {
      const minutes = Math.floor((Date.now() + ahead - Date.parse(one.dateTime)) / 60000);
      const hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
      const said =
        minutes < 1 ? words.just
        : hours < 1 ? count(words.minute, minutes)
        : days < 2 ? count(words.hours, hours)
        : days < 61 ? count(words.day, days) : one.textContent;
      if (one.textContent !== said) one.textContent = said;
    }
  };

  /* All hours, or none: where a day would be another, "today" would no longer fit. */
  const zone = () => {
    if (words.zone) return;
    const hours = all("time:not(.ago)").filter((one) => one.textContent.includes(":"));
    const at = (one) => new Date(one.dateTime);
    if (hours.some((one) => at(one).getDate() !== +one.dateTime.slice(8, 10))) return;
    const written = (when) => digits(two(when.getHours()) + ":" + two(when.getMinutes()));
    for (const one of hours) one.textContent = written(at(one));
    words.lost = words.lost.replace(words.hour, written(new Date(words.now * 1000)));
    for (const one of all("bdi.zone")) {
      const east = -new Date(one.dataset.at * 1000).getTimezoneOffset(), size = Math.abs(east), rest = size % 60;
      one.textContent = "UTC" + (east ? (east < 0 ? "-" : "+") + (size - rest) / 60 + (rest ? ":" + two(rest) : "") : "");
    }
  };

  const say = (text, where) => {
    const said = document.createElement(where ? "a" : "b");
    said.textContent = text;
    if (where) {
      said.className = "new";
      said.href = where;
      /* A link to the same page would be answered from the browser's copy. */
      if (where === here) said.onclick = () => (location.reload(), false);
    }
    if (live.textContent !== text) live.replaceChildren(said);
  };

  /* A wall display goes on by itself, and when something comes. */
  let turning;
  const turn = (where) => {
    clearTimeout(turning);
    turning = setTimeout(() => turn(words.next), words.seconds * 1000);
    return fetch(where, { cache: "no-store" })
      .then((answer) => (answer.ok ? answer.text() : Promise.reject()))
      .then((html) => {
        const page = new DOMParser().parseFromString(html, "text/html");
        all("#shown")[0].replaceWith(page.getElementById("shown"));
        Object.assign(words, page.getElementById("live").dataset);
        live.textContent = "";
        zone();
      })
      .catch(() => say(words.lost));
  };

  const clear = () => live.replaceChildren();
  let seen = 0;
  const news = (told) => {
    if (words.next) return told.new !== seen && turn(words.first, (seen = told.new));
    if (!words.id) return told.new ? say(told.new < 100 ? count(words.fresh, told.new) : words.many, words.new) : clear();
    return fetch("/api/v1/bulletins/" + words.id)
      .then((answer) => (answer.ok ? answer.json() : { verdict: {} }))
      .then(({ verdict: { status, author, disputed } }) =>
        status + " " + author + (disputed ? " disputed" : " ") === words.state ? clear() : say(words.changed, here))
      .catch(() => 0);
  };

  let lost = 0, wait = 2000;
  const open = () => {
    const source = new EventSource("/api/v1/events?since=" + encodeURIComponent(words.since));
    source.addEventListener("news", (event) => {
      const told = JSON.parse(event.data);
      clearTimeout(lost);
      lost = 0;
      ahead = told.now * 1000 - Date.now();
      ago();
      news(told);
    });
    source.onerror = () => {
      if (!lost) lost = setTimeout(() => say(words.lost), 8000);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, (wait = Math.min(wait * 2, 60000)));
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  };
  zone();
  open();
  setInterval(ago, 20000);
  if (words.next) turning = setTimeout(() => turn(words.next), words.seconds * 1000);
  addEventListener("pageshow", (event) => event.persisted && open());
})();
