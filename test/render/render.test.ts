import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { printManifests, printPodParts } from '../../src/render/print.ts';
import { formatRemark } from '../../src/render/remark.ts';
import { type RenderOptions, render } from '../../src/render/render.ts';
import { rounds } from '../support/rounds.ts';

const EXAMPLES = ['broker-listener', 'broker-authentication', 'mqtt-bridge-connector'];
const GUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

const VAULT = { name: 'my-vault', directoryId: GUID, credentials: { servicePrincipalLocalSecretName: 'sp' } };
const CERTIFICATE = { vault: VAULT, vaultCert: { name: 'front' } };
const SECRET = { vault: VAULT, vaultSecret: { name: 'db' } };

function example(name: string): { name: string; text: string } {
  return { name: `examples/${name}.yaml`, text: readFileSync(`examples/${name}.yaml`, 'utf8') };
}

function renderText(text: string, options?: RenderOptions) {
  const { volumes, remarks } = render([{ name: 'a.yaml', text }], options);
  return { volumes, remarks: remarks.map(formatRemark), volume: volumes[0] };
}

/** Returns a resource with the field at a path such as `spec.tls`. */
function resource(path: string, keyVault: object, changes: { kind?: string; name?: string; namespace?: string } = {}) {
  const { kind = 'Thing', name = 'front', namespace } = changes;
  const field = path
    .split('.')
    .reverse()
    .reduce<object>((inner, key) => (key.endsWith('[]') ? { [key.slice(0, -2)]: [inner] } : { [key]: inner }), {
      keyVault,
    });
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  return stringify({ apiVersion: 'mq.iotoperations.azure.com/v1beta1', kind, metadata, ...field });
}

/** Returns data with the keys of all its maps sorted. */
function keysSorted(data: unknown): unknown {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return data;
  return Object.entries(data)
    .map(([key, value]) => [key, keysSorted(value)])
    .toSorted(([a], [b]) => String(a).localeCompare(String(b)));
}

describe('the examples', () => {
  it.each(EXAMPLES)('%s: manifest, volume and mount', async (name) => {
    const { volumes } = render([example(name)]);
    await expect(printManifests(volumes)).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  it('together, with secretObjects and a directory ID', async () => {
    const { volumes } = render(EXAMPLES.map(example), { syncSecrets: true, directoryId: GUID });
    await expect(printManifests(volumes)).toMatchFileSnapshot('golden/synced.yaml');
  });

  it('as parts of a pod', async () => {
    const { volumes } = render(EXAMPLES.map(example));
    await expect(printPodParts(volumes)).toMatchFileSnapshot('golden/pod-parts.yaml');
  });

  it('remarks name file, line, field and remedy', async () => {
    const { remarks } = render(EXAMPLES.map(example), { syncSecrets: true });
    await expect(`${remarks.map(formatRemark).join('\n')}\n`).toMatchFileSnapshot('golden/remarks.txt');
  });

  it('are those of the document: the field arrives unchanged', () => {
    for (const name of EXAMPLES) {
      const source = example(name);
      const [volume] = render([source]).volumes;
      for (const line of volume?.parameters.keyVault?.trimEnd().split('\n') ?? ['missing']) {
        expect(source.text).toContain(`${line}\n`);
      }
    }
  });
});

describe('places of the field', () => {
  it.each([
    ['spec.tls', CERTIFICATE, 'tls', {}, ['tls.crt', 'tls.key', 'ca.crt']],
    ['spec.tls.manual', CERTIFICATE, 'tls', {}, ['tls.crt', 'tls.key', 'ca.crt']],
    ['spec.authenticationMethods[].usernamePassword', SECRET, 'username-password', { fileName: 'passwords.toml' }, []],
    [
      'spec.authenticationMethods[].x509.attributes',
      SECRET,
      'x509-attributes',
      { fileName: 'x509Attributes.toml' },
      [],
    ],
    [
      'spec.authenticationMethods[].custom.auth.x509',
      CERTIFICATE,
      'custom-x509',
      { certificateUse: 'client' },
      ['tls.crt', 'tls.key', 'ca.crt'],
    ],
    [
      'spec.remoteBrokerConnection.authentication.x509',
      CERTIFICATE,
      'x509',
      { fileLayout: 'client' },
      ['client_cert.pem', 'client_key.pem', 'client_intermediate_certs.pem'],
    ],
    [
      'spec.kafkaConnection.authentication.authType.x509',
      CERTIFICATE,
      'x509',
      { certificateUse: 'client' },
      ['tls.crt', 'tls.key', 'ca.crt'],
    ],
    ['spec.kafkaConnection.authentication.authType.sasl.token', SECRET, 'sasl-token', { fileName: 'password' }, []],
    ['spec.some.newPlace', SECRET, 'some-new-place', {}, ['db']],
    ['spec.some.newPlace', CERTIFICATE, 'some-new-place', {}, ['tls.crt', 'tls.key', 'ca.crt']],
  ])('%s', (path, keyVault, role, siblings, files) => {
    const { volume } = renderText(resource(path, keyVault));
    const { keyVault: text, ...beside } = volume?.parameters ?? {};
    expect(volume?.name).toBe(`thing-front-${role}`);
    expect(beside).toEqual(siblings);
    expect(parse(text ?? '')).toEqual(keyVault);
    const expected = 'fileName' in siblings ? [siblings.fileName] : files;
    expect(volume?.files.map((file) => file.path)).toEqual(expected);
  });

  it('a KafkaConnector’s token comes with its user name, or with a word on it', () => {
    const named = renderText(resource('spec.a.sasl.token', { ...SECRET, username: 'me' }), { syncSecrets: true });
    expect(named.volume?.files.map(({ path }) => path)).toEqual(['password', 'username']);
    expect(named.volume?.secretObjects).toEqual([
      {
        secretName: 'thing-front-sasl-token',
        type: 'Opaque',
        data: ['password', 'username'].map((name) => ({ key: name, objectName: name })),
      },
    ]);
    expect(named.remarks).toEqual([expect.stringContaining('kubectl label secret sp')]);
    for (const username of [undefined, null, '']) {
      const { remarks, volume } = renderText(resource('spec.a.sasl.token', { ...SECRET, username }));
      expect(volume?.files.map(({ path }) => path)).toEqual(['password']);
      expect(remarks[0]).toMatch(
        /^a\.yaml:10: note: .*: the volume holds password only; for a file "username" add the field username next to "vault"$/,
      );
    }
  });

  const chain = { vaultCaChainCert: { name: 'ca' } };
  const TLS = ['tls.crt', 'tls.key'];
  const CLIENT = ['client_cert.pem', 'client_key.pem'];
  it.each<[string, object, object, readonly string[], object]>([
    [
      'spec.tls.manual',
      SECRET,
      { fullChain: 'tls.crt', privateKey: 'tls.key', ca: { path: 'ca.crt', optional: true } },
      [...TLS, 'ca.crt'],
      {},
    ],
    [
      'spec.remoteBrokerConnection.authentication.x509',
      SECRET,
      {
        fullChain: 'client_cert.pem',
        privateKey: 'client_key.pem',
        chain: { path: 'client_intermediate_certs.pem', optional: true },
      },
      [...CLIENT, 'client_intermediate_certs.pem'],
      { certificateUse: 'client' },
    ],
    ['spec.tls', { ...SECRET, ...chain }, { fullChain: 'tls.crt', privateKey: 'tls.key' }, [...TLS, 'ca.crt'], {}],
    [
      'spec.authentication.x509',
      { ...SECRET, ...chain },
      {
        fullChain: 'client_cert.pem',
        privateKey: 'client_key.pem',
        chain: { path: 'client_intermediate_certs.pem', optional: true },
      },
      [...CLIENT, 'client_intermediate_certs.pem'],
      { fileLayout: 'client' },
    ],
  ])('a vaultSecret where %s expects a certificate gets its files', (path, keyVault, files, paths, siblings) => {
    for (const text of [resource(path, keyVault), JSON.stringify(parse(resource(path, keyVault)))]) {
      const { volume, remarks } = renderText(text);
      const { keyVault: written, ...beside } = volume?.parameters ?? {};
      expect(parse(written ?? '')).toEqual({ ...keyVault, vaultSecret: { ...SECRET.vaultSecret, files } });
      expect(beside).toEqual(siblings);
      expect(volume?.files.map((file) => file.path).toSorted()).toEqual(paths.toSorted());
      expect(remarks[0]).toMatch(
        new RegExp(
          `a certificate is expected here, so vaultSecret gets a files map; the volume holds ${volume?.files.map(({ path: file }) => file).join(', ')}$`,
        ),
      );
      expect(remarks).toHaveLength(2);
    }
  });

  it('a vaultSecret with files of its own keeps them, and one with mistakes is left as it is', () => {
    const files = { fullChain: 'a.pem' };
    const own = { vault: VAULT, vaultSecret: { name: 'db', files } };
    expect(renderText(resource('spec.tls', own)).volume?.files.map(({ path }) => path)).toEqual(['a.pem']);
    const wrong = { vault: VAULT, vaultSecret: { nmae: 'db' } };
    const { volume, remarks } = renderText(resource('spec.tls', wrong));
    expect(parse(volume?.parameters.keyVault ?? '')).toEqual(wrong);
    expect(remarks[0]).toMatch(/^a\.yaml:\d+: error: .*nmae/);
  });

  it('keeps the comments of a field, and the lines of its notes, where it adds files', () => {
    const field = stringify({ ...SECRET, vault: { ...VAULT, directoryId: '<id>' } }).replace(
      'vaultSecret:',
      '# ours\nvaultSecret:',
    );
    const text = resource('spec.tls', SECRET).replace(/( *)keyVault:[\s\S]*/, (_, indent) =>
      `${indent}keyVault:\n${field.replace(/^/gm, `${indent}  `)}`.trimEnd(),
    );
    const { volume, remarks } = renderText(text);
    expect(volume?.parameters.keyVault).toContain('# ours\n');
    expect(remarks[0]).toMatch(/^a\.yaml:10: note: .*directoryId is the placeholder "<id>"/);
    expect(text.split('\n')[9]).toContain('directoryId');
  });

  it('a vaultSecret beside the vaultCert that is expected comes with a word on its file', () => {
    const { volume, remarks } = renderText(resource('spec.tls', { ...SECRET, ...CERTIFICATE }));
    expect(volume?.files.map(({ path }) => path)).toEqual(['db', 'tls.crt', 'tls.key', 'ca.crt']);
    expect(remarks[0]).toMatch(
      /vaultCert is the certificate expected here; vaultSecret adds the file "db" next to it$/,
    );
    expect(remarks.join()).not.toContain('rename');
  });

  it.each([
    ['spec.tls', { certificateUse: 'server' }, 'tls.crt and tls.key', 'server'],
    ['spec.m[].custom.auth.x509', { certificateUse: 'client' }, 'tls.crt and tls.key', 'client'],
    ['spec.a.authType.x509', { certificateUse: 'client' }, 'tls.crt and tls.key', 'client'],
    ['spec.authentication.x509', { fileLayout: 'client' }, 'client_cert.pem and client_key.pem', 'client'],
  ])('a CA chain alone where %s needs a certificate comes with a note', (path, siblings, files, use) => {
    const { volume, remarks } = renderText(resource(path, { vault: VAULT, vaultCaChainCert: { name: 'ca' } }));
    const { keyVault: _, ...beside } = volume?.parameters ?? {};
    expect(beside).toEqual(siblings);
    expect(remarks[0]).toContain(
      `${files} exist only if the secret of the CA chain also holds a private key; if it holds CA certificates only, add vaultCert with the certificate of the ${use}`,
    );
  });

  it('a vaultCert where a password file is expected is kept, with a word on the file', () => {
    const { volume, remarks } = renderText(resource('spec.m[].usernamePassword', CERTIFICATE));
    expect(volume?.parameters.fileName).toBeUndefined();
    expect(remarks.join()).toContain('passwords.toml is made from vaultSecret, which is not given');
  });
});

describe('finding the field', () => {
  it('reads several documents, lists of resources and typed lists', () => {
    const item = (name: string) => parse(resource('spec.tls', CERTIFICATE, { kind: 'BrokerListener', name }));
    const { kind, ...bare } = item('three');
    const text = [
      stringify(item('one')),
      stringify({ apiVersion: 'v1', kind: 'List', items: [{ kind: 'Pod', metadata: {} }, item('two')] }),
      stringify({ apiVersion: 'x', kind: `${kind}List`, items: [bare] }),
      'just: text\n',
      '',
    ].join('---\n');
    expect(renderText(text).volumes.map(({ origin }) => origin)).toEqual([
      'BrokerListener one, spec.tls.keyVault',
      'BrokerListener two, spec.tls.keyVault',
      'BrokerListener three, spec.tls.keyVault',
    ]);
  });

  it('reads JSON, and a field at the root of a file', () => {
    const json = JSON.stringify(parse(resource('spec.tls', CERTIFICATE)), undefined, 2);
    expect(JSON.parse(renderText(json).volume?.parameters.keyVault ?? '')).toEqual(CERTIFICATE);
    expect(renderText(stringify({ keyVault: SECRET })).volume?.name).toBe('key-vault-db');
  });

  it('writes out aliases and merges, which a field on its own could not carry', () => {
    const text = `
defaults: &vault
  name: my-vault
  directoryId: ${GUID}
base: &credentials {credentials: {servicePrincipalLocalSecretName: sp}}
spec:
  tls:
    keyVault:
      vault:
        <<: [*vault, *credentials]
      vaultCert: {name: front}
`;
    const { volume, remarks } = renderText(text);
    expect(parse(volume?.parameters.keyVault ?? '')).toEqual(CERTIFICATE);
    expect(remarks.filter((remark) => remark.includes('error'))).toEqual([]);
  });

  it('finds the field behind an alias', () => {
    const field = stringify(CERTIFICATE).replace(/^/gm, '    ').trimEnd();
    const text = `x: &tls\n  keyVault:\n${field}\nkind: A\nmetadata: {name: b}\nspec: {tls: *tls}\n`;
    expect(renderText(text).volumes.map(({ origin }) => origin)).toEqual(['A b, x.keyVault', 'A b, spec.tls.keyVault']);
  });

  it('keeps comments and quotes of the field', () => {
    const text = `spec:\n  tls:\n    keyVault:\n      vault: # ours\n        name: "my-vault"\n        directoryId: ${GUID}\n        credentials: {servicePrincipalLocalSecretName: 'sp'}\n      # the server\n      vaultCert: {name: front, version: 0123}\n`;
    expect(renderText(text).volume?.parameters.keyVault).toBe(
      `vault: # ours\n  name: "my-vault"\n  directoryId: ${GUID}\n  credentials: {servicePrincipalLocalSecretName: 'sp'}\n# the server\nvaultCert: {name: front, version: 0123}\n`,
    );
  });

  it('keeps the comment on the last line of a field, and none below it', () => {
    const text = 'spec:\n  tls:\n    keyVault:\n      vaultCert:\n        name: a # ours\n      # not ours\n  b: 1\n';
    expect(renderText(text).volume?.parameters.keyVault).toBe('vaultCert:\n  name: a # ours\n');
  });

  it('keeps the aliases of anchors in the field, and writes merges out', () => {
    const field = (vault: string) => `keyVault:\n  x: &x {name: my-vault}\n  vault: ${vault}\n  vaultCert: *x\n`;
    const ours = renderText(field('*x')).volume?.parameters.keyVault;
    expect(ours).toBe('x: &x {name: my-vault}\nvault: *x\nvaultCert: *x\n');
    const merged = renderText(field('{<<: *x}')).volume?.parameters.keyVault;
    expect(merged).not.toContain('<<');
    expect(parse(merged ?? '').vault).toEqual({ name: 'my-vault' });
  });

  it('says which line and column cannot be read', () => {
    expect(renderText('a: 1\nb: [1,\nc: 2\n').remarks[0]).toMatch(/^a\.yaml:2:4: error: .*a bracket is not closed/);
    expect(renderText('a: 1\na: 2\n').remarks[0]).toBe('a.yaml:2:1: error: mapping key "a" already defined at line 1');
  });

  it('reports the mistakes of a field with their lines in the file', () => {
    const keyVault = { vault: { ...VAULT, nmae: 'x' }, vaultCerts: { name: 'a' } };
    const { remarks } = renderText(resource('spec.tls', keyVault));
    const errors = remarks.filter((remark) => remark.includes(' error: '));
    expect(errors).toHaveLength(3);
    expect(errors[0]).toMatch(/^a\.yaml:14: error: Thing front, spec\.tls\.keyVault: .*vaultCerts.*"vaultCert"/);
    expect(errors[1]).toMatch(/^a\.yaml:13: error: .*nmae.*"name"/);
  });

  it('skips a keyVault that is not a map, and says so', () => {
    expect(renderText('spec: {keyVault: yes}\n')).toMatchObject({
      volumes: [],
      remarks: ['a.yaml:1:18: note: spec.keyVault is skipped: it is not a map'],
    });
  });

  it('passes over its own output in silence', () => {
    const { volumes } = render(EXAMPLES.map(example));
    expect(renderText(printManifests(volumes))).toMatchObject({ volumes: [], remarks: [] });
  });

  it.each(['', '---\n', 'text', '[]', 'kind: Pod\n', '# only a comment\n'])('finds nothing in %j', (text) => {
    expect(renderText(text)).toMatchObject({ volumes: [], remarks: [] });
  });

  it('stops at aliases that unfold without measure', () => {
    const bomb = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(9)}1]`);
    const { remarks } = renderText(`a0: &a0 {}\n${bomb.join('\n')}\n`);
    expect(remarks.join()).toContain('aliases that unfold');
    const inside = renderText(`a0: &a0 {}\n${bomb.join('\n')}\nkeyVault: {vault: *a12}\n`);
    expect(inside.remarks.join()).toContain('error');
  });

  /** Returns the data of a YAML text. An empty text and null are equal, as they are for every field. */
  const meaningOf = (text: string): unknown => parse(text, (_, value) => (value === '' ? null : value));

  it('gives the field’s data back, however it is written and indented', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const values = fc.oneof(word, fc.string({ maxLength: 20 }), fc.stringMatching(/^( *[a-z#:-]+\n){1,3}$/));
    const data = fc.record({ vault: fc.dictionary(word, values), vaultSecret: fc.record({ name: word, x: values }) });
    const form = fc.record({
      indent: fc.integer({ min: 2, max: 6 }),
      collectionStyle: fc.constantFrom('any', 'block', 'flow'),
      defaultStringType: fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'),
    } as const);
    const parents = fc.array(fc.constantFrom('a', 'tls', '[]'), { maxLength: 4 });
    fc.assert(
      fc.property(data, form, parents, fc.boolean(), (keyVault, options, path, json) => {
        const value = path.reduce<object>((inner, key) => (key === '[]' ? [inner] : { z: '1', [key]: inner }), {
          keyVault,
        });
        const text = json ? JSON.stringify(value, undefined, 2) : stringify(value, options);
        // In flow collections, Kubernetes' reader treats a question mark, and a colon before plain text, as indicators.
        fc.pre(json || options.collectionStyle !== 'flow' || !/\?|\s:/.test(text));
        const written = path.reduceRight((at, key) => at[key === '[]' ? 0 : key], parse(text)).keyVault;
        const { volumes } = render([{ name: 'a', text }]);
        expect(meaningOf(volumes[0]?.parameters.keyVault ?? '')).toEqual(meaningOf(JSON.stringify(written)));
        const [printed] = parseAllDocuments(printManifests(volumes));
        expect(meaningOf(String(printed?.toJS().spec.parameters.keyVault))).toEqual(meaningOf(JSON.stringify(written)));
      }),
      { numRuns: rounds(75, 300) },
    );
  });

  it('keeps blanks at the end of a block scalar that ends the field, and its other scalars as they are written', () => {
    const text = 'keyVault:\n  vault:\n    a: "0"\n  vaultSecret:\n    x: |-\n      ! \n';
    expect(renderText(text).volume?.parameters.keyVault).toBe('vault:\n  a: "0"\nvaultSecret:\n  x: |-\n    ! \n');
  });

  it('gives the field’s data back from text with CRLF line ends', () => {
    const text = resource('spec.tls', CERTIFICATE).replaceAll('\n', '\r\n');
    expect(parse(renderText(text).volume?.parameters.keyVault ?? '')).toEqual(CERTIFICATE);
    expect(renderText(text).volume?.parameters.keyVault).not.toContain('\r');
  });
});

describe('the directory ID', () => {
  const placeholder = { ...CERTIFICATE, vault: { ...VAULT, directoryId: '<AKV directory ID>' } };

  it('fills a placeholder and takes the note away', () => {
    const { volume, remarks } = renderText(resource('spec.tls', placeholder), { directoryId: GUID });
    expect(parse(volume?.parameters.keyVault ?? '')).toEqual(CERTIFICATE);
    expect(remarks.join()).not.toContain('placeholder');
  });

  it('fills it in quotes, in JSON and as a block', () => {
    const field = JSON.stringify(placeholder);
    const block = field.replace('"<AKV directory ID>"', '>-\n    <AKV directory ID>\n').replace(/[{}]/g, '');
    expect(block).toContain('>-');
    for (const text of [
      `keyVault: ${field}\n`,
      resource('spec.tls', placeholder).replace(/<.*>/, '"<x>"'),
      resource('spec.tls', placeholder).replace(/<.*>/, '|\n          <x>'),
    ]) {
      const { volume } = renderText(text, { directoryId: GUID });
      expect(parse(volume?.parameters.keyVault ?? '').vault.directoryId.trim()).toBe(GUID);
    }
  });

  it('leaves a real directory ID alone', () => {
    const { volume } = renderText(resource('spec.tls', CERTIFICATE), { directoryId: GUID.replace('0', '1') });
    expect(parse(volume?.parameters.keyVault ?? '').vault.directoryId).toBe(GUID);
  });

  it('other placeholders are copied with a note too', () => {
    const keyVault = { ...CERTIFICATE, vaultCert: { name: '<certificate>' } };
    const { volume, remarks } = renderText(resource('spec.tls', keyVault));
    expect(parse(volume?.parameters.keyVault ?? '')).toEqual(keyVault);
    expect(remarks[0]).toMatch(/^a\.yaml:14: note: .*vaultCert\.name is the placeholder "<certificate>".*fill it in$/);
  });
});

describe('names', () => {
  const names = (text: string) => renderText(text).volumes.map(({ name }) => name);

  it('tell list positions apart', () => {
    const methods = [{ usernamePassword: { keyVault: SECRET } }, { usernamePassword: { keyVault: SECRET } }];
    const text = stringify({ kind: 'BrokerAuthentication', metadata: { name: 'a' }, spec: { methods } });
    expect(names(text)).toEqual([
      'broker-authentication-a-username-password',
      'broker-authentication-a-username-password-1',
    ]);
  });

  it('are unique in a namespace, and may repeat across namespaces', () => {
    const one = resource('spec.tls', CERTIFICATE, { namespace: 'x' });
    const other = resource('spec.tls', CERTIFICATE, { namespace: 'y' });
    expect(names([one, one, other].join('---\n'))).toEqual(['thing-front-tls', 'thing-front-tls-2', 'thing-front-tls']);
  });

  const other = { ...CERTIFICATE, vault: { ...VAULT, name: 'other-vault' } };
  const x509 = (keyVault: object) => ({ authentication: { x509: { keyVault } } });
  const bridge = (spec: object) => stringify({ kind: 'MqttBridgeConnector', metadata: { name: 'b' }, spec });

  it('show what stands above the role where a resource has it twice, in whatever order', () => {
    const [remote, local] = [x509(CERTIFICATE), x509(other)];
    const one = { remoteBrokerConnection: remote, localBrokerConnection: local };
    const turned = { localBrokerConnection: local, remoteBrokerConnection: remote };
    expect(names(bridge(one))).toEqual([
      'mqtt-bridge-connector-b-remote-broker-connection-x509',
      'mqtt-bridge-connector-b-local-broker-connection-x509',
    ]);
    expect(names(bridge(turned))).toEqual(names(bridge(one)).toReversed());
    expect(names(bridge({ remoteBrokerConnection: remote }))).toEqual(['mqtt-bridge-connector-b-x509']);
  });

  it('show the namespace where a resource without one may come into it', () => {
    const bare = resource('spec.tls', CERTIFICATE);
    const inDefault = resource('spec.tls', CERTIFICATE, { namespace: 'default' });
    expect(names([bare, inDefault].join('---\n'))).toEqual(['thing-front-tls', 'thing-front-tls-default']);
    expect(names([inDefault, bare].join('---\n'))).toEqual(['thing-front-tls-default', 'thing-front-tls']);
  });

  it('tell two versions of one resource apart by what they say', () => {
    const versions = [CERTIFICATE, other].map((keyVault) => resource('spec.tls', keyVault));
    const made = names(versions.join('---\n'));
    for (const name of made) expect(name).toMatch(/^thing-front-tls-[0-9a-f]{8}$/);
    expect(names(versions.toReversed().join('---\n'))).toEqual(made.toReversed());
    expect(new Set(made).size).toBe(2);
  });

  it('are those of an ARM template’s resources', () => {
    const arm = (name: string, keyVault: object) => ({
      type: 'Microsoft.IoTOperationsMQ/mq/broker/listener',
      apiVersion: '2023-10-04-preview',
      name,
      properties: { tls: { keyVault } },
    });
    const template = (...resources: object[]) => JSON.stringify({ $schema: 'x', resources });
    const [alone] = names(template(arm('mq/broker/front', CERTIFICATE)));
    expect(alone).toMatch(/^listener-mq-broker-front-tls-[0-9a-f]{8}$/);
    const others = names(template(arm('mq/broker/back', other), arm('mq/broker/front', CERTIFICATE)));
    expect(others).toEqual([expect.stringMatching(/^listener-mq-broker-back-tls-[0-9a-f]{8}$/), alone]);
    const nested = { ...arm('mq/broker', {}), type: 'Microsoft.IoTOperationsMQ/mq/broker', properties: {} };
    const child = { ...arm('front', CERTIFICATE), type: 'listener' };
    expect(names(template({ ...nested, resources: [child] }))).toEqual([alone]);
    expect(renderText(template(arm('front', CERTIFICATE))).volume?.origin).toBe(
      'listener front, properties.tls.keyVault',
    );
  });

  it('stand for the same contents, however documents, keys and files are ordered', () => {
    const place = fc.constantFrom(
      ['tls'],
      ['tls', 'manual'],
      ['remoteBrokerConnection', 'authentication', 'x509'],
      ['localBrokerConnection', 'authentication', 'x509'],
      ['authenticationMethods', 'usernamePassword'],
      ['authenticationMethods', 'x509', 'attributes'],
      ['a', 'b'],
      ['a-b'],
    );
    const field = fc.record({
      vault: fc.constantFrom(VAULT, other.vault),
      ref: fc.constantFrom('vaultSecret', 'vaultCert', 'vaultCaChainCert'),
      name: fc.constantFrom('x', 'y'),
    });
    const document = fc.record({
      kind: fc.constantFrom('Thing', 'BrokerListener'),
      name: fc.constantFrom('front', 'Front', 'front-tls', 'a.b'),
      namespace: fc.constantFrom(undefined, 'default', 'x'),
      fields: fc.array(fc.tuple(place, field), { minLength: 1, maxLength: 2 }),
    });
    const built = ({ kind, name, namespace, fields }: typeof document extends fc.Arbitrary<infer T> ? T : never) => {
      const spec: Record<string, object> = {};
      for (const [path, { vault, ref, name: object }] of fields) {
        let at: Record<string, object> = spec;
        for (const key of path) {
          const inner = at[key] ?? {};
          at[key] = inner;
          at = inner as Record<string, object>;
        }
        Object.assign(at, { keyVault: { vault, [ref]: { name: object } } });
      }
      return { kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, spec };
    };
    const turned = (value: unknown): unknown =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, inner]) => [key, turned(inner)]),
          )
        : value;
    const contents = (texts: readonly string[]) =>
      render(texts.map((text, i) => ({ name: `${i}.yaml`, text })))
        .volumes.map(({ name, namespace, parameters: { keyVault = '', ...beside } }) =>
          JSON.stringify([namespace, name, keysSorted(parse(keyVault)), beside]),
        )
        .toSorted();
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 4 }), fc.boolean(), (documents, together) => {
        const all = documents.map(built);
        const texts = all.map((one) => stringify(one, { aliasDuplicateObjects: false }));
        const others = all.toReversed().map((one) => stringify(turned(one), { aliasDuplicateObjects: false }));
        expect(contents(together ? [others.join('---\n')] : others)).toEqual(contents(texts));
        const placed = render(texts.map((text) => ({ name: 'a', text }))).volumes.map(
          ({ name, namespace }) => `${namespace || 'default'}/${name}`,
        );
        expect(new Set(placed).size).toBe(placed.length);
      }),
      { numRuns: rounds(15, 40) },
    );
  });

  it('are the same from a file, from kubectl get -o yaml and from kubectl get -o json, also in nested lists', () => {
    const methods = [
      { usernamePassword: { keyVault: SECRET } },
      {
        x509: { trustedClientCaCert: 'ca', attributes: { keyVault: other } },
        custom: { auth: { x509: { keyVault: CERTIFICATE } } },
      },
      { usernamePassword: { keyVault: other } },
    ];
    const [kind, metadata] = ['BrokerAuthentication', { name: 'front', namespace: 'x', labels: { a: 'b' } }];
    const written = { kind, apiVersion: 'v1', metadata, spec: { authenticationMethods: methods } };
    const ordered = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(ordered)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toSorted(([a], [b]) => a.localeCompare(b))
                .map(([key, inner]) => [key, ordered(inner)]),
            )
          : value;
    const listed = { apiVersion: 'v1', items: [ordered(written)], kind: 'List', metadata: { resourceVersion: '' } };
    const namesOf = (text: string) =>
      renderText(text)
        .volumes.map(({ name, from }) => `${name} ${from}`)
        .toSorted();
    const expected = namesOf(stringify(written, { aliasDuplicateObjects: false }));
    expect(new Set(expected).size).toBe(4);
    expect(namesOf(stringify(ordered(written), { aliasDuplicateObjects: false }))).toEqual(expected);
    expect(namesOf(JSON.stringify(listed, undefined, 4))).toEqual(expected);
  });

  it('end in a hash where characters are lost or the name is too long', () => {
    const long = 'x'.repeat(60);
    const given = ['a.b', 'a_b', 'ключ', '<name>', `${long}1`, `${long}2`];
    const made = names(given.map((name) => resource('spec.tls', CERTIFICATE, { name })).join('---\n'));
    expect(new Set(made).size).toBe(given.length);
    for (const name of made) expect(name).toMatch(/^thing-[-a-z0-9]*-[0-9a-f]{8}$/);
    expect(made).toEqual(names(given.map((name) => resource('spec.tls', CERTIFICATE, { name })).join('---\n')));
  });

  it('are DNS labels, whatever the resource is called', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), fc.string({ minLength: 1 }), (name, kind, key) => {
        const text = stringify({ apiVersion: 'v1', kind, metadata: { name }, spec: { [key]: { keyVault: SECRET } } });
        for (const label of names(text)) expect(label).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
      }),
    );
  });
});

describe('credentials', () => {
  it('the Secret of the service principal is the volume’s nodePublishSecretRef', () => {
    expect(renderText(resource('spec.tls', CERTIFICATE)).volume?.volume.csi.nodePublishSecretRef).toEqual({
      name: 'sp',
    });
  });

  it.each([{ workloadIdentity: { clientId: GUID } }, { managedIdentity: {} }])('%j needs no Secret', (credentials) => {
    const { volume, remarks } = renderText(resource('spec.tls', { ...CERTIFICATE, vault: { ...VAULT, credentials } }));
    expect(volume?.volume.csi).not.toHaveProperty('nodePublishSecretRef');
    expect(remarks).toEqual([]);
  });

  it('the label that older drivers need is told once a Secret', () => {
    const other = { ...CERTIFICATE, vault: { ...VAULT, credentials: { servicePrincipalLocalSecretName: 'sp2' } } };
    const fields = [CERTIFICATE, CERTIFICATE, other].map((field) => resource('spec.tls', field, { namespace: 'x' }));
    const { remarks } = renderText(fields.join('---\n'));
    expect(remarks).toEqual([
      expect.stringContaining('kubectl label secret sp -n x secrets-store.csi.k8s.io/used=true'),
      expect.stringContaining('kubectl label secret sp2 -n x secrets-store.csi.k8s.io/used=true'),
    ]);
  });
});

describe('synced Secrets', () => {
  const chain = { vaultCaChainCert: { name: 'ca' } };
  const synced = (path: string, keyVault: object) =>
    renderText(resource(path, keyVault), { syncSecrets: true }).volume?.secretObjects.map(
      ({ secretName, type, data }) => [secretName, type, data.map(({ key }) => key)],
    );

  it('are left out unless asked for', () => {
    expect(renderText(resource('spec.tls', CERTIFICATE)).volume?.secretObjects).toEqual([]);
  });

  it.each([
    ['spec.tls', CERTIFICATE, [['thing-front-tls', 'kubernetes.io/tls', ['tls.crt', 'tls.key']]]],
    [
      'spec.tls',
      { ...CERTIFICATE, ...chain },
      [
        ['thing-front-tls', 'kubernetes.io/tls', ['tls.crt', 'tls.key']],
        ['thing-front-tls-ca', 'Opaque', ['ca.crt']],
      ],
    ],
    ['spec.authentication.x509', CERTIFICATE, [['thing-front-x509', 'Opaque', ['client_cert.pem', 'client_key.pem']]]],
    [
      'spec.authentication.x509',
      { ...CERTIFICATE, ...chain },
      [['thing-front-x509', 'Opaque', ['client_cert.pem', 'client_key.pem', 'client_intermediate_certs.pem']]],
    ],
    ['spec.m[].usernamePassword', SECRET, [['thing-front-username-password', 'Opaque', ['passwords.toml']]]],
    ['spec.a.sasl.token', SECRET, [['thing-front-sasl-token', 'Opaque', ['password']]]],
  ])('%s', (path, keyVault, expected) => {
    expect(synced(path, keyVault)).toEqual(expected);
  });
});

describe('maps of others that are called keyVault', () => {
  const good = resource('spec.tls', CERTIFICATE, { kind: 'BrokerListener' });
  const foreign = (path: string, keyVault: object, kind = 'SecretStore') =>
    resource(path, keyVault, { kind, name: 'other' });

  it.each([
    ['another operator’s', foreign('spec.provider', { vaultUrl: 'https://x.vault.azure.net' })],
    ['an ARM template’s reference', foreign('parameters.password.reference', { id: '/subscriptions/s' }, 'Template')],
    ['with a vault that is a text', foreign('spec', { vault: 'kv1', object: 'x' })],
    ['an empty one', foreign('spec', {})],
    ['with a list of vaults', foreign('spec', { vaults: ['a'], vaultName: { name: 'b' } })],
  ])('%s is skipped with a note, and the rest is printed', (_, text) => {
    const { volumes, remarks } = renderText(`${good}---\n${text}`);
    expect(volumes).toHaveLength(1);
    const notes = remarks.filter((remark) => remark.includes(' is skipped'));
    expect(notes).toEqual([
      expect.stringMatching(/note: .*keyVault is skipped: it is not a keyVault field of a broker resource/),
    ]);
    expect(remarks.join()).not.toContain('error');
  });

  it.each(['BrokerListener', 'BrokerAuthentication', 'MqttBridgeConnector', 'KafkaConnector'])(
    'are mistakes in a %s, whose field it is',
    (kind) => {
      const { remarks } = renderText(foreign('spec.tls', { vaultUrl: 'x' }, kind));
      expect(remarks.join()).toContain('error');
      expect(remarks.join()).not.toContain(' is skipped');
    },
  );

  it('are taken with a vault or an object, for the mistakes in them', () => {
    for (const field of [
      { vault: VAULT },
      { valut: VAULT },
      { vaultCrt: { name: 'a' } },
      { vaultCert: 'a' },
      { vaultCert: { name: 'a' } },
      { vaultCaChainSecret: { name: 'a' } },
    ])
      expect(renderText(foreign('spec', field)).remarks.join()).toContain('error');
  });

  it.each([
    ['status', good.replace('spec:', 'status:\n  a: {keyVault: {vaultUrl: x}}\nspec:')],
    ['metadata', good.replace('name: front', 'name: front\n  annotations: {keyVault: {vault: {}}}')],
  ])('are not looked for below %s', (_, text) => {
    const { volumes, remarks } = renderText(text);
    expect(volumes).toHaveLength(1);
    expect(remarks.join()).not.toMatch(/ is skipped|error/);
  });

  it('a copy in the status makes no second class', () => {
    const both = good.replace('spec:', `status:\n  tls:\n    keyVault: ${JSON.stringify(CERTIFICATE)}\nspec:`);
    expect(renderText(both).volumes).toHaveLength(1);
  });

  it.each(['keyvault', 'KeyVault', 'key-vault', 'KEYVAULT'])('%s gets a hint', (name) => {
    const listener = renderText(good.replace('keyVault', name));
    expect(listener.remarks).toEqual([
      expect.stringMatching(`error: spec.tls.${name} is skipped; did you mean "keyVault"`),
    ]);
    const thing = renderText(resource('spec.tls', CERTIFICATE).replace('keyVault', name));
    expect(thing.remarks).toEqual([
      expect.stringMatching(`note: spec.tls.${name} is skipped; did you mean "keyVault"`),
    ]);
    expect(renderText(foreign('spec', { vaultUrl: 'x' }).replace('keyVault', name)).remarks).toEqual([]);
  });
});

describe('names that Kubernetes cannot have', () => {
  it.each([
    [
      'a namespace',
      resource('spec.tls', CERTIFICATE, { namespace: 'Azure_IoT' }),
      'metadata.namespace "Azure_IoT" cannot be a namespace',
    ],
    [
      'a Secret',
      resource('spec.tls', {
        ...CERTIFICATE,
        vault: { ...VAULT, credentials: { servicePrincipalLocalSecretName: 'AIO_akv' } },
      }),
      'keyVault.vault.credentials.servicePrincipalLocalSecretName "AIO_akv" cannot be a name in Kubernetes',
    ],
  ])('%s', (_, text, message) => {
    expect(renderText(text).remarks).toContainEqual(
      expect.stringContaining(`error: Thing front, spec.tls.keyVault: ${message}`),
    );
  });

  it('a placeholder is to be filled in', () => {
    const text = resource('spec.tls', CERTIFICATE, { namespace: '<namespace>' });
    expect(renderText(text).remarks.join()).not.toContain('error');
  });
});

describe('texts that are no YAML', () => {
  it.each([
    [
      'a Helm template',
      `{{- if .Values.tls }}\n${resource('spec.tls', CERTIFICATE)}{{- end }}\n`,
      'this is a template, not YAML; render it first, with Helm: helm template RELEASE CHART | akv-csi render -',
    ],
    [
      'Markdown',
      `# Title: with: colons\n\n\`\`\`yaml\n${resource('spec.tls', CERTIFICATE)}\`\`\`\n\n- a: b: c\n---\n\t- x: [\n`,
      'this is Markdown, not YAML',
    ],
    ['wrong YAML', 'a: b: c\nd: [\n', 'mapping values are not allowed in this context; '],
  ])('%s, in one line', (_, text, message) => {
    const { remarks } = renderText(text);
    expect(remarks).toEqual([expect.stringContaining(`error: ${message}`)]);
  });

  it('one line a document', () => {
    expect(renderText('{{ a }}: {{ b }}\nx\n---\nc: {{ d }}\ne\n').remarks).toHaveLength(2);
  });
});

it('names the place in a JSON patch from its first item', () => {
  const patch = JSON.stringify([{ op: 'add', path: '/spec/tls', value: { keyVault: CERTIFICATE } }]);
  expect(renderText(patch).volume?.origin).toBe('[0].value.keyVault');
});
