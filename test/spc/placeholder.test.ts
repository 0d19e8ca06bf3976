import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bracketedPlaceholderIn, isPlaceholder, placeholderIn } from '../../src/spc/placeholder.ts';
import { block, CLASSIC, read, SECRET, TENANT } from '../support/spc.ts';

const NOT_REPLACED = 'is a placeholder that was not replaced';
/** Placeholders in documentation and in template languages for manifests. */
const FORMS = [
  '<client-id>',
  '<your tenant ID>',
  '$CLIENT_ID',
  '$clientId',
  '\x24{CLIENT_ID}',
  '\x24{{ secrets.CLIENT_ID }}',
  '$(clientId)',
  '{{ .Values.clientId }}',
  '{{clientId}}',
  '{clientId}',
  '__CLIENT_ID__',
  '__clientId__',
  '##CLIENT_ID##',
  '#{CLIENT_ID}#',
  '#{clientId}',
  '%CLIENT_ID%',
  '@CLIENT_ID@',
  'YOUR_CLIENT_ID',
  'your_client_id',
  'REPLACE_ME',
  'REPLACE_WITH_CLIENT_ID',
  'CHANGE_ME',
  'INSERT_ID_HERE',
  '[client id]',
];

describe('placeholders', () => {
  it.each(FORMS)('%s', (text) => expect(isPlaceholder(text) || placeholderIn(text) !== undefined).toBe(true));

  it.each(['kv-\x24{ENV}', '{{ .Values.env }}-kv', 'kv-$(env)', '__ENV__-kv', 'kv-$ENV', 'kv-#{env}#'])(
    'in a part: %s',
    (text) => {
      expect(placeholderIn(text)).toMatch(/env/i);
      expect(isPlaceholder(text)).toBe(false);
    },
  );

  it.each([
    'my-vault',
    'your-app-secret',
    'YOUR-VAULT',
    'replace-me',
    'changeme',
    'my_secret',
    'my_vault',
    'change_log',
    'insert_date',
    'add_user',
    'contoso.onmicrosoft.com',
    'a__b',
    '_x_',
    '100%',
    '50% of 60%',
    'a@b.example',
    '#1',
    'cost$',
    '5$',
    TENANT,
    'tls.crt',
    'a<b',
    '',
  ])('no placeholder: %j', (text) => expect(placeholderIn(text)).toBeUndefined());

  it('never a name that Key Vault takes', () => {
    fc.assert(fc.property(fc.stringMatching(/^[-A-Za-z0-9]{1,127}$/), (name) => placeholderIn(name) === undefined));
  });

  it.each(['$ConnectionString', '__init__', '%app%', '{x}', 'your_file'])(
    'in paths and user names only in brackets: %s',
    (text) => expect(bracketedPlaceholderIn(text)).toBeUndefined(),
  );
});

/** Returns all messages of any severity. */
function said(parameters: Readonly<Record<string, string>>): readonly string[] {
  const { errors, warnings, notes } = read({ ...CLASSIC, ...parameters });
  return [...errors, ...warnings, ...notes];
}

describe('every parameter says it, behind the official provider’s words', () => {
  it.each([
    ['keyvaultName', 'failed to get vault: Invalid vault name: '],
    ['tenantID', 'failed to get keyvault client: invalid tenantID: '],
    ['cloudName', 'cloudName '],
    ['useVMManagedIdentity', 'failed to parse useVMManagedIdentity flag'],
    ['usePodIdentity', 'failed to parse usePodIdentity flag'],
    ['clientID', 'failed to get keyvault client: clientID '],
    ['resourceGroup', 'resourceGroup '],
    ['subscriptionId', 'subscriptionId '],
    ['cloudEnvFileName', 'cloudEnvFileName '],
  ])('%s', (name, official) => {
    for (const text of FORMS) {
      const about = said({ [name]: text }).filter((message) => message.startsWith(official));
      expect(about.join()).toMatch(/placeholder that was not replaced$|is read only with cloudName/);
    }
  });

  it.each(FORMS)('a user-assigned identity: %s', (text) => {
    const { errors } = read({ ...CLASSIC, useVMManagedIdentity: 'true', userAssignedIdentityID: text });
    expect(errors).toEqual([
      expect.stringMatching(/^failed to get keyvault client: userAssignedIdentityID .*was not replaced$/),
    ]);
  });

  it('one that is not used is a note', () => {
    const { volume, notes } = read({ ...CLASSIC, useVMManagedIdentity: 'true', tenantID: '<tenant>' });
    expect(volume?.tenantId).toBe('<tenant>');
    expect(notes).toEqual([`tenantID is "<tenant>"; "<tenant>" ${NOT_REPLACED}`]);
  });

  it.each(['objectName', 'objectVersion', 'objectType', 'objectFormat', 'objectEncoding', 'filePermission'])(
    '%s',
    (field) => {
      for (const text of FORMS) {
        const object =
          field === 'objectName' || field === 'objectType' ? SECRET.replace(new RegExp(`${field}: .*`), '') : SECRET;
        const { errors } = read({
          ...CLASSIC,
          objects: block(`${object}\nobjectAlias: a\n${field}: ${JSON.stringify(text)}`),
        });
        expect(errors).toEqual([expect.stringContaining(NOT_REPLACED)]);
        expect(errors[0]).toMatch(/^failed to get objectType:/);
      }
    },
  );

  it('objectAlias may be anything, and is questioned', () => {
    const { volume, warnings } = read({ ...CLASSIC, objects: block(`${SECRET}\nobjectAlias: "\${NAME}.txt"`) });
    expect(volume?.objects).toHaveLength(1);
    expect(warnings).toEqual([`objects[0].objectAlias holds "\${NAME}", a placeholder that was not replaced`]);
  });
});

describe('the keyVault form', () => {
  const field = (changes: { name?: string; id?: string; secret?: string; object?: string; version?: string }) => {
    const { name = 'kv1', id = TENANT, secret = 'sp', object = 'db', version = 'latest' } = changes;
    const [n, d, s, o, v] = [name, id, secret, object, version].map((text) => JSON.stringify(text));
    return `{vault: {name: ${n}, directoryId: ${d}, credentials: {servicePrincipalLocalSecretName: ${s}}}, vaultSecret: {name: ${o}, version: ${v}}}`;
  };

  it.each(FORMS)('refuses %s in every field', (text) => {
    for (const part of ['name', 'id', 'secret', 'object', 'version']) {
      const { errors } = read({ keyVault: field({ [part]: text }) });
      expect(errors).toEqual([expect.stringMatching(/ (is still|holds) the placeholder "/)]);
    }
    expect(read({ keyVault: field({}) }).errors).toEqual([]);
  });

  it('takes a vault’s URL for what it is', () => {
    expect(read({ keyVault: field({ name: 'https://my-kv.vault.azure.net/' }) }).errors[0]).toMatch(
      /give only its name: my-kv$/,
    );
  });
});

describe('doubtful IDs', () => {
  const ZEROS = '00000000-0000-0000-0000-000000000000';
  const tokens = { clientID: '', tenantID: TENANT };
  it.each([
    ['a name', 'my-app', 'is not a GUID; it takes the client ID'],
    ['a resource ID', '/subscriptions/s/resourceGroups/g', 'is not a GUID'],
    ['zeros', ZEROS, 'is a sample of documentation'],
    ['crosses', 'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx', 'is a sample of documentation'],
    ['words', 'your-client-id', 'is a sample of documentation'],
  ])('of a client: %s', (_, id, message) => {
    const managed = { useVMManagedIdentity: 'true', userAssignedIdentityID: id };
    expect(said({ ...tokens, ...managed })).toEqual([
      expect.stringContaining(`userAssignedIdentityID "${id}" ${message}`),
    ]);
    expect(said({ clientID: id })).toContainEqual(expect.stringContaining(`clientID "${id}" ${message}`));
    const keyVault = `{vault: {name: kv1, directoryId: ${TENANT}, credentials: {managedIdentity: {clientId: "${id}"}}}, vaultSecret: {name: a}}`;
    expect(read({ keyVault }).warnings).toEqual([expect.stringContaining(`managedIdentity.clientId ${message}`)]);
  });

  it.each([ZEROS, 'your-tenant-id', 'tenant-id'])('of a tenant: %s', (id) => {
    expect(read({ ...CLASSIC, tenantID: id }).warnings).toEqual([
      `tenantID "${id}" is a sample of documentation; put the real ID there`,
    ]);
  });

  it.each([TENANT, TENANT.toUpperCase(), 'contoso.onmicrosoft.com', 'your-company.example'])('not %s', (id) => {
    expect(read({ ...CLASSIC, tenantID: id }).warnings).toEqual([]);
  });
});

describe('YAML that cannot be read because of one', () => {
  it.each([
    [
      'a value in the objects',
      'array:\n  - |\n    objectName: {{ .Values.name }}-x\n    objectType: secret',
      '{{ .Values.name }}',
    ],
    [
      'a loop in the objects',
      'array:\n{{- range .Values.secrets }}\n  - |\n    objectName: {{ . }}',
      '{{- range .Values.secrets }}',
    ],
  ])('says so: %s', (_, objects, placeholder) => {
    const { errors } = read({ ...CLASSIC, objects });
    expect(errors[0]).toContain(`${JSON.stringify(placeholder)} ${NOT_REPLACED}`);
  });

  it('says so in a keyVault field', () => {
    const { errors } = read({ keyVault: 'vault:\n  name: {{ .Values.kv }}-x\n' });
    expect(errors[0]).toContain(`"{{ .Values.kv }}" ${NOT_REPLACED}`);
  });

  it('says nothing of one elsewhere', () => {
    const { errors } = read({ ...CLASSIC, objects: 'array:\n  - |\n    objectAlias: "<a>"\n\n\n    a: b: c' });
    expect(errors[0]).not.toContain(NOT_REPLACED);
  });
});
