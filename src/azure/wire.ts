import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import type { ObjectType } from '../base/telemetry.ts';
import type { FetchedObject, ListedVersion, ObjectRef } from '../mount/ports.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads the JSON that a vault answered. The SDK's own models cannot be used for it: they crash where a field is absent,
 * and Key Vault does leave fields out.
 * Errors: ERR_VAULT, naming what failed and the field, with the official provider's words.
 */
export function fetchedFromWire(ref: ObjectRef, body: unknown, failed: string): FetchedObject {
  const json = objectOf(body);
  const missing = (text: string, field: string) =>
    new ProviderError(
      'ERR_VAULT',
      `${failed}: ${text}: the vault answered without "${field}"; check proxies between node and vault`,
      { details: { phase: 'vault', httpStatus: 200 } },
    );
  const attributes = objectOf(json.attributes);
  const life = { expiresAt: timeOf(attributes.exp), notBefore: timeOf(attributes.nbf) };
  switch (ref.type) {
    case 'secret': {
      const { value } = json;
      if (typeof value !== 'string') throw missing('secret value is nil', 'value');
      const version = versionOf(json.id);
      if (version === undefined) throw missing('secret id is nil', 'id');
      return {
        type: 'secret',
        version,
        ...life,
        value: new Secret(value),
        contentType: textOf(json.contentType) ?? '',
        certificateBacked: (textOf(json.kid) ?? '') !== '',
      };
    }
    case 'key': {
      if (typeof json.key !== 'object' || json.key === null) throw missing('key value is nil', 'key');
      const key = objectOf(json.key);
      const version = versionOf(key.kid);
      if (version === undefined) throw missing('key id is nil', 'kid');
      const numbers = { n: textOf(key.n), e: textOf(key.e), x: textOf(key.x), y: textOf(key.y) };
      return { type: 'key', version, ...life, key: { kty: textOf(key.kty), crv: textOf(key.crv), ...numbers } };
    }
    case 'cert': {
      const cer = textOf(json.cer);
      if (cer === undefined) throw missing('certificate value is nil', 'cer');
      const version = versionOf(json.id);
      if (version === undefined) throw missing('certificate id is nil', 'id');
      return { type: 'cert', version, ...life, der: Buffer.from(cer, 'base64') };
    }
  }
}

/** What an entry takes in memory besides its content. */
const ENTRY_BYTES = 500;

/** About the bytes that an object takes in memory. */
export function bytesOfObject(object: FetchedObject): number {
  switch (object.type) {
    case 'secret':
      return ENTRY_BYTES + object.value.reveal().length;
    case 'cert':
      return ENTRY_BYTES + object.der.length;
    case 'key':
      return 2 * ENTRY_BYTES;
  }
}

/** The entries of one page of a version listing; entries without id or attributes name no version to choose. */
export function listedFromWire(type: ObjectType, body: unknown): readonly ListedVersion[] {
  const { value } = objectOf(body);
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const item = objectOf(entry);
    const version = versionOf(type === 'key' ? (item.kid ?? item.id) : item.id);
    if (version === undefined || typeof item.attributes !== 'object' || item.attributes === null) return [];
    const { enabled, created } = objectOf(item.attributes);
    return [{ version, enabled: enabled !== false, createdAt: timeOf(created) ?? 0 }];
  });
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function versionOf(id: unknown): string | undefined {
  const last = textOf(id)?.replace(/\/+$/, '').split('/').pop();
  return last === '' ? undefined : last;
}

/** Key Vault counts in seconds. */
function timeOf(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
