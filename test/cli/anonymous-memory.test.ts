import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { anonymousBytes } from '../../src/cli/anonymous-memory.ts';

it('tells the memory of this process without its file pages', () => {
  const kib = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const bytes = anonymousBytes();
  expect(bytes).toBeLessThan(process.memoryUsage.rss() - (kib('RssFile') * 1024) / 2);
  expect(Math.abs(bytes / 1024 - kib('RssAnon'))).toBeLessThan(kib('RssAnon') / 5);
});
