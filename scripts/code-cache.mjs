// Makes V8's code cache of a program: `node scripts/code-cache.mjs PROGRAM CACHE`. It first serves a Mount from an
// emulator, so that the cache contains exactly the code that a start and a first Mount need.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { Script } from 'node:vm';

const [, , program = '', cache = ''] = process.argv;
const main = join(dirname(program), 'main.js');
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
const script = new Script(readFileSync(program, 'latin1'), { filename: program });
script.runInThisContext()({}, createRequire(program), {}, program, dirname(program));
await fileCreated(socket);
const mount = run(['mount', scriptFile('code-cache-mount.yaml')], { '--endpoint': `unix://${socket}` });
const [exitCode] = await once(mount, 'exit');
// The program catches errors that are thrown here, so exit instead.
if (exitCode !== 0) process.exit(1);
const part = `${cache}.${process.pid}`;
const data = script.createCachedData();
writeFileSync(part, Buffer.concat([createHash('sha256').update(data).digest(), data]));
renameSync(part, cache);
process.exit();

function run(args, options) {
  return spawn(process.execPath, [main, ...args, ...Object.entries(options).flat()], {
    stdio: 'ignore',
  });
}

async function fileCreated(path) {
  while (!existsSync(path)) await sleep(20);
}
