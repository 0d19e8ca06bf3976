import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { markdownFiles, textOf } from '../support/markdown.ts';
import { findHelm, refusal, render, type Tree } from './helm.ts';

const helm = findHelm();
const texts = markdownFiles().map(textOf);
const blocks = (language: string) =>
  texts.flatMap((text) =>
    [...text.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, block = '']) => block),
  );

/** The values files in the documents. A block with a kind is a manifest, one with `scrape_configs` is for Prometheus. */
const valuesFiles = blocks('yaml')
  .flatMap((block) => parseAllDocuments(block).map((document) => document.toJS() as Tree))
  .filter((values) => values.kind === undefined && values.scrape_configs === undefined);
/** The `--set …` arguments of each `helm install` of this chart. */
const installs = blocks('sh')
  .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  .filter((line) => /^helm (install|upgrade) .*charts\/akv-csi-provider/.test(line))
  .map((line) => [...line.matchAll(/--set '?(\S+?)'?(?=\s|$)/g)].map(([, value]) => `--set=${value}`));

describe.skipIf(helm === undefined)('chart, with what the texts say', () => {
  test('renders every values file', () => {
    expect(valuesFiles.length).toBeGreaterThanOrEqual(5);
    for (const values of valuesFiles) expect([...render(values).keys()]).toContain('DaemonSet');
  });

  test('renders for every command that installs it', () => {
    expect(installs.length).toBeGreaterThanOrEqual(3);
    for (const args of installs) {
      expect(() => refusal({}, args)).toThrow('helm took the values');
    }
  });
});
