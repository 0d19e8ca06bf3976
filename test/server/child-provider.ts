/** A provider in a process of its own, for tests that kill it: `child-provider.ts SOCKET`. Attributes of N mean N bytes. */
import { silentLogger } from '../../src/base/log.ts';
import { startServer } from '../../src/server/server.ts';

void startServer({
  endpoint: { kind: 'unix', path: String(process.argv[2]) },
  mount: async ({ attributes }) => ({
    files: [{ path: 'file', mode: 0o644, contents: Buffer.alloc(Number(attributes), 'x') }],
    objectVersions: [],
  }),
  version: '1.2.3',
  log: silentLogger,
  meter: { callStarted() {}, callEnded() {} },
}).then(() => process.stdout.write('up\n'));
