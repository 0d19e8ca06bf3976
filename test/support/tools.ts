/**
 * Finds and runs programs that tests compare with.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type IssuedChain, keyPem, pemOf } from './pki.ts';

/** Returns true if the tool exists and its command `args` succeeds. Otherwise prints that its checks are skipped. */
export function has(tool: string, ...args: readonly string[]): boolean {
  const installed = spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;
  const usable = installed && (args.length === 0 || spawnSync(tool, args, { stdio: 'ignore' }).status === 0);
  if (!usable) process.stderr.write(`${[tool, ...args].join(' ')} does not work here: its checks are skipped\n`);
  return usable;
}

/** Returns the same as {@link has}. Throws if the tool is missing and REQUIRE_TOOLS is set. */
export function findTool(tool: string, ...args: readonly string[]): boolean {
  const found = has(tool, ...args);
  if (!found && process.env.REQUIRE_TOOLS) throw new Error(`${tool} is not on the PATH, and REQUIRE_TOOLS is set`);
  return found;
}

/** Returns a directory for one test file, and functions that run programs in it. */
export function toolDirectory() {
  const dir = mkdtempSync(join(tmpdir(), 'akv-csi-tools-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const put = (name: string, content: string | Buffer) => writeFileSync(join(dir, name), content);
  return {
    dir,
    put,
    /** Returns the standard output of a program that must succeed. */
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
