/**
 * The files of certificates and chains of the `keyVault` form, by the layout that the manifest chooses. Called by the
 * reader of the field, and by `render` for the files that a resource expects.
 */

import type { OutputKind } from '../pki/outputs.ts';
import { outputsContent } from './contents.ts';
import type { ContentSpec, OutputSpec } from './model.ts';

/**
 * File names of a certificate: `tls` as in a kubernetes.io/tls Secret, `client` as bridges and Kafka connectors use
 * them.
 */
export type FileLayout = 'tls' | 'client';

/**
 * The use of a certificate: a server's must hold its names. Where it is given, and for every client, the files without
 * a private key are not enough.
 */
export type CertificateUse = 'server' | 'client';

/** The parameters that choose the files. */
export interface LayoutChoice {
  readonly layout: FileLayout;
  /** Absent: as the layout implies. */
  readonly use?: CertificateUse | undefined;
}

const LAYOUTS: Readonly<
  Record<FileLayout, { fullChain: string; privateKey: string; authorities: { output: OutputKind; path: string } }>
> = {
  tls: { fullChain: 'tls.crt', privateKey: 'tls.key', authorities: { output: 'ca', path: 'ca.crt' } },
  client: {
    fullChain: 'client_cert.pem',
    privateKey: 'client_key.pem',
    authorities: { output: 'chain', path: 'client_intermediate_certs.pem' },
  },
};

/** Returns the content of a certificate; `chainFrom` is the index of the object that completes its chain. */
export function certificateContent(choice: LayoutChoice, chainFrom: number | undefined): ContentSpec {
  const outputs = certificateOutputs(choice.layout, chainFrom !== undefined);
  return outputsContent({ outputs, chainFrom, forClient: isForClient(choice) });
}

/** Leaf with its intermediates, key, and the authorities unless a chain secret brings them. */
export function certificateOutputs(layout: FileLayout, besideChain: boolean): readonly OutputSpec[] {
  const { fullChain, privateKey, authorities } = LAYOUTS[layout];
  const outputs = [output('fullChain', fullChain, 'required'), output('privateKey', privateKey, 'required')];
  if (!besideChain || layout === 'client') outputs.push(output(authorities.output, authorities.path, 'if-present'));
  return outputs;
}

/**
 * Returns the content of the chain file. Next to a certificate in the `client` layout, the certificate's own chain file
 * includes it. Without a certificate, a chain secret that also holds a private key serves as the certificate too, and
 * need not hold more than that.
 */
export function chainContent(choice: LayoutChoice, besideCertificate: boolean): ContentSpec {
  const { layout } = choice;
  const { fullChain, privateKey, authorities } = LAYOUTS[layout];
  const { output: kind, path } = authorities;
  if (besideCertificate) {
    return outputsContent({ role: 'chain', outputs: layout === 'client' ? [] : [output(kind, path, 'required')] });
  }
  const outputs = [
    output('fullChain', fullChain, 'with-key'),
    output('privateKey', privateKey, 'with-key'),
    output(kind, path, 'beside-key'),
  ];
  const needsKey = isForClient(choice) || choice.use === 'server';
  return outputsContent({ role: 'chain', outputs, forClient: isForClient(choice), needsKey });
}

/** True for a client's certificate. Without `certificateUse` the layout decides. */
function isForClient({ use, layout }: LayoutChoice): boolean {
  return (use ?? layout) === 'client';
}

function output(kind: OutputKind, path: string, presence: OutputSpec['presence']): OutputSpec {
  return { output: kind, path, mode: 0, presence, keyFormat: 'pkcs8', pfxForm: 'modern', passwordFrom: undefined };
}
