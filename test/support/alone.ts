/**
 * The test files that need a separate process. They set AZURE_POD_IDENTITY_AUTHORITY_HOST, which @azure/identity reads
 * once per process. vitest.config.ts reads this list, and test/house/alone.test.ts checks that it is complete.
 */
export const ALONE: readonly string[] = [
  'test/azure/identities.test.ts',
  'test/azure/login-answers.test.ts',
  'test/azure/no-imds.test.ts',
  'test/azure/rotation-worker.test.ts',
  'test/azure/stale-attacks.test.ts',
  'test/e2e/overrides.test.ts',
  'test/e2e/parity-identity.test.ts',
  'test/e2e/parity-key-vault-form.test.ts',
  'test/emulator/managed-identity.test.ts',
  'test/real-driver/overrides.ci.test.ts',
];
