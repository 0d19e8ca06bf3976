import { describe, expect, it } from 'vitest';
import { type CheckLiveOptions, runCheckLive } from '../../src/cli/kubectl/check.ts';
import { recordedIo } from '../support/cli.ts';
import { undocumentedFields } from '../support/markdown.ts';
import { example, spc, useCluster } from './cluster.ts';

const { stub, options } = useCluster();

async function check(names: readonly string[] = [], changes: Partial<CheckLiveOptions> = {}) {
  const io = recordedIo();
  const code = await runCheckLive(names, { ...options(), ...changes }, io);
  return { code, out: io.printed.stdout, err: io.printed.stderr };
}

describe('kubectl akv check', () => {
  it.each([true, false])('checks classes and broker resources (aggregated discovery: %s)', async (aggregated) => {
    stub().aggregated = aggregated;
    const broken = { spec: { tls: { keyVault: { vault: { name: 'x' }, vaultCert: { name: 'a' } } } } };
    stub().objects.push(spc('web'), spc('bad', { keyvaultName: 'x' }), example('broker-authentication'));
    stub().objects.push(example('broker-listener', broken), { ...spc('aws'), spec: { provider: 'aws' } });
    const { code, out, err } = await check();
    expect([code, err]).toEqual([1, '']);
    expect(out).toMatch(/^SecretProviderClass shop\/bad: error: .*keyvaultName/m);
    expect(out).toMatch(/^BrokerListener shop\/tls-listener-manual: error: .*spec\.tls\.keyVault.*vault\.name/m);
    expect(out).toMatch(/^BrokerAuthentication shop\/my-authentication: note: .*<AKV directory ID>/m);
    expect(out).toMatch(/2 SecretProviderClasses, 2 with keyVault fields checked: \d errors, 0 warnings, \d notes?\n$/);
  });

  it('checks what is named, by name or by kind and name', async () => {
    stub().objects.push(spc('web'), spc('tls-listener-manual'), example('broker-listener'));
    expect((await check(['web'])).out).toBe(
      '1 SecretProviderClass, 0 with keyVault fields checked: 0 errors, 0 warnings, 0 notes\n',
    );
    for (const kind of ['BrokerListener', 'brokerlisteners', 'brokerlistener'])
      expect((await check([`${kind}/tls-listener-manual`])).out).toContain('0 SecretProviderClasses, 1 with');
    expect((await check(['spc/tls-listener-manual'])).out).toContain('1 SecretProviderClass, 0 with');
    const { code, err } = await check(['wbe']);
    expect([code, err]).toEqual([
      1,
      'error: no SecretProviderClass and no broker resource is named "wbe"; did you mean "web"?\n',
    ]);
  });

  it('fails if there is nothing to check, and gives JSON', async () => {
    const { code, out } = await check([], { output: 'json' });
    expect(undocumentedFields(JSON.parse(out), 'docs/kubectl.md', 'JSON')).toEqual([]);
    expect([code, JSON.parse(out)]).toEqual([1, { classes: 0, resources: 0, findings: [], notes: [], errors: 0 }]);
  });

  it('goes on without broker resources that may not be listed', async () => {
    stub().objects.push(spc('web'));
    stub().forbidden = /brokerlisteners/;
    const { code, err } = await check();
    expect([code, err]).toEqual([0, expect.stringContaining('note: broker resources are left out: ')]);
  });

  it('never fails on objects of any form', async () => {
    const odd = [{ spec: null }, { spec: { parameters: [] } }, { spec: { provider: 7, parameters: { keyVault: 1 } } }];
    for (const [i, one] of odd.entries()) stub().objects.push({ ...spc(`odd-${i}`), ...one });
    stub().objects.push(example('broker-listener', { spec: { tls: { keyVault: 'text' } } }), spc('web'));
    expect((await check()).out).toContain('checked: ');
  });
});
