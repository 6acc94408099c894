// Requests: the CSRF token, one request per button, and what to say when an answer is not the wished one.
import { on } from "./dom.js";
import { refused, toast } from "./toasts.js";

const NO_ANSWER = "The server does not answer. Nothing was changed. Check your connection and try again.";
const BROKEN = "Something broke, and it was written to the log. Nothing was changed.";

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

export function sessionLost() {
  const dialog = document.getElementById("session-lost");
  if (!dialog) location.assign(document.body.dataset.loginUrl);
  else if (!dialog.open) dialog.showModal();
}

/** Ask the server outside of htmx. Gives the answer's text, or null when it was refused, which was then already said. */
export async function ask(url, { method = "GET", values = null, target = "", signal } = {}) {
  const headers = { "HX-Request": "true", "HX-Current-URL": location.href };
  if (target) headers["HX-Target"] = target;
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  let response;
  let text;
  try {
    response = await fetch(url, { method, headers, signal, body: values && new URLSearchParams(values), credentials: "same-origin" });
    text = await response.text();
  } catch (error) {
    if (error.name !== "AbortError") toast({ message: NO_ANSWER, kind: "error" });
    return null;
  }
  hear(response.headers.get("HX-Trigger"));
  if (response.headers.get("HX-Refresh") === "true") location.reload();
  const elsewhere = response.headers.get("HX-Redirect");
  if (elsewhere) location.assign(elsewhere);
  if (response.ok) return text;
  fail(response.status, response.headers.get("HX-Trigger"));
  return null;
}

function hear(header) {
  if (!header) return;
  let events;
  try { events = JSON.parse(header); } catch { return; }
  for (const [name, value] of Object.entries(events)) {
    const detail = Array.isArray(value) || Object(value) !== value ? { value } : value;
    document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}

function fail(status, said) {
  if (status === 401) sessionLost();
  else if (said?.includes('"refused"')) return;
  else if (status >= 500) toast({ message: BROKEN, kind: "error" });
  else if (status === 403) toast({ message: "You may not do this.", kind: "error" });
  else if (status === 404) toast({ message: "This is no longer there. Reload the page.", kind: "error" });
  else toast({ message: "This could not be done. Nothing was changed.", kind: "error" });
}

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") detail.headers["X-CSRFToken"] = csrfToken();
});
document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => fail(xhr.status, xhr.getResponseHeader("HX-Trigger")));
document.addEventListener("htmx:sendError", () => toast({ message: NO_ANSWER, kind: "error" }));
document.addEventListener("htmx:timeout", () => toast({ message: NO_ANSWER, kind: "error" }));
document.addEventListener("refused", ({ detail }) => refused(detail));
document.addEventListener("toasts", ({ detail }) => detail.value.forEach(toast));

// A button is pressed once: plain forms are held until the next page, htmx's until their answer.
on("submit", "form", (event, form) => {
  if (form.method === "dialog" || form.hasAttribute("data-undo") || form.matches("[hx-post], [hx-get]")) return;
  if (form.dataset.sending && form.method === "post") event.preventDefault();
  else if (!event.defaultPrevented) form.dataset.sending = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("[data-sending]").forEach((form) => delete form.dataset.sending));

const buttonsOf = (element) => element.matches("form") ? element.querySelectorAll('button:not([type="button"])') : element.matches("button") ? [element] : [];
document.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => buttonsOf(elt).forEach((button) => button.setAttribute("aria-disabled", "true")));
document.addEventListener("htmx:afterRequest", ({ detail: { elt } }) => buttonsOf(elt).forEach((button) => button.removeAttribute("aria-disabled")));
on("click", '[aria-disabled="true"]', (event) => { event.preventDefault(); event.stopImmediatePropagation(); }, true);
