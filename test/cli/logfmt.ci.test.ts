import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createLogger } from '../../src/cli/logging.ts';
import { INJECTIONS, readLogfmt } from '../support/logfmt.ts';

const directory = mkdtempSync(join(tmpdir(), 'akv-go-logfmt-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Builds the Go program. Prints the reason if that fails. */
function built(): string | undefined {
  const program = join(directory, 'go-logfmt');
  try {
    execFileSync('go', ['build', '-o', program, '.'], {
      cwd: join(import.meta.dirname, '../go-logfmt'),
      env: { ...process.env, GOTOOLCHAIN: 'local', CGO_ENABLED: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return program;
  } catch (error) {
    if (process.env.REQUIRE_TOOLS === '1') throw error;
    process.stderr.write(`skipped the log as Go's logfmt reads it: ${error}\n`);
    return undefined;
  }
}

test('Go’s logfmt reads every line as it was meant', ({ skip }) => {
  const program = built();
  if (program === undefined) return skip();
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = createLogger({ json: false, verbosity: 5, stdout: write, stderr: write });
  for (const one of INJECTIONS) {
    log.with({ pod: one }).error(one, { ms: 1, list: [one], error: INJECTIONS.join(one) });
    log.error('Mount failed', { error: one.repeat(10_000) });
  }
  const output = execFileSync(program, { input: JSON.stringify(lines), maxBuffer: 64 * 1024 * 1024 });
  const expected = lines.map((line) => ({ fields: readLogfmt(line) }));
  expect(JSON.parse(output.toString())).toEqual(expected);
});
