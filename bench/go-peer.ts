/**
 * Builds the Go peer of `go-peer/`, a provider that reads as the official one does. `provider.ts` and a test call it.
 * Leaves the peer out, with a message, where it cannot be built.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Implementation, provider } from './implementations.ts';

/** The time of a build that downloads all modules, on a slow machine. */
const BUILD_TIMEOUT_MS = 240_000;

/**
 * Returns the Go peer. A program that was built from the same sources by the same Go is used again. Returns undefined
 * and prints the reason if there is no Go or the build fails. Throws: `Error` for this if REQUIRE_TOOLS is set.
 */
export function goPeer(): Implementation | undefined {
  try {
    return provider('go-peer', [buildPeer()], { own: false, cloud: 'public' });
  } catch (error) {
    if (process.env.REQUIRE_TOOLS !== undefined) throw error;
    process.stderr.write(`The Go peer is left out: ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

function buildPeer(): string {
  const sources = resolve('bench/go-peer');
  const version = go(['version'], sources);
  const hash = createHash('sha256').update(version);
  for (const name of readdirSync(sources).sort()) hash.update(`${name}\n`).update(readFileSync(join(sources, name)));
  const directory = resolve('node_modules/.cache/bench');
  const program = `go-peer-${hash.digest('hex').slice(0, 16)}`;
  if (existsSync(join(directory, program))) return join(directory, program);
  process.stderr.write(`building the Go peer with ${version.trim()} …\n`);
  mkdirSync(directory, { recursive: true });
  const part = join(directory, `${program}.part-${process.pid}`);
  go(['build', '-trimpath', '-ldflags=-s -w', '-o', part, '.'], sources);
  for (const old of readdirSync(directory).filter((name) => /^go-peer-[0-9a-f]{16}$/.test(name)))
    rmSync(join(directory, old), { force: true });
  renameSync(part, join(directory, program));
  return join(directory, program);
}

function go(args: readonly string[], cwd: string): string {
  const env = { ...process.env, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' };
  const { status, stdout, stderr, error } = spawnSync('go', args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: BUILD_TIMEOUT_MS,
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw new Error('there is no Go');
  if (error !== undefined) throw new Error(`go ${args[0]}: ${error.message}`);
  if (status !== 0) throw new Error(`go ${args[0]} failed: ${stderr.trim()}`);
  return stdout;
}
