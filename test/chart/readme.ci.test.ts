import { describe, expect, test } from 'vitest';
import { markdownFiles, shellLines, textOf } from '../support/markdown.ts';
import { findHelm, REPOSITORY, refusal, render, shownValues } from './helm.ts';

const helm = findHelm();
/**
 * Returns what `helm template` needs in addition: the values of the release that a command keeps, and a certificate for
 * which Helm does not have to read the cluster.
 */
const alsoNeeded = (line: string) =>
  [
    ...(line.includes('--reuse-values') ? [` --set linux.image.repository=${REPOSITORY}`] : []),
    ...(line.includes('webhook.enabled=true') ? [' --set webhook.certificate.source=cert-manager'] : []),
  ].join('');
/** The `--set …` arguments of each `helm install` of this chart. */
const installs = markdownFiles()
  .flatMap((page) => shellLines(textOf(page)))
  .filter((line) => /^helm (install|upgrade) .*charts\/akv-csi-provider/.test(line))
  .map((line) =>
    [...`${line}${alsoNeeded(line)}`.matchAll(/--set ['"]?(\S+?)['"]?(?=\s|$)/g)].map(
      ([, value = '']) => `--set=${value.replace('$REGISTRY', 'registry.example.com')}`,
    ),
  );

describe.skipIf(helm === undefined)('chart, with what the texts say', () => {
  test('renders every values file', () => {
    expect(shownValues().length).toBeGreaterThanOrEqual(5);
    for (const { values } of shownValues()) expect([...render(values).keys()]).toContain('DaemonSet');
  });

  test('renders for every command that installs it', () => {
    expect(installs.length).toBeGreaterThanOrEqual(3);
    for (const args of installs) expect(() => refusal({}, args)).toThrow('helm took the values');
  });
});
