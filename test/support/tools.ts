/**
 * Finds and runs programs that tests compare with.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type IssuedChain, keyPem, pemOf } from './pki.ts';

/**
 * Returns true if the tool exists and its command `args` succeeds. Otherwise prints that its checks are skipped, or throws
 * if REQUIRE_TOOLS is set.
 */
export function findTool(tool: string, ...args: readonly string[]): boolean {
  const installed = spawnSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' }).status === 0;
  if (installed && (args.length === 0 || spawnSync(tool, args, { stdio: 'ignore' }).status === 0)) return true;
  const text = `${[tool, ...args].join(' ')} does not work here`;
  if (process.env.REQUIRE_TOOLS) throw new Error(`${text}, and REQUIRE_TOOLS is set`);
  process.stderr.write(`${text}: its checks are skipped\n`);
  return false;
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
