// Builds a project of the JavaScript template as a component with StarlingMonkey: `node build.mjs FILE.wasm` in its
// folder.
import { writeFileSync } from 'node:fs';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/adapter.js',
  witPath: 'wit',
  worldName: 'adapter',
  // Standard error stays enabled: errors are written there.
  disableFeatures: ['random', 'clocks', 'http', 'fetch-event'],
});
writeFileSync(process.argv[2], component);
