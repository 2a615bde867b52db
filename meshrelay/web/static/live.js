/* Says on an open page that something new has come, and that the relay is out of reach. The page is whole without it,
   nothing moves by itself, and nothing is kept. */
"use strict";
(() => {
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;
  const words = live.dataset;
  let lost = 0;
  const say = (text, link) => {
    const said = document.createElement(link ? "a" : "b");
    said.textContent = text;
    if (link) {
      said.className = "new";
      said.href = location.pathname + location.search;
      said.onclick = () => {
        // A link to the same page would be answered from the browser's copy.
        location.reload();
        return false;
      };
    }
    live.replaceChildren(said);
  };
  const open = () => {
    const source = new EventSource("/api/v1/events?since=" + encodeURIComponent(words.since));
    source.addEventListener("news", (event) => {
      clearTimeout(lost);
      lost = 0;
      const count = JSON.parse(event.data).new;
      if (count) say(words["n" + count] || words.many, true);
      else live.replaceChildren();
    });
    source.onerror = () => {
      if (!lost) lost = setTimeout(() => say(words.lost), 8000);
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 60000);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  };
  open();
  addEventListener("pageshow", (event) => event.persisted && open());
})();
