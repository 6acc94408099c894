// One table of keys. It binds them, and the sheet behind “?” is drawn from it.
import { isSeen, memory, on } from "./dom.js";

const WAIT = 1000;
const table = [];

/** Add a line to the table: `{keys: "j", label, group, run, isFor}`. `isFor` says whether it means something here. */
export function bind(entry) {
  table.push(entry);
}

function lines() {
  const marked = [...document.querySelectorAll("[data-keys]")].map((element) => ({
    keys: element.dataset.keys,
    label: element.dataset.keysLabel || element.getAttribute("aria-label") || element.textContent.trim(),
    group: element.closest(".sidebar") ? "Go to" : "On this page",
    run: () => press(element),
    isFor: () => element.closest(".sidebar, [data-menu]") || (isSeen(element) && isOfCurrentRow(element)),
  }));
  return [...table, ...marked].filter((entry) => !entry.isFor || entry.isFor());
}

// A key inside a row of a list means the row that has the focus.
function isOfCurrentRow(element) {
  const row = element.closest("[data-row]");
  return !row || row.contains(document.activeElement);
}

function press(element) {
  if (element.matches("input:not([type=checkbox]), select, textarea")) {
    element.focus();
    element.select?.();
  } else if (element.matches("a[href]") && !isSeen(element)) location.assign(element.href);
  else {
    if (element.matches("summary")) element.focus(); // so that the menu is walked and left by keys too
    element.click();
  }
}

const isTyping = (target) => target.matches?.("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable], [role=option]");
const areSingleKeysOn = () => memory.get("single-keys") !== "off";

let pressed = [];
let timer = 0;
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const withControl = event.ctrlKey || event.metaKey;
  if (withControl && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") return fire(event, "ctrl+k");
  if (withControl || event.altKey || isTyping(event.target) || !areSingleKeysOn()) return;
  if (event.key.length > 1 || event.key === " " || document.querySelector("dialog[open]")) return;
  clearTimeout(timer);
  pressed.push(event.key.toLowerCase());
  const known = lines();
  let sequence = pressed.join(" ");
  if (!known.some((entry) => entry.keys.startsWith(sequence))) {
    pressed = [event.key.toLowerCase()];
    sequence = pressed[0];
  }
  const found = known.filter((entry) => entry.keys === sequence).at(-1);
  if (found) {
    pressed = [];
    event.preventDefault();
    found.run(event);
  } else timer = setTimeout(() => { pressed = []; }, WAIT);
});

function fire(event, keys) {
  const found = table.find((entry) => entry.keys === keys);
  if (!found) return;
  event.preventDefault();
  found.run(event);
}

// The sheet.

const NAMES = { "ctrl+k": "Ctrl K", enter: "↵" };

function drawSheet() {
  const list = document.querySelector("[data-keys-list]");
  const groups = new Map();
  for (const entry of lines()) {
    const known = groups.get(entry.group) ?? new Map();
    known.set(entry.keys, entry.label);
    groups.set(entry.group, known);
  }
  list.replaceChildren();
  for (const [group, entries] of groups) {
    const column = document.createElement("div");
    const heading = document.createElement("h3");
    heading.textContent = group;
    const pairs = document.createElement("dl");
    for (const [keys, label] of entries) {
      const name = document.createElement("dt");
      name.textContent = label;
      const shown = document.createElement("dd");
      for (const key of keys.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = NAMES[key] ?? key.toUpperCase();
        shown.append(cap);
      }
      pairs.append(name, shown);
    }
    column.append(heading, pairs);
    list.append(column);
  }
  document.querySelector("[data-single-keys]").checked = areSingleKeysOn();
}

on("change", "[data-single-keys]", (event, box) => memory.set("single-keys", box.checked ? null : "off"));

bind({
  keys: "?",
  label: "This sheet",
  group: "Everywhere",
  run: () => document.getElementById("keys-sheet").showModal(),
  isFor: () => document.getElementById("keys-sheet"),
});
const sheet = document.getElementById("keys-sheet");
if (sheet) new MutationObserver(() => { if (sheet.open) drawSheet(); }).observe(sheet, { attributeFilter: ["open"] });
