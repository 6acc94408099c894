// Forms: typed text is not lost, values change in place, previews follow, filters send themselves.
import { afterPause, isSeen, memory, on } from "./dom.js";

// The guard. ---------------------------------------------------------------------------------------------------------
const typed = new Set();
on("input", "form[data-guard]", (event, form) => typed.add(form));
on("submit", "form[data-guard]", (event, form) => { if (!form.matches("[hx-post]")) typed.delete(form); });
on("click", "[data-discard]", () => typed.clear());
addEventListener("beforeunload", (event) => {
  if ([...typed].some((form) => form.isConnected)) event.preventDefault();
});
// A page that came back refused holds what was typed, and nobody has saved it.
if (document.querySelector('main .notice.error[role="alert"], form[data-guard] [aria-invalid="true"]')) {
  document.querySelectorAll("form[data-guard]").forEach((form) => typed.add(form));
}
document.addEventListener("htmx:beforeOnLoad", ({ detail: { elt, xhr } }) => {
  const form = elt.closest?.("form[data-guard]");
  if (form && xhr.status < 400) typed.delete(form);
});
document.addEventListener("htmx:afterSwap", ({ detail: { elt } }) => {
  document.querySelectorAll("form[data-guard]").forEach((form) => {
    if (form.contains(elt) || elt.contains(form)) if (form.querySelector('[aria-invalid="true"]')) typed.add(form);
  });
});

// One value in place: Enter saves, Esc leaves it, Tab saves and goes on to the next. ------------------------------------
const before = new WeakMap();
const EDITABLE = "[data-edit]";
let goOn = null;

document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  const place = elt.matches(EDITABLE) ? elt.closest("dd, td, [data-edit-place]") : null;
  if (place) before.set(place, place.innerHTML);
});
document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  const form = target.querySelector?.("[data-inline-form]");
  if (form) {
    const input = form.querySelector(".input, .checkbox");
    input?.focus();
    input?.select?.();
  } else if (goOn && goOn.place === target) {
    const { next } = goOn;
    goOn = null;
    if (next?.isConnected) next.click();
  } else target.querySelector?.(EDITABLE)?.focus();
});
on("keydown", "[data-inline-form]", (event, form) => {
  if (event.defaultPrevented) return;
  if (event.key === "Escape") {
    event.preventDefault();
    cancel(form);
  } else if (event.key === "Tab" && !event.shiftKey && event.target.matches(".input, .checkbox")) {
    event.preventDefault();
    const place = form.parentElement;
    const all = [...document.querySelectorAll(EDITABLE)].filter(isSeen);
    goOn = { place, next: all.find((one) => place.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) };
    form.requestSubmit();
  } else if (event.key === "Enter" && event.target.matches("select, textarea") && (event.ctrlKey || event.metaKey || event.target.matches("select"))) {
    event.preventDefault();
    form.requestSubmit();
  }
});
on("click", "[data-inline-cancel]", (event, button) => cancel(button.closest("[data-inline-form]")));

function cancel(form) {
  const place = form.parentElement;
  if (!before.has(place)) return location.reload();
  place.innerHTML = before.get(place);
  window.htmx.process(place);
  place.querySelector(EDITABLE)?.focus();
}

// Filters and moves that send themselves. ---------------------------------------------------------------------------
on("change", "form[data-auto-submit]", (event, form) => {
  if (!event.target.matches("[data-move-menu]")) form.requestSubmit();
});
on("formdata", "form[method=get]", ({ formData }) => {
  // Empty fields stay out of the address.
  for (const name of new Set(formData.keys())) {
    const values = formData.getAll(name).filter((value) => value !== "");
    formData.delete(name);
    values.forEach((value) => formData.append(name, value));
  }
});

// The preview follows what is typed, and can be switched off. ----------------------------------------------------------
const PREVIEW = "preview";
const refresh = afterPause(250, (preview) => { if (!preview.hidden) window.htmx.trigger(preview, "preview"); });
document.addEventListener("input", (event) => {
  for (const preview of document.querySelectorAll("[data-preview-of]")) {
    if (event.target.closest?.(preview.dataset.previewOf)) refresh(preview);
  }
});
const drawPreviews = () => {
  const isOff = memory.get(PREVIEW) === "off" && document.querySelector("[data-preview-toggle]") !== null;
  document.querySelectorAll("[data-preview-of]").forEach((preview) => { preview.hidden = isOff; });
  document.querySelectorAll("[data-preview-toggle]").forEach((button) => button.setAttribute("aria-pressed", String(!isOff)));
};
on("click", "[data-preview-toggle]", () => {
  memory.set(PREVIEW, memory.get(PREVIEW) === "off" ? null : "off");
  drawPreviews();
  document.querySelectorAll("[data-preview-of]").forEach(refresh);
});
drawPreviews();
