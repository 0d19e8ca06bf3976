import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { createProvider } from '../../src/cli/provider.ts';
import { parseServeFlags } from '../../src/cli/serve-flags.ts';
import { keptLog } from '../support/mount.ts';

const OUTSIDE =
  'Pods can change every parameter, because KUBERNETES_SERVICE_HOST is not set: this is no pod of a cluster';

// `test/e2e/parity-identity.test.ts` mounts with a managed identity outside a cluster.
it.each([
  ['outside a cluster', {}, [], [OUTSIDE]],
  ['with an empty address', { KUBERNETES_SERVICE_HOST: '' }, [], [OUTSIDE]],
  ['in a cluster', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, [], []],
  ['if pods may change everything anyway', {}, ['--allow-volume-attributes=*'], []],
  ['if no identity of the node is served', {}, ['--identity-modes=workload-identity'], []],
] as const)('%s, the log says so if pods can change every parameter', async (_, env, flags, expected) => {
  const { log, lines } = keptLog();
  const surroundings = { env, log, telemetry: silentTelemetry, clock: systemClock };
  const provider = await createProvider(parseServeFlags(flags), surroundings);
  await provider.close();
  expect(lines.map(({ message }) => message)).toEqual(expected);
});
