import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const src = join(root, 'src');

/** Floor of each room; a file imports from its own room and from lower floors. */
const FLOORS: Readonly<Record<string, number>> = {
  base: 0,
  wire: 1,
  pki: 1,
  spc: 2,
  mount: 3,
  render: 3,
  azure: 4,
  emulator: 4,
  server: 4,
  driver: 4,
  watch: 4,
  kubectl: 4,
  tracing: 4,
  webhook: 5,
  cli: 6,
  'main.ts': 7,
  'launcher.ts': 7,
};

/**
 * Rooms inside a room, in order: a file imports from its own room and from earlier ones. Files beside them, such as
 * azure/azure.ts, come last. Imports of types count too.
 */
const ROOMS_INSIDE: Readonly<Record<string, readonly string[]>> = {
  azure: ['http', 'cluster', 'store', 'login', 'vault'],
  emulator: ['world', 'http', 'entra', 'vault', 'host', 'seed'],
};

/** The files of src/, relative to it. */
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.endsWith('.d.ts'),
);

function roomOf(path: string): string {
  return path.split('/')[0] ?? '';
}

/** Returns the files of src/ that a file imports, including types. */
function importedFiles(path: string): readonly string[] {
  const text = readFileSync(join(src, path), 'utf8');
  const specifiers = [...text.matchAll(/(?:from |import\()'(\.[^']+)'/g)].map(([, specifier]) => specifier ?? '');
  return specifiers
    .filter((specifier) => !specifier.endsWith('?raw'))
    .map((specifier) => relative(src, resolve(dirname(join(src, path)), specifier)));
}

/** Returns the rooms that a file imports from, except its own. */
function importedRooms(path: string): readonly string[] {
  return [...new Set(importedFiles(path).map(roomOf))].filter((room) => room !== roomOf(path));
}

/** Returns the position of a file's room among the rooms inside its room, or -1 if it is in none of them. */
function placeOf(path: string): number {
  const inside = ROOMS_INSIDE[roomOf(path)] ?? [];
  const [, folder = '', ...rest] = path.split('/');
  return rest.length === 0 ? inside.length : inside.indexOf(folder);
}

describe('rooms', () => {
  it('are all on a floor', () => {
    expect([...new Set(files.map(roomOf))].filter((room) => FLOORS[room] === undefined)).toEqual([]);
  });

  it.each(files)('%s imports from lower floors only', (path) => {
    const floor = FLOORS[roomOf(path)] ?? 0;
    expect(importedRooms(path).filter((room) => (FLOORS[room] ?? 99) >= floor)).toEqual([]);
  });

  it('the emulator knows base and pki only', () => {
    const known = files.filter((path) => roomOf(path) === 'emulator').flatMap(importedRooms);
    expect(new Set(known)).toEqual(new Set(['base', 'pki']));
  });
});

it('what runs in the pods of users knows base only', () => {
  const known = files.filter((path) => roomOf(path) === 'watch').flatMap(importedRooms);
  expect(new Set(known)).toEqual(new Set(['base']));
});

describe.each(Object.keys(ROOMS_INSIDE))('rooms inside %s', (room) => {
  const own = files.filter((path) => roomOf(path) === room);

  it('are all in the table', () => {
    expect(own.filter((path) => placeOf(path) === -1)).toEqual([]);
  });

  it.each(own)('%s imports from its own room and from earlier ones', (path) => {
    const imported = importedFiles(path).filter((target) => roomOf(target) === room);
    expect(imported.filter((target) => placeOf(target) > placeOf(path))).toEqual([]);
  });
});

describe('source files', () => {
  it('have 300 lines at most', () => {
    const long = files.filter((path) => readFileSync(join(src, path), 'utf8').split('\n').length > 301);
    expect(long).toEqual([]);
  });
});

describe('keys of others', () => {
  // On Node 20 and 22, these calls end the process if the numbers of a key contradict each other.
  const asking = /asymmetricKeyDetails|createP(rivate|ublic)Key\(|\b(certificate|issuer|leaf|cert)\.publicKey\b/;

  it('are shown to OpenSSL only where their numbers have been looked at', () => {
    const looking = files.filter((path) => asking.test(readFileSync(join(src, path), 'utf8')));
    expect(looking.sort()).toEqual([
      'azure/login/jwks.ts',
      'emulator/world/issue.ts',
      'emulator/world/key-material.ts',
      'pki/jwk.ts',
      'pki/keys.ts',
      'pki/public-key.ts',
    ]);
  });
});
