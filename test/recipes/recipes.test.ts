// The pages of docs/recipes: what their classes mount, in which form, and whether configuration and pod fit the files.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { readBundle } from '../../src/pki/bundle.ts';
import { startWorld, type World } from '../support/e2e.ts';
import { links } from '../support/markdown.ts';
import { mountRecipe, RECIPES, type Recipe, readRecipe } from './recipe.ts';
import { SEED } from './seed.ts';

const password = new Secret('changeit');
/** What a file has to be, by its name. */
const FORMS: readonly (readonly [RegExp, (content: Buffer) => unknown])[] = [
  [
    /^tls\.crt$/,
    (content) => {
      const subjects = certificates(content).map(({ subject }) => subject);
      expect(subjects).toEqual(['CN=web', 'CN=Intermediate']);
    },
  ],
  [/^ca\.crt$/, (content) => expect(certificates(content).map(({ subject }) => subject)).toEqual(['CN=Root'])],
  [/^tls\.key$/, (content) => expect(content.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)],
  [
    /^server\.pem$/,
    (content) => {
      expect(content.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
      expect(certificates(content)[0]?.checkPrivateKey(createPrivateKey(content))).toBe(true);
    },
  ],
  [
    /^keystore\.p12$/,
    async (content) => {
      const { keys, certificates: chain } = await readBundle(content, { password });
      expect([keys.length, chain.length]).toEqual([1, 3]);
    },
  ],
  [
    /^truststore\.p12$/,
    async (content) => expect((await readBundle(content, { password })).certificates).toHaveLength(1),
  ],
  [/password$/, (content) => expect(content.length).toBeGreaterThan(0)],
];

function certificates(content: Buffer): readonly X509Certificate[] {
  const blocks = content.toString().match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** Returns all texts of a recipe in which the server reads paths. */
function texts({ config, server }: Recipe): string {
  const words = [...(server.command ?? []), ...(server.args ?? []), ...(server.env ?? []).map(({ value }) => value)];
  return [...Object.values(config), ...words].join('\n');
}

it('README.md lists the recipes', () => {
  const listed = links('docs/recipes/README.md').filter((target) => !target.includes('/'));
  expect(listed.toSorted()).toEqual(RECIPES.map((name) => `${name}.md`).toSorted());
});

describe.each(RECIPES)('%s', (name) => {
  const recipe = readRecipe(name);
  let world: World;
  let files: string;
  beforeAll(async () => {
    world = await theWorld();
    files = join(world.directory, name);
    mkdirSync(files);
    await mountRecipe(world, recipe, files);
  });

  it('mounts the files that the configuration names, each in the form that it needs', async () => {
    const mounted = readdirSync(files).filter((file) => !file.startsWith('..'));
    const named = [...texts(recipe).matchAll(new RegExp(`${recipe.mountPath}/([\\w.-]+)`, 'g'))].map(
      ([, file]) => file,
    );
    expect([...new Set(named)].toSorted()).toEqual(mounted.toSorted());
    for (const file of mounted) {
      const form = FORMS.find(([pattern]) => pattern.test(file));
      if (form === undefined) throw new Error(`no form is known of ${file}`);
      await form[1](readFileSync(join(files, file)));
    }
  });

  it.skipIf(recipe.pod.containers.length === 1)(
    'has a container that watches the same volume, as the same user, for the program of the server',
    () => {
      const [, watch] = recipe.pod.containers;
      const [directory, , program] = watch?.command?.slice(3) ?? [];
      expect(directory).toBe(recipe.mountPath);
      expect(watch?.volumeMounts).toContainEqual(recipe.server.volumeMounts[0]);
      expect(recipe.pod.shareProcessNamespace).toBe(true);
      const [first = name] = [...(recipe.server.command ?? []), ...(recipe.server.args ?? [])];
      expect(program).toBe(first);
    },
  );
});

let started: Promise<World> | undefined;
const theWorld = () => {
  started ??= startWorld({ seed: SEED });
  return started;
};
afterAll(async () => (await started)?.close());
