import { describe, expect, test } from 'vitest';
import { markdownFiles, textOf } from '../support/markdown.ts';
import { findHelm, refusal, render, shownValues } from './helm.ts';

const helm = findHelm();
const texts = markdownFiles().map(textOf);
const blocks = (language: string) =>
  texts.flatMap((text) =>
    [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block),
  );

/** The `--set …` arguments of each `helm install` of this chart. */
const installs = blocks('sh')
  .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  .filter((line) => /^helm (install|upgrade) .*charts\/akv-csi-provider/.test(line))
  .map((line) => [...line.matchAll(/--set '?(\S+?)'?(?=\s|$)/g)].map(([, value]) => `--set=${value}`));

describe.skipIf(helm === undefined)('chart, with what the texts say', () => {
  test('renders every values file', () => {
    expect(shownValues().length).toBeGreaterThanOrEqual(5);
    for (const { values } of shownValues()) expect([...render(values).keys()]).toContain('DaemonSet');
  });

  test('renders for every command that installs it', () => {
    expect(installs.length).toBeGreaterThanOrEqual(3);
    for (const args of installs) {
      expect(() => refusal({}, args)).toThrow('helm took the values');
    }
  });
});
