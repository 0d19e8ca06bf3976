import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { exampleVolumes, mountInto, startWorld, type World } from '../support/e2e.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => world.emulator.faults.clear());
afterAll(() => world.close());

const contentOf = ({ files, objectVersions }: Awaited<ReturnType<typeof mountInto>>) => ({ files, objectVersions });
/** Lines of the log about last known values, for classes whose names begin so. */
const linesOf = (names: string) =>
  world.provider.log().match(new RegExp(`"Mounted with last known values" .* secretProviderClass=${names}`, 'g')) ?? [];

it.each(['drop', 'hang'] as const)(
  'while the vault does not answer (%s), pods get what it gave before',
  async (kind) => {
    const { parameters } = exampleVolumes().listener;
    const before = contentOf(await mountInto(world, 'web', parameters));
    world.emulator.faults.add({ on: 'vault', action: { kind } });
    const pods = Array.from({ length: 10 }, (_, i) => `pod-${kind}-${i}`);
    const published = await Promise.all(pods.map((name) => mountInto(world, name, parameters)));
    for (const result of published) expect(contentOf(result)).toEqual(before);
    await expect.poll(() => linesOf(`pod-${kind}-`)).toHaveLength(pods.length);
  },
);
