// Menus, tabs, the theme, the folded sidebar, copying.
import { on } from "./dom.js";
import { ask } from "./net.js";
import { toast } from "./toasts.js";

const openMenus = () => document.querySelectorAll("details[data-menu][open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.removeAttribute("open");
});
on("click", ".menu-list a, .menu-list button:not([type=submit])", (event, item) => item.closest("details[data-menu]")?.removeAttribute("open"));
on("keydown", "details[data-menu]", (event, menu) => {
  if (!menu.open) {
    if (event.key === "ArrowDown" && event.target.matches("summary")) { event.preventDefault(); menu.open = true; }
    else return;
  }
  const summary = menu.querySelector("summary");
  if (event.key === "Escape") {
    event.stopPropagation();
    menu.open = false;
    summary.focus();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !event.target.matches("input, select, textarea")) {
    event.preventDefault();
    const items = [...menu.querySelectorAll(".menu-list :is(a, button, input)")];
    const step = event.key === "ArrowDown" ? 1 : -1;
    const now = items.indexOf(event.target);
    items[(now + step + items.length) % items.length]?.focus();
  }
});
on("focusout", "details[data-menu]", (event, menu) => {
  if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});

// The tab that is shown is in view, however narrow the screen.
document.querySelector('.tabs [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });

on("click", "[data-toggle-theme]", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme === "dark" || (root.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = isDark ? "light" : "dark";
  const url = document.body.dataset.themeUrl;
  if (url) ask(url, { method: "POST", values: { theme: root.dataset.theme } });
});

on("click", "[data-fold-sidebar]", (event, button) => {
  const root = document.documentElement;
  const folded = root.dataset.sidebar !== "folded";
  if (folded) root.dataset.sidebar = "folded";
  else delete root.dataset.sidebar;
  button.setAttribute("aria-pressed", String(folded));
  document.cookie = `sidebar=${folded ? "folded" : ""}; path=/; max-age=31536000; samesite=lax`;
});

on("click", "[data-copy]", async (event, button) => {
  await navigator.clipboard.writeText(button.dataset.copy);
  toast({ message: "Copied." });
});
