/**
 * Finds the next step after a refusal of Entra ID, by its code. Called by the identity modes that log in there. For a
 * code that is not in the table, the message names Entra's own page about it.
 */

import { type ClaimedPrincipal, WORKLOAD_IDENTITY_AUDIENCE } from '../../spc/tokens.ts';
import type { LoginRefusal } from './identity-mode.ts';

/** The facts of a refused identity that a next step names. */
export interface Applicant {
  readonly clientId: string;
  readonly tenantId: string;
  /** Issuer and subject of the pod's token, if the identity has one. */
  readonly claimed?: ClaimedPrincipal | undefined;
  /** The next step if Entra ID does not accept the signature; default: that of a token. */
  readonly badSignature?: string;
}

type Remedy = string | ((applicant: Applicant) => string);

const DELAY = 'a new one takes some minutes to work';
const CONDITIONAL_ACCESS =
  'a Conditional Access policy of the tenant blocks this login: except the identity, or the address of the node, from it';

/** Entra's codes, without `AADSTS`, with the next step for each group of them. */
const GROUPS: readonly (readonly [readonly number[], Remedy])[] = [
  [[70021, 70025, 700211, 700212, 700213, 7002137], federate],
  [[7002138], correctCase],
  [
    [700222],
    'the token was issued by Entra ID itself, which takes no such token for a federation; use the token of a service account',
  ],
  [[50166, 501661, 90061], issuerReachable],
  [[700024], 'the assertion is outside its validity: check the clocks of node and cluster, and restart the pod'],
  [[700016], wrongApplication],
  [[7000229], wrongApplication],
  [[7000112], ({ clientId }) => `the application ${clientId} is disabled: enable it in Entra ID`],
  [[7000215], 'put the current value (not the ID) of the client secret into the node-publish secret'],
  [
    [7000222],
    ({ clientId }) =>
      `the client secret has expired: create a new one for ${clientId} and put it into the node-publish secret`,
  ],
  [[700027, 700030, 50012], unknownSignature],
  [[90002, 900021, 900023, 50059, 90019], ({ tenantId }) => `check the tenant ID ${tenantId}, and cloudName`],
  [
    [500011, 50001, 500014, 650052, 650057, 70011, 1002012],
    'Key Vault is not known to this tenant by that name: check that cloudName is the cloud of the vault and of the tenant',
  ],
  [
    [900382, 900432, 90038, 90051],
    'the tenant belongs to another cloud: set cloudName to the cloud of the tenant and of the vault',
  ],
  [[53000, 53001, 53002, 53003, 53004, 530032, 530034, 530035], CONDITIONAL_ACCESS],
  [
    [500021, 500022, 50002],
    'tenant restrictions of the network keep logins from this tenant: allow the tenant at the proxy that sets them',
  ],
  [
    [90006, 90012, 90024, 90033, 90055, 90090, 90091, 50196],
    'Entra ID has a fault or is overloaded at the moment; the next mount asks again',
  ],
];

const REMEDIES: ReadonlyMap<string, Remedy> = new Map(
  GROUPS.flatMap(([codes, remedy]) => codes.map((code) => [`AADSTS${code}`, remedy] as const)),
);

/** Next steps by the words of the answer, for codes that are not in the table. */
const BY_WORDS: readonly (readonly [RegExp, Remedy])[] = [
  [/federated identity/i, federate],
  [/external OIDC endpoint/i, issuerReachable],
  [/conditional access/i, CONDITIONAL_ACCESS],
];

/** Returns the next step after a refusal of Entra ID; `refusal` is undefined if Entra ID was not asked. */
export function entraRemedy(applicant: Applicant, refusal: LoginRefusal | undefined): string {
  if (refusal === undefined) return `check tenant ${applicant.tenantId} and client ${applicant.clientId}`;
  const { code, text } = refusal;
  const remedy = REMEDIES.get(code ?? '') ?? BY_WORDS.find(([words]) => words.test(text))?.[1] ?? lookUp(code);
  return typeof remedy === 'string' ? remedy : remedy(applicant);
}

function lookUp(code: string | undefined): string {
  const number = code?.slice('AADSTS'.length);
  if (number === undefined) return 'it names no code; see the sign-in logs of Entra ID for the identity';
  return `see ${code} at https://login.microsoftonline.com/error?code=${number}`;
}

function federate(applicant: Applicant): string {
  const claimed = claimOf(applicant);
  if (claimed === undefined) return `add a federated identity credential to the identity (${DELAY})`;
  return `add a federated identity credential to the identity (${DELAY}): ${claimed}`;
}

function correctCase(applicant: Applicant): string {
  const claimed = claimOf(applicant);
  const exact = claimed === undefined ? '' : `: ${claimed}`;
  return `the subject of the federated identity credential differs in upper and lower case; correct it${exact}`;
}

/** Returns the fields of the federated credential that Entra ID needs, to be copied. */
function claimOf({ claimed }: Applicant): string | undefined {
  if (claimed === undefined) return undefined;
  return `issuer "${claimed.issuer}", subject "${claimed.subject}", audience "${WORKLOAD_IDENTITY_AUDIENCE}"`;
}

function issuerReachable({ claimed }: Applicant): string {
  const where = claimed === undefined ? '' : ` "${claimed.issuer}"`;
  return `Entra ID cannot read the OpenID documents of the cluster's issuer${where}: they must be public, with a certificate of a public authority`;
}

function wrongApplication({ tenantId, clientId }: Applicant): string {
  return `check the client ID ${clientId} and the tenant ID ${tenantId}: there is no such application in this tenant`;
}

function unknownSignature({ badSignature }: Applicant): string {
  return (
    badSignature ??
    `Entra ID does not accept the signature of the token: check that the cluster's issuer publishes the key that signs it`
  );
}
