/**
 * Converts the fields of a seed into specifications of keys and certificates. The seed and the controls call it.
 */

import { Secret } from '../../base/secret.ts';
import { PKCS12_FORMS } from '../../pki/pkcs12-write.ts';
import type { VersionOptions } from '../vault/vault-write.ts';
import { defaultValidity, type IssueSpec } from '../world/certificates.ts';
import { DEFAULT_EKUS } from '../world/issue.ts';
import { DEFAULT_KEY, type KeySpec } from '../world/key-material.ts';
import { PFX, type SecretForm } from '../world/secret-form.ts';
import { resolveTime } from './seed.ts';
import type { SeedCertificate, SeedForm, SeedKey } from './seed-schema.ts';

type Validity = { readonly from?: string | undefined; readonly to?: string | undefined } | undefined;
type IssueFields = Pick<SeedCertificate, 'issuer' | 'subject' | 'dns' | 'ip' | 'email' | 'ekus' | 'key' | 'validity'>;

/** Returns the specification of a seed's key. A size without a type means RSA. */
export function keySpec(key: SeedKey | undefined): KeySpec {
  const kty = key?.kty ?? (key?.size === undefined ? DEFAULT_KEY.kty : 'RSA');
  return { kty, size: key?.size ?? DEFAULT_KEY.size, crv: key?.crv ?? DEFAULT_KEY.crv };
}

/** Returns the validity in milliseconds since 1970, with defaults for absent times. */
export function validitySpec(validity: Validity, now: number): IssueSpec['validity'] {
  const standard = defaultValidity(now);
  return {
    from: validity?.from === undefined ? standard.from : resolveTime(validity.from, now),
    to: validity?.to === undefined ? standard.to : resolveTime(validity.to, now),
  };
}

/** Returns the specification by which a certificate or chain of the seed is issued. */
export function issueSpec(
  name: string,
  fields: IssueFields & Partial<Pick<SeedCertificate, 'contentType' | 'form' | 'exportable'>>,
  now: number,
): IssueSpec {
  return {
    issuer: fields.issuer ?? 'Self',
    subject: fields.subject ?? `CN=${name}`,
    names: { dns: fields.dns ?? [], ip: fields.ip ?? [], email: fields.email ?? [] },
    ekus: fields.ekus ?? DEFAULT_EKUS,
    key: keySpec(fields.key),
    exportable: fields.exportable ?? true,
    validity: validitySpec(fields.validity, now),
    contentType: fields.contentType ?? PFX,
    form: secretForm(fields.form),
  };
}

/**
 * Returns the form of a certificate's secret: the named preset, or else Key Vault's form, with the given members
 * replaced.
 */
export function secretForm(form: SeedForm | undefined): SecretForm {
  const { preset = 'keyVault', order = 'keyVault', withKey = true, password, ...members } = form ?? {};
  const nullPassword = password === undefined ? preset === 'keyVault' : password === 'null';
  const given = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
  return {
    order,
    withKey,
    pfx: { ...PKCS12_FORMS[preset], password: nullPassword ? null : new Secret(''), ...given },
  };
}

/** Returns the attributes of a seeded version. Versions without `created` are one second apart, the newest last. */
export function versionOptions(
  fields: Pick<SeedCertificate, 'version' | 'enabled' | 'notBefore' | 'expires' | 'created' | 'tags'>,
  age: number,
  now: number,
): VersionOptions {
  return {
    version: fields.version,
    enabled: fields.enabled,
    notBefore: unixTime(fields.notBefore, now),
    expires: unixTime(fields.expires, now),
    created: unixTime(fields.created, now) ?? Math.floor(now / 1000) - age,
    tags: fields.tags,
  };
}

/** Converts a time of the seed to seconds since 1970. */
export function unixTime(time: string | undefined, now: number): number | undefined {
  return time === undefined ? undefined : Math.floor(resolveTime(time, now) / 1000);
}

/** Returns the versions of a seeded object, oldest first. Each inherits the fields of the object. */
export function seededVersions<T extends { readonly versions?: unknown }>(object: T): readonly Omit<T, 'versions'>[] {
  const { versions, ...shared } = object;
  if (Array.isArray(versions)) return versions.map((version) => ({ ...shared, ...version }));
  return Array.from({ length: typeof versions === 'number' ? versions : 1 }, () => shared);
}
