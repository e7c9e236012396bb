// The frame of all pages: who is signed in, where they are, and what the server says about itself.

import * as api from "./api.js";
import { redraw, settle } from "./chart.js";
import { add, empty, fill, h, visible } from "./dom.js";
import { login } from "./login.js";
import { adapter, adapters } from "./pages/adapters.js";
import budgets from "./pages/budgets.js";
import cache from "./pages/cache.js";
import configuration from "./pages/configuration.js";
import { key, keys, team, teams } from "./pages/keys.js";
import overview from "./pages/overview.js";
import { organisation, organisations, user, users } from "./pages/people.js";
import playground from "./pages/playground.js";
import request from "./pages/request.js";
import requests from "./pages/requests.js";
import { run, runs } from "./pages/shadow.js";
import targets from "./pages/targets.js";

/** Pages by the first part of their address. `item` is the page of one thing of the list, `teams` those that grants for teams are enough for. */
const PAGES = [
  { path: "", title: "Overview", page: overview },
  { path: "requests", title: "Requests", page: requests, item: request },
  { path: "adapters", title: "Adapters", page: adapters, item: adapter },
  { path: "shadow-runs", title: "Shadow runs", page: runs, item: run },
  { path: "targets", title: "Targets", page: targets, teams: true },
  { path: "cache", title: "Cache", page: cache },
  { path: "keys", title: "Keys", page: keys, item: key, teams: true },
  { path: "teams", title: "Teams", page: teams, item: team, teams: true },
  { path: "organisations", title: "Organisations", page: organisations, item: organisation },
  { path: "users", title: "Users", page: users, item: user },
  { path: "budgets", title: "Budgets", page: budgets, teams: true },
  { path: "playground", title: "Playground", page: playground },
  { path: "configuration", title: "Configuration", page: configuration },
];

/** Where those begin who have grants for teams only: they may not see the sums of everything. */
const OF_TEAMS = "/ui/keys";

let running = new AbortController();

const main = h("main", { id: "main", tabindex: "-1" });
const notice = h("div", { class: "notice", role: "status", hidden: true });
const links = PAGES.map(({ path, title }) => h("li", null, h("a", { href: `/ui/${path}` }, title)));
const person = h("div", { class: "person" });

function frame() {
  const mark = h("a", { class: "mark", href: "/ui/" }, h("img", { src: "/ui/icon.svg", alt: "", width: "24", height: "24" }), "Weir");
  const theme = h("button", { type: "button", class: "quiet", on: { click: turn } }, "Light or dark");
  fill(document.body,
    h("a", { class: "skip", href: "#main", on: { click: (event) => (event.preventDefault(), main.focus()) } }, "Skip to content"),
    h("header", { class: "side" }, mark, h("nav", { "aria-label": "Pages" }, h("ul", null, links)), h("div", { class: "foot" }, person, theme)),
    h("div", { class: "body" }, notice, main));
}

/** Changes between the light and the dark theme. */
function turn() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // A browser that keeps nothing for pages: the choice lasts as long as the page.
  }
  redraw();
}

/** The theme that was chosen; none where the browser keeps nothing for pages. */
function chosen() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

/** Whether the caller has grants for teams only. */
const is_of_teams = () => api.who()?.access === "teams";

function show_person() {
  const session = api.who();
  for (const [at, link] of links.entries()) link.hidden = is_of_teams() && !PAGES[at].teams;
  if (!session) return fill(person);
  const may = { write: "may change everything", read: "may read", teams: "may use some teams" }[session.access];
  const out = h("button", { type: "button", class: "quiet", on: { click: () => api.logout().catch(() => {}) } }, "Sign out");
  fill(person, h("div", null, session.is_local ? "This machine" : session.actor.id), h("div", { class: "muted" }, may), !session.is_local && out);
}

/** Goes to an address of the dashboard. */
export function go(address, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", address);
  return show();
}

function current() {
  const [first = "", item] = location.pathname.replace(/^\/ui\/?/, "").split("/").filter(Boolean);
  const found = PAGES.find(({ path }) => path === first);
  try {
    if (found && !(item && !found.item)) return { ...found, page: item ? found.item : found.page, item: item && decodeURIComponent(item) };
  } catch {
    // What is no text names nothing.
  }
  return { title: "Not found", page: lost };
}

const lost = async (to) => add(to, [h("h1", null, "Not found"), empty("There is no such page.", h("a", { href: "/ui/" }, "Go to the overview"))]);

/** Shows the page of the address. */
async function show({ focus = true } = {}) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (is_of_teams() && /^\/ui\/?$/.test(location.pathname)) history.replaceState(null, "", OF_TEAMS);
  const { title, path, page, item } = current();
  document.title = `${item ? `${visible(item)} · ` : ""}${title} · Weir`;
  for (const [at, link] of links.entries()) {
    const isHere = PAGES[at].path === path;
    if (isHere) link.firstChild.setAttribute("aria-current", "page");
    else link.firstChild.removeAttribute("aria-current");
  }
  const place = h("div", { class: "page" });
  const context = { signal, item, query: new URLSearchParams(location.search), go, now: api.now };
  try {
    await page(place, context);
  } catch (error) {
    if (signal.aborted) return;
    if (error.status === 401) return begin();
    fill(place, h("h1", null, title), trouble(error));
  }
  if (signal.aborted) return;
  fill(main, place);
  settle();
  if (focus) {
    const heading = place.querySelector("h1");
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

/** What is shown for a page that cannot be shown. */
function trouble(error) {
  if (error.code === "no_store") {
    return empty("Weir keeps no log, so there is nothing to show here.",
      "Set ", h("code", null, "[store] url"), " in the configuration and start Weir again: ",
      h("code", null, 'url = "sqlite:weir.db"'), " is enough for one machine. Everything else works without it.");
  }
  return h("div", { class: "failure", role: "alert" }, h("p", { class: "empty-title" }, error.message),
    h("button", { type: "button", on: { click: () => show() } }, "Try again"));
}

/** Learns who is there and shows the page, or the login. */
async function begin() {
  try {
    await api.identify();
  } catch (error) {
    if (error.status === 0) return fill(main, h("h1", null, "Weir"), trouble(error));
    document.title = "Sign in · Weir";
    show_person();
    return login(main, error, begin);
  }
  show_person();
  // A page that was just opened is read from its top; one after a login or a pause goes on at its heading.
  const isOpened = main.children.length === 0;
  return show({ focus: !isOpened });
}

/** Asks until the server answers again; then the page is shown anew. */
let waiting = false;
async function wait() {
  if (waiting) return;
  waiting = true;
  notice.hidden = false;
  fill(notice, "Weir does not answer. This page goes on as soon as it does.");
  for (;;) {
    await new Promise((done) => setTimeout(done, 1000));
    const isBack = await fetch("/livez", { cache: "no-store" }).then((answer) => answer.ok, () => false);
    if (isBack) break;
  }
  waiting = false;
  notice.hidden = true;
  return begin();
}

api.news.addEventListener("gone", wait);
api.news.addEventListener("ended", () => begin());
addEventListener("popstate", () => show());
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/ui/']");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});

const theme = chosen();
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
frame();
begin();
