// A box that finds records. The id travels in the hidden input; the text beside it is what people read.
import { afterPause, on } from "./dom.js";
import { ask } from "./net.js";

const BOX = "[data-combobox] [role=combobox]";
const parts = (input) => {
  const box = input.closest("[data-combobox]");
  return { box, value: box.querySelector("[data-combobox-value]"), list: box.querySelector("[role=listbox]") };
};
const isOpen = (input) => input.getAttribute("aria-expanded") === "true";
const options = (input) => [...parts(input).list.querySelectorAll("[role=option]")];
const active = (input) => parts(input).list.querySelector('[aria-selected="true"]');
// What was found for an older text is not taken for the newer one.
const wanted = (input) => isOpen(input) && parts(input).list.dataset.shownFor === input.value.trim() ? active(input) : null;
let running = null;
let enteredFor = null; // Enter came before the answer for this text

async function find(input) {
  const { box } = parts(input);
  running?.abort();
  running = new AbortController();
  const text = input.value.trim();
  const mark = box.dataset.combobox.includes("?") ? "&" : "?";
  const answer = await ask(`${box.dataset.combobox}${mark}${new URLSearchParams({ q: text })}`, { signal: running.signal });
  if (answer === null || document.activeElement !== input) return;
  if (text === input.value.trim()) draw(input, JSON.parse(answer).options, text);
}

function draw(input, found, text) {
  const { list } = parts(input);
  list.dataset.shownFor = text;
  list.replaceChildren(...found.map(({ id, title, hint }, place) => {
    const option = Object.assign(document.createElement("span"), { className: "option", id: `${list.id}-${place}`, textContent: title });
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.value = id;
    option.dataset.title = title;
    if (hint) option.append(Object.assign(document.createElement("small"), { textContent: hint }));
    return option;
  }));
  if (!found.length) list.append(Object.assign(document.createElement("span"), { className: "options-note", textContent: text ? "Nothing found" : "Type to find" }));
  open(input);
  if (text && found.length) choose(input, list.firstElementChild);
  if (text === enteredFor && wanted(input)) take(input, wanted(input));
  enteredFor = null;
}

function open(input) {
  const { list } = parts(input);
  list.hidden = false;
  input.setAttribute("aria-expanded", "true");
  if (!list.matches(":popover-open")) list.showPopover();
  place(input, list);
}

// The list floats above everything, so it is put below its box by hand, or above where there is no room.
function place(input, list) {
  const box = input.getBoundingClientRect();
  const below = innerHeight - box.bottom - 8;
  const height = Math.min(list.scrollHeight + 2, 280);
  const isAbove = below < Math.min(height, 160) && box.top > below;
  list.style.width = `${Math.min(Math.max(box.width, 240), innerWidth - 16)}px`;
  list.style.left = `${Math.min(box.left, innerWidth - Math.max(box.width, 240) - 8)}px`;
  list.style.top = isAbove ? `${Math.max(8, box.top - height - 4)}px` : `${box.bottom + 4}px`;
}

function close(input) {
  const { list } = parts(input);
  if (list.matches(":popover-open")) list.hidePopover();
  list.hidden = true;
  input.setAttribute("aria-expanded", "false");
  input.removeAttribute("aria-activedescendant");
}

function choose(input, option) {
  active(input)?.setAttribute("aria-selected", "false");
  if (!option) return;
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", option.id);
}

function take(input, option) {
  const { value } = parts(input);
  value.value = option.dataset.value;
  input.value = option.dataset.title;
  close(input);
  input.dispatchEvent(new CustomEvent("chosen", { bubbles: true, detail: { id: value.value, title: input.value } }));
  value.dispatchEvent(new Event("input", { bubbles: true }));
  value.dispatchEvent(new Event("change", { bubbles: true }));
}

const findSoon = afterPause(120, find);
on("input", BOX, (event, input) => {
  parts(input).value.value = "";
  enteredFor = null;
  findSoon(input);
});
on("keydown", BOX, (event, input) => {
  const all = options(input);
  const now = all.indexOf(active(input));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (event.altKey && !isOpen(input)) return;
    event.preventDefault();
    if (!isOpen(input)) return find(input);
    choose(input, all[(now + (event.key === "ArrowDown" ? 1 : -1) + all.length) % all.length]);
  } else if (event.key === "Enter" && (wanted(input) || (input.value.trim() && !parts(input).value.value))) {
    event.preventDefault();
    if (wanted(input)) take(input, wanted(input));
    else {
      enteredFor = input.value.trim();
      find(input);
    }
  } else if (event.key === "Tab" && wanted(input)) take(input, wanted(input));
  else if (event.key === "Escape" && isOpen(input)) {
    event.preventDefault();
    event.stopPropagation();
    close(input);
  }
});
on("pointerdown", "[data-combobox] [role=option]", (event, option) => {
  event.preventDefault();
  take(option.closest("[data-combobox]").querySelector("[role=combobox]"), option);
});
on("click", BOX, (event, input) => { if (!isOpen(input)) find(input); });
on("focusout", BOX, (event, input) => close(input));
addEventListener("scroll", (event) => {
  const input = document.activeElement;
  if (input?.matches?.(BOX) && isOpen(input) && !parts(input).list.contains(event.target)) place(input, parts(input).list);
}, true);
