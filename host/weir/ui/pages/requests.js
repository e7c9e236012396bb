// The log of requests: search and filters stand in the address, so that a search can be sent to others.

import * as api from "../api.js";
import { add, badge, empty, field, fill, h, name, select, table } from "../dom.js";
import * as format from "../format.js";

const FILTERS = ["id", "client_request_id", "model", "provider", "key", "team", "organisation", "user", "tag", "status", "outcome", "failed", "error", "from", "to", "min_cost", "max_cost"];
const SIZE = 50;
/** The most rows that a live list holds. */
const MOST_LIVE = 200;

export default async function requests(place, { signal, query, go }) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  const isLive = query.get("live") === "true";
  const cursor = query.get("cursor");
  const page = await api.get("/admin/v1/requests", { ...filters, cursor, limit: SIZE }, signal);
  const address = (more) => api.url("/ui/requests", { ...filters, ...more });
  const live = h("a", { class: "button", href: address({ live: isLive ? "" : "true" }), "aria-current": isLive ? "true" : undefined }, isLive ? "Stop following" : "Follow live");
  const count = h("p", { class: "hint", role: "status" });
  add(place, [h("div", { class: "title" }, h("h1", null, "Requests"), live), search(filters, go), count]);
  const list = rows(page.items);
  if (page.items.length === 0 && !isLive) {
    const isAny = Object.values(filters).some(Boolean);
    add(place, [isAny
      ? empty("No request meets these filters.", h("a", { href: "/ui/requests" }, "Show all requests"))
      : empty("No request yet.", "Requests appear here within a second after they end.")]);
    return;
  }
  const next = page.next_cursor && h("a", { class: "button", href: address({ cursor: page.next_cursor }) }, "Older requests");
  const newest = cursor && h("a", { class: "button", href: address({}) }, "Newest requests");
  add(place, [list, h("div", { class: "buttons" }, newest, next)]);
  if (isLive) follow(filters, list, count, signal);
}

function follow(filters, list, count, signal) {
  let [shown, skipped, hasLapsed] = [0, 0, false];
  const tell = () => fill(
    count, `Following: ${format.count(shown)} shown`, skipped > 0 && `, ${format.count(skipped)} more were too many to show`, ".",
    hasLapsed && " The connection broke in between: stop following to see the requests of that time.",
  );
  tell();
  api.follow({ ...filters, per_second: 20 }, signal, (fact) => {
    shown += 1;
    list.prepend_row(fact);
    while (list.body.children.length > MOST_LIVE) list.body.lastChild.remove();
    tell();
  }, (missed) => {
    skipped += missed;
    tell();
  }, () => {
    hasLapsed = true;
    tell();
  });
}

/** A request's status in a word with a colour. */
export function status(fact) {
  const kind = fact.error_kind ? "bad" : fact.outcome === "ok" ? "good" : "warn";
  return badge(kind, fact.outcome === "ok" || fact.error_kind ? String(fact.status || fact.outcome) : fact.outcome);
}

function rows(items) {
  const used = (fact) => format.tokens(fact.tokens);
  return table("Requests, newest first", [
    { title: "Time", cell: (fact) => h("a", { href: `/ui/requests/${fact.id}` }, format.time(fact.time, api.now())) },
    { title: "Status", cell: status },
    { title: "Model", cell: (fact) => name(fact.model_asked, 32) },
    { title: "Provider", wide: true, cell: (fact) => (fact.lane === "cache" ? h("span", { class: "muted" }, "kept answer") : name(fact.provider, 24)) },
    { title: "Key", wide: true, cell: (fact) => name(fact.key, 16) },
    { title: "Why it failed", wide: true, cell: (fact) => (fact.error_kind ? name(fact.error_kind, 24) : "") },
    { title: "In", number: true, cell: (fact) => format.brief(used(fact).input) },
    { title: "Out", number: true, cell: (fact) => format.brief(used(fact).output) },
    { title: "First token", number: true, wide: true, cell: (fact) => format.micros(fact.first_token_us) },
    { title: "Took", number: true, cell: (fact) => format.micros(fact.total_us) },
    { title: "Cost", number: true, cell: (fact) => format.dollars(fact.cost_nano) },
  ], items);
}

function search(filters, go) {
  const input = (name, properties = {}) => h("input", { name, value: filters[name], autocomplete: "off", spellcheck: "false", ...properties });
  const outcomes = [["", "Any"], ["ok", "Answered"], ["failed", "Failed"], ["refused", "Refused"], ["cut", "Cut off"], ["cancelled", "Client left"]];
  const failures = [["", "With and without an error"], ["true", "Only with an error"]];
  const more = ["failed", "organisation", "user", "tag", "client_request_id", "id", "from", "to", "min_cost", "max_cost"];
  const isMore = more.some((name) => filters[name]);
  const form = h("form", { class: "filters", role: "search" },
    field("Model", input("model")),
    field("Provider", input("provider")),
    field("Team", input("team")),
    field("Key", input("key")),
    field("Status", input("status", { placeholder: "429, 5xx, 400-499", size: "12" })),
    field("Outcome", select({ name: "outcome" }, outcomes, filters.outcome)),
    field("Error has the text", input("error")),
    h("details", { open: isMore }, h("summary", null, "More filters"), h("div", { class: "filters" },
      field("Errors", select({ name: "failed" }, failures, filters.failed)), field("Organisation", input("organisation")), field("User", input("user")), field("Tag", input("tag")),
      field("Client's request id", input("client_request_id")), field("Request id", input("id")),
      field("From", input("from", { placeholder: "2026-11-21T08:00:00Z" })), field("To", input("to", { placeholder: "2026-11-22" })),
      field("Cost from", input("min_cost", { inputmode: "decimal", placeholder: "0.25" })), field("Cost below", input("max_cost", { inputmode: "decimal" })))),
    h("div", { class: "buttons" }, h("button", { class: "primary" }, "Search"), h("a", { class: "button", href: "/ui/requests" }, "Clear")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(api.url("/ui/requests", Object.fromEntries(new FormData(form))));
  });
  return form;
}
