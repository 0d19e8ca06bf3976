import type { X509Certificate } from 'node:crypto';
import { ProviderError } from '../base/errors.ts';
import { Secret } from '../base/secret.ts';
import { type CertificateBundle, readBundle } from '../pki/bundle.ts';
import { pathOf } from '../pki/chain.ts';
import { authoritiesOf, type CertificateMaterial, pairKey } from '../pki/material.ts';
import { missingFor, writeOutput } from '../pki/write.ts';
import type { ContentSpec, ObjectSpec, OutputSpec } from '../spc/model.ts';
import type { CertificateWatch } from './certificate-watch.ts';
import type { FileDraft } from './convert.ts';
import type { FetchedSpec } from './fetch.ts';
import type { FetchedObject } from './ports.ts';

type OutputsSpec = Extract<ContentSpec, { kind: 'outputs' }>;

/** What outputs are made with. */
export interface OutputsContext {
  /** All objects of the mount: some lend their certificates or their password. */
  readonly all: readonly FetchedSpec[];
  readonly watch: CertificateWatch;
  readonly signal: AbortSignal;
}

/**
 * The chosen files of one certificate, or of one chain. All of them come from one read.
 * Errors: ERR_BAD_CONTENT.
 */
export async function writeOutputs(
  object: ObjectSpec,
  content: OutputsSpec,
  context: OutputsContext,
): Promise<readonly FileDraft[]> {
  if (content.outputs.length === 0) return [];
  const fetched = secretOf(context.all.find((one) => one.object === object));
  const material = await materialOf(fetched, content, context);
  if (content.role === 'certificate' || material.key !== undefined) context.watch.look(object.name, material);
  const drafts: FileDraft[] = [];
  for (const output of content.outputs) {
    if (isLeftOut(output, material, drafts.length > 0 && content.role === 'chain')) continue;
    const { keyFormat, pfxForm } = output;
    const password = passwordOf(output.passwordFrom, context);
    const contents = await writeOutput(output.output, material, {
      keyFormat,
      pfxForm,
      seed: Buffer.from(fetched.version),
      ...(password === undefined ? {} : { password }),
    });
    if (contents.length === 0) {
      throw new ProviderError(
        'ERR_BAD_CONTENT',
        `there is nothing to write to "${output.path}": ${missingFor(output.output, material) ?? 'the file would be empty'}`,
      );
    }
    drafts.push({ path: output.path, mode: output.mode, contents });
  }
  return drafts;
}

/** A chain secret that serves as the certificate too need not hold more than that. */
function isLeftOut({ output, presence }: OutputSpec, material: CertificateMaterial, servedAlready: boolean): boolean {
  if (presence === 'with-key') return material.key === undefined;
  if (presence === 'if-present' || servedAlready) return missingFor(output, material) !== undefined;
  return false;
}

async function materialOf(
  fetched: Extract<FetchedObject, { type: 'secret' }>,
  content: OutputsSpec,
  context: OutputsContext,
): Promise<CertificateMaterial> {
  const bundle = await bundleOf(fetched, passwordOf(content.passwordFrom, context), context.signal);
  if (content.role === 'chain') return chainMaterial(bundle);
  if (content.chainFrom === undefined) return pairKey(bundle);
  const lender = secretOf(context.all[content.chainFrom]);
  const { certificates } = await bundleOf(lender, undefined, context.signal);
  return withChain(pairKey(bundle, { extra: certificates }), certificates);
}

/** Of a chain secret everything but a leaf is an authority, and every authority that is no root is an intermediate. */
function chainMaterial(bundle: CertificateBundle): CertificateMaterial {
  const material = authoritiesOf(bundle);
  const { chain, authorities } = material;
  const ordered = [...pathOf(chain), ...authorities].filter(
    (one, index, all) => includes(authorities, one) && indexOf(all, one) === index,
  );
  const [first] = ordered;
  const leaf =
    chain.leaf !== undefined && first !== undefined && ordered.length > 1 && !chain.leaf.ca ? chain.leaf : undefined;
  const intermediates = ordered.filter((one) => !isSelfSigned(one) && !(leaf !== undefined && same(one, leaf)));
  return { ...material, chain: { ...chain, intermediates } };
}

/** Certificates of a chain secret that the path does not need are intermediates all the same: the user named them. */
function withChain(material: CertificateMaterial, lent: readonly X509Certificate[]): CertificateMaterial {
  const path = pathOf(material.chain);
  const rest = lent.filter((one, index) => !isSelfSigned(one) && !includes(path, one) && indexOf(lent, one) === index);
  return { ...material, chain: { ...material.chain, intermediates: [...material.chain.intermediates, ...rest] } };
}

async function bundleOf(
  { value, contentType }: Extract<FetchedObject, { type: 'secret' }>,
  password: Secret | undefined,
  signal: AbortSignal,
): Promise<CertificateBundle> {
  return readBundle(Buffer.from(value.reveal()), {
    contentType,
    signal,
    ...(password === undefined ? {} : { password }),
  });
}

function passwordOf(index: number | undefined, { all }: OutputsContext): Secret | undefined {
  if (index === undefined) return undefined;
  // Editors and `echo` end a password with a newline that is no part of it.
  return new Secret(
    secretOf(all[index])
      .value.reveal()
      .replace(/\r?\n$/, ''),
  );
}

function secretOf(spec: FetchedSpec | undefined): Extract<FetchedObject, { type: 'secret' }> {
  const fetched = spec?.fetched[0];
  if (fetched?.type !== 'secret') throw new Error('outputs are made of secrets only');
  return fetched;
}

function same(a: X509Certificate, b: X509Certificate): boolean {
  return a.fingerprint256 === b.fingerprint256;
}

function includes(all: readonly X509Certificate[], one: X509Certificate): boolean {
  return indexOf(all, one) !== -1;
}

function indexOf(all: readonly X509Certificate[], one: X509Certificate): number {
  return all.findIndex((other) => same(other, one));
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}
