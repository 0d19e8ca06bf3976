import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkRow, type Item, openWorld, type ParityWorld, type Row, seedWith, VAULT } from '../support/parity.ts';

const { INVALID_ARGUMENT, FAILED_PRECONDITION } = status;

let world: ParityWorld;
beforeAll(async () => {
  world = await openWorld(
    seedWith({ vault: '    secrets: [{name: a, value: va}, {name: b, value: vb}, {name: h, value: vh, versions: 3}]' }),
  );
});
afterAll(() => world.close());

const a = (more: object = {}): Item => ({ objectName: 'a', objectType: 'secret', ...more });
const b = (more: object = {}): Item => ({ objectName: 'b', objectType: 'secret', ...more });
const written = (fact: string, objectAlias: string, path = objectAlias): Row => ({
  fact,
  objects: [a({ objectAlias })],
  files: { [path]: 'va' },
  versions: ['secret/a *'],
});
const refused = (fact: string, objects: Row['objects'], ...says: (string | RegExp)[]): Row => ({
  fact,
  objects: objects ?? '',
  vaultRequests: 0,
  fails: { code: INVALID_ARGUMENT, says },
});
const badName = (objectAlias: string, words: string): Row =>
  refused(
    `the name ${JSON.stringify(objectAlias).slice(0, 40)} is refused`,
    [a({ objectAlias })],
    'failed to get objectType:secret, objectName:a, objectVersion:: ',
    words,
  );

const NAMES: readonly Row[] = [
  { fact: 'without an alias the object’s name', objects: [a()], files: { a: 'va' } },
  written('an alias with directories', 'etc/app/password'),
  written('an alias with spaces and signs', 'my file (1) +$@!.txt'),
  written('an alias in other letters', 'schlüssel/密碼'),
  written('an alias trimmed', '  name  ', 'name'),
  written('an alias with a dot in front', '.hidden'),
  written('an alias with a backslash', 'a\\b'),
  written('an alias that ends in a suffix of splitting', 'x.crt'),
  written('an element of 255 bytes', 'e'.repeat(255)),
  badName('/etc/passwd', 'file name must be a relative path'),
  badName('../x', "file name must not contain '..'"),
  badName('a/../b', "file name must not contain '..'"),
  badName('a..b', "file name must not contain '..'"),
  badName('./a', '"./a"'),
  badName('a/./b', '"a/./b"'),
  badName('a//b', '"a//b"'),
  badName('a/', '"a/"'),
  badName('.', '"."'),
  badName('e'.repeat(256), '255 bytes'),
  badName('d/'.repeat(2100).concat('x'), '4096 bytes'),
];

const CONFLICTS: readonly Row[] = [
  refused(
    'one path twice',
    [a({ objectAlias: 'x' }), b({ objectAlias: 'x' })],
    '"x"',
    'objectName:a,',
    'objectName:b,',
  ),
  refused('an alias that is another’s name', [a(), b({ objectAlias: 'a' })], '"a"', 'objectName:a,', 'objectName:b,'),
  refused('one object twice', [a(), a()], '"a"', 'objectName:a,'),
  refused(
    'a path that is another’s parent',
    [a({ objectAlias: 'x' }), b({ objectAlias: 'x/y' })],
    '"x"',
    '"x/y"',
    'objectName:a,',
    'objectName:b,',
  ),
  refused(
    'a path that is another’s parent, the child first',
    [b({ objectAlias: 'x/y/z' }), a({ objectAlias: 'x' })],
    '"x"',
    '"x/y/z"',
    'objectName:a,',
    'objectName:b,',
  ),
  refused(
    'a version that is another’s file',
    [{ objectName: 'h', objectType: 'secret', objectVersionHistory: 3 }, a({ objectAlias: 'h/2' })],
    '"h/2"',
    'objectName:h,',
    'objectName:a,',
  ),
  refused(
    'a file where versions need a directory',
    [{ objectName: 'h', objectType: 'secret', objectVersionHistory: 2 }, a({ objectAlias: 'h' })],
    '"h"',
    'objectName:h,',
    'objectName:a,',
  ),
  {
    fact: 'neighbours of like names are no conflict',
    objects: [a({ objectAlias: 'x' }), b({ objectAlias: 'xy' }), a({ objectAlias: 'd/x' }), b({ objectAlias: 'd/xy' })],
    files: { x: 'va', xy: 'vb', 'd/x': 'va', 'd/xy': 'vb' },
  },
];

const mode = (text: string, expected: number): Row => ({
  fact: `filePermission ${text} is ${expected}`,
  objects: `array:\n  - |\n    objectName: a\n    objectType: secret\n    filePermission: ${text}\n`,
  files: { a: 'va' },
  modes: [expected],
});
const badMode = (text: string): Row =>
  refused(
    `filePermission ${text} is refused`,
    `array:\n  - |\n    objectName: a\n    objectType: secret\n    filePermission: ${text}\n`,
    'failed to get objectType:secret, objectName:a, objectVersion:: file permission must be a valid octal number',
  );

const MODES: readonly Row[] = [
  mode('0644', 0o644),
  mode('"0644"', 0o644),
  mode("'0400'", 0o400),
  mode('600', 0o600),
  mode('0000', 0),
  mode('0777', 0o777),
  mode('""', 0o644),
  mode('~', 0o644),
  mode('" 0640 "', 0o640),
  ...['0900', '0o644', 'rw-r--r--', '-644', '1000', '777777', '0x1ff', '6.44', '4294967296'].map(badMode),
  {
    fact: 'each object has its own mode',
    objects: [a({ filePermission: '0400' }), b()],
    files: { a: 'va', b: 'vb' },
    modes: [0o400, 0o644],
  },
  {
    fact: 'every version of a history has the mode of its object',
    objects: [{ objectName: 'h', objectType: 'secret', objectVersionHistory: 2, filePermission: '0600' }],
    files: { 'h/0': 'vh', 'h/1': 'vh' },
    modes: [0o600, 0o600],
  },
];

/** Adds `count` secrets of 25 kilobytes, each of which is written `times` times. */
async function large(prefix: string, count: number) {
  for (let i = 0; i < count; i++) world.emulator.setSecret(VAULT, `${prefix}-${i}`, 'x'.repeat(25_000));
  const objects = Array.from({ length: count }, (_, i) => ({ objectName: `${prefix}-${i}`, objectType: 'secret' }));
  return world.mount({ objects });
}

describe('file names', () => {
  it.each(NAMES)('$fact', (row) => checkRow(world, row));
});

describe('paths that cannot stand side by side, refused before any vault call', () => {
  it.each(CONFLICTS)('$fact', (row) => checkRow(world, row));
});

describe('modes', () => {
  it.each(MODES)('$fact', (row) => checkRow(world, row));
});

describe('the size of the answer', () => {
  it('over 4 MiB is an error in our words, with a final code', async () => {
    const outcome = await large('big', 170);
    expect(outcome).toMatchObject({ kind: 'failed', code: FAILED_PRECONDITION });
    if (outcome.kind === 'failed')
      expect(outcome.message).toMatch(/more than 4194304 bytes together, which is the most that the driver accepts/);
  });

  it('below 4 MiB is answered, over 1 MiB with a warning', async () => {
    const outcome = await large('mid', 160);
    expect(outcome.kind).toBe('mounted');
    const warnings = world.log.filter((line) => line.includes('"warn"'));
    expect(warnings.some((line) => line.includes('1048576'))).toBe(true);
  });
});
