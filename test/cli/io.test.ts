import { expect, it } from 'vitest';
import { progressOn } from '../../src/cli/io.ts';

it('shows progress in one line of a terminal, and removes it', () => {
  const written: string[] = [];
  const show = progressOn({ write: (text) => written.push(text), columns: 12 });
  for (const text of ['class 1: a/long', 'x\x1b[2J', '']) show(text);
  expect(written).toEqual(['\rclass 1: a/', '\rx\\x1b[2J   ', '\r        \r']);
});
