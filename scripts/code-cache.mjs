// Makes V8's code caches of the parts of a program: `node scripts/code-cache.mjs dist/main.js`. It first serves a Mount
// from an emulator, so that the caches contain exactly the code that a start and a first Mount need.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';

const [, , main = ''] = process.argv;
const directory = mkdtempSync(join(tmpdir(), 'akv-csi-build-'));
const file = (name) => join(directory, name);
const scriptFile = (name) => fileURLToPath(new URL(name, import.meta.url));
const socket = file('s');

const emulator = run(['emulator', '--port', '0', '--imds-port', '0', '--quiet'], {
  '--seed': scriptFile('code-cache-seed.yaml'),
  '--ca-file': file('ca.pem'),
  '--cloud-file': file('cloud.json'),
});
process.on('exit', () => {
  emulator.kill();
  rmSync(directory, { recursive: true, force: true });
});
emulator.once('exit', () => process.exit(1));
await fileCreated(file('cloud.json'));
process.env.AZURE_ENVIRONMENT_FILEPATH = file('cloud.json');
process.env.SSL_CERT_FILE = file('ca.pem');
process.argv = [process.execPath, main, 'serve', '--endpoint', `unix://${socket}`];
process.argv.push('--healthz-port', '0', '--prometheus-port', '0', '--cloud-name', 'AzureStackCloud');
process.stdout.write = () => true;

// The program changes V8 flags after its start, and a cache is valid only for the flags with which it was made.
v8.setFlagsFromString = () => {};
/** The parts that the program has loaded, by their files. */
const scripts = new Map();
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    scripts.set(options.filename, this);
  }
};
createRequire(main)(main);
await fileCreated(socket);
const mount = run(['mount', scriptFile('code-cache-mount.yaml')], { '--endpoint': `unix://${socket}` });
const [exitCode] = await once(mount, 'exit');
// The program catches errors that are thrown here, so exit instead.
if (exitCode !== 0) process.exit(1);
for (const [path, script] of scripts) {
  const cache = path.replace(/\.js$/, `-${process.version}-${process.arch}.cache`);
  const part = `${cache}.${process.pid}`;
  const data = script.createCachedData();
  writeFileSync(part, Buffer.concat([createHash('sha256').update(data).digest(), data]));
  renameSync(part, cache);
}
process.exit();

function run(args, options) {
  return spawn(process.execPath, [main, ...args, ...Object.entries(options).flat()], {
    stdio: 'ignore',
  });
}

async function fileCreated(path) {
  while (!existsSync(path)) await sleep(20);
}
