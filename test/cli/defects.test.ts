import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { catchDefects, MAX_DEFECTS_A_SECOND } from '../../src/cli/defects.ts';
import { manualClock } from '../support/clocks.ts';

function caught(onLine: (defect: ReturnType<typeof catchDefects>) => void = () => {}) {
  const clock = manualClock();
  let ends = 0;
  const lines: unknown[] = [];
  const log = {
    ...silentLogger,
    error(message: string, fields: object = {}) {
      lines.push([message, fields]);
      onLine(defect);
    },
  };
  const defect = catchDefects({ log, clock, end: () => void ends++ });
  const advance = (ms: number) => {
    clock.time += ms;
  };
  return { defect, lines, advance, ends: () => ends };
}

describe('exceptions that nobody caught', () => {
  it('are logged by their kind and place, without their message', () => {
    const { defect, lines } = caught();
    defect('Defect: uncaught exception', Object.assign(new TypeError('hunter2'), { code: 'ERR_X' }));
    defect('Defect: unhandled rejection', 'hunter2');
    expect(lines).toEqual([
      ['Defect: uncaught exception', { error: expect.stringMatching(/^TypeError ERR_X {4}at .*defects\.test/) }],
      ['Defect: unhandled rejection', { error: 'string' }],
    ]);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
  });

  it('are not logged where logging is what fails', () => {
    const { defect, lines } = caught((again) => {
      again('Defect: uncaught exception', new Error('of the log'));
      throw new Error('of the log');
    });
    defect('Defect: uncaught exception', new Error('first'));
    defect('Defect: uncaught exception', new Error('second'));
    expect(lines).toHaveLength(2);
  });

  it('end the process where they come in a storm', () => {
    const { defect, lines, ends } = caught();
    for (let count = 0; count < MAX_DEFECTS_A_SECOND; count++) defect('Defect: uncaught exception', new Error());
    expect([lines.length, ends()]).toEqual([MAX_DEFECTS_A_SECOND, 0]);
    defect('Defect: uncaught exception', new Error());
    expect([lines.length, ends()]).toEqual([MAX_DEFECTS_A_SECOND, 1]);
  });

  it('end it by their storm where each is made by logging another', () => {
    const { defect, ends } = caught((again) => {
      for (let count = 0; count <= MAX_DEFECTS_A_SECOND; count++) again('Defect: uncaught exception', new Error());
    });
    defect('Defect: uncaught exception', new Error());
    expect(ends()).toBeGreaterThan(0);
  });

  it('do not end it where they come one by one', () => {
    const { defect, ends, advance } = caught();
    for (let second = 0; second < 10; second++) {
      for (let count = 0; count < MAX_DEFECTS_A_SECOND; count++) defect('Defect: uncaught exception', new Error());
      advance(1000);
    }
    expect(ends()).toBe(0);
  });
});
