import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../src/base/log.ts';
import { printable } from '../../src/base/printable.ts';
import { Secret } from '../../src/base/secret.ts';
import { CUT_MARK, MAX_LINE_BYTES } from '../../src/cli/log-line.ts';
import { createLogger, type LogOptions, warningsTo } from '../../src/cli/logging.ts';
import { INJECTIONS, readLogfmt } from '../support/logfmt.ts';

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

/** Returns the line for `fields`, without its time. */
function textOf(message: string, fields?: LogFields): string {
  const { log, printed } = logger();
  log.info(message, fields);
  const [time = '', ...rest] = printed.stdout.split(' ');
  expect(time.slice(0, 3)).toBe('ts=');
  expect(time.slice(3)).toMatch(TIME);
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

/** Texts of characters that need care in logs. */
const nasty = fc
  .array(fc.constantFrom(...' "=\\\n\r\t\0\u001b\u0085\u2028\u202e\ufeffaé'))
  .map((units) => units.join(''));

const circular: Record<string, unknown> = {};
circular.self = circular;

const FIELDS: readonly (readonly [string, unknown, string, unknown])[] = [
  ['text', 'abc', ' a=abc', 'abc'],
  ['text with blanks', 'a b', ' a="a b"', 'a b'],
  ['text with quotes', 'a"b', ' a="a\\"b"', 'a"b'],
  ['text with an equals sign', 'a=b', ' a="a=b"', 'a=b'],
  ['text with a backslash', 'a\\b', ' a="a\\\\b"', 'a\\b'],
  ['lines', 'a\nb', ' a="a\\nb"', 'a\nb'],
  ['colours', '\u001b[31m', ' a="\\u001b[31m"', '\u001b[31m'],
  ['old control characters', '\u007f\u0085', ' a="\\u007f\\u0085"', '\u007f\u0085'],
  ['marks of direction', 'a\u202eb', ' a="a\\u202eb"', 'a\u202eb'],
  ['marks beyond the first plane', '\u{e0041}', ' a="\\udb40\\udc41"', '\u{e0041}'],
  ['letters of others', 'é', ' a="é"', 'é'],
  ['a number', 5, ' a=5', 5],
  ['zero', 0, ' a=0', 0],
  ['a boolean', false, ' a=false', false],
  ['null', null, ' a=null', null],
  ['nothing', undefined, '', undefined],
  ['an empty text', '', '', undefined],
  ['a list', ['a', 1], ' a="[\\"a\\",1]"', ['a', 1]],
  ['a secret', new Secret('hunter2'), ' a=[redacted]', '[redacted]'],
  ['a secret inside', { b: new Secret('hunter2') }, ' a="{\\"b\\":\\"[redacted]\\"}"', { b: '[redacted]' }],
  ['a circle', circular, ' a="[not printable]"', '[not printable]'],
  ['a big number', 5n, ' a="[not printable]"', '[not printable]'],
  ['a symbol', Symbol('s'), ' a=Symbol(s)', 'Symbol(s)'],
];

describe('a line of logfmt', () => {
  it('is time, level and message', () => expect(textOf('Serving')).toBe('level=info msg=Serving\n'));

  it.each(FIELDS)('has fields: %s', (_, value, text) =>
    expect(textOf('x', { a: value })).toBe(`level=info msg=x${text}\n`),
  );

  it('keeps its own words', () => {
    expect(textOf('x', { level: 'y', msg: 'z', ts: 'now', a: 1 })).toBe('level=info msg=x a=1\n');
  });

  it('gives back what was put in, whatever that is', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...INJECTIONS), nasty);
    fc.assert(
      fc.property(text, text, text, (message, value, error) => {
        const { log, printed } = logger();
        log.info(message, { pod: value, error, ms: 1 });
        const fields = { msg: message, pod: value, ms: '1', error };
        const given = Object.entries(fields).filter(([, one]) => one !== '');
        expect(readLogfmt(printed.stdout).slice(2)).toEqual(given);
        expect(printed.stdout.slice(0, -1)).toBe(printable(printed.stdout.slice(0, -1)));
      }),
      { numRuns: 30 },
    );
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

  it('holds no character that is not printable', () => {
    const { log, printed } = logger({ json: true });
    for (const spoiler of INJECTIONS) log.info('x', { a: spoiler });
    const lines = printed.stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).a)).toEqual(INJECTIONS);
    for (const line of lines) expect(line).toBe(printable(line));
  });
});

describe.each([true, false])('a line that is too long (JSON: %s)', (json) => {
  const fieldsOf = (line: string): Readonly<Record<string, string>> =>
    json ? JSON.parse(line) : Object.fromEntries(readLogfmt(line));
  const written = (fields: LogFields) => {
    const { log, printed } = logger({ json });
    log.with({ namespace: 'prod', pod: 'web-0' }).error('Mount failed', fields);
    return printed.stderr;
  };

  it.each([
    ['plain', 'x'.repeat(30_000)],
    ['quoted', '"'.repeat(30_000)],
    ['escaped', '\u202e'.repeat(30_000)],
    ['of two units', '🔑'.repeat(30_000)],
    ['of two units, at an odd place', `x${'🔑'.repeat(30_000)}`],
  ])('is cut in its longest value, with a mark: %s', (_, error) => {
    const line = written({ error, stack: 'at x', code: 'ERR' });
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(Buffer.byteLength(line)).toBeGreaterThan(MAX_LINE_BYTES - 20);
    const fields = fieldsOf(line);
    expect(Object.keys(fields)).toEqual(['ts', 'level', 'msg', 'namespace', 'pod', 'code', 'error', 'stack']);
    expect(fields).toMatchObject({ namespace: 'prod', pod: 'web-0', code: 'ERR', stack: 'at x' });
    expect(fields.error?.endsWith(CUT_MARK)).toBe(true);
    expect(error.startsWith(fields.error?.slice(0, -CUT_MARK.length) ?? '?')).toBe(true);
  });

  it('is cut wherever it is long', () => {
    const long = { a: 'x'.repeat(9000), b: ['y'.repeat(9000)], c: 'z'.repeat(8000), error: 'short' };
    const line = written(long);
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(fieldsOf(line)).toMatchObject({ pod: 'web-0', error: 'short' });
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
        .map((line) => line.split('msg=').at(-1));
    expect({ stdout: messages(printed.stdout), stderr: messages(printed.stderr) }).toEqual({ stdout, stderr });
  });
});

it('a logger with fields adds them to each line, ahead of the line’s own, which win', () => {
  const { log, printed } = logger();
  log.with({ pod: 'a', ms: 1 }).with({ ms: 2 }).info('x', { code: 'OK', pod: 'b' });
  expect(printed.stdout).toMatch(/ level=info msg=x pod=b ms=2 code=OK\n$/);
  log.info('y');
  expect(printed.stdout).toMatch(/ level=info msg=y\n$/);
});

it('long texts come last, whatever the order', () => {
  expect(textOf('x', { stack: 's', error: 'e', detail: 'd', code: 'OK' })).toBe(
    'level=info msg=x code=OK detail=d error=e stack=s\n',
  );
});

it('a warning that a command prints has its detail, or else its message and fields', () => {
  const printed: string[][] = [];
  const log = warningsTo((text, message) => printed.push([text, message])).with({ pod: 'a' });
  log.warn('w', { code: 'OK', detail: 'all of it' });
  log.warn('w', { vault: 'a', error: 'two words', empty: '', none: undefined });
  log.warn('w');
  log.info('i');
  expect(printed).toEqual([
    ['all of it', 'w'],
    ['w: vault=a error="two words"', 'w'],
    ['w', 'w'],
  ]);
});
