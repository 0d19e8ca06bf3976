/**
 * A process that writes a store until it is killed: `child-store.ts DIRECTORY ROUND`. It prints each value that is on the
 * disk for certain, as a line `name=value`.
 */
import { createSecretKey } from 'node:crypto';
import { SealedStore } from '../../../src/azure/store/sealed-store.ts';
import { sealingKey } from '../../../src/azure/store/sealing-key.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';

const [directory = '', round = ''] = process.argv.slice(2);
const NAMES = 12;

async function write(): Promise<void> {
  const store = await SealedStore.open(
    {
      directory,
      keys: [await sealingKey(createSecretKey(Buffer.from('0123456789abcdefghijklmnopqrstuv')), 'node-1')],
      maxStaleMs: 3_600_000,
      limits: { entries: 100, bytes: 10_000_000, entryBytes: 500_000 },
      clock: systemClock,
      log: silentLogger,
      telemetry: { offlineCacheFailure: () => process.exit(3), offlineCacheEntries() {} },
    },
    () => true,
  );
  for (let count = 0; ; count++) {
    const name = `n${count % NAMES}`;
    const value = `${round}.${count} `;
    store.put(['object', name], Buffer.from(value.padEnd(1 + ((count * 7919) % 40_000), 'x')));
    if (count % 5 === 4) store.erase(['object', `n${(count * 7) % NAMES}`]);
    if (count % 3 === 2) {
      await store.flush();
      process.stdout.write(`${count}\n`);
    }
  }
}

void write();
