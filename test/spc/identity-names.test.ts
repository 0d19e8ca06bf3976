import { describe, expect, it } from 'vitest';
import { parseAttributes } from '../../src/spc/attributes.ts';
import { parseParameters } from '../../src/spc/parameters.ts';
import { CLASSIC, DEFAULTS, read, TENANT } from '../support/spc.ts';

const NONE = { secrets: 'null' };
const BEGIN =
  'failed to build auth config for mode None: failed to get credentials, nodePublishSecretRef secret is not set; ';

/** Returns the findings without a request, as `check` does. */
function checked(parameters: Readonly<Record<string, string>>) {
  const { findings } = parseParameters(parseAttributes(JSON.stringify({ ...CLASSIC, ...parameters })), {
    defaults: DEFAULTS,
  });
  return findings.all.map(({ severity, path, message }) => `${severity} ${path}: ${message}`);
}

/** Returns the error of a Mount without credentials. */
function mounted(parameters: Readonly<Record<string, string>>) {
  const { errors, error } = read({ ...CLASSIC, ...parameters }, NONE);
  expect(error?.code).toBe('ERR_NO_CREDENTIALS');
  expect(errors).toHaveLength(1);
  expect(errors[0]?.startsWith(BEGIN)).toBe(true);
  return errors[0]?.slice(BEGIN.length) ?? '';
}

describe('a parameter that was meant to name the identity', () => {
  it.each([
    ['clientId', 'did you mean "clientID"?'],
    ['clientid', 'did you mean "clientID"?'],
    ['client_id', 'did you mean "clientID"?'],
    ['cleintID', 'did you mean "clientID"?'],
    ['AZURE_CLIENT_ID', 'did you mean "clientID"?'],
    ['identityClientId', 'did you mean "clientID"?'],
    ['workloadIdentityClientID', 'did you mean "clientID"?'],
    ['applicationId', 'did you mean "clientID"?'],
    ['useWorkloadIdentity', 'workload identity is chosen by "clientID"'],
    ['enableWorkloadIdentity', 'workload identity is chosen by "clientID"'],
    ['useVmManagedIdentity', 'did you mean "useVMManagedIdentity"?'],
    ['useVMManagedidentity', 'did you mean "useVMManagedIdentity"?'],
    ['useManagedIdentity', 'did you mean "useVMManagedIdentity"?'],
    ['useManagedIdentityExtension', 'did you mean "useVMManagedIdentity"?'],
    ['useMSI', 'did you mean "useVMManagedIdentity"?'],
    ['managedIdentityClientID', '"useVMManagedIdentity" with "userAssignedIdentityID"'],
    ['userAssignedIdentityClientID', '"useVMManagedIdentity" with "userAssignedIdentityID"'],
    ['userAssignedIdentityId', 'did you mean "userAssignedIdentityID"?'],
    ['usePodIdentiy', 'did you mean "usePodIdentity"?'],
    ['useAADPodIdentity', 'did you mean "usePodIdentity"?'],
    ['useIdentityBinding', 'did you mean "useAzureTokenProxy"?'],
    ['nodePublishSecretRef', 'belongs to the csi volume of the pod'],
    ['clientSecret', 'credentials belong in the Secret'],
  ])('%s', (name, hint) => {
    const parameters = { [name]: '33333333-3333-3333-3333-333333333333' };
    const said = `parameter "${name}" is unknown and ignored; `;
    expect(checked(parameters)).toContainEqual(expect.stringContaining(`warning ${name}: ${said}`));
    expect(checked(parameters).join()).toContain(hint);
    const message = mounted(parameters);
    expect(message.startsWith(`parameter "${name}" is ignored: `)).toBe(true);
    expect(message).toContain(hint);
    expect(message).toContain('if a service principal is meant');
  });

  it.each(['resourceGroup', 'subscriptionId', 'secretName', 'example.com/clientId', 'x'.repeat(200)])(
    'is none where it is %s',
    (name) => {
      expect(mounted({ [name]: 'x' })).toMatch(/^add "nodePublishSecretRef/);
      expect(checked({ [name]: 'x' }).join()).not.toContain('warning');
    },
  );

  it('is a note only where another names the identity', () => {
    const both = { clientId: 'a', clientID: TENANT };
    expect(checked(both)).toEqual([expect.stringMatching(/^note clientId: .*did you mean "clientID"\?$/)]);
    expect(checked({ useMSI: 'true', useVMManagedIdentity: 'true' })).toEqual([
      expect.stringMatching(/^note useMSI: /),
    ]);
    expect(checked({ useMSI: 'true', useVMManagedIdentity: 'false' }).join()).toContain('warning useMSI');
  });
});

describe('a manifest that names no identity', () => {
  it('is told the three ways, and what "mode None" is', () => {
    expect(mounted({})).toBe(
      'add "nodePublishSecretRef: {name: <Secret with clientid and clientsecret>}" to the pod\'s csi volume, or name another ' +
        'identity: clientID for workload identity, useVMManagedIdentity: "true" for the node\'s (mode None is a service ' +
        'principal, since no other identity is named)',
    );
  });

  it('is told that userAssignedIdentityID alone means nothing', () => {
    const alone = { userAssignedIdentityID: '33333333-3333-3333-3333-333333333333' };
    expect(mounted(alone)).toMatch(/^userAssignedIdentityID is ignored: .*useVMManagedIdentity: "true"/);
    expect(checked(alone)).toEqual([
      expect.stringMatching(/^warning userAssignedIdentityID: .*useVMManagedIdentity: "true"/),
    ]);
    expect(checked({ ...alone, useVMManagedIdentity: 'false' }).join()).toContain('warning userAssignedIdentityID');
    expect(checked({ ...alone, useVMManagedIdentity: 'true' })).toEqual([]);
    expect(checked({ ...alone, clientID: TENANT })).toEqual([]);
  });
});

describe('a manifest with clientID, and no tokens in the request', () => {
  it('is told why tokens are asked for, and what to do where a service principal is meant', () => {
    const [alone] = read({ ...CLASSIC, clientID: 'x' }, NONE).errors;
    expect(alone).toMatch(/must be restarted \(mode None with clientID is workload identity\)$/);
    const [both] = read({ ...CLASSIC, clientID: 'x' }).errors;
    expect(both).toContain('; if the service principal of nodePublishSecretRef is meant, remove clientID (mode None');
    expect(read({ ...CLASSIC, clientID: 'x', useAzureTokenProxy: 'true' }, NONE).errors[0]).not.toContain('None');
  });
});

describe('a Secret without a key', () => {
  it.each([
    ['{"clientId":"x","client_secret":"hunter2"}', 'clientsecret', 'it has: clientId, client_secret'],
    [
      '{"AZURE_CLIENT_ID":"x","AZURE_CLIENT_SECRET":"hunter2"}',
      'clientid',
      'it has: AZURE_CLIENT_ID, AZURE_CLIENT_SECRET',
    ],
    ['{}', 'clientid', 'it has no keys'],
    [
      JSON.stringify(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`k${i}`, 'x']))),
      'clientid',
      'k9 and 2 more',
    ],
  ])('is named as the one of the pod, with its keys: %s', (secrets, lacks, has) => {
    const { errors } = read(CLASSIC, { secrets });
    expect(errors[0]).toContain(`could not find ${lacks} in secrets; add the key "${lacks}"`);
    expect(errors[0]).toContain("to the Secret that the pod's nodePublishSecretRef names; ");
    expect(errors[0]).toContain(has);
    expect(errors[0]).not.toContain('hunter2');
  });
});
