// The login: a token, which is sent once and kept nowhere in the browser.

import * as api from "./api.js";
import { field, fill, h } from "./dom.js";

/** Shows the login. `reason` is why there is no session yet. */
export function login(place, reason, done) {
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, spellcheck: "false" });
  const button = h("button", { class: "primary" }, "Sign in");
  const message = h("p", { class: "error", role: "alert" });
  const isBarred = reason.status === 403;
  if (isBarred) fill(message, reason.message);
  const form = h("form", { class: "login" },
    h("h1", null, "Sign in to Weir"),
    h("p", { class: "muted" }, "With ", h("code", null, "admin.token"), " of the configuration, with ", h("code", null, "admin.read_token"),
      " to look only, or with an API key that has grants."),
    field("Token", input), message, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    fill(message);
    try {
      await api.login(input.value);
      input.value = "";
      await done();
    } catch (error) {
      fill(message, error.message);
      input.select();
    } finally {
      button.disabled = false;
    }
  });
  fill(place, form);
  input.focus();
  offer(form, message);
}

/** What is said of a login at the identity provider that failed. */
const FAILURES = {
  busy: "Too many people sign in at the moment. Try again.",
  expired: "The login took too long, or was begun in another browser. Try again.",
  no_grants: "You are signed in at the identity provider, but have no rights here.",
  refused: "The identity provider's answer was refused. The log of Weir has the reason.",
  unavailable: "The identity provider cannot be used now. The log of Weir has the reason.",
};

/** Adds the way to the identity provider, if there is one. */
async function offer(form, message) {
  const failure = new URLSearchParams(location.search).get("login");
  if (failure && Object.hasOwn(FAILURES, failure)) fill(message, FAILURES[failure]);
  const found = await api.get("/admin/v1/login").catch(() => null);
  if (found) form.append(h("p", null, h("a", { class: "button", href: "/admin/login" }, found.name)));
}
