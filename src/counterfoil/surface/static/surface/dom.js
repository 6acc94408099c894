// Small words that the other modules share.

/** Hear an event on elements that match, now and later. `handle(event, element)`. */
export function on(type, selector, handle, options) {
  document.addEventListener(type, (event) => {
    const element = event.target instanceof Element ? event.target.closest(selector) : null;
    if (element) handle(event, element);
  }, options);
}

/** A function that runs once the calls have paused for so long. */
export function afterPause(milliseconds, run) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), milliseconds);
  };
}

export const isSeen = (element) => element.checkVisibility({ visibilityProperty: true });

/** What the browser remembers between pages; private modes may forbid it. */
export const memory = {
  get(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  },
  set(name, value) {
    try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value); } catch { /* forbidden: forget it */ }
  },
};
