// A guard around an adapter's functions: it turns exceptions into errors of the contract instead of traps, and converts
// results to fit the contract.
import { plan, text } from './fit.js';
import { INTERFACES } from './shapes.js';

const LONGEST = 300;
const fitError = plan('Error');

/** The object to export as the interface `name` (`providerChat`), made from one with its functions and classes. */
export function guard(name, given) {
  const { functions, resources } = INTERFACES[name] ?? {};
  if (!functions) throw new TypeError(`the contract has no interface ${name}`);
  const out = {};
  for (const [member, { gives, fails }] of Object.entries(functions)) {
    if (typeof given[member] !== 'function') throw new TypeError(`${name} needs a function ${member}`);
    out[member] = guarded((args) => given[member](...args), gives, fails);
  }
  for (const [member, methods] of Object.entries(resources)) out[member] = resource(name, member, given[member], methods);
  if (name === 'about') {
    // Made once, when the component is built.
    const manifest = plan('Manifest')(given.describe());
    out.describe = () => manifest;
  }
  return out;
}

function guarded(call, gives, fails) {
  const fit = plan(gives);
  return (...args) => {
    try {
      return fit(call(args));
    } catch (error) {
      const told = problem(error);
      if (fails) throw told;
      return told;
    }
  };
}

/** The resource's class. Its constructor cannot fail, so an error in it is reported by the first call. */
function resource(name, member, Given, methods) {
  if (typeof Given !== 'function') throw new TypeError(`${name} needs a class ${member}`);
  class Guarded {
    constructor(...args) {
      try {
        this.inner = new Given(...args);
      } catch (error) {
        this.broken = { error };
      }
    }
  }
  for (const [method, { gives }] of Object.entries(methods)) {
    const fit = plan(gives);
    Guarded.prototype[method] = function (...args) {
      try {
        if (this.broken) throw this.broken.error;
        return fit(this.inner[method](...args));
      } catch (error) {
        throw problem(error);
      }
    };
  }
  return Guarded;
}

/** Converts a thrown value to an error of the contract. */
export function problem(thrown) {
  if (thrown != null && typeof thrown === 'object' && !(thrown instanceof Error) && thrown.kind !== undefined) {
    try {
      return fitError(thrown);
    } catch (error) {
      thrown = error;
    }
  }
  const stack = thrown instanceof Error ? text(thrown.stack) : '';
  // For the log: the host captures standard error.
  globalThis.console?.error?.(`${thrown}\n${stack}`);
  const words = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : text(String(thrown));
  const place = /([\w.-]+\.m?js:\d+)/.exec(stack);
  return fitError({ kind: 'internal', message: words.slice(0, LONGEST) + (place ? ` (${place[1]})` : '') });
}
