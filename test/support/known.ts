/** Last known values in memory on clocks that a test moves, for tests of src/azure/vault/. */
import type { KnownRequest } from '../../src/azure/vault/known-request.ts';
import { LastKnownGood, type LastKnownGoodOptions } from '../../src/azure/vault/last-known-good.ts';
import { Sweeper } from '../../src/base/sweeper.ts';
import { manualClock } from './clocks.ts';

export const HOUR = 3_600_000;

/** The request of the current version of a secret. */
export const REQUEST: KnownRequest<'read'> = {
  principal: 'p',
  vaultUrl: 'https://v',
  operation: 'read',
  type: 'secret',
  name: 'a',
  version: '',
};

/** Returns an empty memory, which keeps values for an hour unless the options differ. */
export function memoryOf(options: Partial<LastKnownGoodOptions> = {}, clock = manualClock()) {
  const sweeper = new Sweeper(clock);
  return { clock, sweeper, known: new LastKnownGood({ sweeper, maxStaleMs: HOUR, ...options }) };
}
