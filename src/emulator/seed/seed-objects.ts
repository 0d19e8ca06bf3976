/**
 * Adds the secrets, keys and certificates of a seed to one vault. `seed-world.ts` calls it.
 */

import { messageOf } from '../../base/errors.ts';
import { Secret } from '../../base/secret.ts';
import { addCertificate, addIssuedCertificate, addKey, addSecret } from '../vault/vault-write.ts';
import { type IssueSpec, importedSpec, uploadedMaterial } from '../world/certificates.ts';
import type { Vault, World } from '../world/model.ts';
import { PFX, pemParts, pemText, type StoredMaterial, secretValue } from '../world/secret-form.ts';
import { badSeed } from './seed.ts';
import type { SeedCertificate, SeedSecret, SeedVault } from './seed-schema.ts';
import { issueSpec, keySpec, secretForm, seededVersions, versionOptions } from './seed-specs.ts';

/** The named chains of the seed, by name. */
export type Chains = ReadonlyMap<string, { readonly spec: IssueSpec; readonly material: StoredMaterial }>;

interface Source {
  readonly seed: SeedVault;
  readonly chains: Chains;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Adds the objects of the seed to one vault. Throws: ERR_BAD_PARAMETERS. */
export async function fillVault(world: World, vault: Vault, source: Source): Promise<void> {
  const { seed, now } = source;
  await Promise.all([
    ...(seed.secrets ?? []).map(({ name, ...object }) =>
      eachVersion(object, async (fields, age) => {
        const { value, contentType } = await seededValue(world, fields, source);
        const options = { ...versionOptions(fields, age, now), value, contentType: fields.contentType ?? contentType };
        addSecret(world, { vault, name }, options);
      }),
    ),
    ...(seed.keys ?? []).map(({ name, ...object }) =>
      eachVersion(object, async (fields, age) => {
        const options = { ...versionOptions(fields, age, now), spec: keySpec(fields), keyOps: fields.operations };
        await addKey(world, { vault, name }, options);
      }),
    ),
    ...(seed.certificates ?? []).map(({ name, ...object }) =>
      eachVersion(object, (fields, age) => addSeededCertificate(world, { vault, name }, { fields, age, source })),
    ),
  ]);
}

async function eachVersion<T extends { readonly versions?: unknown }>(
  object: T,
  add: (fields: Omit<T, 'versions'>, age: number) => Promise<unknown>,
): Promise<void> {
  const versions = seededVersions(object);
  for (const [i, fields] of versions.entries()) await add(fields, versions.length - 1 - i);
}

async function seededValue(
  world: World,
  fields: Pick<SeedSecret, 'value' | 'valueFrom'>,
  source: Source,
): Promise<{ value: Secret; contentType?: string }> {
  const { value, valueFrom } = fields;
  if (valueFrom === undefined) return { value: new Secret(value ?? '') };
  if ('authority' in valueFrom) {
    return { value: new Secret(pemText(undefined, world.authorities.get(valueFrom.authority)?.chain ?? [])) };
  }
  const chain = source.chains.get(valueFrom.chain);
  if (chain === undefined) throw badSeed([`chain "${valueFrom.chain}" is not in this seed`]);
  if ('parts' in valueFrom) return { value: pemParts(chain.material, valueFrom.parts) };
  const options = { contentType: PFX, form: secretForm(valueFrom.form), imported: false } as const;
  return { value: await secretValue(chain.material, options), contentType: PFX };
}

async function addSeededCertificate(
  world: World,
  at: { vault: Vault; name: string },
  entry: { fields: Omit<SeedCertificate, 'name' | 'versions'>; age: number; source: Source },
): Promise<string> {
  const { fields, age, source } = entry;
  const spec = issueSpec(at.name, fields, source.now);
  const options = versionOptions(fields, age, source.now);
  const chain = fields.chain === undefined ? undefined : source.chains.get(fields.chain);
  if (chain !== undefined) {
    const { contentType, form, exportable } = spec;
    const chainSpec = { ...chain.spec, contentType, form, exportable };
    return addCertificate(world, at, { ...options, material: chain.material, spec: chainSpec });
  }
  if (fields.content === undefined) return addIssuedCertificate(world, at, { ...options, spec });
  const material = await uploaded(at.name, fields.content, fields.password);
  return addCertificate(world, at, { ...options, material, spec: importedSpec(spec, material) });
}

async function uploaded(name: string, content: string, password: string | undefined): Promise<StoredMaterial> {
  try {
    return await uploadedMaterial(new Secret(content), password === undefined ? undefined : new Secret(password));
  } catch (thrown) {
    throw badSeed([`certificate "${name}": ${messageOf(thrown)}`]);
  }
}
