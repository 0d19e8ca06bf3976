import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** The files that may read the wall clock, which can be set at any time, and the reason. Durations use a `Lifetime`. */
const READERS: Readonly<Record<string, string>> = {
  'base/clock.ts': 'is the clock',
  'azure/store/store-time.ts': 'the age of values across restarts',
  'azure/login/vouchers.ts': 'the end of a token, and dates in messages',
  'azure/vault/known-traces.ts': 'dates in messages',
  'azure/vault/listed-value.ts': 'dates of Key Vault',
  'azure/vault/vaults.ts': 'a Retry-After that is a date',
  'azure/login/login-attempt.ts': 'a Retry-After that is a date',
  'azure/login/standing.ts': 'the end of a token, which is verified offline',
  'azure/login/token-pool.ts': 'the end of a token, which becomes a lifetime on arrival',
  'mount/convert/certificate-watch.ts': 'dates of certificates',
  'mount/validity.ts': 'expired and not yet valid objects',
  'mount/mount.ts': "the end of a pod's token",
  'mount/report.ts': 'a timestamp in the metrics',
  'server/metrics.ts': 'seconds until an object expires',
  'server/service.ts': "gRPC's deadlines are dates",
  'server/version-call.ts': "gRPC's deadlines are dates",
  'driver/client.ts': "gRPC's deadlines are dates",
  'driver/atomic-writer.ts': 'the name of a directory',
  'server/unix-socket.ts': 'the age of a file',
  'webhook/certificate/keeper.ts': 'dates of certificates',
  'cli/logging.ts': 'timestamps of the log',
  'cli/inspect.ts': 'dates of certificates',
  'cli/kubectl/status.ts': 'ages of events, and times until objects expire',
  'cli/kubectl/why.ts': 'ages of events',
  'cli/mount-credentials.ts': 'the end of a token',
  'cli/demo/steps/rotation.ts': 'dates of certificates',
  'cli/demo/volumes.ts': 'dates of certificates',
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
const reading = (pattern: RegExp) => files.filter((path) => pattern.test(readFileSync(join(src, path), 'utf8')));

describe('the wall clock', () => {
  it('is read through the clock only', () => {
    expect(reading(/\bDate\.now\b|\bnew Date\(\)|\bDate\(\)/)).toEqual(['base/clock.ts']);
  });

  it('is read for the reasons above only, except in the emulator', () => {
    const readers = reading(/\bwall\(\)/).filter((path) => !path.startsWith('emulator/'));
    expect(readers.toSorted()).toEqual(Object.keys(READERS).toSorted());
  });
});
