import { describe, expect, it } from 'vitest';
import { framesOf } from '../../src/base/errors.ts';

describe('the frames of an error', () => {
  it('hold places and nothing of its message', () => {
    const error = new SyntaxError('cannot read\n  hunter2\nat hunter2');
    const frames = framesOf(error);
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.every((line) => line.startsWith('    at '))).toBe(true);
    expect(frames.join('\n')).not.toContain('hunter2');
    expect(frames[0]).toContain('errors.test.ts');
  });

  it('are none of anything that is no error, or has no stack', () => {
    const error = new Error('no stack');
    delete error.stack;
    for (const thrown of [error, 'text', undefined, { stack: '    at x' }]) expect(framesOf(thrown)).toEqual([]);
  });
});
