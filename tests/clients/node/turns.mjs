// The tests for every client; each client's file implements them with the client's own names.

import assert from "node:assert/strict";
import { test } from "node:test";

// The servers that gateway.py has started: {lanes: {FACE: [{name, provider, suffix, address, key}]}, greeting, calls,
// results, ...}.
export const gateway = JSON.parse(process.env.WEIR_CLIENTS);
export const question = "Hello?";
export const tool = {
  name: "get_weather",
  description: "The weather of a city",
  parameters: {
    type: "object",
    properties: { city: { type: "string" }, days: { type: "integer" } },
    required: ["city", "days"],
  },
};

/**
 * A test of each kind for each lane.
 *
 * `open(lane)` makes a client: `whole(model, tools)` and `streamed(model, tools)` resolve to {text, calls, finish,
 * tokens}; `again(model, turn, results)` to the text after the tools. `failure` and `broken` are the client's errors,
 * for a request and in the middle of a stream; `status(error)` is an error's status.
 */
export function turns(name, face, open, { finishes, tokens, failure, broken, status }) {
  for (const lane of gateway.lanes[face]) {
    const model = (scenario) => (lane.name === "direct" ? scenario : `${lane.provider}-${scenario}${lane.suffix}`);
    const client = () => open(lane);
    for (const way of ["whole", "streamed"]) {
      const about = (what) => `${name}, ${lane.name}, ${way}: ${what}`;
      test(about("text"), async () => {
        const turn = await client()[way](model("plain"), false);
        assert.equal(turn.text, gateway.greeting);
        assert.equal(turn.finish, finishes.stop);
        assert.deepEqual(turn.tokens, tokens);
      });
      test(about("two turns with parallel tools"), async () => {
        const turn = await client()[way](model("tools"), true);
        assert.deepEqual(turn.calls, gateway.calls);
        assert.equal(turn.finish, finishes.calls);
        assert.equal(await client().again(model("tools"), turn, gateway.results), gateway.results.join(" / "));
      });
      for (const [scenario, number] of [["invalid", 400], ["limited", 429]]) {
        test(about(`a ${number} is the client's own error`), async () => {
          const error = await client()[way](model(scenario), false).then(() => null, (it) => it);
          assert.ok(failure(error), `${error?.stack}`);
          assert.equal(status(error), number);
        });
      }
    }
    if (broken) {
      test(`${name}, ${lane.name}: an error in a stream`, async () => {
        const error = await client().streamed(model("errs"), false).then(() => null, (it) => it);
        assert.ok(broken(error), `${error?.stack}`);
      });
    }
  }
}
