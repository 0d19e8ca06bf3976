import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/cli/logging.ts';
import { goProgram } from '../support/go.ts';
import { INJECTIONS, readLogfmt } from '../support/logfmt.ts';

const program = goProgram('go-logfmt');

test('Go’s logfmt reads every line as it was meant', ({ skip }) => {
  if (program === '') return skip();
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
