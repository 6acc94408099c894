// What a payment settles, counted while it is typed: in whole numbers of the smallest part, never in floats.
import { on } from "../surface/dom.js";

const PLACES = 4;
const FORM = "[data-split]";
const shares = (form) => [...form.querySelectorAll("[data-share]")];
const amountOf = (form) => read(form.dataset.split || form.elements.amount.value);
const given = (form) => shares(form).reduce((sum, input) => sum + (read(input.value) ?? 0n), 0n);

// As the server reads numbers; null for what could mean two.
function read(text) {
  const bare = text.replace(/[\s'’]/g, "");
  const last = Math.max(bare.lastIndexOf("."), bare.lastIndexOf(","));
  let [whole, tail] = last < 0 ? [bare, ""] : [bare.slice(0, last), bare.slice(last + 1)];
  if (last >= 0 && whole.includes(bare[last])) [whole, tail] = [bare, ""];
  else if (bare[last] === "," && tail.length === 3 && /^[1-9]\d*$/.test(whole)) return null;
  const digits = whole.replace(/[.,]/g, "") + tail.padEnd(PLACES, "0");
  return tail.length <= PLACES && /^\d+$/.test(digits) ? BigInt(digits) : null;
}

function written(units) {
  const digits = String(units).padStart(PLACES + 1, "0");
  return `${digits.slice(0, -PLACES)}.${digits.slice(-PLACES)}`.replace(/0{1,2}$/, "");
}

function draw(form) {
  const line = form.querySelector("[data-split-line]");
  if (!line) return;
  const { currency, digits } = line.dataset;
  const shown = (units) => new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: PLACES }).format(written(units));
  const amount = amountOf(form) ?? 0n;
  const sum = given(form);
  const rest = amount - sum;
  line.hidden = !amount && !sum;
  line.classList.toggle("over", rest < 0n);
  line.firstChild.textContent = `${shown(sum)} of ${shown(amount)} ${currency} allocated`;
  line.lastChild.textContent = rest < 0n ? `${shown(-rest)} more than there is` : rest ? `${shown(rest)} stays unallocated` : "nothing is left over";
}

const fill = (input, left) => {
  const open = read(input.dataset.share);
  input.value = written(left > 0n && left < open ? left : open);
};
const drawAll = () => document.querySelectorAll(FORM).forEach(draw);

on("input", FORM, (event, form) => {
  const amount = amountOf(form);
  // What was proposed and not touched follows the amount.
  if (event.target.name === "amount" && amount) for (const input of shares(form)) {
    if (!input.value || input.value !== input.dataset.proposed) continue;
    fill(input, amount);
    input.dataset.proposed = input.value;
  }
  draw(form);
});
on("click", "[data-whole]", (event, button) => {
  const input = document.getElementById(button.dataset.whole);
  input.value = "";
  fill(input, (amountOf(input.form) ?? 0n) - given(input.form));
  input.focus();
  input.dispatchEvent(new Event("input", { bubbles: true }));
});
document.addEventListener("htmx:afterSettle", drawAll);
drawAll();
