import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type IssuedChain, keyPem, pemOf } from './pki.ts';

/** Whether a tool is there, and the command `args` of it succeeds; a message where not, since its checks are left out. */
export function has(tool: string, ...args: readonly string[]): boolean {
  const installed = spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;
  const usable = installed && (args.length === 0 || spawnSync(tool, args, { stdio: 'ignore' }).status === 0);
  if (!usable) process.stderr.write(`${[tool, ...args].join(' ')} does not work here: its checks are skipped\n`);
  return usable;
}

/** A directory for one test file, and programs run in it. */
export function workshop() {
  const dir = mkdtempSync(join(tmpdir(), 'akv-csi-tools-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const put = (name: string, content: string | Buffer) => writeFileSync(join(dir, name), content);
  return {
    dir,
    put,
    /** Standard output of a program that must succeed. */
    run: (tool: string, ...args: readonly string[]) =>
      execFileSync(tool, args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
    /** Writes `key.pem`, `leaf.pem` and `chain.pem`. */
    putChain({ leaf, certificates }: IssuedChain) {
      put('key.pem', keyPem(leaf.key));
      put('leaf.pem', pemOf(certificates.slice(0, 1)));
      put('chain.pem', pemOf(certificates.slice(1)));
    },
  };
}
