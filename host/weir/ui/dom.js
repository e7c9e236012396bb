// Elements from data. Text is always set as text, so nothing that a client or a model wrote becomes markup.

// Characters that would change how the text around them is read: control characters (but for line ends and tabs),
// marks of direction, and characters without width.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** The text with what would not be seen made visible. */
export function visible(text) {
  return String(text).replace(UNSEEN, (character) => {
    const code = character.codePointAt(0);
    if (code === 0x0d) return "";
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/**
 * An element. Properties: `class`, `on` (handlers by event), `data` (data attributes), and attributes: false, null and
 * undefined leave one out, true makes it empty. Children are nodes, texts, numbers and arrays of them.
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "value") {
      element.value = value;
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  add(element, children);
  return element;
}

/** Appends children as [`h`] takes them. */
export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
  return element;
}

/** Replaces what an element has. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** A text of any writing direction, apart from the text around it; cut if it is long, and whole in its title. */
export function name(text, most = 60) {
  const whole = visible(text ?? "");
  if (whole === "") return h("span", { class: "none" }, "–");
  const isLong = whole.length > most;
  const short = isLong ? `${whole.slice(0, most - 1)}…` : whole;
  return h("bdi", isLong ? { title: whole.slice(0, 2000) } : null, short);
}

/** The most characters of one text that a page holds. */
const MOST_TEXT = 100_000;

/** A long text as it is, such as a body: scrolled, and cut beyond what a page can hold. */
export function block(text, label) {
  const whole = String(text);
  const cut = whole.length > MOST_TEXT;
  return h("div", { class: "block" },
    h("pre", { tabindex: "0", role: "region", "aria-label": label, dir: "auto" }, h("code", null, whole.slice(0, MOST_TEXT))),
    cut && h("p", { class: "hint" }, `${(whole.length - MOST_TEXT).toLocaleString("en")} more characters are not shown.`));
}

/** A table. Columns: `title`, `cell(row)`, `number` for figures, `wide` for what gives way first on narrow screens. */
export function table(caption, columns, rows, properties = {}) {
  const kind = (column) => [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || undefined;
  const head = h("tr", null, columns.map((column) => h("th", { scope: "col", class: kind(column) }, column.title)));
  const line = (row) => h("tr", null, columns.map((column, at) =>
    h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : undefined, class: kind(column) }, column.cell(row))));
  const body = h("tbody", null, rows.map(line));
  const element = h("table", null, h("caption", { class: properties.caption ? undefined : "unseen" }, caption),
    h("thead", null, head), body);
  const frame = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, element);
  return Object.assign(frame, { prepend_row: (row) => body.prepend(line(row)), body });
}

/** What is shown in place of nothing: what is missing, and what to do. */
export function empty(title, ...text) {
  return h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", null, text));
}

/** A short word with a colour that means something; the word says it too. */
export function badge(kind, text) {
  return h("span", { class: `badge ${kind}` }, text);
}

/** Facts as pairs of a term and a text; empty ones are left out. */
export function facts(pairs) {
  const has = (value) => (Array.isArray(value) ? value.some(has) : value instanceof Node ? !value.classList?.contains("none") : value !== undefined && value !== null && value !== false && value !== "");
  const known = pairs.filter(([, value]) => has(value));
  return h("dl", { class: "facts" }, known.map(([term, value]) => h("div", null, h("dt", null, term), h("dd", null, value))));
}

/** A part of a page with its heading. */
export function card(title, ...children) {
  const id = `card-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, title), children);
}

/** A dialog with a form. `send` gets the form's fields, and returns what replaces it, or nothing to close it. */
export function ask(title, content, action, send) {
  const message = h("p", { class: "error", role: "alert" });
  const submit = h("button", { class: "primary" }, action);
  const busy = h("p", { class: "hint", role: "status" });
  const cancel = h("button", { type: "button", on: { click: () => dialog.close() } }, "Cancel");
  const form = h("form", { method: "dialog" }, h("h2", null, title), content, message, busy, h("div", { class: "buttons" }, cancel, submit));
  const dialog = h("dialog", { "aria-label": title }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    fill(message);
    fill(busy, "Working…");
    try {
      const more = await send(Object.fromEntries(new FormData(form)));
      if (!more) return dialog.close();
      fill(form, more, h("div", { class: "buttons" },
        h("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, "Done")));
    } catch (error) {
      fill(message, error.message);
    } finally {
      submit.disabled = false;
      fill(busy);
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** A labelled field of a form. */
export function field(label, input, hint) {
  return h("label", { class: "field" }, h("span", null, label), input, hint && h("small", null, hint));
}

/** A select of pairs of value and text. */
export function select(properties, options, chosen) {
  return h("select", properties, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}
