/**
 * Reads and writes certificate policies of Key Vault. The operations on certificates call it. Refuses invalid policies
 * with 400.
 */

import type { JsonObject } from '../../base/json.ts';
import { defaultValidity, type IssueSpec } from '../world/certificates.ts';
import { type AlternativeNames, DEFAULT_EKUS, isSubject, NO_NAMES } from '../world/issue.ts';
import { DEFAULT_KEY } from '../world/key-material.ts';
import { type CertificateContentType, KEY_VAULT_FORM, PEM, PFX } from '../world/secret-form.ts';
import { asObject, optionalFlag, optionalInteger, optionalText, optionalTexts } from './vault-call.ts';
import { badParameter } from './vault-errors.ts';
import { requestedKey } from './vault-keys.ts';

const MONTH_MS = (365.25 / 12) * 24 * 3600 * 1000;
const DEFAULT_MONTHS = 12;

/** Returns the policy that Key Vault shows for a certificate's specification. */
export function policyJson(id: string, spec: IssueSpec, created: number): JsonObject {
  const { key, names } = spec;
  const rsa = key.kty.startsWith('RSA');
  return {
    id,
    key_props: {
      exportable: spec.exportable,
      kty: key.kty,
      ...(rsa ? { key_size: key.size } : { key_size: curveBits(key.crv), crv: key.crv }),
      reuse_key: false,
    },
    secret_props: { contentType: spec.contentType },
    x509_props: {
      subject: spec.subject,
      ...(names.dns.length + names.ip.length + names.email.length === 0
        ? {}
        : { sans: { dns_names: names.dns, emails: names.email, upns: [], ip_addresses: names.ip, uris: [] } }),
      ekus: spec.ekus,
      key_usage: rsa ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature'],
      validity_months: Math.round((spec.validity.to - spec.validity.from) / MONTH_MS),
      basic_constraints: { ca: false },
    },
    lifetime_actions: [{ trigger: { lifetime_percentage: 80 }, action: { action_type: 'AutoRenew' } }],
    issuer: { name: spec.issuer, cert_transparency: null },
    attributes: { enabled: true, created, updated: created },
  };
}

/**
 * Returns the specification that a policy describes. Absent members come from `previous` or the defaults. Refuses with
 * 400.
 */
export function specFromPolicy(policy: JsonObject, previous: IssueSpec | undefined, now: number): IssueSpec {
  const keyProps = asObject(policy.key_props);
  const x509 = asObject(policy.x509_props);
  const sans = asObject(x509?.sans);
  const subject = requestedSubject(x509, sans, previous);
  const validity = requestedValidity(x509, previous, now);
  const names = requestedNames(sans, previous?.names);
  return {
    issuer: optionalText(asObject(policy.issuer), 'name') ?? previous?.issuer ?? 'Self',
    subject,
    names,
    ekus: optionalTexts(x509, 'ekus') ?? previous?.ekus ?? DEFAULT_EKUS,
    key: certificateKey(keyProps, previous),
    exportable: optionalFlag(keyProps, 'exportable') ?? previous?.exportable ?? true,
    validity,
    contentType: contentTypeOf(policy) ?? previous?.contentType ?? PFX,
    form: previous?.form ?? KEY_VAULT_FORM,
  };
}

function requestedSubject(
  x509: JsonObject | undefined,
  sans: JsonObject | undefined,
  previous: IssueSpec | undefined,
): string {
  const subject = optionalText(x509, 'subject') ?? previous?.subject;
  if (subject === undefined && sans === undefined)
    throw badParameter('The policy needs a subject or subject alternative names.');
  const checked = subject === undefined || subject === '' ? `CN=${firstName(sans)}` : subject;
  if (!isSubject(checked)) throw badParameter(`The subject ${subject} is not a distinguished name.`);
  return checked;
}

function requestedValidity(
  x509: JsonObject | undefined,
  previous: IssueSpec | undefined,
  now: number,
): IssueSpec['validity'] {
  const months = optionalInteger(x509, 'validity_months');
  if (months === undefined) return sameLength(previous, now);
  if (months < 1 || months > 1200) throw badParameter('validity_months must be between 1 and 1200.');
  return { from: defaultValidity(now).from, to: now + months * MONTH_MS };
}

function requestedNames(sans: JsonObject | undefined, previous: AlternativeNames = NO_NAMES): AlternativeNames {
  return {
    dns: optionalTexts(sans, 'dns_names') ?? previous.dns,
    ip: optionalTexts(sans, 'ip_addresses') ?? previous.ip,
    email: optionalTexts(sans, 'emails') ?? previous.email,
  };
}

/** Returns the content type that a policy sets for the certificate's secret. Refuses unknown types with 400. */
export function contentTypeOf(policy: JsonObject | undefined): CertificateContentType | undefined {
  const contentType = optionalText(asObject(policy?.secret_props), 'contentType');
  if (contentType === undefined || contentType === PFX || contentType === PEM) return contentType;
  throw badParameter(`The content type ${contentType} is not supported; known: ${PFX} and ${PEM}.`);
}

/** Returns the validity of a renewed certificate: as long as the previous one. */
export function sameLength(previous: IssueSpec | undefined, now: number): IssueSpec['validity'] {
  const { from } = defaultValidity(now);
  const length = previous === undefined ? DEFAULT_MONTHS * MONTH_MS : previous.validity.to - previous.validity.from;
  return { from, to: from + length };
}

/** Returns the key of a certificate. The default is Key Vault's: RSA 2048. */
function certificateKey(keyProps: JsonObject | undefined, previous: IssueSpec | undefined): IssueSpec['key'] {
  if (keyProps?.kty === undefined) return previous?.key ?? { ...DEFAULT_KEY, kty: 'RSA' };
  const key = requestedKey(
    keyProps.kty === 'RSA' || keyProps.kty === 'RSA-HSM' ? keyProps : { kty: keyProps.kty, crv: keyProps.crv },
  );
  if (key.kty.startsWith('oct') || (key.kty.startsWith('EC') && key.crv === 'P-256K')) {
    throw badParameter('The emulator makes certificates for RSA, P-256, P-384 and P-521 keys only.');
  }
  return key;
}

function firstName(sans: JsonObject | undefined): string {
  return (
    [...(optionalTexts(sans, 'dns_names') ?? []), ...(optionalTexts(sans, 'ip_addresses') ?? []), 'certificate'][0] ??
    ''
  );
}

function curveBits(crv: string): number {
  return Number(/\d+/.exec(crv)?.[0] ?? 0);
}
