// What every page can do with a script; all of it is also there without one, but live.
"use strict";

const pulse = {};

// -- the theme: the system's, or the one that was chosen here ------------------------------------
// Before anything is drawn, so this script is not deferred.

pulse.theme = (() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("pulse-theme"); } catch { /* storage may be forbidden */ }
  const apply = () => {
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
  };
  apply();
  document.documentElement.dataset.script = "";
  return {
    isDark: () => (chosen ? chosen === "dark" : system.matches),
    turn() {
      const wanted = this.isDark() ? "light" : "dark";
      // Who turns back to what the system has follows the system again.
      chosen = (wanted === "dark") === system.matches ? null : wanted;
      try {
        if (chosen) localStorage.setItem("pulse-theme", chosen);
        else localStorage.removeItem("pulse-theme");
      } catch { /* it holds for this page */ }
      apply();
    },
    onSystem: (then) => system.addEventListener("change", then),
  };
})();

// -- times in the reader's zone, with UTC beside them ---------------------------------------------

pulse.times = (root) => {
  const instant = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const each of root.querySelectorAll("time[datetime]")) {
    if (each.dataset.utc !== undefined) continue;
    const at = new Date(each.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    each.dataset.utc = each.textContent;
    // One that says how long ago it was keeps its words.
    if (each.hasAttribute("title")) each.title = `${instant.format(at)} – ${each.title}`;
    else {
      each.title = each.textContent;
      each.textContent = instant.format(at);
    }
  }
};

// -- the keyboard ---------------------------------------------------------------------------------

pulse.keys = () => {
  const help = document.getElementById("help");
  const isTyping = (at) => at.closest("input, select, textarea, [contenteditable], dialog[open]");
  const step = (by) => {
    const rows = [...document.querySelectorAll("main [data-row]")];
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    const next = now < 0 ? (by > 0 ? 0 : rows.length - 1) : now + by;
    const row = rows[Math.min(Math.max(next, 0), rows.length - 1)];
    row.querySelector("a[href], button").focus();
    row.scrollIntoView({ block: "nearest" });
  };
  const go = (name) => document.querySelector(`.top nav a[data-key="${name}"]`)?.click();
  const does = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.querySelector('.find input')?.focus(),
    "?": () => help?.showModal(),
    1: () => go("1"),
    2: () => go("2"),
    3: () => go("3"),
    4: () => go("4"),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target.closest(".find")) event.target.blur();
    if (isTyping(event.target) || !Object.hasOwn(does, event.key)) return;
    event.preventDefault();
    does[event.key]();
  });
  const button = document.getElementById("keys");
  if (button && help) {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  }
};

// -- putting a new page in the place of the old one -----------------------------------------------
// In place, so that the focus, open details, what was typed and where it was scrolled to stay.

pulse.morph = (() => {
  const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || null : null);
  const isTouched = (node) => node.matches("form[data-touched], [data-keep]");
  const same = (old, now) =>
    old.nodeType === now.nodeType && old.nodeName === now.nodeName && keyOf(old) === keyOf(now);

  const attributes = (old, now) => {
    for (const { name } of [...old.attributes]) {
      // Whether it is open is the reader's.
      if (name === "open" || name === "data-touched") continue;
      if (!now.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  const morph = (old, now) => {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
      return;
    }
    if (isTouched(old)) return;
    if (old.nodeName === "TIME" && old.dateTime === now.dateTime && old.dataset.utc === now.textContent) return;
    attributes(old, now);
    children(old, now);
  };

  const children = (old, now) => {
    const keyed = new Map();
    for (const child of old.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = old.firstChild;
    for (const wanted of [...now.childNodes]) {
      const key = keyOf(wanted);
      let found = key ? keyed.get(key) : at;
      // What has a key waits for its own.
      while (!key && found && keyOf(found)) found = found.nextSibling;
      if (found && same(found, wanted)) {
        if (found === at) at = at.nextSibling;
        else old.insertBefore(found, at);
        morph(found, wanted);
      } else {
        const made = document.importNode(wanted, true);
        if (key && made.dataset.key) made.classList.add("changed");
        old.insertBefore(made, at);
      }
      keyed.delete(key);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };
  return morph;
})();

// -- live: the page is asked for again when the server says that something changed -----------------

pulse.live = () => {
  const main = document.querySelector("main[data-live]");
  const says = document.getElementById("live");
  if (!main || !says || !window.EventSource) return;
  const PAUSE_MS = 3000;
  const LATER_MS = 10000;
  const wanted = main.dataset.live;
  const address = wanted === "all" ? "/events" : `/events?account=${encodeURIComponent(wanted)}`;
  let source = null, wasAway = false, isDue = false, isAsking = false, askedAt = 0, again = 0;

  const tell = (isOn) => {
    says.hidden = false;
    says.classList.toggle("on", isOn);
    says.textContent = isOn ? "live" : "not live";
  };
  const ask = async () => {
    if (!isDue || isAsking || document.hidden) return;
    const wait = askedAt + PAUSE_MS - Date.now();
    if (wait > 0) { setTimeout(ask, wait); return; }
    isDue = false; isAsking = true; askedAt = Date.now();
    let isShown = false;
    try {
      const answer = await fetch(location.href);
      if (answer.redirected) { location.assign(answer.url); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.querySelector("main");
      if (answer.ok && now) { pulse.morph(main, now); pulse.times(main); isShown = true; }
    } catch { wasAway = true; } finally { isAsking = false; }
    if (isShown) {
      tell(source?.readyState === EventSource.OPEN);
      if (isDue) setTimeout(ask, PAUSE_MS);
    } else {
      isDue = true;
      tell(false);
      later();
    }
  };
  const due = () => { isDue = true; ask(); };
  // After an answer that is none, as proxies give while the server is away. Not all pages at once.
  const later = () => {
    clearTimeout(again);
    again = setTimeout(() => { look(); ask(); }, LATER_MS * (1 + 2 * Math.random()));
  };
  const open = () => {
    source = new EventSource(address);
    source.addEventListener("open", () => {
      tell(true);
      if (wasAway) due();
      wasAway = false;
    });
    source.addEventListener("error", () => {
      wasAway = true;
      tell(false);
      // After a broken connection a browser asks again by itself, after another answer never.
      if (source?.readyState !== EventSource.CLOSED) return;
      source = null;
      isDue = true;  // who is not signed in any more is told so by the page
      later();
    });
    source.addEventListener("changed", due);
    source.addEventListener("end", () => { source.close(); location.reload(); });
  };
  // A page that nobody sees holds no connection: browsers have few for each host.
  const look = () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      wasAway = true;
    } else if (!source) open();
  };
  document.addEventListener("visibilitychange", look);
  // Nor one that is left: else it would be told that it is away.
  window.addEventListener("pagehide", () => { if (source) source.close(); source = null; });
  window.addEventListener("pageshow", look);
  look();
};

document.addEventListener("DOMContentLoaded", () => {
  pulse.times(document);
  const theme = document.getElementById("theme");
  if (theme) {
    const tell = () => { theme.textContent = pulse.theme.isDark() ? "Light" : "Dark"; };
    theme.hidden = false;
    tell();
    theme.addEventListener("click", () => { pulse.theme.turn(); tell(); });
    pulse.theme.onSystem(tell);
  }
  // A choice among filters is made at once; their button is for who has no script.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form");
    if (!form) return;
    if (form.matches(".filters")) form.requestSubmit();
    else form.dataset.touched = "";
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form:not(.filters)");
    if (form) form.dataset.touched = "";
  });
  // A day that is named is the reader's; its end may be in summer time, when now is not.
  document.addEventListener("submit", (event) => {
    const { until, offset } = event.target.elements;
    if (!until?.value || !offset) return;
    const [year, month, day] = until.value.split("-").map(Number);
    offset.value = new Date(year, month - 1, day + 1).getTimezoneOffset();
  });
  pulse.keys();
  pulse.live();
});
