// Records which functions of a program a start and a Mount run: `node scripts/used-functions.mjs dist/main.js FILE` serves
// Mounts from an emulator, and writes the places of the functions in each part to FILE, as JSON. They are the same each time:
// nothing depends on the machine, or on how fast it is. `build.mjs` calls it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { build } from 'esbuild';

/** Longer timers never end: each is a limit or an interval, and a slow machine would reach it. */
const LONGEST_MS = 500;
/** The longest timer of Node. */
const NEVER_MS = 2 ** 31 - 1;
/** The size of everything that depends on the machine. */
const SOME_BYTES = 2 ** 20;

/** One object of each type. `used-functions-seed.yaml` has the objects. */
const OBJECTS = `array:
  - |
    objectName: server
    objectType: secret
  - |
    objectName: password
    objectType: secret
    objectAlias: password.txt
    filePermission: "0600"
  - |
    objectName: key
    objectType: key
  - |
    objectName: server
    objectType: cert
    objectAlias: server.crt
`;
const REQUEST = {
  attributes: JSON.stringify({
    keyvaultName: 'build',
    tenantID: '11111111-1111-1111-1111-111111111111',
    objects: OBJECTS,
    'csi.storage.k8s.io/ephemeral': 'true',
    'csi.storage.k8s.io/pod.name': 'build-0',
    'csi.storage.k8s.io/pod.namespace': 'default',
    'csi.storage.k8s.io/pod.uid': '33333333-3333-3333-3333-333333333333',
    'csi.storage.k8s.io/serviceAccount.name': 'default',
    secretProviderClass: 'build',
  }),
  secrets: JSON.stringify({ clientid: '22222222-2222-2222-2222-222222222222', clientsecret: 'build-secret' }),
  targetPath: '/var/lib/kubelet/pods/33333333-3333-3333-3333-333333333333/volumes/kubernetes.io~csi/build/mount',
  permission: '420',
  currentObjectVersion: [],
};

const [, , main = '', list = ''] = process.argv;
const require = createRequire(main);
const directory = mkdtempSync(join(tmpdir(), 'akv-csi-build-'));
const file = (name) => join(directory, name);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// The image names a directory of authorities, too.
mkdirSync(file('authorities'));
const emulator = spawn(
  process.execPath,
  [
    ...[main, 'emulator', '--quiet', '--port', '0', '--imds-port', '0', '--seed', here('used-functions-seed.yaml')],
    ...['--ca-file', file('authorities/ca.pem'), '--cloud-file', file('cloud.json')],
  ],
  { stdio: 'ignore' },
);
process.on('exit', () => {
  emulator.kill();
  rmSync(directory, { recursive: true, force: true });
});
emulator.once('exit', () => process.exit(1));
await until(() => existsSync(file('cloud.json')));
process.env.AZURE_ENVIRONMENT_FILEPATH = file('cloud.json');
process.env.SSL_CERT_FILE = file('authorities/ca.pem');
process.env.SSL_CERT_DIR = file('authorities');
process.argv = [process.execPath, main, 'serve', '--endpoint', `unix://${file('socket')}`];
process.argv.push('--healthz-port', '0', '--prometheus-port', '0', '--cloud-name', 'AzureStackCloud');
await build({
  entryPoints: [here('../src/driver/client.ts')],
  bundle: true,
  platform: 'node',
  outfile: file('client.cjs'),
});
const { connectProvider } = require(file('client.cjs'));
process.stdout.write = () => true;
makeIndependent();

const session = new Session();
session.connect();
const ask = (method, params) => {
  let answer;
  session.post(method, params, (error, result) => {
    if (error) throw error;
    answer = result;
  });
  return answer;
};
ask('Profiler.enable');
ask('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
require(main);
await until(() => existsSync(file('socket')));
const driver = connectProvider(`unix://${file('socket')}`);
try {
  // After its first answer, the program loads the rest of it. The second Mount finds everything in memory.
  for (const call of [() => driver.version(), () => driver.mount(REQUEST), () => driver.mount(REQUEST)]) {
    await call();
    await rest();
  }
} catch {
  // The program catches errors that are thrown here, so exit instead.
  process.exit(1);
}
// The connection is still open: which functions run at its end depends on what is sent first.
const { result } = ask('Profiler.takePreciseCoverage');
const parts = result.filter(({ url }) => /-[0-9a-f]{16}\.js$/.test(url));
const used = parts.map(({ url, functions }) => {
  const ran = functions.map(({ ranges: [range] }) => range).filter(({ count }) => count > 0);
  const places = ran.map(({ startOffset, endOffset }) => [startOffset, endOffset]);
  return [basename(url), places.toSorted((a, b) => a[0] - b[0] || b[1] - a[1])];
});
writeFileSync(list, JSON.stringify(Object.fromEntries(used.toSorted(([a], [b]) => (a < b ? -1 : 1)))));
process.exit();

/** Replaces what differs between machines and runs: long timers, and sizes of the process. */
function makeIndependent() {
  const { setInterval, setTimeout } = globalThis;
  globalThis.setTimeout = (callback, ms, ...args) => setTimeout(callback, ms > LONGEST_MS ? NEVER_MS : ms, ...args);
  globalThis.setInterval = (callback) => setInterval(callback, NEVER_MS);
  process.constrainedMemory = () => 0;
  process.memoryUsage.rss = () => SOME_BYTES;
  v8.getHeapSpaceStatistics = () => [{ space_name: 'new_space', space_size: SOME_BYTES }];
  v8.getHeapStatistics = () => ({ total_heap_size: SOME_BYTES });
  v8.setFlagsFromString = () => {};
}

/** Waits until the program has done what it does after an answer: this timer ends after those that it has begun. */
async function rest() {
  await sleep(LONGEST_MS);
  await until(() => !process.getActiveResourcesInfo().some((name) => name.includes('Req')));
}

async function until(condition) {
  while (!condition()) await sleep(20);
}
