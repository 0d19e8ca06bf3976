import { readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** The entry points of the code that runs while pods wait for their Mounts. */
const ROOTS = [
  'mount/mount.ts',
  'azure/azure.ts',
  'server/server.ts',
  'server/health.ts',
  'server/metrics.ts',
  'cli/provider.ts',
];

/** Files that may block, and the reason why no Mount waits for them. */
const ALLOWED: Readonly<Record<string, string>> = {
  'server/bind.ts': 'looks for the directory of the socket, when the server starts',
  'server/unix-socket.ts': 'binds, renames and removes the socket, when the server starts and stops or has lost it',
};

/**
 * Calls that hold the event loop: whatever is called Sync, waits, and derivations that OpenSSL makes within a call (a
 * passphrase). Other processes are none of a Mount's business either.
 */
const BLOCKING = /\b\w+Sync\b|\bpassphrase\b|\bchild_process\b|\bAtomics\.wait\b/g;

function textOf(path: string): string {
  const text = readFileSync(join(src, path), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '');
}

function importsOf(path: string): readonly string[] {
  const specifiers = [...textOf(path).matchAll(/(?:from |import\()'(\.[^']+\.ts)'/g)].map(([, one]) => one ?? '');
  return specifiers.map((specifier) => relative(src, resolve(dirname(join(src, path)), specifier)));
}

function reachable(): readonly string[] {
  const found = new Set<string>();
  const queue = [...ROOTS];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    queue.push(...importsOf(path));
  }
  return [...found].sort();
}

describe('what a Mount can reach', () => {
  const files = reachable();

  it('is the greater part of the program', () => {
    const rooms = new Set(files.map((path) => path.split('/')[0]));
    expect([...rooms].sort()).toEqual(['azure', 'base', 'cli', 'mount', 'pki', 'server', 'spc', 'wire']);
    expect(files).toEqual(
      expect.arrayContaining(['azure/login/token-request.ts', 'pki/kdf.ts', 'azure/cloud-files.ts']),
    );
  });

  it.each(files.filter((path) => ALLOWED[path] === undefined))('%s makes no call that blocks', (path) => {
    expect(textOf(path).match(BLOCKING) ?? []).toEqual([]);
  });

  it.each(Object.keys(ALLOWED))('%s still needs its exception', (path) => {
    expect(files).toContain(path);
    expect(textOf(path)).toMatch(BLOCKING);
  });
});
