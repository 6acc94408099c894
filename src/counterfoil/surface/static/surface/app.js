// Behaviour of every page. Each module listens on the document and knows elements by their data attributes only.
import "./net.js";
import "./toasts.js";
import "./dialogs.js";
import "./menus.js";
import "./keys.js";
import "./palette.js";
import "./rows.js";
import "./forms.js";
import "./combobox.js";
import "./grid.js";
