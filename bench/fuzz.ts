/**
 * Fuzzes the parsers of bytes from outside until a time is over, with a new seed each round. Prints the input that a parser
 * did not survive, and ends with exit code 1.
 */
import { parseArgs } from 'node:util';
import { FuzzFailure, fuzz } from '../test/fuzz/fuzz.ts';
import { allTargets } from '../test/fuzz/targets.ts';

const HELP = `Usage: npm run fuzz -- [options]

Gives changed samples to every parser of bytes from outside. Each input must give a result or a refusal, and the same one
again.

  --seconds N   duration (default: without end)
  --only TEXT   fuzz the parsers whose name contains TEXT
  --seed N      the first seed (default: the time)
  --help        print this text

Exit codes: 0 every input was survived, 1 one was not: it is printed.
`;
const ROUNDS = 500;
/** An input that takes longer is reported; the parser goes on. */
const SLOW_MS = 2_000;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: 'Infinity' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now()) },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const targets = (await allTargets()).filter(({ name }) => name.includes(values.only));
  if (targets.length === 0) throw new Error(`no parser has "${values.only}" in its name`);
  const endAt = performance.now() + Number(values.seconds) * 1000;
  let inputs = 0;
  for (let seed = Number(values.seed); performance.now() < endAt; seed++) {
    for (const target of targets) {
      const watched = { ...target, parse: (input: Buffer) => watch(target.name, input, () => target.parse(input)) };
      await fuzz(watched, { seed, rounds: ROUNDS });
      inputs += ROUNDS;
    }
    process.stdout.write(`seed ${seed}: ${inputs} inputs\n`);
  }
}

async function watch(name: string, input: Buffer, parse: () => unknown): Promise<unknown> {
  const given = Buffer.from(input);
  const startedAt = performance.now();
  try {
    return await parse();
  } finally {
    const ms = performance.now() - startedAt;
    if (ms > SLOW_MS) process.stdout.write(`${name}: ${ms.toFixed(0)} ms for ${given.toString('base64')}\n`);
  }
}

if (values.help) process.stdout.write(HELP);
else {
  await main().catch((error: unknown) => {
    process.stderr.write(
      `${error instanceof FuzzFailure ? `${error.message}\n${error.cause instanceof Error ? error.cause.stack : ''}` : String(error)}\n`,
    );
    process.exitCode = 1;
  });
}
