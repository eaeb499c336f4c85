"use strict";
(() => {
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const cards = [...document.querySelectorAll(".card")];
  const rows = new Map(
    [...document.querySelectorAll(".overview tbody tr")].map((row) => [
      row.querySelector("a").hash.slice(1),
      row,
    ]),
  );
  const boxes = [...document.querySelectorAll("#filter input[type=checkbox]")];
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  let opened = [];

  // Marks what was found, where the browser can do so without changing the page.
  const mark = (words, shown) => {
    if (!window.CSS || !CSS.highlights) return;
    CSS.highlights.clear();
    if (!words) return;
    const ranges = [];
    for (const card of shown) {
      const walker = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + words.length);
          ranges.push(range);
          if (ranges.length >= 2000) break;
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  };

  const reveal = (words, shown) => {
    for (const one of opened) one.open = false;
    opened = [];
    if (!words) return;
    for (const card of shown.slice(0, 30)) {
      for (const one of card.querySelectorAll("details")) {
        if (!one.open && one.textContent.toLowerCase().includes(words)) {
          one.open = true;
          opened.push(one);
        }
      }
    }
  };

  const filter = () => {
    const words = search.value.trim().toLowerCase();
    const states = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const shown = [];
    for (const card of cards) {
      const fits = states.has(card.dataset.state) && (!words || textOf(card).includes(words));
      card.hidden = !fits;
      const row = rows.get(card.id);
      if (row) row.hidden = !fits;
      if (fits) shown.push(card);
    }
    reveal(words, shown);
    mark(words, shown);
    found.textContent =
      shown.length === cards.length && !words ? "" : `${shown.length} of ${cards.length} images`;
  };

  const openTarget = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const inside = target && target.querySelector("details");
    if (inside) inside.open = true;
  };

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  });
  for (const box of boxes) box.addEventListener("change", filter);
  document.getElementById("filter").addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  const all = (open) => {
    for (const card of cards) {
      if (!card.hidden) for (const one of card.querySelectorAll("details")) one.open = open;
    }
    opened = [];
  };
  document.getElementById("open").addEventListener("click", () => all(true));
  document.getElementById("close").addEventListener("click", () => all(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && document.activeElement === search) {
      search.value = "";
      filter();
    }
  });
  // Paper has nothing to click on: what an image is made of is printed, long logs are not.
  let forPaper = [];
  addEventListener("beforeprint", () => {
    forPaper = [...document.querySelectorAll(".card > details:not([open])")];
    for (const one of forPaper) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of forPaper) one.open = false;
  });
  addEventListener("hashchange", openTarget);
  openTarget();
})();
