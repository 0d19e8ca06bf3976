// The servers of docs/recipes on this machine, with the files, the configuration and the user of the page: what they
// present before and after a renewal, and what they print if a file is wrong. They take a minute or two, so that they run
// with RECIPES=1 only: `npm run test:recipes`.
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from '../support/e2e.ts';
import { eventually } from '../support/process.ts';
import { findTool } from '../support/tools.ts';
import { mountRecipe, type Recipe, readRecipe, type Stage, stageOf } from './recipe.ts';
import { SEED, VAULT } from './seed.ts';
import { SERVERS, type Server, type ServerKind } from './servers.ts';

const LIMIT_MS = 300_000;
/** What can be wrong with a file that holds a key, by the cause that the pages name. */
const FAULTS: Readonly<Record<string, (path: string) => void>> = {
  'the file is missing': (path) => rmSync(path),
  'the process may not read the file': (path) => chmodSync(path, 0o600),
  'others may read the key': (path) => chmodSync(path, 0o644),
  'the key belongs to another certificate': (path) => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(/-+BEGIN PRIVATE KEY[\s\S]*END PRIVATE KEY-+\n/, String(pem)),
    );
  },
};

let world: World;
let servers: Server[] = [];
beforeAll(async () => {
  world = await startWorld({ seed: SEED });
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
});
afterAll(() => world?.close());

/** Returns the fingerprint of the certificate that the server presents to a client that trusts the root only. */
async function presented({ port, protocol }: ServerKind, stage: Stage): Promise<string> {
  const socket = connect(stage.port(port), '127.0.0.1');
  // A server that starts or ends closes connections at any time.
  socket.on('error', () => {}).on('end', () => socket.destroy(new Error('closed')));
  await once(socket, 'connect');
  if (protocol === 'postgres') {
    socket.write(Buffer.from('0000000804d2162f', 'hex'));
    await once(socket, 'data');
  }
  const pem = world.emulator.currentSecret(VAULT, 'client').value.reveal();
  const options = { socket, ca: world.emulator.authorityPem('root'), cert: pem, key: pem, servername: 'localhost' };
  const secured = connectTls(options).on('error', () => {});
  await once(secured, 'secureConnect');
  const { fingerprint256 } = secured.getPeerCertificate();
  secured.destroy();
  return fingerprint256;
}

/** The fingerprint of the certificate in the vault. */
function current(): string {
  return new X509Certificate(world.emulator.currentSecret(VAULT, 'web').value.reveal()).fingerprint256;
}

async function start(kind: ServerKind, stage: Stage): Promise<Server> {
  const server = await kind.start(stage);
  servers.push(server);
  return server;
}

/** Waits until something holds. Throws what the server printed, if it has ended. */
const until = (server: Server, holds: () => boolean | Promise<boolean>) =>
  eventually(async () => {
    const ended = server.ended();
    if (await holds()) return true;
    if (ended) throw new Error(`it has ended:\n${server.output()}`);
    return false;
  });

describe.each(Object.entries(SERVERS))('%s', (name, kind) => {
  const skipped = process.env.RECIPES !== '1' || !kind.tools.every((tool) => findTool(tool));
  let recipe: Recipe;
  let files: string;
  beforeAll(async () => {
    if (skipped) return;
    recipe = readRecipe(name);
    files = join(world.directory, name);
    mkdirSync(files);
    await mountRecipe(world, recipe, files);
  });

  test.skipIf(skipped)(
    'presents the certificate with its chain, and the renewed one after what the page says',
    async () => {
      const stage = await stageOf(world, recipe, files);
      const server = await start(kind, stage);
      const shows = async (wanted: string) => (await presented(kind, stage).catch(() => '')) === wanted;
      const old = current();
      await until(server, () => shows(old));
      await world.emulator.rotateCertificate(VAULT, 'web');
      expect(await mountRecipe(world, recipe, files)).toBe(true);
      await server.tell();
      const renewed = current();
      expect(renewed).not.toBe(old);
      await until(server, () => shows(renewed));
    },
    LIMIT_MS,
  );

  test.skipIf(skipped)(
    'prints what the page says if a file is wrong',
    async () => {
      expect(recipe.printed.size).toBeGreaterThan(0);
      for (const [cause, printed] of recipe.printed) {
        const stage = await stageOf(world, recipe, files, true);
        const [key = ''] = readdirSync(stage.files).filter((file) => /\.key$|server\.pem|keystore/.test(file));
        const fault = FAULTS[cause];
        if (fault === undefined) throw new Error(`no test makes this cause: ${cause}`);
        fault(join(stage.files, key));
        const server = await start(kind, stage);
        const parts = stage.here(printed).split('…');
        await until(server, () => parts.every((part) => server.output().includes(part.trim())));
        await server.stop();
      }
    },
    LIMIT_MS,
  );
});
