import { describe, expect, it } from 'vitest';
import { runWatch } from '../../src/cli/watch.ts';
import { parseWatchOptions } from '../../src/cli/watch-options.ts';
import { recordedIo } from '../support/cli.ts';

async function run(args: readonly string[]) {
  const io = recordedIo();
  const code = await runWatch(args, io, { signals: { onEach() {} }, takeOutput() {} });
  return { code, ...io.printed };
}

describe('the command line of akv-csi watch', () => {
  it.each<[string, readonly string[], RegExp]>([
    ['no directory', ['--run', 'x'], /missing required argument 'directory'/],
    ['nothing to do', ['/v'], /say what to do after a change: --process NAME/],
    ['no program', ['/v', '--'], /there is no program after --/],
    ['an unknown signal', ['/v', '--process', 'x', '--signal', 'FOO'], /'FOO' is invalid\. Use the name of a signal/],
    ['a signal for nobody', ['/v', '--signal', 'usr1', '--run', 'x'], /--signal USR1 needs a process/],
    ['a URL of another kind', ['/v', '--url', 'ftp://x'], /begins with http/],
    ['a password in a URL', ['/v', '--url', 'http://a:b@c'], /visible to others/],
    ['no time for a command', ['/v', '--run', 'x', '--timeout', '0'], /a duration above 0/],
    ['a duration without a unit', ['/v', '--run', 'x', '--settle', '5'], /a duration such as/],
    ['a count below zero', ['/v', '--run', 'x', '--retries', '-1'], /Use a number from 0/],
    ['--once with a program', ['/v', '--once', '--', 'x'], /--once cannot end a program/],
    ['an empty name', ['/v', '--process', ''], /It is empty/],
    [
      'too many directories',
      [...Array.from({ length: 17 }, (_, i) => `/v${i}`), '--run', 'x'],
      /17 directories; at most 16/,
    ],
    ['too many URLs', ['/v', ...Array.from({ length: 17 }, () => '--url=http://x')], /At most 16/],
    ['an unknown option', ['/v', '--proces', 'x'], /unknown option '--proces'/],
  ])('refuses %s', async (_name, args, message) => {
    expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
  });

  it.each([
    ['an unknown option', ['--proces', 'x'], /^unknown option '--proces'/],
    ['options that do nothing', [], /^say what to do after a change/],
  ])('refuses %s in JSON, if that is the format of the log', async (_, args, message) => {
    const { code, stdout, stderr } = await run(['/v', '--log-format-json', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const line = { ts: expect.any(String), level: 'error', msg: 'Cannot watch', error: expect.stringMatching(message) };
    expect(JSON.parse(stderr)).toEqual(line);
  });

  it('has a help, whose exit code is 0', async () => {
    expect(await run(['--help'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/Usage: akv-csi watch .*\n(.*\n)*Exit codes: /),
      stderr: '',
    });
  });

  it.each<[string, readonly string[], NodeJS.Signals | undefined]>([
    ['a process', ['--process', 'x'], 'SIGHUP'],
    ['a program', ['--', 'x'], 'SIGHUP'],
    ['a program, if there is another thing to do', ['--run', 'x', '--', 'x'], undefined],
    [
      'a program, if there is another thing to do and a signal',
      ['--run', 'x', '--signal', 'USR1', '--', 'x'],
      'SIGUSR1',
    ],
    ['nobody', ['--run', 'x'], undefined],
  ])('sends a signal to %s', async (_name, args, signal) => {
    const options = await parseWatchOptions(['/v', ...args], recordedIo());
    expect(options.signal).toBe(signal);
  });

  it('leaves everything after the first -- to the program', async () => {
    const { program, process } = await parseWatchOptions(['v', '--', 'p', '--process', 'x', '--'], recordedIo());
    expect([program, process]).toEqual([['p', '--process', 'x', '--'], []]);
  });
});
