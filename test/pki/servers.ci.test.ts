import { spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readBundle } from '../../src/pki/bundle.ts';
import { pairKey } from '../../src/pki/certified-key.ts';
import { upstreamPem, upstreamPemOfText } from '../../src/pki/official-pem.ts';
import { writeOutput } from '../../src/pki/write.ts';
import { issueChain, keyPem, newKey, pemOf } from '../support/pki.ts';
import { plainPfx } from '../support/plain-pfx.ts';
import { findTool, toolDirectory } from '../support/tools.ts';

const seed = Buffer.from('version');
const { dir, put } = toolDirectory();

describe.skipIf(!findTool('nginx'))('nginx', () => {
  it.each(['rsa-2048', 'p-256', 'p-384', 'p-521', 'secp256k1', 'ed25519'] as const)(
    'accepts the files of a %s certificate',
    async (keyType) => {
      const chain = await issueChain({ keyType, intermediates: 2 });
      const material = await pairKey({ keys: [chain.leaf.key], certificates: chain.certificates.toReversed() });
      const formats = keyType.startsWith('rsa') ? (['pkcs8', 'pkcs1'] as const) : (['pkcs8'] as const);
      for (const keyFormat of formats) {
        put('tls.crt', await writeOutput('fullChain', material, { seed }));
        put('tls.key', await writeOutput('privateKey', material, { seed, keyFormat }));
        put('combined.pem', await writeOutput('combined', material, { seed, keyFormat }));
        put('ca.crt', await writeOutput('ca', material, { seed }));
        const verify = `ssl_client_certificate ${dir}/ca.crt; ssl_verify_client on;`;
        expectNginxToTake(['tls.crt', 'tls.key', verify], ['combined.pem', 'combined.pem', verify]);
      }
    },
  );

  it('accepts the one file of two servers, in whatever order they come and at each renewal', async () => {
    const keys = [newKey('p-256'), newKey('p-256')] as const;
    for (let renewal = 0; renewal < 4; renewal++) {
      const one = await issueChain({ names: ['a', 'A Inner', 'A Root'], key: keys[0] });
      const two = await issueChain({ names: ['b', 'B Inner', 'B Root'], key: keys[1] });
      const certificates = [...two.certificates.toReversed(), ...one.certificates];
      const text = keys.map(keyPem).join('') + pemOf(certificates);
      const sources = { 'pfx.pem': plainPfx(keys, certificates), 'pem.pem': Buffer.from(text) };
      for (const [name, source] of Object.entries(sources)) {
        const bundle = await readBundle(source);
        const content = { bundle, material: await pairKey(bundle) };
        put(name, name === 'pfx.pem' ? upstreamPem(content, true) : upstreamPemOfText(text, content, true));
      }
      expectNginxToTake(['pfx.pem', 'pfx.pem', ''], ['pem.pem', 'pem.pem', '']);
    }
  });
});

/** Expects nginx to accept servers: certificate file, key file, additional directives. */
function expectNginxToTake(...servers: readonly (readonly [string, string, string])[]): void {
  const texts = servers.map(
    ([certificate, key, more]) =>
      `server { listen 127.0.0.1:1 ssl; ssl_certificate ${dir}/${certificate}; ssl_certificate_key ${dir}/${key}; ${more} }`,
  );
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/tmp;`);
  put(
    'nginx.conf',
    `pid ${dir}/nginx.pid; error_log stderr; events {} http { ${paths.join(' ')} access_log off; ${texts.join(' ')} }`,
  );
  const tested = spawnSync('nginx', ['-t', '-p', dir, '-c', join(dir, 'nginx.conf')], { encoding: 'utf8' });
  expect(tested.stderr).toContain('syntax is ok');
  expect(tested.stderr).not.toMatch(/SSL_|PEM_|mismatch/);
}

describe.skipIf(!findTool('mosquitto'))('mosquitto', () => {
  it.each(['rsa-2048', 'p-256'] as const)('starts with the files of a %s certificate', async (keyType) => {
    const { leaf, certificates } = await issueChain({ keyType });
    const material = await pairKey({ keys: [leaf.key], certificates });
    put('tls.crt', await writeOutput('fullChain', material, { seed }));
    put('tls.key', await writeOutput('privateKey', material, { seed }));
    put('ca.crt', await writeOutput('ca', material, { seed }));
    const port = 20_000 + (process.pid % 20_000);
    const user = process.getuid?.() === 0 ? 'user root\n' : '';
    const tls = `certfile ${dir}/tls.crt\nkeyfile ${dir}/tls.key\ncafile ${dir}/ca.crt\nrequire_certificate true\n`;
    put('mosquitto.conf', `${user}listener ${port} 127.0.0.1\nallow_anonymous true\n${tls}`);
    const broker = spawn('mosquitto', ['-c', join(dir, 'mosquitto.conf')], { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    broker.stderr.on('data', (data) => {
      log += data;
    });
    let exited = false;
    broker.on('exit', () => {
      exited = true;
    });
    while (!exited && !(await listens(port))) await sleep(20);
    expect(exited, log).toBe(false);
    broker.kill();
  });
});

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
