// Short messages at the foot, with Undo. They wait while somebody reads or points at them; errors stay.
import { on } from "./dom.js";

const SHORT = 6000;
const WITH_UNDO = 10000;
const MOST = 4;

/** Say something: `{message, kind: success|info|warning|error, undo: address}`. */
export function toast({ message, kind = "success", undo = "", reload = false }) {
  const region = document.getElementById("toasts");
  const template = document.getElementById("toast-template");
  if (!region || !template) return;
  const made = template.content.firstElementChild.cloneNode(true);
  made.classList.remove("success");
  made.classList.add(kind);
  made.setAttribute("role", kind === "error" ? "alert" : "status");
  const form = made.querySelector("[data-undo]");
  if (undo) form.action = undo;
  else form.remove();
  if (!reload) made.querySelector("[data-reload]")?.remove();
  // A modal dialog makes all else inert, so the messages move into it while it is open.
  (document.querySelector("dialog:modal") ?? document.body).append(region);
  region.append(made);
  // The text comes after the element is there, so that screen readers hear the change.
  requestAnimationFrame(() => { made.querySelector("p").textContent = message; });
  while (region.children.length > MOST) region.firstElementChild.remove();
  start(made, kind, undo);
}

/** What was refused, in the server's words. Somebody else's change offers to reload. */
export function refused({ code = "", message, problems = [] }) {
  const more = problems.map((one) => one.message).filter((text) => text !== message);
  toast({ message: [message, ...more].join(" "), kind: "error", reload: code === "stale" || code === "conflict" });
}

function start(element, kind, undo) {
  if (kind === "error") return;
  let timer = 0;
  const run = () => { timer = setTimeout(() => element.remove(), undo ? WITH_UNDO : SHORT); };
  const hold = () => clearTimeout(timer);
  element.addEventListener("pointerenter", hold);
  element.addEventListener("focusin", hold);
  element.addEventListener("pointerleave", run);
  element.addEventListener("focusout", run);
  run();
}

document.addEventListener("close", () => {
  const region = document.getElementById("toasts");
  if (region && region.parentElement !== document.body && !document.querySelector("dialog:modal")) document.body.append(region);
}, true);
on("click", "[data-dismiss]", (event, button) => button.closest("[data-toast]").remove());
on("click", "[data-reload]", () => location.reload());
on("submit", "[data-undo]", (event, form) => {
  event.preventDefault();
  window.htmx.ajax("POST", form.action, { source: document.body, target: document.body, swap: "none" });
  form.closest("[data-toast]").remove();
});

document.querySelectorAll("#toasts [data-toast]").forEach((element) => {
  start(element, element.classList.contains("error") ? "error" : "", element.querySelector("[data-undo]"));
});
