// Lists by keyboard, selection, and the bar of what can be done with the selected rows.
import { isSeen, on } from "./dom.js";
import { bind } from "./keys.js";

const ROW = "[data-rows] [data-row], [data-board] [data-card]";
const rows = () => [...document.querySelectorAll(ROW)].filter(isSeen);
const currentRow = () => document.activeElement?.closest(ROW);

function step(by) {
  const all = rows();
  const now = all.indexOf(currentRow());
  const next = all[now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1)];
  const link = next?.querySelector("a[href]") ?? next;
  if (!link) return;
  if (link === next) next.tabIndex = -1;
  link.focus();
  next.scrollIntoView({ block: "nearest" });
}

const anyRow = () => document.querySelector(ROW);
bind({ keys: "j", label: "Next row", group: "In lists", run: () => step(1), isFor: anyRow });
bind({ keys: "k", label: "Previous row", group: "In lists", run: () => step(-1), isFor: anyRow });
bind({
  keys: "x",
  label: "Select the row",
  group: "In lists",
  isFor: () => document.querySelector("[data-select]"),
  run: () => currentRow()?.querySelector("[data-select]")?.click(),
});

// A click anywhere on a row opens it, unless it was meant for something else.
on("click", "tr[data-row]", (event, row) => {
  if (event.target.closest("a, button, input, label, select, summary, [data-edit]") || getSelection().toString()) return;
  row.querySelector(".title a[href], a[href]")?.click();
});

// Selection.

const boxesOf = (form) => [...form.querySelectorAll("[data-select]")];
let last = null;

on("click", "[data-select]", (event, box) => {
  const form = box.closest("[data-bulk]");
  const boxes = form ? boxesOf(form) : [];
  if (event.shiftKey && last && boxes.includes(last)) {
    const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
    boxes.slice(from, to + 1).forEach((one) => { one.checked = box.checked; });
  }
  last = box;
  if (form) draw(form);
});
on("change", "[data-select-all]", (event, all) => {
  const form = all.closest("[data-bulk]");
  boxesOf(form).forEach((box) => { box.checked = all.checked; });
  draw(form);
});
on("change", "[data-bulk-all]", (event, box) => draw(box.closest("[data-bulk]")));
on("click", "[data-bulk-clear]", (event, button) => {
  const form = button.closest("[data-bulk]");
  form.querySelectorAll("[data-select], [data-select-all], [data-bulk-all]").forEach((box) => { box.checked = false; });
  draw(form);
});

function draw(form) {
  const boxes = boxesOf(form);
  const chosen = boxes.filter((box) => box.checked).length;
  const bar = form.querySelector("[data-bulk-bar]");
  const all = form.querySelector("[data-select-all]");
  const everything = form.querySelector("[data-bulk-all]");
  if (everything && chosen < boxes.length) everything.checked = false;
  if (everything) everything.closest("label").hidden = chosen < boxes.length;
  bar.hidden = chosen === 0;
  form.querySelector("[data-bulk-count]").textContent = String(chosen);
  if (all) {
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}

// After going back, the browser may have ticked boxes again.
addEventListener("pageshow", () => document.querySelectorAll("[data-bulk]").forEach(draw));
