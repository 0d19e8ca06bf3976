/**
 * Gets tokens of the person who runs a command, by the SDK's developer credentials. `check --fetch --login` and
 * `mount --direct --login` load it; it is a part of the bundle that `serve` never loads. Refuses a tenant that is no
 * text for a command line, because the SDK calls the tools by a shell.
 */

import type { TokenCredential } from '@azure/core-auth';
import {
  AzureCliCredential,
  AzureDeveloperCliCredential,
  AzurePowerShellCredential,
  DefaultAzureCredential,
  EnvironmentCredential,
} from '@azure/identity';
import { messageOf, ProviderError } from '../../base/errors.ts';
import { isGuid } from '../../base/guid.ts';
import { quote } from '../../base/words.ts';
import { DEVELOPER_LOGINS, type DeveloperLogin } from '../../spc/identities/developer.ts';
import { serverWords } from '../http/server-words.ts';
import { credentialOptions, tokenOf } from './entra.ts';
import type { DeveloperTokens, GivenToken, IdentityOf, LoginRequest } from './identity-mode.ts';
import { endingTools } from './tool-processes.ts';

/** Time for a tool to print a token. The first call of a tool after an update takes seconds. */
const TOOL_TIMEOUT_MS = 30_000;

/** A way to log in: the credential of the SDK, and the next steps if it gives no token. */
interface Login {
  readonly credential: (tenantId: string, request: LoginRequest) => TokenCredential;
  /** The tool to install; undefined if there is none. */
  readonly tool: string | undefined;
  readonly remedy: (tenantId: string) => string;
}

const LOGINS: Readonly<Record<DeveloperLogin, Login>> = {
  azurecli: {
    credential: (tenantId) => new AzureCliCredential(toolOptions(tenantId)),
    tool: 'az (https://aka.ms/azure-cli)',
    remedy: (tenantId) => `log in first: az login --tenant ${tenantId}`,
  },
  azd: {
    credential: (tenantId) => new AzureDeveloperCliCredential(toolOptions(tenantId)),
    tool: 'azd (https://aka.ms/azd)',
    remedy: (tenantId) => `log in first: azd auth login --tenant-id ${tenantId}`,
  },
  powershell: {
    credential: (tenantId) => new AzurePowerShellCredential(toolOptions(tenantId)),
    tool: 'pwsh and its module Az.Accounts (https://aka.ms/azps)',
    remedy: (tenantId) => `log in first: Connect-AzAccount -Tenant ${tenantId}`,
  },
  environment: {
    credential: (_, request) => new EnvironmentCredential(credentialOptions(request)),
    tool: undefined,
    remedy: () =>
      'set AZURE_TENANT_ID, AZURE_CLIENT_ID, and AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH (the path of a PEM file)',
  },
  default: {
    credential: (tenantId, request) =>
      new DefaultAzureCredential({ ...toolOptions(tenantId), ...credentialOptions(request) }),
    tool: undefined,
    remedy: (tenantId) => `log in with one of the tools that it tries, such as: az login --tenant ${tenantId}`,
  },
};

function toolOptions(tenantId: string) {
  return { tenantId, additionallyAllowedTenants: ['*'], processTimeoutInMs: TOOL_TIMEOUT_MS };
}

/**
 * Returns the function that logs in; see {@link DeveloperTokens}. The token is that of the tenant of the class, or of
 * AZURE_TENANT_ID for `environment`. A login without credentials is not tried again: a tool that hangs would take its time
 * for each class.
 */
export function developerTokens(): DeveloperTokens {
  const unavailable = new Map<string, ProviderError>();
  return async (identity, request) => {
    const key = JSON.stringify([identity.login, identity.tenantId, request.resource, request.claims]);
    const known = unavailable.get(key);
    if (known !== undefined) throw known;
    try {
      return await tokenFor(identity, request);
    } catch (error) {
      if (error instanceof ProviderError) unavailable.set(key, error);
      throw error;
    }
  };
}

/** A tenant that a shell takes as one word, and a tool as no option. */
const TENANT = /^[0-9a-zA-Z][0-9a-zA-Z.-]*$/;

/** Throws: ERR_AUTHENTICATION if there are no credentials; errors of the SDK about an answer of Entra ID. */
async function tokenFor(identity: IdentityOf<'developer'>, request: LoginRequest): Promise<GivenToken> {
  const { login, tenantId } = identity;
  if (!TENANT.test(tenantId))
    throw failed(identity, `${quote(tenantId)} is not a tenant`, 'correct the tenant of the class');
  if (login === 'environment') checkTenant(identity);
  try {
    const given = await endingTools(() => tokenOf(LOGINS[login].credential(tenantId, request), request));
    // The SDK does not check what a tool prints.
    if (typeof given.token === 'string' && given.token !== '') return given;
  } catch (error) {
    // Entra ID was asked: its answer, or its silence, is explained where the request was sent.
    if (!(error instanceof Error) || !UNAVAILABLE.includes(error.name)) throw error;
    throw unavailableError(identity, messageOf(error));
  }
  throw unavailableError(identity, NO_TOKEN);
}

/** Begins the SDK's texts about a tool that is not there. Texts of a tool itself may have the same words. */
const NOT_INSTALLED =
  /^(Azure CLI could not|Azure Developer CLI couldn't) be found|^(Error: )?Unable to execute PowerShell|^The 'Az\.Account' module/;
/** Texts of the SDK and of Node about output that is no token. */
const NO_TOKEN = 'the output has no token';
const NO_TOKEN_TEXTS = /JSON|output|response|^Cannot read properties/i;

/** The SDK's names of errors about credentials that are not there. */
const UNAVAILABLE: readonly string[] = ['CredentialUnavailableError', 'AggregateAuthenticationError'];

/** Explains why a login gave no token. The SDK's texts about output are left out: they quote it, and it holds a token. */
function unavailableError(identity: IdentityOf<'developer'>, message: string): ProviderError {
  const { login, tenantId } = identity;
  const { tool, remedy } = LOGINS[login];
  const next = remedy(tenantId);
  if (tool === undefined) return failed(identity, 'it finds no credentials', next);
  const name = tool.split(' ')[0] ?? '';
  if (NOT_INSTALLED.test(message))
    return failed(identity, `${name} is not installed, or not on PATH`, `install ${tool}, or choose another --login`);
  if (NO_TOKEN_TEXTS.test(message))
    return failed(identity, `${name} printed no token, for which it has ${TOOL_TIMEOUT_MS / 1000} seconds`, next);
  return failed(identity, `${name} gave no token`, `${next}; it says: ${serverWords(message)}`);
}

/** The application of the environment logs in at its own tenant, so that a vault of another one refuses it. */
function checkTenant(identity: IdentityOf<'developer'>): void {
  const own = process.env.AZURE_TENANT_ID ?? '';
  const { tenantId } = identity;
  if (!isGuid(own) || !isGuid(tenantId) || own.toLowerCase() === tenantId.toLowerCase()) return;
  throw failed(identity, `AZURE_TENANT_ID is ${own}, and the class names tenant ${tenantId}`, 'correct one of them');
}

function failed({ login }: IdentityOf<'developer'>, reason: string, next: string): ProviderError {
  const text = `Cannot log in as ${DEVELOPER_LOGINS[login]}: ${reason}; ${next}`;
  return new ProviderError('ERR_AUTHENTICATION', text, { details: { phase: 'entra' } });
}
