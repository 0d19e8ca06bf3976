/**
 * The operations on secrets. The API of vaults calls it.
 */

import { Secret } from '../../base/secret.ts';
import type { HttpResponse } from '../http/http.ts';
import type { SecretVersion } from '../world/model.ts';
import { type CertificateContentType, PEM, PFX, secretValue } from '../world/secret-form.ts';
import { requireAccess } from './vault-access.ts';
import { attributesOf, jsonBody, ok, optionalText, type VaultRequest } from './vault-call.ts';
import { badParameter, disabled, vaultRefusal } from './vault-errors.ts';
import {
  type Address,
  bundleJson,
  type Collection,
  getObject,
  objectId,
  requireFreeName,
  requireVersion,
} from './vault-objects.ts';
import { addSecret } from './vault-write.ts';

const MAX_SECRET_BYTES = 25 * 1024;
const MAX_CONTENT_TYPE = 255;
const CONTENT_TYPES: readonly CertificateContentType[] = [PFX, PEM];

/** The storage and the JSON of secrets. */
export const SECRETS: Collection<SecretVersion> = {
  kind: 'secrets',
  store: ({ secrets }) => secrets,
  updatePermission: 'set',
  followers: () => [],
  bundle: (call, name, version) => ({
    value: version.value.reveal(),
    ...contentTypeJson(version),
    id: objectId(call, 'secrets', { name, version: version.version }),
    ...(version.managed
      ? {
          managed: true,
          kid: objectId(call, 'keys', { name, version: version.version }),
          ...previousVersion(call, name, version),
        }
      : {}),
  }),
  item: (id, version) => ({ id, ...contentTypeJson(version), ...(version.managed ? { managed: true } : {}) }),
  update: (version, body) => {
    version.contentType = checkedContentType(optionalText(body, 'contentType')) ?? version.contentType;
  },
};

/** `PUT /secrets/{name}`: adds a version. */
export function setSecret(call: VaultRequest, name: string): HttpResponse {
  requireAccess(call.vault, call.caller, { kind: 'secrets', permission: 'set', name });
  requireFreeName(call, SECRETS, name);
  if (call.vault.certificates.get(name) !== undefined) {
    return vaultRefusal(
      409,
      'Conflict',
      `The secret ${name} belongs to the certificate of that name; change the certificate.`,
    );
  }
  const body = jsonBody(call);
  const value = optionalText(body, 'value');
  if (value === undefined) throw badParameter("The property 'value' is required.");
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) {
    throw badParameter(`The parameter value is longer than the ${MAX_SECRET_BYTES} bytes allowed.`);
  }
  const contentType = checkedContentType(optionalText(body, 'contentType'));
  addSecret(call.world, { vault: call.vault, name }, { ...attributesOf(body), value: new Secret(value), contentType });
  return ok(bundleJson(call, SECRETS, requireVersion(call, SECRETS, { name })));
}

/** `GET /secrets/{name}[/{version}]`. `outContentType` converts the secret of a certificate between PFX and PEM. */
export async function getSecret(call: VaultRequest, address: Address): Promise<HttpResponse> {
  const wanted = call.request.query.get('outContentType');
  if (!wanted) return getObject(call, SECRETS, address);
  const contentType = CONTENT_TYPES.find((known) => known === wanted);
  if (contentType === undefined) throw badParameter(`Invalid outContentType: ${wanted}.`);
  requireAccess(call.vault, call.caller, { kind: 'secrets', permission: 'get', name: address.name });
  const { name, version } = requireVersion(call, SECRETS, address);
  if (!version.enabled) throw disabled('secrets');
  const certificate = version.managed ? call.vault.certificates.version(name, version.version) : undefined;
  if (certificate === undefined) throw badParameter(`The secret ${name} is not that of a certificate.`);
  const { form, issuer, exportable } = certificate.spec;
  const value = await secretValue(certificate.material, {
    contentType,
    form: { ...form, withKey: form.withKey && exportable },
    imported: issuer === 'Unknown',
  });
  return ok(bundleJson(call, SECRETS, { name, version: { ...version, value, contentType } }));
}

function previousVersion(call: VaultRequest, name: string, version: SecretVersion): { previousVersion?: string } {
  if (call.apiVersion < '2025') return {};
  const versions = call.vault.secrets.get(name)?.versions ?? [];
  const previous = versions[versions.findIndex((candidate) => candidate.version === version.version) - 1];
  return previous === undefined ? {} : { previousVersion: previous.version };
}

function contentTypeJson({ contentType }: SecretVersion): { contentType?: string } {
  return contentType === undefined ? {} : { contentType };
}

function checkedContentType(contentType: string | undefined): string | undefined {
  if ((contentType?.length ?? 0) > MAX_CONTENT_TYPE)
    throw badParameter('The contentType is longer than 255 characters.');
  return contentType;
}
