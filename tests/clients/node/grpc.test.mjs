// gRPC's official library for Node, which reads the .proto files as they are.

import assert from "node:assert/strict";
import { test } from "node:test";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

import { gateway, question, tool, turns } from "./turns.mjs";

const options = { includeDirs: [gateway.protos], oneofs: true, keepCase: true, enums: String, longs: Number, arrays: true };
const { weir } = grpc.loadPackageDefinition(loader.loadSync("weir/v1/inference.proto", options));

const user = { role: { user: {} }, parts: [{ text: { text: question } }] };
const tools = [{ function: { ...tool, parameters: JSON.stringify(tool.parameters) } }];
const soon = () => ({ deadline: Date.now() + 30_000 });

function connect(lane) {
  const address = lane.address.replace("http://", "");
  const client = new weir.v1.Inference(address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${lane.key}`);
  return { client, metadata };
}

/** The messages of an answer, and the connection's end. */
async function* messages(lane, chat) {
  const { client, metadata } = connect(lane);
  try {
    yield* client.Generate({ chat: { max_output_tokens: 64, ...chat } }, metadata, soon());
  } finally {
    client.close();
  }
}

function turn(text, calls, finish, { usage }) {
  const tokens = [usage.input + (usage.cache_read ?? 0) + (usage.cache_write ?? 0), usage.output];
  return { text, calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]), finish: finish.reason, tokens, raw: calls };
}

async function whole(lane, chat) {
  let response, summary;
  for await (const message of messages(lane, chat)) {
    response ??= message.response;
    summary = message.summary;
  }
  const [{ parts, finish }] = response.candidates;
  const text = parts.map((part) => part.text?.text ?? "").join("");
  return turn(text, parts.flatMap((part) => part.tool_call ?? []), finish, summary);
}

async function streamed(lane, chat) {
  const [texts, calls] = [new Map(), new Map()];
  let finish, summary;
  for await (const { event, ...message } of messages(lane, { ...chat, stream: true })) {
    summary = message.summary;
    const start = event?.part_start;
    if (start?.kind.tool_call) calls.set(start.part ?? 0, { ...start.kind.tool_call, arguments: "" });
    if (start?.kind.text) texts.set(start.part ?? 0, "");
    if (event?.delta) {
      const part = event.delta.part ?? 0;
      if (calls.has(part)) calls.get(part).arguments += event.delta.text;
      else if (texts.has(part)) texts.set(part, texts.get(part) + event.delta.text);
    }
    finish ??= event?.finish?.finish;
  }
  return turn([...texts.values()].join(""), [...calls.values()], finish, summary);
}

function open(lane) {
  const ask = (model, takes, messages = [user]) => ({ model, messages, tools: takes ? tools : [] });
  return {
    whole: (model, takes) => whole(lane, ask(model, takes)),
    streamed: (model, takes) => streamed(lane, ask(model, takes)),
    again: async (model, { raw }, results) => {
      const called = { role: { assistant: {} }, parts: raw.map((call) => ({ tool_call: call })) };
      const told = raw.map(({ id, name }, at) => ({
        tool_result: { call_id: id, name, content: [{ text: { text: results[at] } }] },
      }));
      return (await whole(lane, ask(model, true, [user, called, { role: { tool: {} }, parts: told }]))).text;
    },
  };
}

const STATUS = { [grpc.status.INVALID_ARGUMENT]: 400, [grpc.status.RESOURCE_EXHAUSTED]: 429 };

turns("grpc", "completions", open, {
  finishes: { stop: "FINISH_REASON_COMPLETE", calls: "FINISH_REASON_TOOL_CALLS" },
  tokens: [32, 9],
  failure: (error) => typeof error.code === "number",
  broken: (error) => typeof error.code === "number",
  status: (error) => STATUS[error.code],
});

const [lane] = gateway.lanes.completions;

test("grpc: a deadline that is over, and a call that is cancelled", async () => {
  const { client, metadata } = connect(lane);
  const chat = { model: `${lane.provider}-plain`, messages: [user], stream: true };
  const late = client.Generate({ chat }, metadata, { deadline: Date.now() - 1 });
  const error = await new Promise((resolve) => late.on("error", resolve).resume());
  assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
  const call = client.Generate({ chat }, metadata, soon());
  const cancelled = new Promise((resolve) => call.on("error", resolve));
  call.once("data", () => call.cancel());
  assert.equal((await cancelled).code, grpc.status.CANCELLED);
  client.close();
});

test("grpc: models", async () => {
  const { client, metadata } = connect(lane);
  const listed = await new Promise((resolve, reject) => {
    client.ListModels({}, metadata, soon(), (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  assert.ok(listed.models.some(({ id }) => id === `${lane.provider}-plain`));
  client.close();
});
