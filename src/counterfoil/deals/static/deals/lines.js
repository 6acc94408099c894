// The lines of a deal: a product that is picked fills in what the line does not say yet.
import { on } from "../surface/dom.js";
import { ask } from "../surface/net.js";

const FILLED = { name: "description", unit: "unit", tax_class: "tax_class", interval: "interval" };

on("chosen", "[data-deal-lines] [data-grid-row]", async (event, row) => {
  const form = row.closest("[data-deal-lines]");
  const answer = await ask(`${form.dataset.dealLines}?id=${event.detail.id}`);
  if (answer === null) return;
  const product = JSON.parse(answer);
  for (const [from, to] of Object.entries(FILLED)) fill(row, to, product[from]);
  if (product.currency === form.dataset.currency) fill(row, "unit_price", price(product.unit_price));
  fill(row, "quantity", "1");
  const quantity = field(row, "quantity");
  quantity?.focus();
  quantity?.select?.();
  row.dispatchEvent(new Event("input", { bubbles: true }));
});

// Who opens the editor wants to type.
document.addEventListener("htmx:afterSettle", ({ detail: { target } }) => {
  const form = target.querySelector?.("[data-deal-lines]");
  if (form && !form.contains(document.activeElement)) form.querySelector("[data-grid-row] .input")?.focus();
});

const field = (row, name) => row.querySelector(`[name$="-${name}"]`);

// What was filled in for another product gives way; what somebody typed stays.
function fill(row, name, value) {
  const input = field(row, name);
  if (!input || value === undefined) return;
  if (input.value && input.dataset.filled !== input.value) return;
  input.value = value;
  input.dataset.filled = value;
}

const price = (text) => text?.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
