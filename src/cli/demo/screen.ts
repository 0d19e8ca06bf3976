/**
 * Prints the progress of the demo: numbered steps, details and results, with colours on a terminal.
 * All steps of the demo print through it.
 */

import { styleText } from 'node:util';
import { table } from '../table.ts';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** The output of the demo: numbered steps, lines below them, and checks that passed. */
export interface Screen {
  /** The title of the current step; empty before the first step. */
  readonly current: string;
  step(title: string): void;
  line(text?: string): void;
  /** Prints a line in a dim colour. */
  note(text: string): void;
  /** Prints the result of a check that passed. */
  ok(text: string): void;
  warn(text: string): void;
  /** Prints the name that the following lines are about. */
  subject(text: string): void;
  /** Prints rows below a header, indented. */
  table(rows: readonly (readonly string[])[]): void;
  failure(text: string): void;
}

/** Returns a screen that prints through `write`, with colours if `colour` is true. */
export function createScreen(write: (text: string) => void, { colour }: { readonly colour: boolean }): Screen {
  const paint = (style: Style, text: string) => (colour ? styleText(style, text) : text);
  const line = (text = '') => write(text === '' ? '\n' : `   ${text}\n`);
  const marked = (style: Style, mark: string, text: string) => line(`${paint(style, mark.padEnd(4))} ${text}`);
  let current = '';
  let steps = 0;
  return {
    get current() {
      return current;
    },
    step: (title) => {
      current = title;
      write(`\n${paint('bold', `${++steps}. ${title}`)}\n`);
    },
    line,
    note: (text) => line(paint('dim', text)),
    ok: (text) => marked('green', 'ok', text),
    warn: (text) => marked('yellow', 'warn', text),
    subject: (text) => write(`\n   ${paint('cyan', text)}\n`),
    table: (rows) => {
      const [head = '', ...body] = table(rows).trimEnd().split('\n');
      line(`  ${paint('dim', head)}`);
      for (const row of body) line(`  ${row}`);
    },
    failure: (text) => write(`\n${paint('red', 'FAILED')} ${text}\n`),
  };
}

/** True if a stream is a terminal and the user did not turn colours off (no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}
