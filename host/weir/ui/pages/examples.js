// A first request in each format, to be changed by hand: data, by the format's id. Nothing is read or decided by it, and a
// format that is not here begins with what most formats take.

const TEXT = "Hello! Who are you?";
const MOST = 200;
const messages = [{ role: "user", content: TEXT }];

const EXAMPLES = {
  "openai.completions": { max_tokens: MOST, stream: true, prompt: TEXT },
  "openai.responses": { max_output_tokens: MOST, stream: true, input: TEXT },
  "gemini.generate": { contents: [{ role: "user", parts: [{ text: TEXT }] }], generationConfig: { maxOutputTokens: MOST } },
  "bedrock.converse": { messages: [{ role: "user", content: [{ text: TEXT }] }], inferenceConfig: { maxTokens: MOST } },
  "ollama.chat": { messages, options: { num_predict: MOST } },
  "ollama.generate": { prompt: TEXT, options: { num_predict: MOST } },
};
const USUAL = { max_tokens: MOST, stream: true, messages };
/** Formats whose model stands in the path only. */
const IN_PATH = ["gemini.generate", "bedrock.converse"];

/** A request in this format. */
export function example(format, model) {
  const body = EXAMPLES[format] ?? USUAL;
  return IN_PATH.includes(format) ? body : { model, ...body };
}
