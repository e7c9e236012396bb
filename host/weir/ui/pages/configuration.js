// The configuration: what is in force, what changed, whether another would be valid, and the way back.

import * as api from "../api.js";
import { add, ask, badge, block, card, empty, field, fill, h, select, table } from "../dom.js";
import * as format from "../format.js";

export default async function configuration(place, { signal, query, go }) {
  const [current, versions] = await Promise.all([api.get("/admin/v1/config", {}, signal), api.get("/admin/v1/config/versions", {}, signal)]);
  const again = () => go(location.pathname, { replace: true });
  const reload = h("button", { type: "button", on: { click: () => ask("Read the file again?", h("p", null, "If it has a mistake, nothing changes and every mistake is listed."), "Reload", async () => {
    await api.send("POST", "/admin/v1/config/reload");
    again();
  }) } }, "Reload the file");
  add(place, [
    h("div", { class: "title" }, h("h1", null, "Configuration"), api.may_write() && reload),
    card("Versions", list(versions.items, again)),
    card("What changed", await changes(versions.items, query, signal, go)),
    card("In force", h("p", { class: "hint" }, `Version ${current.version}, revision ${current.revision}. Secrets are masked.`), block(current.text, "The configuration in force")),
    card("Would this be valid?", validation()),
  ]);
}

function list(versions, again) {
  const back = (version) => !version.current && api.may_write() && h("button", { type: "button", on: { click: () => ask(`Return to version ${version.version}?`, h("p", null, "It stays in force until the file changes or is read again."), "Roll back", async () => {
    await api.send("POST", "/admin/v1/config/rollback", { to: String(version.version) });
    again();
  }) } }, "Roll back to it");
  return table("The last versions, newest first", [
    { title: "Version", cell: (version) => [String(version.version), " ", version.current && badge("good", "in force")] },
    { title: "Revision", cell: (version) => h("code", null, format.digest(version.revision)) },
    { title: "Since", cell: (version) => format.whole_time(version.since * 1000) },
    { title: "From", wide: true, cell: (version) => version.origin },
    { title: "", cell: back },
  ], versions);
}

async function changes(versions, query, signal, go) {
  if (versions.length < 2) return empty("There is one version since the start.", "Change the file, and the change is shown here.");
  const options = versions.map((version) => [String(version.version), `Version ${version.version}`]);
  const [from, to] = [query.get("from") ?? options[1][0], query.get("to") ?? options[0][0]];
  const form = h("form", { class: "filters" }, field("From", select({ name: "from" }, options, from)), field("To", select({ name: "to" }, options, to)), h("div", { class: "buttons" }, h("button", null, "Compare")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(api.url("/ui/configuration", Object.fromEntries(new FormData(form))));
  });
  const diff = await api.text("/admin/v1/config/diff", { from, to }, signal);
  return [form, diff ? lines(diff) : h("p", null, "They are the same.")];
}

function lines(diff) {
  const kind = (line) => (/^\+(?!\+\+)/.test(line) ? "added" : /^-(?!--)/.test(line) ? "removed" : undefined);
  return h("div", { class: "block" }, h("pre", { tabindex: "0", role: "region", "aria-label": "The difference" },
    diff.split("\n").slice(0, 5000).map((line) => h("span", { class: kind(line) }, `${line}\n`))));
}

function validation() {
  const result = h("div", { role: "status" });
  const text = h("textarea", { name: "text", required: true, spellcheck: "false" });
  const form = h("form", { class: "stack" }, field("A whole configuration (TOML)", text), h("div", { class: "buttons" }, h("button", null, "Check")), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const checked = await api.send("POST", "/admin/v1/config/validate", text.value);
      const words = checked.valid ? [badge("good", "valid"), ` ${checked.warnings} warnings`] : [badge("bad", "not valid"), ` ${checked.errors} errors, ${checked.warnings} warnings`];
      fill(result, h("p", null, words), checked.report && block(checked.report, "The problems"));
    } catch (error) {
      fill(result, h("p", { class: "error" }, error.message));
    }
  });
  return form;
}
