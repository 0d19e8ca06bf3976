// The bytes of a Mount that docs/edge.md lists, counted below TLS between the provider and the emulator.
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { TENANT, VAULT } from '../../src/cli/demo/fixtures.ts';
import { startProviderProcess } from '../../src/cli/demo/provider-process.ts';
import { connectProvider } from '../../src/driver/client.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { builtProgram, mountInto, seedOf } from '../support/e2e.ts';
import { section, tableRows } from '../support/markdown.ts';
import { scratch } from '../support/process.ts';

const NAMES = Array.from({ length: 20 }, (_, i) => `secret-${i}`);

// On a machine that stands still for two seconds, a second try adds its bytes: then all is counted again.
test('edge.md lists the bytes of a Mount, within a fifth', { retry: 3 }, async () => {
  const secrets = NAMES.map((name) => `{name: ${name}, value: "${'v'.repeat(40)}"}`).join(', ');
  const certificate = '[{name: web, subject: CN=web, key: {kty: RSA}}]';
  const emulator = await startEmulator({ seed: seedOf(`    certificates: ${certificate}\n    secrets: [${secrets}]`) });
  let bytes = 0;
  const relay = createServer((socket) => {
    const onward = connect(emulator.port, '127.0.0.1');
    for (const end of [socket, onward]) {
      end.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      end.on('error', () => {});
    }
    socket.pipe(onward).pipe(socket);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => relay.once('listening', resolve));
  const cloudFile = emulator.cloudFile.replaceAll(`${emulator.port}`, `${(relay.address() as AddressInfo).port}`);
  const directory = scratch();
  const reached = { cloudFile, caPem: emulator.caPem };
  const args = ['--cache-ttl=0'];
  const provider = await startProviderProcess({ program: builtProgram(), directory, emulator: reached, args });
  const client = connectProvider(provider.endpoint);
  const count = async (names: readonly string[]) => {
    const before = bytes;
    const objects = `[${names.map((objectName) => `{objectName: ${objectName}, objectType: secret}`).join(', ')}]`;
    await mountInto({ client, directory }, names.join('').slice(0, 9), {
      keyvaultName: VAULT,
      tenantID: TENANT,
      objects,
    });
    return bytes - before;
  };
  const counted: number[] = [];
  for (const names of [NAMES.slice(0, 1), NAMES.slice(0, 1), ['web']]) counted.push(await count(names));
  // The first Mount of many objects opens connections.
  await count(NAMES);
  counted.push(await count(NAMES));
  client.close();
  await provider.stop();
  await emulator.close();
  relay.close();

  const page = section('docs/edge.md', 'A poor link');
  const listed = tableRows(page).filter(([, figure = '']) => /^[\d,]+$/.test(figure));
  const [, older] = /the first Mount takes ([\d,]+) bytes/.exec(page) ?? [];
  // Handshakes have post-quantum keys from Node 24 on.
  const figures = listed.map(([, figure = '']) => figure);
  if (Number.parseInt(process.versions.node, 10) < 24) figures[0] = older ?? '';
  expect(figures).toHaveLength(counted.length);
  for (const [index, figure] of figures.entries()) {
    const ratio = (counted[index] ?? 0) / Number(figure.replace(',', ''));
    expect(ratio, `${counted[index]} bytes, not ${figure}`).toBeGreaterThan(0.8);
    expect(ratio, `${counted[index]} bytes, not ${figure}`).toBeLessThan(1.2);
  }
});
