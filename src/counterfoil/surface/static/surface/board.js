// The board: cards move by dragging, or by the menu on the card (M). A refused move goes back.
import { on } from "./dom.js";
import { bind } from "./keys.js";
import { ask } from "./net.js";

const BOARD = "[data-board]";
const CARD = "[data-card]";
const columnOf = (element) => element.closest("[data-column]");
let dragged = null;

on("dragstart", CARD, (event, card) => {
  dragged = card;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", card.dataset.card);
  requestAnimationFrame(() => card.classList.add("dragging"));
});
on("dragover", "[data-column]", (event, column) => {
  if (!dragged || column.closest(BOARD) !== dragged.closest(BOARD)) return;
  event.preventDefault();
  mark(column);
});
on("drop", "[data-column]", (event, column) => {
  if (!dragged) return;
  event.preventDefault();
  move(dragged, column);
});
document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragging");
  dragged = null;
  mark(null);
});

function mark(column) {
  document.querySelectorAll("[data-column].over").forEach((one) => { if (one !== column) one.classList.remove("over"); });
  column?.classList.add("over");
}

async function move(card, column) {
  const from = columnOf(card);
  if (from === column) return;
  const place = document.createComment("");
  card.replaceWith(place);
  column.querySelector("[data-cards]").prepend(card);
  const menu = card.querySelector("[data-move-menu]");
  if (menu) menu.value = column.dataset.column;
  count(from);
  count(column);
  const values = { to: column.dataset.column, version: card.dataset.version ?? "" };
  const html = await ask(card.dataset.move, { method: "POST", values, target: "board" });
  if (html !== null) {
    place.remove();
    card.dataset.version = String(Number(card.dataset.version) + 1);
    if (html.trim()) replace(card.closest(BOARD), html);
    return;
  }
  place.replaceWith(card);
  if (menu) menu.value = from.dataset.column;
  count(from);
  count(column);
}

function replace(board, html) {
  const focused = document.activeElement?.closest(CARD)?.dataset.card;
  board.outerHTML = html;
  const fresh = document.querySelector(BOARD);
  window.htmx.process(fresh);
  if (focused) fresh.querySelector(`[data-card="${CSS.escape(focused)}"] a`)?.focus();
}

function count(column) {
  const shown = column.querySelector("[data-column-count]");
  if (shown) shown.textContent = String(column.querySelectorAll(CARD).length);
}

on("change", "[data-board] [data-move-menu]", (event, menu) => {
  event.preventDefault();
  const card = menu.closest(CARD);
  const column = card.closest(BOARD).querySelector(`[data-column="${CSS.escape(menu.value)}"]`);
  if (!column) return menu.form.requestSubmit();
  move(card, column).then(() => menu.isConnected && menu.focus());
});
bind({
  keys: "m",
  label: "Move the card",
  group: "On the board",
  isFor: () => document.querySelector(BOARD),
  run: () => {
    const menu = document.activeElement?.closest(CARD)?.querySelector("[data-move-menu]");
    menu?.focus();
    menu?.showPicker?.();
  },
});
