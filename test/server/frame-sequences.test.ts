/** Calls as generated sequences of frames, cut into generated pieces: each call is seen once, and gets its own answer. */
import { expect, test } from 'vitest';
import { csiDriverProvider } from '../../src/wire/contract.ts';
import { frame, type } from '../support/http2.ts';
import { RawClient } from '../support/http2-client.ts';
import { play } from '../support/http2-script-client.ts';
import { script } from '../support/http2-scripts.ts';
import { numbers } from '../support/numbers.ts';
import { rounds } from '../support/rounds.ts';
import { testServer } from '../support/server.ts';

const ROUNDS = rounds(15, 60);

/** The file of a call: up to 80,000 bytes that name it. */
function contentsFor(name: string): Buffer {
  const random = numbers([...name].reduce((sum, character) => 31 * sum + character.charCodeAt(0), 0) | 0);
  return Buffer.alloc(random(random(6) === 0 ? 80_000 : 2000), `${name};`);
}

test(`each call of ${ROUNDS} generated sequences of frames is seen once and gets its own answer, within the windows`, async () => {
  const seen: string[] = [];
  const server = await testServer({
    mount: async ({ attributes, secrets }) => {
      seen.push(`${attributes} ${secrets.length}`);
      for (let turns = attributes.length % 4; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return { files: [{ path: 'f', mode: 0o644, contents: contentsFor(attributes) }], objectVersions: [] };
    },
  });
  for (let round = 0; round < ROUNDS; round++) {
    const random = numbers(round);
    const { calls, frames } = script(random, `r${round}`);
    seen.length = 0;
    const { data, breaches } = await play(server.path, random, { calls, frames });
    const answered = calls.filter(({ isReset }) => !isReset);
    const right = answered.filter(({ streamId, name }) => {
      const message = data.get(streamId) ?? Buffer.alloc(0);
      const { files } = csiDriverProvider.Mount.responseDeserialize(message.subarray(5));
      return files[0]?.contents.equals(contentsFor(name)) === true;
    });
    expect({ round, breaches, right }).toEqual({ round, breaches: [], right: answered });
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(answered.map(({ name, secrets }) => `${name} ${secrets.length}`)));
  }
});

test('a window update of a stream that was never opened ends the connection, as the protocol says', async () => {
  const { path } = await testServer();
  const client = await RawClient.connect(path);
  client.send(frame(type.windowUpdate, 0, 9, Buffer.of(0, 0, 0, 1)));
  await client.closed;
  expect(client.frames.map(({ kind }) => kind)).toContain(type.goaway);
});
