/**
 * Formats an inspection as text for a terminal. `akv-csi inspect` calls it. It prints no values of keys.
 */

import { counted } from '../base/words.ts';
import type { InspectedCertificate, Inspection } from './inspect.ts';

const FORMATS: Readonly<Record<Inspection['format'], string>> = { pkcs12: 'PKCS#12 (PFX)', pem: 'PEM', der: 'DER' };

/** Formats an inspection: contents, the chain as a tree, findings, outputs. */
export function formatInspection(inspection: Inspection): string {
  const sections = [
    [`${FORMATS[inspection.format]}: ${countOf(inspection)}`],
    section('Private keys', inspection.keys.map(keyLine)),
    section('Chain', chainLines(inspection)),
    section(
      'Other certificates',
      othersOf(inspection).flatMap((certificate) => certificateLines(certificate, '  ')),
    ),
    section('Warnings', findingLines(inspection, 'warning')),
    section('Notes', findingLines(inspection, 'note')),
    section('What the provider writes for each output', outputLines(inspection)),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}

function countOf({ keys, certificates }: Inspection): string {
  const plural = (count: number, noun: string) => (count === 0 ? `no ${noun}s` : counted(count, noun));
  return `${plural(keys.length, 'private key')}, ${plural(certificates.length, 'certificate')}`;
}

function keyLine({ kind, fits }: Inspection['keys'][number]): string {
  return `  ${kind}, ${fits === null ? 'fits no certificate here' : `fits ${fits}`}`;
}

/** The chain from the root at the top to the leaf. */
function chainLines({ chain, certificates }: Inspection): readonly string[] {
  const path = chain.path.map((index) => certificates[index]).filter((certificate) => certificate !== undefined);
  const missing = chain.missingIssuer === null ? [] : [`  ${chain.missingIssuer} (missing here)`];
  const steps = path.toReversed().flatMap((certificate, i) => {
    const depth = i + missing.length;
    const indent = '  '.repeat(depth);
    const [first = '', ...rest] = certificateLines(certificate, '');
    const branch = depth === 0 ? '  ' : `${indent}└─ `;
    return [branch + first, ...rest.map((line) => `${indent}${depth === 0 ? '  ' : '   '}${line}`)];
  });
  return [...missing, ...steps];
}

function othersOf({ chain, certificates }: Inspection): readonly InspectedCertificate[] {
  const inPath = new Set(chain.path.map((index) => certificates[index]?.fingerprint256));
  return certificates.filter(({ fingerprint256 }) => !inPath.has(fingerprint256));
}

function certificateLines(certificate: InspectedCertificate, indent: string): readonly string[] {
  const { subject, issuer, alternativeNames, notBefore, notAfter, key, signature, place } = certificate;
  const selfIssued = subject === issuer && place !== 'root' ? ', its own issuer' : '';
  return [
    `${indent}${subject} (${place}${selfIssued})`,
    `${indent}  ${key}, signed by ${signature}`,
    `${indent}  valid from ${notBefore} to ${notAfter}`,
    ...(alternativeNames.length === 0 ? [] : [`${indent}  names ${alternativeNames.join(', ')}`]),
    ...(place === 'unrelated' ? [`${indent}  issued by ${issuer}`] : []),
  ];
}

function findingLines({ findings }: Inspection, wanted: 'warning' | 'note'): readonly string[] {
  return findings.flatMap(({ severity, reason, message }) => (severity === wanted ? `  ${reason}: ${message}` : []));
}

/** Outputs that fail for the same reason share a line. */
function outputLines({ outputs }: Inspection): readonly string[] {
  const lines: { readonly names: string[]; readonly text: string }[] = [];
  for (const { output, holds, problem } of outputs) {
    const text = problem === null ? holds.join(' | ') : `nothing: ${problem}`;
    const same = problem === null ? undefined : lines.find((line) => line.text === text);
    if (same === undefined) lines.push({ names: [output], text });
    else same.names.push(output);
  }
  const width = Math.max(...lines.map(({ names }) => names.join(', ').length));
  return lines.map(({ names, text }) => `  ${names.join(', ').padEnd(width)}  ${text}`);
}
