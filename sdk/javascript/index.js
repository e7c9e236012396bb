// The base for adapters in JavaScript. `compat/index.js` is the base for OpenAI-compatible providers; for any other
// format, guard one object for each interface of the world and export it under the interface's name.
export { guard } from './guard.js';
export { Losses } from './losses.js';
export * from './model.js';
export * as manifest from './manifest.js';
export * as wire from './wire.js';
