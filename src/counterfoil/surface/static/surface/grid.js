// The editor of document lines: Enter goes down and adds, Alt and arrows move, every change is an input event.
import { on } from "./dom.js";

const GRID = "[data-grid]";
const ROW = "[data-grid-row]";
const NUMBERED = ["name", "id", "for", "aria-controls", "aria-describedby"];
const gridOf = (element) => element.closest(GRID);
const body = (grid) => grid.querySelector("[data-grid-rows]");
const rows = (grid) => [...body(grid).children];
const fields = (row) => [...row.querySelectorAll(".input, .checkbox")];

function add(grid, after = null) {
  const row = grid.querySelector("[data-grid-blank]").content.firstElementChild.cloneNode(true);
  if (after) after.after(row);
  else body(grid).append(row);
  renumber(grid);
  return row;
}

function renumber(grid) {
  const pattern = new RegExp(`((?:^|\\s|id-)${grid.dataset.grid}-)(?:\\d+|NEW)(?=-)`, "g");
  rows(grid).forEach((row, number) => {
    for (const element of row.querySelectorAll("*")) {
      for (const name of NUMBERED) {
        const value = element.getAttribute(name);
        if (value) element.setAttribute(name, value.replace(pattern, `$1${number}`));
      }
    }
  });
}

const changed = (grid) => grid.dispatchEvent(new Event("input", { bubbles: true }));

function remove(row) {
  const grid = gridOf(row);
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  const goal = next ?? add(grid);
  renumber(grid);
  fields(goal)[0]?.focus();
  changed(grid);
}

function move(row, by) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  const focused = document.activeElement;
  if (by < 0) other.before(row);
  else other.after(row);
  renumber(gridOf(row));
  focused?.focus();
  changed(gridOf(row));
}

on("click", "[data-grid-add]", (event, button) => {
  const row = add(gridOf(button));
  fields(row)[0]?.focus();
});
on("click", "[data-grid-remove]", (event, button) => remove(button.closest(ROW)));
on("keydown", ROW, (event, row) => {
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    move(row, event.key === "ArrowUp" ? -1 : 1);
  } else if (!event.defaultPrevented && event.key === "Enter" && event.target.matches("input, select") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    const place = fields(row).indexOf(event.target);
    const next = row.nextElementSibling ?? add(gridOf(row));
    (fields(next)[row.nextElementSibling === next && place >= 0 ? place : 0] ?? fields(next)[0])?.focus();
  } else if (event.key === "Tab" && !event.shiftKey && !row.nextElementSibling && event.target === fields(row).at(-1) && isFilled(row)) {
    event.preventDefault();
    fields(add(gridOf(row)))[0]?.focus();
  }
});
const isFilled = (row) => fields(row).some((field) => field.type !== "checkbox" && field.tagName !== "SELECT" && field.value.trim());

// Dragging by the handle; the keys above do the same.
let dragged = null;
on("dragstart", "[data-grid-handle]", (event, handle) => {
  dragged = handle.closest(ROW);
  dragged.classList.add("moving");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setDragImage(dragged, 16, 16);
});
on("dragover", ROW, (event, row) => {
  if (!dragged || gridOf(row) !== gridOf(dragged)) return;
  event.preventDefault();
  const box = row.getBoundingClientRect();
  if (row !== dragged) row[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
});
document.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged.classList.remove("moving");
  renumber(gridOf(dragged));
  changed(gridOf(dragged));
  dragged = null;
});

// An empty grid shows one line to type in.
function prepare(root) {
  for (const grid of root.querySelectorAll(GRID)) {
    if (!body(grid).children.length && grid.querySelector("[data-grid-add]")) add(grid);
  }
}
prepare(document);
document.addEventListener("htmx:afterSettle", ({ detail: { elt } }) => prepare(elt));
