/** Holds that the way of one read through the code is short, and that ARCHITECTURE.md lists it as it is. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root, section } from '../support/markdown.ts';

const SEND = 'Read.send';
/** The functions of the way, as ARCHITECTURE.md lists them. */
const [, way = ''] = section('ARCHITECTURE.md', 'One read').split('A cold read passes');
const listed = [...way.matchAll(/`(\w+\.#?\w+)`/g)].map(([, step = '']) => step);

/** The text of a method of a class in `src/`, by `Class.method`. */
function bodyOf(method: string): string {
  const [className, name] = method.split('.');
  for (const path of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts')) continue;
    const [, inside] = readFileSync(join(root, 'src', path), 'utf8').split(
      new RegExp(`^export class ${className}\\b`, 'm'),
    );
    const found = new RegExp(`^ {2}(?:async )?${name}(?:<.*?>)?\\([^]*?^ {2}\\}$`, 'm').exec(inside ?? '');
    if (found !== null) return found[0];
  }
  throw new Error(`no method ${method} in src/`);
}

/** How one function of the way calls the next one. */
function callFrom(step: string, next: string): { readonly caller: string; readonly call: string } {
  const [className, name = ''] = next.split('.');
  // The reader says what is sent where it makes the read.
  if (step === SEND) return { caller: bodyOf('SessionReader.get'), call: `send: (call) => client.${name}(` };
  if (next === SEND) return { caller: bodyOf(step), call: 'work(' };
  if (step === 'SingleFlight.join') return { caller: bodyOf(step), call: 'start(' };
  return { caller: bodyOf(step), call: `${className === 'SessionReader' ? 'this' : ''}.${name}(` };
}

describe('the way of one read', () => {
  it('has at most ten functions', () => {
    expect(listed[0]).toBe('SessionReader.get');
    expect(listed.at(-1)).toBe('SecretClient.getSecret');
    expect(listed.slice(0, -1).length).toBeLessThanOrEqual(10);
  });

  const steps = listed.slice(0, -1).map((step, index) => [step, listed[index + 1] ?? ''] as const);
  it.each(steps)('goes from %s to %s', (step, next) => {
    const { caller, call } = callFrom(step, next);
    expect(caller).toContain(call);
  });

  it('goes through the shared read and the gate with what the reader hands them', () => {
    expect(bodyOf('SessionReader.#shareRead')).toMatch(/\.join\(read\.key, \(signal\) => this\.#waitAndSend\(/);
    expect(bodyOf('SessionReader.#waitAndSend')).toMatch(/\.pass\(request, signal, \(\) => read\.send\(/);
  });
});
