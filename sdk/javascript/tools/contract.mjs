// Writes `types.d.ts` and `shapes.js` from the contract: `node sdk/javascript/tools/contract.mjs [--check]`.
//
// It parses only the parts of WIT that the contract uses: records, variants, enums, resources and functions.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const WIT = join(SDK, '../../wit');
const HEAD = '// Made from wit/ by tools/contract.mjs; change that, not this.\n';

const camel = (name) => name.replace(/^%/, '').replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel('-' + name.replace(/^%/, ''));

/** Splits a file into words, punctuation and doc comments. */
function tokens(text) {
  return text.match(/\/\/\/[^\n]*|\/\/[^\n]*|->|[%\w-]*\w|[{}()<>,;:]/g).filter((t) => t.startsWith('///') || !t.startsWith('//'));
}

class Reader {
  constructor(text) {
    this.list = tokens(text.replace(/package [^\n]*/, ''));
    this.at = 0;
    this.types = {};
    this.interfaces = {};
  }
  peek() { return this.list[this.at]; }
  next() { return this.list[this.at++]; }
  expect(sign) {
    const got = this.next();
    if (got !== sign) throw new Error(`${sign} expected, not ${got} (${this.list.slice(this.at - 6, this.at + 3).join(' ')})`);
  }
  skip(sign) {
    if (this.peek() !== sign) return false;
    this.at++;
    return true;
  }
  docs() {
    const lines = [];
    while (this.peek()?.startsWith('///')) lines.push(this.next().slice(3).trim());
    return lines;
  }
  file() {
    while (this.peek()) {
      const docs = this.docs();
      const word = this.next();
      if (word === 'world') { this.next(); this.block(() => { while (this.next() !== ';'); }); continue; }
      if (word !== 'interface') throw new Error(`an interface expected, not ${word}`);
      const own = { docs, functions: {}, resources: {} };
      this.interfaces[this.next()] = own;
      this.block(() => this.item(own));
    }
  }
  block(item) {
    this.expect('{');
    while (!this.skip('}')) item();
  }
  item(own) {
    const docs = this.docs();
    const word = this.next();
    if (word === 'use') { while (this.next() !== ';'); return; }
    if (['record', 'variant', 'enum'].includes(word)) {
      const name = this.next();
      if (this.types[name]) throw new Error(`two types are called ${name}`);
      this.types[name] = { kind: word, docs, members: this.members(word) };
      return;
    }
    if (word === 'resource') {
      own.resources[this.next()] = { docs, functions: this.methods() };
      return;
    }
    own.functions[word] = { docs, ...this.signature() };
  }
  members(kind) {
    const members = [];
    this.block(() => {
      const docs = this.docs();
      const name = this.next();
      let type = null;
      if (kind === 'record') { this.expect(':'); type = this.type(); }
      if (kind === 'variant' && this.skip('(')) { type = this.type(); this.expect(')'); }
      members.push({ name, docs, type });
      this.skip(',');
    });
    return members;
  }
  methods() {
    const functions = {};
    this.block(() => {
      const docs = this.docs();
      const word = this.next();
      if (word === 'constructor') functions.constructor = { docs, params: this.params() };
      else functions[word] = { docs, ...this.signature() };
      this.skip(';');
    });
    return functions;
  }
  signature() {
    this.expect(':');
    this.expect('func');
    const params = this.params();
    const result = this.skip('->') ? this.type() : null;
    this.skip(';');
    return { params, result };
  }
  params() {
    const params = [];
    this.expect('(');
    while (!this.skip(')')) {
      const name = this.next();
      this.expect(':');
      params.push({ name, type: this.type() });
      this.skip(',');
    }
    if (this.peek() === ';') this.at++;
    return params;
  }
  type() {
    const name = this.next();
    if (!this.skip('<')) return name;
    const inner = [this.type()];
    while (this.skip(',')) inner.push(this.type());
    this.expect('>');
    return [name, ...inner];
  }
}

const PLAIN = { string: 'string', bool: 'boolean', u8: 'number', u16: 'number', u32: 'number', f64: 'number' };

function ts(type) {
  if (Array.isArray(type)) {
    if (type[0] === 'list') return type[1] === 'u8' ? 'Uint8Array' : `${wrap(ts(type[1]))}[]`;
    if (type[0] === 'option') return `${ts(type[1])} | null`;
    if (type[0] === 'result') return ts(type[1]);
  }
  return PLAIN[type] ?? pascal(type);
}
const wrap = (text) => (text.includes('|') ? `(${text})` : text);

function comment(texts, indent = '') {
  if (!texts.length) return '';
  // What ends a comment here may stand in a pointer: `/calls/*/in`.
  const docs = texts.map((text) => text.replaceAll('*/', '*\\/'));
  if (docs.length === 1) return `${indent}/** ${docs[0]} */\n`;
  return `${indent}/**\n${docs.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`;
}

function declaration(name, { kind, docs, members }) {
  const head = comment(docs);
  if (kind === 'record') {
    const fields = members.map((m) => {
      const free = Array.isArray(m.type) && m.type[0] === 'option' ? '?' : '';
      return `${comment(m.docs, '  ')}  ${camel(m.name)}${free}: ${ts(m.type)};\n`;
    });
    return `${head}export interface ${pascal(name)} {\n${fields.join('')}}\n`;
  }
  const cases = members.map((m) => {
    const shape = kind === 'enum' ? `'${m.name}'` : m.type ? `{ tag: '${m.name}'; val: ${ts(m.type)} }` : `{ tag: '${m.name}'; val?: undefined }`;
    return `${comment(m.docs, '  ')}  | ${shape}`;
  });
  return `${head}export type ${pascal(name)} =\n${cases.join('\n')};\n`;
}

function methods(functions, indent) {
  return Object.entries(functions).map(([name, f]) => {
    const params = f.params.map((p) => `${camel(p.name)}: ${ts(p.type)}`).join(', ');
    return `${comment(f.docs, indent)}${indent}${camel(name)}(${params}): ${f.result ? ts(f.result) : 'void'};\n`;
  }).join('');
}

function interfaceDeclaration(name, { docs, functions, resources }) {
  let classes = '';
  let fields = '';
  for (const [resource, { docs, functions }] of Object.entries(resources)) {
    const { constructor, ...rest } = functions;
    classes += `${comment(docs)}export interface ${pascal(resource)} {\n${methods(rest, '  ')}}\n\n`;
    const params = constructor.params.map((p) => `${camel(p.name)}: ${ts(p.type)}`).join(', ');
    fields += `  ${pascal(resource)}: new (${params}) => ${pascal(resource)};\n`;
  }
  return `${classes}${comment(docs)}export interface ${pascal(name)} {\n${methods(functions, '  ')}${fields}}\n`;
}

/** Types as data, for `fit.js`. */
function shape(type) {
  if (!Array.isArray(type)) return PLAIN[type] ? type : pascal(type);
  return type[0] === 'result' ? shape(type[1]) : type.map((inner, at) => (at ? shape(inner) : inner));
}
function shapes(types, interfaces) {
  const lines = Object.entries(types).map(([name, { kind, members }]) => {
    const value = kind === 'enum' ? members.map((m) => m.name)
      : Object.fromEntries(members.map((m) => [kind === 'record' ? camel(m.name) : m.name, m.type ? shape(m.type) : null]));
    return `  ${pascal(name)}: ['${kind}', ${JSON.stringify(value)}],`;
  });
  const results = (functions) => Object.fromEntries(Object.entries(functions).filter(([name]) => name !== 'constructor')
    .map(([name, f]) => [camel(name), { gives: shape(f.result), fails: Array.isArray(f.result) && f.result[0] === 'result' }]));
  const exported = Object.entries(interfaces).filter(([name]) => name !== 'types').map(([name, own]) => {
    const resources = Object.fromEntries(Object.entries(own.resources).map(([r, { functions }]) => [pascal(r), results(functions)]));
    return `  ${camel(name)}: ${JSON.stringify({ functions: results(own.functions), resources })},`;
  });
  return `${HEAD}\n/** Types as data. */\nexport const TYPES = {\n${lines.join('\n')}\n};\n\n`
    + `/** What the functions of each interface give, and whether they may fail. */\nexport const INTERFACES = {\n${exported.join('\n')}\n};\n`;
}

const all = { types: {}, interfaces: {} };
for (const file of readdirSync(WIT).filter((name) => name.endsWith('.wit')).sort()) {
  const reader = new Reader(readFileSync(join(WIT, file), 'utf8'));
  reader.file();
  Object.assign(all.types, reader.types);
  Object.assign(all.interfaces, reader.interfaces);
}
const declarations = [
  ...Object.entries(all.types).map(([name, type]) => declaration(name, type)),
  ...Object.entries(all.interfaces).filter(([name]) => name !== 'types').map(([name, own]) => interfaceDeclaration(name, own)),
];
const made = { 'types.d.ts': `${HEAD}\n${declarations.join('\n')}`, 'shapes.js': shapes(all.types, all.interfaces) };
for (const [name, text] of Object.entries(made)) {
  const place = join(SDK, name);
  if (!process.argv.includes('--check')) writeFileSync(place, text);
  else if (readFileSync(place, 'utf8') !== text) {
    console.error(`sdk/javascript/${name} is not what wit/ says: node sdk/javascript/tools/contract.mjs`);
    process.exitCode = 1;
  }
}
