// The official OpenAI client.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { gateway, question, tool, turns } from "./turns.mjs";

const user = [{ role: "user", content: question }];
const connect = (lane) => new OpenAI({ baseURL: `${lane.address}/v1`, apiKey: lane.key, maxRetries: 0 });

function turn({ choices: [{ message, finish_reason }], usage }) {
  const calls = (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
  const tokens = usage && [usage.prompt_tokens, usage.completion_tokens];
  return { text: message.content ?? "", calls, finish: finish_reason, tokens, message };
}

function open(lane) {
  const { completions } = connect(lane).chat;
  const ask = (model, tools, messages = user) => ({
    model,
    messages,
    ...(tools && { tools: [{ type: "function", function: tool }] }),
  });
  return {
    whole: async (model, tools) => turn(await completions.create(ask(model, tools))),
    streamed: async (model, tools) => {
      const stream = completions.stream({ ...ask(model, tools), stream_options: { include_usage: true } });
      return turn(await stream.finalChatCompletion());
    },
    again: async (model, { message }, results) => {
      const answers = message.tool_calls.map(({ id }, at) => ({ role: "tool", tool_call_id: id, content: results[at] }));
      return turn(await completions.create(ask(model, true, [...user, message, ...answers]))).text;
    },
  };
}

turns("openai", "openai", open, {
  finishes: { stop: "stop", calls: "tool_calls" },
  tokens: [32, 9],
  failure: (error) => error instanceof OpenAI.APIError,
  broken: (error) => error instanceof OpenAI.OpenAIError,
  status: (error) => error.status,
});

for (const lane of gateway.lanes.openai.filter((it) => ["relay", "forced"].includes(it.name))) {
  test(`openai, ${lane.name}: vectors`, async () => {
    const model = `openai-embed${lane.suffix}`;
    const { data } = await connect(lane).embeddings.create({ model, input: ["a", "four"] });
    assert.deepEqual(data.map((it) => [...it.embedding]), [[0, 1, 0.5], [1, 4, 0.5]]);
  });
}

for (const lane of gateway.lanes.openai.filter((it) => it.name === "translate")) {
  test("openai, translate: responses", async () => {
    const client = connect(lane);
    const whole = await client.responses.create({ model: "anthropic-plain", input: question });
    assert.equal(whole.output_text, gateway.greeting);
    const stream = client.responses.stream({ model: "anthropic-plain", input: question });
    assert.equal((await stream.finalResponse()).output_text, gateway.greeting);
  });
}
