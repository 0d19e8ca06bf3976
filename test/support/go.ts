/**
 * Builds the programs in Go that tests compare with. `.ci/run` has fetched and compiled their modules before, with
 * repetitions.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/**
 * Builds the program of a folder of `test/` for one test file. Returns its path; empty if that fails, after it has printed
 * the reason.
 * Throws: the failure, if REQUIRE_TOOLS is set.
 */
export function goProgram(folder: string, modFile = 'go.mod'): string {
  const directory = mkdtempSync(join(tmpdir(), `akv-${folder}-`));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, folder);
  try {
    execFileSync('go', ['build', `-modfile=${modFile}`, '-o', program, '.'], {
      cwd: join(import.meta.dirname, '..', folder),
      env: { ...process.env, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return program;
  } catch (error) {
    if (process.env.REQUIRE_TOOLS === '1') throw error;
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no Go' : `go build failed: ${error}`;
    process.stderr.write(`skipped the tests with test/${folder} (${modFile}): ${reason}\n`);
    return '';
  }
}
