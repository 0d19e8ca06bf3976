import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type LostLines, MAX_WAITING_BYTES, openLogOutput } from '../../src/cli/log-output.ts';

/** Returns a stream whose writes end when the test says so. */
function controlled() {
  const pending: (() => void)[] = [];
  let written = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      pending.push(() => {
        written += chunk;
        done();
      });
    },
  });
  const drain = async () => {
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      next();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { stream, drain, written: () => written };
}

function opened() {
  const [stdout, stderr] = [controlled(), controlled()];
  const lost: LostLines[] = [];
  const output = openLogOutput({ stdout: stdout.stream, stderr: stderr.stream }, (lines) => lost.push(lines));
  return { output, stdout, stderr, lost };
}

describe('the output of a log', () => {
  it('writes each stream in order', async () => {
    const { output, stdout, stderr, lost } = opened();
    output.stdout('a\n');
    output.stderr('x\n');
    output.stdout('b\n');
    await stdout.drain();
    await stderr.drain();
    expect([stdout.written(), stderr.written()]).toEqual(['a\nb\n', 'x\n']);
    expect(lost).toEqual([]);
  });

  it('keeps a bounded number of bytes for a reader who does not read, and tells once what it dropped', async () => {
    const { output, stdout, lost } = opened();
    const line = `${'x'.repeat(1023)}\n`;
    const kept = MAX_WAITING_BYTES / line.length;
    for (let count = 0; count < kept + 5000; count++) output.stdout(line);
    expect(stdout.stream.writableLength).toBe(MAX_WAITING_BYTES);
    expect([output.dropped('stdout'), output.dropped('stderr')]).toEqual([5000, 0]);
    await stdout.drain();
    expect(lost).toEqual([{ stream: 'stdout', lines: 5000, reason: 'SLOW_READER' }]);
    expect(stdout.written()).toHaveLength(MAX_WAITING_BYTES);
    output.stdout('again\n');
    await stdout.drain();
    expect(lost).toHaveLength(1);
  });
});
