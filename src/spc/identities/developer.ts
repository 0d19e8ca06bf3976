/**
 * The identity of the person who runs a command with `--login`. It takes the place of the identity that a class asks
 * for, so that no manifest can ask for it and `serve` never has it. Used by `table.ts`.
 */

/** The logins that `--login` takes, each with the account in the words of a message. */
export const DEVELOPER_LOGINS = {
  azurecli: 'the account of the Azure CLI',
  azd: 'the account of the Azure Developer CLI',
  powershell: 'the account of Azure PowerShell',
  environment: 'the application of AZURE_CLIENT_ID',
  default: 'the account of DefaultAzureCredential',
} as const;

/** A value of `--login`. */
export type DeveloperLogin = keyof typeof DEVELOPER_LOGINS;

/** The account of a person, or of a job that checks manifests. */
export interface DeveloperIdentity {
  readonly kind: 'developer';
  readonly login: DeveloperLogin;
  /** The tenant of the class; empty until the vault has named it. */
  readonly tenantId: string;
}
