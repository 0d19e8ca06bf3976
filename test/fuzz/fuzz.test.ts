import { describe, expect, it } from 'vitest';
import { rounds } from '../support/rounds.ts';
import { FuzzFailure, fuzz, type Target } from './fuzz.ts';
import { allTargets } from './targets.ts';

const ROUNDS = rounds(150, 3_000);

describe('bytes from outside give a result or a refusal, and the same one again', async () => {
  it.each(await allTargets())('$name', async (target) => {
    await fuzz(target, { seed: 1, rounds: ROUNDS });
  });
});

describe('the fuzzer', () => {
  const target = (parse: Target['parse']): Target => ({
    name: 'x',
    samples: [Buffer.from('{"a":1}')],
    words: ['b'],
    parse,
  });

  it('reports an error that is no refusal, with its input', async () => {
    const parse = (input: Buffer) => {
      if (input.includes('b')) throw new TypeError('broken');
    };
    const failure = await fuzz(target(parse), { seed: 1, rounds: 200 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(FuzzFailure);
    const [, input = ''] = /base64: (.*)$/.exec(String(failure)) ?? [];
    expect(Buffer.from(input, 'base64').includes('b')).toBe(true);
  });

  it('reports results that differ', async () => {
    let calls = 0;
    await expect(
      fuzz(
        target(() => ++calls),
        { seed: 1, rounds: 1 },
      ),
    ).rejects.toThrow('first result 1, then result 2');
  });

  it('makes the same inputs for the same seed', async () => {
    const inputs = async () => {
      const seen: string[] = [];
      await fuzz(
        target((input) => {
          seen.push(input.toString('base64'));
        }),
        { seed: 7, rounds: 50 },
      );
      return seen;
    };
    const first = await inputs();
    expect(await inputs()).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(40);
  });
});
