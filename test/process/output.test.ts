import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EC_SEED } from '../support/e2e.ts';
import { issue } from '../support/pki.ts';
import { type Ended, scratch, start } from '../support/process.ts';
import { FULL } from '../support/rounds.ts';

/** A command, the streams that it writes to, and its exit code if they can be written. */
type Row = readonly [name: string, args: readonly string[], writes: 'stdout' | 'stderr' | 'both', code: number];

const examples = join(import.meta.dirname, '../../examples');
const { certificate } = await issue({ name: 'vault.localhost' });

/** Every command with arguments that make it work. */
const AT_WORK: readonly Row[] = [
  ['check', ['check', 'spc.yaml'], 'stdout', 0],
  ['render', ['render', join(examples, 'broker-listener.yaml')], 'both', 0],
  ['inspect', ['inspect', 'certificate.pem'], 'stdout', 0],
  ['mount', ['mount', 'spc.yaml', '--endpoint', 'unix:///nowhere/a.sock', '--timeout', '1'], 'stderr', 1],
  ['emulator', ['emulator', '--seed=seed.yaml', '--port=0', '--imds-port=0', '--write-hosts=hosts'], 'stdout', 0],
  ['demo', ['demo', '--seed=seed.yaml'], 'stdout', 0],
  ['serve with a wrong flag', ['serve', '--no-such-flag'], 'stderr', 2],
  ['an unknown command', ['nonsense'], 'stderr', 2],
];
const HELP = ['', 'serve', 'check', 'render', 'inspect', 'mount', 'emulator', 'demo'].map(
  (command): Row => [`${command} --help`, [...(command === '' ? [] : [command]), '--help'], 'stdout', 0],
);
const SINKS = ['reader gone', 'disk full'] as const;
const STREAMS = ['stdout', 'stderr'] as const;

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly stream: (typeof STREAMS)[number];
  readonly sink: (typeof SINKS)[number];
  /** True if the command writes to that stream. */
  readonly used: boolean;
  readonly code: number;
}

/** A broken stream that a command does not use has no effect. */
const CASES = [...AT_WORK, ...HELP].flatMap(([name, args, writes, code]) =>
  STREAMS.flatMap((stream) =>
    SINKS.map((sink): Case => {
      const used = writes === stream || writes === 'both';
      const brokenCode = sink === 'reader gone' ? 141 : 1;
      return { name, args, stream, sink, used, code: used ? brokenCode : code };
    }),
  ),
);
/** Running all cases takes a while. The emulator does not end by itself if nothing is broken. */
const chosen = CASES.filter(({ name, stream, used }) => {
  if (stream === 'stderr' && ['emulator', 'demo'].includes(name)) return false;
  return FULL ? true : !name.endsWith('--help') && used;
});

const MANIFEST = `apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: { name: x, namespace: default }
spec:
  provider: azure
  parameters: { keyvaultName: kv-any, objects: "array:\\n  - {objectName: a, objectType: secret}" }
`;
const FILES = {
  'certificate.pem': certificate.toString(),
  hosts: '127.0.0.1 localhost\n',
  'seed.yaml': EC_SEED,
  'spc.yaml': MANIFEST,
};

interface Result {
  readonly ended: Ended;
  /** The output on the other stream. */
  readonly said: string;
  /** The files in the directory at the end, including temporary files. */
  readonly left: Readonly<Record<string, string>>;
}

describe('a command, one of whose streams cannot be written', () => {
  const results = new Map<Case, Promise<Result>>();
  const undos: (() => unknown)[] = [];
  const defer = (undo: () => void | Promise<void>) => void undos.push(undo);
  /** Runs about as many processes at a time as there are processors. */
  beforeAll(() => {
    const waiting = [...chosen];
    const work = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const result = run(one, defer);
        results.set(one, result);
        await result;
      }
    };
    return Promise.all([work(), work(), work()]).then(() => {});
  }, 300_000);
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  it.each(chosen)('$name with $stream: $sink', async (one) => {
    const result = await results.get(one);
    const tells = one.used && one.stream === 'stdout' && one.sink === 'disk full';
    expect(result).toMatchObject({ ended: { code: one.code, signal: null }, left: FILES });
    if (tells) expect(result?.said.match(/^akv-csi: cannot write the output: ENOSPC.*$/gm)).toHaveLength(1);
    else expect(result?.said).not.toMatch(/EPIPE|ENOSPC|node:/);
  });
});

async function run(one: Case, defer: (undo: () => void | Promise<void>) => void): Promise<Result> {
  const directory = scratch(defer);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
  const { args, stream, sink } = one;
  const { ended, output } = start(args, { [stream]: sink, cwd: directory, env: { TMPDIR: directory }, defer });
  const end = await ended;
  const names = readdirSync(directory);
  const left = Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name), 'utf8')]));
  return { ended: end, said: output(stream === 'stdout' ? 'stderr' : 'stdout'), left };
}
