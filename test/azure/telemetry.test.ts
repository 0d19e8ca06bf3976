import { expect, it, onTestFinished } from 'vitest';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { reader, secret, startLab, textOf } from '../support/azure.ts';

it('a read tells of its vault before it tells how it went', async () => {
  const told: string[] = [];
  const lab = await startLab({
    telemetry: {
      ...silentTelemetry,
      vaultAsked: (vault) => told.push(`vault ${vault}`),
      keyVaultRequest: (_, name, _seconds, outcome) => told.push(`object ${name} ${outcome}`),
    },
  });
  onTestFinished(() => lab.close());
  textOf(await lab.open(reader()).get(secret('s0'), lab.context()));
  expect(told).toEqual(['vault lab-vault', 'object s0 ok']);
});
