/** Pastes the commands of the pages that a newcomer and a migrating operator follow. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { projectVersion, section, textOf } from '../support/markdown.ts';
import { paste } from '../support/pages.ts';

const directory = mkdtempSync(join(tmpdir(), 'pasted-pages-'));
afterAll(() => rmSync(directory, { recursive: true }));

const MIGRATION = 'docs/migration.md';
const ANSWERS = {
  'account show': '11111111-1111-1111-1111-111111111111',
  'query clientId': '33333333-3333-3333-3333-333333333333',
  'query oidcIssuerProfile': 'https://oidc.example/',
  'query principalId': '44444444-4444-4444-4444-444444444444',
  'keyvault show': '/subscriptions/s/vaults/v',
  'get secretproviderclasses': JSON.stringify({
    apiVersion: 'secrets-store.csi.x-k8s.io/v1',
    kind: 'SecretProviderClass',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      provider: 'azure',
      parameters: {
        keyvaultName: 'my-key-vault',
        tenantID: '11111111-1111-1111-1111-111111111111',
        objects: 'array: ["{objectName: db-password, objectType: secret}"]',
      },
    },
  }),
};
/** Placeholders that a reader would have to replace, beside the names that the page exports. */
const PLACEHOLDER = /\b(?:NAME|RG|CLUSTER|FILE|ID|SECRET|VAULT|registry\.example\.com\/\S*:latest)\b|\s{2}|\s$/;
/** Returns the shell blocks of a page, also those in lists, without their indentation. */
function blocksOf(text: string): readonly string[] {
  return [...text.matchAll(/^( *)```sh\n(.*?)^\1```$/gms)].map(([, indent = '', block = '']) =>
    block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

describe('the commands of quick-start.md', () => {
  const { status, stdout, stderr, calls } = paste(blocksOf(textOf('docs/quick-start.md')), {
    directory: join(directory, 'quick-start'),
    answers: ANSWERS,
  });

  it('run one after the other, once the names at the top are exported', () => {
    expect([status, stderr]).toEqual([0, '']);
    expect(calls.filter((call) => PLACEHOLDER.test(call))).toEqual([]);
    expect(calls).toContain(`docker push registry.example.com/akv-csi-provider:${projectVersion()}`);
  });

  it('make manifests in which check finds nothing, with the identity that az has shown', () => {
    expect(stdout).toContain('1 SecretProviderClass checked: 0 errors, 0 warnings, 0 notes\n');
    expect(calls.slice(-4)).toEqual([
      'kubectl apply -f app.yaml',
      'kubectl --namespace default wait --for=condition=Ready pod/app --timeout=2m',
      'kubectl --namespace default exec app -- cat /secrets/db-password',
      expect.stringMatching(
        /^az keyvault secret set --vault-name my-key-vault --name db-password --value [0-9a-f]{32}$/,
      ),
    ]);
  });

  it('make them with the names of the emulator too', () => {
    const names = blocksOf(textOf('docs/emulator.md')).filter((block) => block.startsWith('export VAULT='));
    const pod = blocksOf(section('docs/quick-start.md', '4. A pod'));
    const emulated = paste([...names, ...pod], { directory: join(directory, 'emulated') });
    expect([emulated.status, emulated.stderr]).toEqual([0, '']);
    expect(emulated.stdout).toBe('1 SecretProviderClass checked: 0 errors, 0 warnings, 0 notes\n');
  });
});

describe('the commands of migration.md', () => {
  const [names = '', ...blocks] = blocksOf(textOf(MIGRATION));
  const release = blocks.find((block) => block.includes('export RELEASE=')) ?? '';

  it.each(blocks.map((block) => [block.split('\n')[0], block]))(
    'run after the names at the top: %s',
    (_, block = '') => {
      const { status, stderr, calls } = paste([names, release, block], {
        directory: join(directory, 'migration'),
        answers: ANSWERS,
      });
      expect([status, stderr]).toEqual([0, '']);
      expect(calls.filter((call) => PLACEHOLDER.test(call))).toEqual([]);
    },
  );
});
