/**
 * Collects the errors, warnings and notes of `render`. They go to standard error as lines that editors can open, or into
 * the result of `--format json`. Called by render.ts and by what it calls.
 */

import { printable } from '../base/printable.ts';
import { formatRemark, type Message, type Remark } from '../render/remark.ts';

/** Collects messages, and passes each to `print` as a line. */
export class RenderMessages {
  readonly all: Message[] = [];
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  add(...messages: readonly Message[]): void {
    this.all.push(...messages);
    for (const message of messages) this.#print(`${printable(formatRemark(message))}\n`);
  }

  /** Adds remarks, and mistakes, which are errors. */
  include({ remarks, mistakes }: { readonly remarks: readonly Remark[]; readonly mistakes: readonly string[] }): void {
    this.add(...remarks, ...mistakes.map((message) => ({ severity: 'error', message }) as const));
  }

  get hasErrors(): boolean {
    return this.all.some(({ severity }) => severity === 'error');
  }
}
