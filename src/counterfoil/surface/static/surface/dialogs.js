// Dialogs and the side panel: opening, closing, asking before money or mail leaves.
import { on } from "./dom.js";

on("click", "[data-open]", (event, opener) => {
  const dialog = document.querySelector(opener.dataset.open);
  if (!dialog || dialog.open) return;
  event.preventDefault();
  // Out of a menu that closes, so that the focus has somewhere to come back to.
  const menu = opener.closest("details[data-menu][open]");
  menu?.removeAttribute("open");
  menu?.querySelector("summary").focus();
  dialog.showModal();
});
// What was refused is asked again, with what was typed.
document.querySelector("dialog[data-again]")?.showModal();
on("click", "[data-close]", (event, closer) => closer.closest("dialog")?.close());
// A click on the backdrop closes; one that began inside, such as a selection of text, does not.
let pressedOn = null;
document.addEventListener("pointerdown", (event) => { pressedOn = event.target; });
on("click", "dialog[data-dialog]", (event, dialog) => {
  if (event.target === dialog && pressedOn === dialog) dialog.close();
});

on("click", "a[data-panel]", (event, link) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  openPanel(link.href, link.dataset.panel || link.textContent.trim());
});

// The server may open it too, by the event ``open-panel`` with the address and a title.
document.addEventListener("open-panel", ({ detail }) => openPanel(detail.url, detail.title));

export function openPanel(url, title) {
  const panel = document.getElementById("panel");
  const content = document.getElementById("panel-content");
  panel.setAttribute("aria-label", title);
  content.replaceChildren();
  document.querySelectorAll("details[data-menu][open]").forEach((menu) => menu.removeAttribute("open"));
  panel.showModal();
  window.htmx.ajax("GET", url, { target: content, swap: "innerHTML" });
}

// Ask first. The click is held, and made again once the answer is yes.
let asked = null;
on("click", "[data-confirm]", (event, button) => {
  if (button.dataset.confirmed) {
    delete button.dataset.confirmed;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-question]").textContent = button.dataset.confirm;
  dialog.querySelector("[data-yes]").textContent = button.dataset.confirmYes || button.textContent.trim();
  asked = button;
  dialog.returnValue = "";
  dialog.showModal();
}, true);
on("click", "#confirm [data-yes]", () => {
  document.getElementById("confirm").close();
  asked.dataset.confirmed = "yes";
  asked.click();
});
