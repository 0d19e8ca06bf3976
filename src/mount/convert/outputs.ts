/**
 * Makes the files that a manifest chooses of one certificate or chain: certificate, chain, key, PFX and others.
 * `convert.ts` calls it. A required file that cannot be made is refused.
 */

import type { X509Certificate } from 'node:crypto';
import { messageOf, ProviderError } from '../../base/errors.ts';
import type { Secret } from '../../base/secret.ts';
import type { CertificateBundle } from '../../pki/bundle.ts';
import { authoritiesOf, type CertificateMaterial, pairKey } from '../../pki/certified-key.ts';
import { buildChain, pathOf } from '../../pki/chain.ts';
import { type CertificateFinding, checkAuthorities, type Examination, examine } from '../../pki/findings.ts';
import { withoutRoots } from '../../pki/issuers.ts';
import type { OutputKind } from '../../pki/outputs.ts';
import { withoutMargins } from '../../pki/password.ts';
import { CERTIFICATE_REASONS, type CertificateReason } from '../../pki/reasons.ts';
import { writeOutput } from '../../pki/write.ts';
import type { ContentSpec, OutputSpec } from '../../spc/model.ts';
import type { MountedFile } from '../../wire/contract.ts';
import type { FetchedSpec } from '../fetch.ts';
import type { FetchedObject } from '../ports.ts';
import {
  bytesOf,
  type CertificateCache,
  type Content,
  type ContentFacts,
  digestOf,
  type Understanding,
} from './certificate-cache.ts';
import { type CertificateWatch, DATE_REASONS } from './certificate-watch.ts';

type OutputsSpec = Extract<ContentSpec, { kind: 'outputs' }>;
type FetchedSecret = Extract<FetchedObject, { type: 'secret' }>;

/** Problems that are reported of CA certificates, each of which is checked by itself. */
const CHAIN_REASONS: readonly CertificateReason[] = [...DATE_REASONS, 'no_ca'];

/**
 * Problems that are reported of a client's certificate: servers identify it by its subject and need no alternative
 * names.
 */
const CLIENT_REASONS = CERTIFICATE_REASONS.filter((reason) => reason !== 'no_san');

/** Everything that the outputs of one object are made with. */
export interface OutputsContext {
  readonly content: OutputsSpec;
  /** Name of the object, for warnings. */
  readonly name: string;
  /** All objects of the Mount: some lend their certificates or their password. */
  readonly all: readonly FetchedSpec[];
  readonly watch: CertificateWatch;
  readonly contents: CertificateCache;
  readonly signal: AbortSignal;
}

/** The failure of an object whose lender of certificates cannot be read. The cause is the reason. */
export class LenderFailure extends Error {
  /** Index of the lender. */
  readonly lender: number;

  constructor(lender: number, cause: unknown) {
    super('the content of another object cannot be read', { cause });
    this.lender = lender;
  }
}

/**
 * Makes the chosen files of one certificate or one chain, all from one read. An optional file is left out if the
 * content has nothing for it; a file that the content has and that cannot be written is an error.
 * Throws: ERR_BAD_CONTENT; {@link LenderFailure}.
 */
export async function convertOutputs(fetched: FetchedObject, context: OutputsContext): Promise<readonly MountedFile[]> {
  const { content, name, watch, all } = context;
  const { outputs } = content;
  if (outputs.length === 0) return [];
  const secret = asSecret(fetched);
  const source = contentOf(secret, context);
  const facts = await source.facts().catch((error: unknown) => blame(error, context));
  const { hasKey, examinations, missing } = facts;
  watch.look(name, examinations, reasonsFor(content, hasKey));
  if (content.needsKey && !hasKey) watch.tell(name, noOwnCertificate(content, facts));
  const drafts: MountedFile[] = [];
  for (const { output, path, mode, presence, passwordFrom, ...options } of outputs) {
    if (isLeftOut(output, presence, facts)) continue;
    const lack = missing.get(output);
    if (lack !== undefined) throw new ProviderError('ERR_BAD_CONTENT', `cannot write "${path}": ${lack}`);
    const password = passwordFor(path, passwordOf(passwordFrom, all));
    const { keyFormat, pfxForm } = options;
    const file = `${output} ${keyFormat} ${pfxForm} ${digestOf(secret.version, password.password?.reveal())}`;
    const write = { ...options, ...password, seed: Buffer.from(secret.version) };
    drafts.push({
      path,
      mode,
      contents: await source.file(file, ({ material }) => writeOutput(output, material, write)),
    });
  }
  return drafts;
}

/** Finds the object that caused the failure: the object itself, its lender, or its password. Always throws. */
async function blame(error: unknown, { content, all, contents, signal }: OutputsContext): Promise<never> {
  signal.throwIfAborted();
  const { chainFrom, passwordFrom } = content;
  const chain = chainFrom === undefined ? undefined : lenderAt(chainFrom, all);
  if (chainFrom !== undefined && chain !== undefined) {
    const lender = openedBy(contents, signal)(chain, {});
    await lender.open(signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      if (messageOf(cause) === messageOf(error)) throw new LenderFailure(chainFrom, cause);
    });
  }
  const password = passwordFrom === undefined ? undefined : all[passwordFrom]?.object.label;
  if (password === undefined || !(error instanceof ProviderError) || !/password/.test(error.message)) throw error;
  throw new ProviderError(error.code, `${error.message}; the password is that of ${password}`, { cause: error });
}

/** Returns a function that opens contents for one Mount. */
function openedBy(contents: CertificateCache, signal: AbortSignal) {
  return (secret: FetchedSecret, password: { readonly password?: Secret }, understanding?: Understanding) => {
    const value = bytesOf(secret.value);
    return contents.of({ value, contentType: secret.contentType, ...password }, signal, understanding);
  };
}

function reasonsFor({ role, forClient }: OutputsSpec, hasKey: boolean): readonly CertificateReason[] {
  if (role === 'chain' && !hasKey) return CHAIN_REASONS;
  return forClient ? CLIENT_REASONS : CERTIFICATE_REASONS;
}

function isLeftOut(output: OutputKind, presence: OutputSpec['presence'], { hasKey, absent }: ContentFacts): boolean {
  switch (presence) {
    case 'required':
      return false;
    case 'with-key':
      return !hasKey;
    case 'if-present':
      return absent.has(output);
    case 'beside-key':
      return hasKey && absent.has(output);
  }
}

/**
 * Returns the warning about a client or server without certificate and key of its own. A chain secret may be alone.
 */
function noOwnCertificate({ outputs, forClient }: OutputsSpec, { onlyAuthorities }: ContentFacts): CertificateFinding {
  const paths = outputs.filter(({ presence }) => presence === 'with-key').map(({ path }) => path);
  const holds = onlyAuthorities ? 'holds CA certificates only' : 'holds certificates only, and no private key';
  const user = forClient ? 'client' : 'server';
  const message = `${paths.join(' and ')} are not there: the secret ${holds}; add vaultCert with the ${user} certificate`;
  return { reason: forClient ? 'no_client_certificate' : 'no_server_certificate', message };
}

function contentOf(fetched: FetchedSecret, { content, all, contents, signal }: OutputsContext): Content {
  const open = openedBy(contents, signal);
  const password = passwordOf(content.passwordFrom, all);
  if (content.role === 'chain') return open(fetched, password, AS_CHAIN);
  const { chainFrom } = content;
  const chain = chainFrom === undefined ? undefined : lenderAt(chainFrom, all);
  return open(fetched, password, chain === undefined ? undefined : withLent(open(chain, {})));
}

/** A secret of CA certificates: without a key, each is checked by itself. */
const AS_CHAIN: Understanding = {
  name: 'chain',
  pair: chainMaterial,
  async examine({ chain, key, rivals, authorities }, signal) {
    if (key !== undefined) return [examine(chain, key, { rivals })];
    const examinations: Examination[] = [{ lasting: checkAuthorities(authorities, chain.roots), validities: [] }];
    for (const one of authorities) examinations.push(examine(await buildChain([one], { signal }), undefined));
    return examinations;
  },
};

/** Returns the interpretation of a certificate whose chain another content completes. */
function withLent(lender: Content): Understanding {
  return {
    name: `with ${lender.key}`,
    async pair(bundle, signal) {
      const { certificates } = (await lender.open(signal)).bundle;
      return withChain(await pairKey(bundle, { extra: certificates, signal }), certificates, signal);
    },
    examine: async ({ chain, key, rivals }) => [examine(chain, key, { rivals })],
  };
}

/**
 * In a chain secret every certificate except a leaf is an authority, and every authority except a root is an
 * intermediate.
 */
async function chainMaterial(bundle: CertificateBundle, signal: AbortSignal): Promise<CertificateMaterial> {
  const material = await authoritiesOf(bundle, { signal });
  const { chain, authorities } = material;
  const named = new Set(authorities.map(({ fingerprint256 }) => fingerprint256));
  const ordered = distinct([...pathOf(chain), ...authorities]).filter((one) => named.has(one.fingerprint256));
  const isLeaf = (one: X509Certificate) =>
    one.fingerprint256 === chain.leaf?.fingerprint256 && ordered.length > 1 && !one.ca;
  const intermediates = (await withoutRoots(ordered, signal)).filter((one) => !isLeaf(one));
  return { ...material, chain: { ...chain, intermediates } };
}

/** Certificates of a chain secret that the path does not need are also intermediates, since the user named them. */
async function withChain(
  material: CertificateMaterial,
  lent: readonly X509Certificate[],
  signal: AbortSignal,
): Promise<CertificateMaterial> {
  const path = pathOf(material.chain);
  const rest = distinct([...path, ...lent]).slice(path.length);
  const intermediates = [...material.chain.intermediates, ...(await withoutRoots(rest, signal))];
  return { ...material, chain: { ...material.chain, intermediates } };
}

/** Returns the password: the value of the object that lends it. */
function passwordOf(index: number | undefined, all: readonly FetchedSpec[]): { readonly password?: Secret } {
  if (index === undefined) return {};
  const lender = lenderAt(index, all);
  if (lender === undefined) throw new Error('nothing was read of the object that lends its password');
  return { password: lender.value };
}

/**
 * Returns the password of a file, without the line break that editors add. A secret without a password is refused,
 * since the key would be unprotected.
 */
function passwordFor(path: string, { password }: { readonly password?: Secret }): { readonly password?: Secret } {
  if (password === undefined) return {};
  const meant = withoutMargins(password);
  if (meant.reveal() === '' && password.reveal() !== '') {
    const why = 'the secret that its passwordFrom names holds no password, only a line break or a byte order mark';
    throw new ProviderError('ERR_BAD_CONTENT', `cannot write "${path}": ${why}; store the password in that secret`);
  }
  return { password: meant };
}

/** Returns the secret that an object lends; undefined if the object is optional and missing. */
function lenderAt(index: number, all: readonly FetchedSpec[]): FetchedSecret | undefined {
  const lender = all[index]?.fetched[0];
  return lender === undefined ? undefined : asSecret(lender);
}

function asSecret(fetched: FetchedObject): FetchedSecret {
  if (fetched.type !== 'secret') throw new Error('outputs are made of secrets only');
  return fetched;
}

/** Returns each certificate once, at its first place. */
function distinct(certificates: readonly X509Certificate[]): readonly X509Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint256, one])).values()];
}
