import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../src/base/log.ts';
import { Secret } from '../../src/base/secret.ts';
import { createLogger, type LogOptions } from '../../src/cli/logging.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function logger(options: Partial<LogOptions> = {}) {
  const printed = { stdout: '', stderr: '' };
  const log = createLogger({
    json: false,
    verbosity: 0,
    stdout: (line) => {
      printed.stdout += line;
    },
    stderr: (line) => {
      printed.stderr += line;
    },
    ...options,
  });
  return { log, printed };
}

/** The one line that `fields` give, without its time. */
function textOf(message: string, fields?: LogFields): string {
  const { log, printed } = logger();
  log.info(message, fields);
  const [time = '', ...rest] = printed.stdout.split(' ');
  expect(time).toMatch(TIME);
  return rest.join(' ');
}

function jsonOf(message: string, fields?: LogFields): Record<string, unknown> {
  const { log, printed } = logger({ json: true });
  log.info(message, fields);
  expect(printed.stdout).toMatch(/^[^\n]+\n$/);
  const { ts, ...rest } = JSON.parse(printed.stdout) as Record<string, unknown>;
  expect(ts).toMatch(TIME);
  return rest;
}

const circular: Record<string, unknown> = {};
circular.self = circular;

const FIELDS: readonly (readonly [string, unknown, string, unknown])[] = [
  ['text', 'abc', ' a=abc', 'abc'],
  ['text with blanks', 'a b', ' a="a b"', 'a b'],
  ['text with quotes', 'a"b', ' a="a\\"b"', 'a"b'],
  ['text with an equals sign', 'a=b', ' a="a=b"', 'a=b'],
  ['lines', 'a\nb', ' a="a\\nb"', 'a\nb'],
  ['colours', '\u001b[31m', ' a="\\u001b[31m"', '\u001b[31m'],
  ['a number', 5, ' a=5', 5],
  ['zero', 0, ' a=0', 0],
  ['a boolean', false, ' a=false', false],
  ['null', null, ' a=null', null],
  ['nothing', undefined, '', undefined],
  ['an empty text', '', '', undefined],
  ['a list', ['a', 1], ' a=["a",1]', ['a', 1]],
  ['a secret', new Secret('hunter2'), ' a="[redacted]"', '[redacted]'],
  ['a secret inside', { b: new Secret('hunter2') }, ' a={"b":"[redacted]"}', { b: '[redacted]' }],
  ['a circle', circular, ' a="[not printable]"', '[not printable]'],
  ['a big number', 5n, ' a="[not printable]"', '[not printable]'],
  ['a symbol', Symbol('s'), ' a="Symbol(s)"', 'Symbol(s)'],
];

describe('a line of text', () => {
  it('is time, level and message', () => expect(textOf('Serving')).toBe('INFO  Serving\n'));

  it.each(FIELDS)('has fields: %s', (_, value, text) => expect(textOf('x', { a: value })).toBe(`INFO  x${text}\n`));

  it('is one line, whatever the message', () => {
    expect(textOf('a\r\nb\u001b[31mc\u0000')).toBe('INFO  a b [31mc \n');
  });
});

describe('a line of JSON', () => {
  it('is time, level and message', () => expect(jsonOf('Serving')).toEqual({ level: 'info', msg: 'Serving' }));

  it.each(FIELDS)('has fields: %s', (_, value, _text, json) => {
    expect(jsonOf('x', { a: value })).toEqual({ level: 'info', msg: 'x', ...(json === undefined ? {} : { a: json }) });
  });

  it('keeps its own words', () => {
    expect(jsonOf('x', { level: 'y', msg: 'z', ts: 'now' })).toEqual({ level: 'info', msg: 'x' });
  });
});

describe('levels', () => {
  it.each([
    [0, ['info'], ['error', 'warn']],
    [1, ['info'], ['error', 'warn']],
    [2, ['info', 'detail'], ['error', 'warn']],
    [4, ['info', 'detail'], ['error', 'warn']],
    [5, ['info', 'detail', 'debug'], ['error', 'warn']],
  ])('-v %d', (verbosity, stdout, stderr) => {
    const { log, printed } = logger({ verbosity });
    for (const level of ['error', 'warn', 'info', 'detail', 'debug'] as const) log[level](level);
    const messages = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => line.split(' ').at(-1));
    expect({ stdout: messages(printed.stdout), stderr: messages(printed.stderr) }).toEqual({ stdout, stderr });
  });
});

it('a logger with fields adds them to each line, the line’s own first', () => {
  const { log, printed } = logger();
  log.with({ pod: 'a', ms: 1 }).with({ ms: 2 }).info('x', { pod: 'b' });
  expect(printed.stdout).toMatch(/ INFO {2}x pod=b ms=2\n$/);
  log.info('y');
  expect(printed.stdout).toMatch(/ INFO {2}y\n$/);
});
