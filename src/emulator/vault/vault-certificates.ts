/**
 * The operations on certificates. The API of vaults calls it. The controls renew certificates with it.
 */

import { createHash } from 'node:crypto';
import { messageOf } from '../../base/errors.ts';
import type { JsonObject } from '../../base/json.ts';
import { Secret } from '../../base/secret.ts';
import { type HttpResponse, json } from '../http/http.ts';
import { importedSpec, uploadedMaterial } from '../world/certificates.ts';
import { signingRequest } from '../world/issue.ts';
import type { CertificateVersion, Vault, World } from '../world/model.ts';
import { PEM, PFX } from '../world/secret-form.ts';
import { contentTypeOf, policyJson, sameLength, specFromPolicy } from './certificate-policy.ts';
import { requireAccess } from './vault-access.ts';
import { asObject, attributesOf, jsonBody, ok, optionalFlag, optionalText, type VaultRequest } from './vault-call.ts';
import { badParameter, notFound, vaultRefusal } from './vault-errors.ts';
import { bundleJson, type Collection, objectId, requireFreeName, requireVersion } from './vault-objects.ts';
import { addCertificate, addIssuedCertificate } from './vault-write.ts';

/** The storage and the JSON of certificates. Their keys and secrets change with them. */
export const CERTIFICATES: Collection<CertificateVersion> = {
  kind: 'certificates',
  store: ({ certificates }) => certificates,
  updatePermission: 'update',
  followers: ({ keys, secrets }) => [keys, secrets],
  bundle: (call, name, version) => {
    const address = { name, version: version.version };
    return {
      id: objectId(call, 'certificates', address),
      kid: objectId(call, 'keys', address),
      sid: objectId(call, 'secrets', address),
      x5t: thumbprint(version),
      cer: version.material.leaf.raw.toString('base64'),
      policy: policyJson(policyId(call, name), version.spec, version.created),
    };
  },
  item: (id, version) => ({ id, x5t: thumbprint(version), subject: version.spec.subject }),
  update: (version, body) => {
    const policy = asObject(body.policy);
    if (policy !== undefined) version.spec = specFromPolicy(policy, version.spec, version.created * 1000);
  },
};

/**
 * `POST /certificates/{name}/create`. Responds with 202 as Key Vault does; the operation is complete at the next call.
 */
export async function createCertificate(call: VaultRequest, name: string): Promise<HttpResponse> {
  requireAccess(call.vault, call.caller, { kind: 'certificates', permission: 'create', name });
  const conflict = refusedName(call, name);
  if (conflict !== undefined) return conflict;
  const body = jsonBody(call);
  const previous = call.vault.certificates.version(name)?.spec;
  const policy = asObject(body.policy);
  if (policy === undefined && previous === undefined) throw badParameter("The property 'policy' is required.");
  const now = call.world.clock.wall();
  const spec = specFromPolicy(policy ?? {}, previous, now);
  if (spec.issuer !== 'Self' && !call.world.authorities.has(spec.issuer)) {
    throw badParameter(
      `The issuer ${spec.issuer} is not known to the emulator: use "Self" or an authority of its seed.`,
    );
  }
  await addIssuedCertificate(call.world, { vault: call.vault, name }, { ...attributesOf(body), spec });
  const operation = await operationJson(call, name);
  const location = `${call.origin}/certificates/${name}/pending?api-version=${call.apiVersion}&request_id=${operation.request_id}`;
  return json(202, { ...operation, status: 'inProgress', target: undefined }, { location, 'retry-after': '0' });
}

/** `GET` and `PATCH /certificates/{name}/pending`: the operation that made the current version. */
export async function getOperation(call: VaultRequest, name: string): Promise<HttpResponse> {
  const permission = call.request.method === 'PATCH' ? 'update' : 'get';
  requireAccess(call.vault, call.caller, { kind: 'certificates', permission, name });
  return ok(await operationJson(call, name));
}

/** `POST /certificates/{name}/import`: PFX in base64, or PEM. The order of the certificates is kept. */
export async function importCertificate(call: VaultRequest, name: string): Promise<HttpResponse> {
  requireAccess(call.vault, call.caller, { kind: 'certificates', permission: 'import', name });
  const conflict = refusedName(call, name);
  if (conflict !== undefined) return conflict;
  const body = jsonBody(call);
  const value = optionalText(body, 'value');
  if (value === undefined) throw badParameter("The property 'value' is required.");
  const policy = asObject(body.policy);
  const material = await readUpload(value, optionalText(body, 'pwd'));
  const previous = call.vault.certificates.version(name)?.spec;
  const subject = { x509_props: { subject: 'CN=imported' } };
  const base = specFromPolicy({ ...policy, ...subject }, previous, call.world.clock.wall());
  const contentType = contentTypeOf(policy) ?? (value.includes('-----BEGIN ') ? PEM : PFX);
  const exportable = optionalFlag(asObject(policy?.key_props), 'exportable') ?? true;
  const spec = importedSpec({ ...base, contentType, exportable }, material);
  await addCertificate(call.world, { vault: call.vault, name }, { ...attributesOf(body), spec, material });
  return ok(bundleJson(call, CERTIFICATES, requireVersion(call, CERTIFICATES, { name })));
}

/** `GET` and `PATCH /certificates/{name}/policy`. A changed policy applies to the next version. */
export function certificatePolicy(call: VaultRequest, name: string): HttpResponse {
  const permission = call.request.method === 'PATCH' ? 'update' : 'get';
  requireAccess(call.vault, call.caller, { kind: 'certificates', permission, name });
  const current = requireVersion(call, CERTIFICATES, { name });
  if (permission === 'update') CERTIFICATES.update(current.version, { policy: jsonBody(call) });
  return ok(policyJson(policyId(call, current.name), current.version.spec, current.version.created));
}

/**
 * Adds a version of a certificate by the specification of the current one. Returns the version id, or undefined if the
 * current version was imported.
 */
export async function renewCertificate(world: World, vault: Vault, name: string): Promise<string | undefined> {
  const spec = vault.certificates.version(name)?.spec;
  if (spec === undefined || spec.issuer === 'Unknown') return undefined;
  const renewed = { ...spec, validity: sameLength(spec, world.clock.wall()) };
  return addIssuedCertificate(world, { vault, name }, { spec: renewed });
}

async function operationJson(call: VaultRequest, name: string): Promise<JsonObject & { request_id: string }> {
  const { name: stored, version } = requireVersion(call, CERTIFICATES, { name });
  const { material, spec } = version;
  if (spec.issuer === 'Unknown') throw notFound('certificates', `${name}/pending`);
  const csr = material.key === undefined ? undefined : await signingRequest(spec.subject, material.key);
  return {
    id: `${objectId(call, 'certificates', { name: stored })}/pending`,
    issuer: { name: spec.issuer },
    csr: csr?.toString('base64'),
    cancellation_requested: false,
    status: 'completed',
    target: objectId(call, 'certificates', { name: stored }),
    request_id: version.version,
  };
}

async function readUpload(value: string, password: string | undefined) {
  try {
    return await uploadedMaterial(new Secret(value), password === undefined ? undefined : new Secret(password));
  } catch (thrown) {
    throw badParameter(`The specified certificate content cannot be used: ${messageOf(thrown)}.`);
  }
}

function refusedName(call: VaultRequest, name: string): HttpResponse | undefined {
  requireFreeName(call, CERTIFICATES, name);
  const { certificates, keys, secrets } = call.vault;
  if (certificates.get(name) !== undefined || (keys.get(name) ?? secrets.get(name)) === undefined) return undefined;
  return vaultRefusal(409, 'Conflict', `The name ${name} belongs to a key or secret that is not a certificate's.`);
}

function policyId(call: VaultRequest, name: string): string {
  return `${objectId(call, 'certificates', { name })}/policy`;
}

function thumbprint({ material }: CertificateVersion): string {
  return createHash('sha1').update(material.leaf.raw).digest('base64url');
}
