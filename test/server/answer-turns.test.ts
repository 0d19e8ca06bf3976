import { describe, expect, test } from 'vitest';
import { AnswerTurns } from '../../src/server/answer-turns.ts';

const MIB = 2 ** 20;
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('answers are encoded', () => {
  test('one after another where they are large, in their order', async () => {
    const turns = new AnswerTurns();
    const order: number[] = [];
    const leave: (() => void)[] = [];
    for (const [index, bytes] of [4 * MIB, 10, 4 * MIB].entries()) {
      void turns.enter(bytes).then((done) => {
        order.push(index);
        leave.push(done);
      });
    }
    await settled();
    expect(order).toEqual([0]);
    leave[0]?.();
    leave[0]?.();
    await settled();
    expect(order).toEqual([0, 1]);
    leave[1]?.();
    await settled();
    expect(order).toEqual([0, 1, 2]);
  });

  test('together up to a megabyte', async () => {
    const turns = new AnswerTurns();
    let running = 0;
    for (let i = 0; i < 5; i++) void turns.enter(300_000).then(() => running++);
    await settled();
    expect(running).toBe(3);
  });
});
