// Ctrl-K: one box to go to, find and do. The server finds, so the results obey the reader's rights.
import { afterPause, memory, on } from "./dom.js";
import { bind } from "./keys.js";
import { ask, csrfToken } from "./net.js";

const RECENT = "recent-pages";
const RECENT_MAX = 6;
const palette = document.getElementById("palette");
const input = document.getElementById("palette-input");
const results = document.getElementById("palette-results");
let running = null;
let shownFor = null;

function open() {
  if (palette.open) return input.select();
  document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
  input.value = "";
  shownFor = null;
  drawRecent();
  palette.showModal();
  find();
}

async function find() {
  const text = input.value.trim();
  running?.abort();
  running = new AbortController();
  const address = `${document.body.dataset.searchUrl}?${new URLSearchParams({ q: text })}`;
  const html = await ask(address, { target: "palette-results", signal: running.signal });
  if (html === null || text !== input.value.trim()) return;
  results.innerHTML = html;
  shownFor = text;
  if (!text) drawRecent(true);
  ready();
}

function ready() {
  const items = options();
  items.forEach((item, place) => { item.id = `palette-${place}`; item.tabIndex = -1; });
  choose(items[0]);
  document.getElementById("palette-count").textContent = input.value ? `${items.length} results` : "";
}

const options = () => [...results.querySelectorAll('[role="option"]')];

function choose(item) {
  results.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  if (!item) return input.removeAttribute("aria-activedescendant");
  item.setAttribute("aria-selected", "true");
  item.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", item.id);
}

function take(item, inNewTab) {
  if (item.hasAttribute("data-post")) return post(item.href);
  if (inNewTab) return window.open(item.href, "_blank", "noopener");
  location.assign(item.href);
}

function post(url) {
  const form = Object.assign(document.createElement("form"), { method: "post", action: url });
  form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "csrfmiddlewaretoken", value: csrfToken() }));
  document.body.append(form);
  form.submit();
}

// Where this browser was lately. Forgotten at the log-in page.

const recent = () => { try { return JSON.parse(memory.get(RECENT)) ?? []; } catch { return []; } };

function drawRecent(above = false) {
  const pages = recent().filter((one) => one.url !== location.pathname);
  if (!above) results.replaceChildren();
  if (!pages.length) return;
  const heading = Object.assign(document.createElement("div"), { className: "palette-group", textContent: "Recent" });
  heading.setAttribute("role", "presentation");
  const links = pages.map(({ url, title }) => {
    const link = Object.assign(document.createElement("a"), { className: "palette-item", href: url, textContent: title });
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", "false");
    return link;
  });
  results.prepend(heading, ...links);
}

if (palette) {
  bind({ keys: "ctrl+k", label: "Find or do anything", group: "Everywhere", run: open });
  bind({ keys: "/", label: "Find anything", group: "Everywhere", run: open });
  on("click", "[data-open-palette]", (event) => { event.preventDefault(); open(); });
  input.addEventListener("input", afterPause(80, find));
  input.addEventListener("keydown", (event) => {
    const items = options();
    const now = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(items[(now + 1) % items.length]);
    else if (event.key === "ArrowUp") choose(items[(now - 1 + items.length) % items.length]);
    else if (event.key === "Enter") {
      if (items[now] && shownFor === input.value.trim()) take(items[now], event.ctrlKey || event.metaKey);
      else find().then(() => { if (shownFor === input.value.trim() && options()[0]) take(options()[0]); });
    } else return;
    event.preventDefault();
  });
  on("pointermove", "#palette-results [role=option]", (event, item) => { if (item.getAttribute("aria-selected") !== "true") choose(item); });
  on("click", "#palette-results [data-post]", (event, item) => { event.preventDefault(); post(item.href); });
  if (document.querySelector(".trail *")) {
    const here = { url: location.pathname, title: document.querySelector("h1").firstChild.textContent.trim() };
    memory.set(RECENT, JSON.stringify([here, ...recent().filter((one) => one.url !== here.url)].slice(0, RECENT_MAX)));
  }
} else memory.set(RECENT, null);
