import { afterEach, expect, it, vi } from 'vitest';
import { readStream } from '../../../src/spc/yaml/stream.ts';
import { filter, RESOURCE, workload } from './streams.ts';

vi.mock('../../../src/spc/yaml/stream.ts', { spy: true });
afterEach(() => vi.clearAllMocks());

/** A List of workloads of which two share their pod template, so that no text can be inserted. */
function listOf(count: number): string {
  const texts = Array.from({ length: count }, (_, index) => workload('BrokerListener/front', `app-${index}`));
  const shared = workload('BrokerListener/front', 'first').replace('template:', 'template: &pod');
  const other = `${shared.slice(0, shared.indexOf('  template:'))}  template: *pod\n`;
  const items = [...texts, shared, other].map((text) => `- ${text.trimEnd().replaceAll('\n', '\n  ')}\n`);
  return `apiVersion: v1\nkind: List\nitems:\n${items.join('')}`;
}

it('reads a document as often for many changes as for few', () => {
  const [few, many] = [1, 10].map((count) => {
    const { text } = filter([RESOURCE, listOf(count)]);
    expect(text.match(/^ *secretProviderClass: /gm)).toHaveLength(count + 2);
    const { calls } = vi.mocked(readStream).mock;
    vi.clearAllMocks();
    return calls.length;
  });
  expect(many).toBe(few);
});
